import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Fd } from '@spectrum/unix-fd'
import { err } from 'neverthrow'
import { describe, expect, test } from 'vitest'
import { descriptors, table } from '../peers/peer.js'
import { type Connection, Unit } from '../peers/unit.js'

const memory = (size: number) => descriptors.createMemfd('test', { size })._unsafeUnwrap()

/** Sends a pool over this descriptor, which stays the caller's. */
function sendPool(client: Connection['client'], shm: number, fd: Fd, size: number): number {
  return client.make(shm, 'create_pool', fd, size)
}

const sizeOf = (fd: unknown) => Number(descriptors.inspect(fd as Fd)._unsafeUnwrap().size)

describe('rule 9: descriptors are a queue beside the bytes', () => {
  test('they are taken in the order of the messages, also when they come before their bytes', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    const shm = client.bind('wl_shm')
    await client.sync()
    const sizes = [4096, 8192, 12288]
    const files = sizes.map(memory)
    const type = table.find('wl_shm')!.requests[0]!
    const bytes = sizes.map(
      (size, index) => client.encode(shm, type, [client.id(), files[index]!.fd, size]).bytes,
    )
    client.raw(
      bytes[0]!.subarray(0, 3),
      files.map(({ fd }) => fd),
    )
    client.raw(bytes[0]!.subarray(3))
    client.raw(bytes[1]!)
    client.raw(bytes[2]!)
    for (const size of sizes) {
      const { args } = await compositor.next('wl_shm.create_pool')
      expect([sizeOf(args[1]), args[2]]).toEqual([size, size])
      ;(args[1] as Fd).close()
    }
    for (const file of files) file.close()
  })

  test('a message whose descriptor did not come is refused', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    const shm = client.bind('wl_shm')
    const type = table.find('wl_shm')!.requests[0]!
    using file = memory(4096)
    client.raw(client.encode(shm, type, [client.id(), file.fd, 4096]).bytes)
    expect(await client.error()).toMatch('did not arrive with or before the message')
  })

  test('those of several messages arrive with theirs while the compositor does not read', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    const shm = client.bind('wl_shm')
    const wl = client.bind('wl_compositor')
    const surface = client.make(wl, 'create_surface')
    await client.sync()
    compositor.stall()
    const sizes: number[] = []
    const damage = table.find('wl_surface')!.requests[2]!
    const filler = client.encode(surface, damage, [0, 0, 1, 1]).bytes
    const many = new Uint8Array(filler.length * 150)
    for (let at = 0; at < 150; at++) many.set(filler, at * filler.length)
    for (let index = 0; index < 60; index++) {
      using file = memory(4096 * (index + 1))
      sizes.push(4096 * (index + 1))
      sendPool(client, shm, file.fd, 4096 * (index + 1))
      client.raw(many)
      await new Promise((resolve) => setImmediate(resolve))
    }
    compositor.resume()
    for (const size of sizes) {
      const { args } = await compositor.next('wl_shm.create_pool')
      expect([sizeOf(args[1]), args[2]]).toEqual([size, size])
      ;(args[1] as Fd).close()
    }
    await client.sync()
  })
})

describe('rule 10: descriptors that nobody needs', () => {
  test('28 may wait for their messages; one more, and the client is refused', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    using file = memory(1)
    const sync = () => client.encode(1, table.find('wl_display')!.requests[0]!, [client.id()]).bytes
    client.raw(sync(), new Array<Fd>(28).fill(file.fd))
    await client.next('wl_callback.done')
    client.raw(sync(), [file.fd])
    expect(await client.error()).toMatch('2: 29 descriptors arrived that no message needs')
    expect(unit.codes()).toContain('W-DESCRIPTORS')
  })

  test('none of them reaches the compositor', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    using file = memory(1)
    const sync = client.encode(1, table.find('wl_display')!.requests[0]!, [client.id()]).bytes
    client.raw(sync, new Array<Fd>(20).fill(file.fd))
    await client.next('wl_callback.done')
    expect(compositor.fds).toEqual([])
  })

  test('more than there is room for (MSG_CTRUNC) end the client, and no other', async () => {
    const inbox = descriptors.createInbox({ maxBytes: 32_768, maxFds: 4 })._unsafeUnwrap()
    await using unit = new Unit({}, { powers: { inbox } })
    const { client } = await unit.started()
    const other = await unit.started()
    using file = memory(1)
    const sync = client.encode(1, table.find('wl_display')!.requests[0]!, [client.id()]).bytes
    client.raw(sync, new Array<Fd>(5).fill(file.fd))
    await client.end()
    expect(unit.codes()).toContain('W-DESCRIPTORS')
    await other.client.sync()
  })
})

describe('rule 11: every descriptor is closed once', () => {
  // Each unit compares what is open before and after, here and in all other tests.
  test('when its message is refused', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    using file = memory(4096)
    sendPool(client, client.bind('wl_shm'), file.fd, 8192)
    expect(await client.error()).toMatch('a pool of 8192 bytes in a file of 4096')
  })

  test('when the client leaves with some on their way', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    compositor.stall()
    using file = memory(4096)
    for (let count = 0; count < 20; count++) sendPool(client, client.bind('wl_shm'), file.fd, 4096)
    client.close()
    await expect.poll(() => unit.endings.length).toBe(1)
  })

  test('when an event that carries one is for nobody any more', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    compositor.answers = false
    const keyboard = client.make(client.bind('wl_seat'), 'get_keyboard')
    client.send(keyboard, 'release')
    await compositor.next('wl_keyboard.release')
    using keymap = memory(10)
    compositor.send(compositor.newest('wl_keyboard'), 'keymap', 1, keymap.fd, 10)
    compositor.answer()
    await client.sync()
    expect(client.fds).toEqual([])
  })
})

describe('evil descriptors', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wayland-proxy-'))
  const open = (path: string) => descriptors.adopt(openSync(path, 'r+'))
  const regular = join(folder, 'file')
  writeFileSync(regular, new Uint8Array(4096))
  const kinds: Readonly<Record<string, () => Fd>> = {
    'a device': () => open('/dev/zero'),
    'a pipe': () => {
      const { reader, writer } = descriptors.createPipe()._unsafeUnwrap()
      reader.close()
      return writer
    },
    'a socket': () => {
      const [one, two] = descriptors.socketpair('stream')._unsafeUnwrap()
      two.close()
      return one.fd
    },
    'an eventfd': () => descriptors.createEventFd()._unsafeUnwrap().fd,
    'a directory': () => descriptors.adopt(openSync(folder, 'r')),
  }
  for (const [name, make] of Object.entries(kinds)) {
    test(`${name} is no shared memory`, async () => {
      await using unit = new Unit()
      const { client, compositor } = await unit.started()
      using fd = make()
      sendPool(client, client.bind('wl_shm'), fd, 4096)
      expect(await client.error()).toMatch('2: shared memory must be a file')
      expect(compositor.names()).not.toContain('wl_shm.create_pool')
    })
  }

  test('a file on a disk is, if it is large enough', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    using fd = open(regular)
    sendPool(client, client.bind('wl_shm'), fd, 4096)
    ;((await compositor.next('wl_shm.create_pool')).args[1] as Fd).close()
    rmSync(folder, { recursive: true })
  })

  test('a pool grows with its file, and not beyond what the file is by then', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    using file = memory(4096)
    const pool = sendPool(client, client.bind('wl_shm'), file.fd, 4096)
    file.resize(8192)._unsafeUnwrap()
    client.send(pool, 'resize', 8192)
    expect((await compositor.next('wl_shm_pool.resize')).args).toEqual([8192])
    client.send(pool, 'resize', 8193)
    expect(await client.error()).toMatch('2: a pool of 8193 bytes in a file of 8192')
    expect(compositor.names().filter((name) => name === 'wl_shm_pool.resize')).toHaveLength(1)
    expect(unit.codes()).toContain('W-POOL-SIZE')
  })

  test('a pool whose file was cut off meanwhile does not grow', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    using file = memory(16_384)
    const pool = sendPool(client, client.bind('wl_shm'), file.fd, 4096)
    await client.sync()
    file.resize(0)._unsafeUnwrap()
    client.send(pool, 'resize', 8192)
    expect(await client.error()).toMatch('2: a pool of 8192 bytes in a file of 0')
    expect(compositor.names()).not.toContain('wl_shm_pool.resize')
  })

  test('a pool whose file the proxy cannot keep does not reach the compositor', async () => {
    const failure = { kind: 'system', call: 'fcntl', code: 'EMFILE', message: 'too many' } as const
    const inspect = (fd: Fd) => {
      fd.duplicate = () => err(failure)
      return descriptors.inspect(fd)
    }
    await using unit = new Unit({}, { powers: { inspect } })
    const { client, compositor } = await unit.started()
    using file = memory(4096)
    sendPool(client, client.bind('wl_shm'), file.fd, 4096)
    expect(await client.error()).toMatch("2: a pool's file cannot be kept: too many")
    expect(compositor.names()).not.toContain('wl_shm.create_pool')
  })

  test('a file is no memory of the GPU', async () => {
    await using unit = new Unit({ globals: { zwp_linux_dmabuf_v1: 'allow' } })
    const { client } = await unit.started([{ name: 3, interface: 'zwp_linux_dmabuf_v1', version: 3 }])
    const params = client.make(client.bind('zwp_linux_dmabuf_v1'), 'create_params')
    using file = memory(4096)
    client.send(params, 'add', file.fd, 0, 0, 4, 0, 0)
    expect(await client.error()).toMatch('a descriptor of file')
    expect(unit.codes()).toContain('W-DESCRIPTOR-KIND')
  })

  test('a paste goes into a pipe, and into nothing else', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    const manager = client.bind('wl_data_device_manager')
    const device = client.make(manager, 'get_data_device', client.bind('wl_seat'))
    const source = client.make(manager, 'create_data_source')
    client.send(source, 'offer', 'text/plain')
    client.send(device, 'set_selection', source, 1)
    const { args } = await client.next('wl_data_device.selection')
    using file = memory(1)
    client.send(args[0] as number, 'receive', 'text/plain', file.fd)
    await client.sync()
    expect(unit.warnings).toContainEqual(
      expect.objectContaining({ message: 'a paste needs a pipe to write to: this is file' }),
    )
    expect(client.names()).not.toContain('wl_data_source.send')
    expect(unit.endings).toEqual([])
  })
})
