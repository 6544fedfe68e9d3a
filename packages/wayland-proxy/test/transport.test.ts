import { mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Fd, liveFds, type UnixSocket } from '@spectrum/unix-fd'
import { afterAll, describe, expect, test } from 'vitest'
import { parseArguments } from '../src/command/arguments.js'
import { acceptClients, carryAcrossDomains, readPolicy } from '../src/index.js'
import { linuxCrossDomainPowers } from '../src/linux/descriptors.js'
import { FakeClient } from './peers/client.js'
import { FakeCompositor } from './peers/compositor.js'
import { descriptors } from './peers/peer.js'
import { powers, Unit } from './peers/unit.js'

const folder = mkdtempSync(join(tmpdir(), 'wayland-transport-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('the acceptor', () => {
  let sockets = 0

  async function serving(
    limits: object,
    test: (path: string, unit: Unit) => Promise<void>,
    { clock, later } = powers,
  ): Promise<void> {
    await using unit = new Unit({ limits })
    const path = join(folder, `socket-${++sockets}`)
    using listener = descriptors.listen(path, 'stream', { backlog: 64 })._unsafeUnwrap()
    const compositors: FakeCompositor[] = []
    const connect = () =>
      descriptors.socketpair('stream').map(([up, host]) => {
        compositors.push(new FakeCompositor(host))
        return up
      })
    const stop = new AbortController()
    const acceptance = { proxy: unit.proxy, powers: { clock, later }, listener, connect }
    const served = acceptClients(acceptance, stop.signal)
    await test(path, unit)
    stop.abort()
    expect((await served).isOk()).toBe(true)
    unit.proxy.close()
    for (const compositor of compositors) compositor.close()
  }

  const client = (path: string) => new FakeClient(descriptors.connect(path, 'stream')._unsafeUnwrap())

  test('serves as many clients at a time as the limit says; the next has its turn when one leaves', () =>
    serving({ connections: 2 }, async (path, unit) => {
      const clients = [client(path), client(path), client(path)]
      await Promise.all([clients[0]!.start(), clients[1]!.start()])
      const third = clients[2]!.start()
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(unit.proxy.connections).toBe(2)
      clients[0]!.close()
      await third
      for (const one of clients) one.close()
    }))

  test('serves more at a time as soon as a new policy lets it', () =>
    serving({ connections: 1 }, async (path, unit) => {
      const clients = [client(path), client(path)]
      await clients[0]!.start()
      const second = clients[1]!.start()
      // Only who waits already can be forgotten.
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
      unit.proxy.setPolicy(readPolicy({ limits: { connections: 2 } })._unsafeUnwrap())
      await second
      for (const one of clients) one.close()
    }))

  test('is not kept waiting by an acceptor before it, which was stopped while it waited for room', async () => {
    await using unit = new Unit({ limits: { connections: 1 } })
    const path = join(folder, 'twice')
    using listener = descriptors.listen(path, 'stream')._unsafeUnwrap()
    const compositors: FakeCompositor[] = []
    const connect = () =>
      descriptors.socketpair('stream').map(([up, host]) => {
        compositors.push(new FakeCompositor(host))
        return up
      })
    const { client: first } = await unit.started()
    const serve = (stop: AbortController) =>
      acceptClients({ proxy: unit.proxy, powers, listener, connect }, stop.signal)
    const stopped = new AbortController()
    const before = serve(stopped)
    stopped.abort()
    await before
    const stop = new AbortController()
    const served = serve(stop)
    const second = client(path)
    const started = second.start()
    first.close()
    await started
    stop.abort()
    await served
    second.close()
    unit.proxy.close()
    for (const compositor of compositors) compositor.close()
  })

  test('lets a unit connect only so fast, and turns nobody away', () => {
    // It stands still until the first have been served, however long that takes.
    let now = 0
    return serving(
      { connectionsPerSecond: 5 },
      async (path, unit) => {
        const clients = Array.from({ length: 7 }, () => client(path))
        const started = clients.map((one) => one.start())
        await Promise.all(started.slice(0, 5))
        await expect.poll(() => unit.codes()).toContain('W-CONNECTIONS')
        expect(unit.proxy.connections).toBe(5)
        now = 400
        await Promise.all(started)
        for (const one of clients) one.close()
      },
      { ...powers, clock: { now: () => now } },
    )
  })

  test('turns a client away when the compositor is not there, and says so', async () => {
    await using unit = new Unit()
    const path = join(folder, 'nobody')
    using listener = descriptors.listen(path, 'stream')._unsafeUnwrap()
    const connect = () => descriptors.connect(join(folder, 'no-compositor'), 'stream')
    const stop = new AbortController()
    const served = acceptClients({ proxy: unit.proxy, powers, listener, connect }, stop.signal)
    const one = client(path)
    await one.end()
    expect(unit.codes()).toContain('W-COMPOSITOR')
    stop.abort()
    await served
    one.close()
  })
})

describe('the way through crosvm', () => {
  const carry = carryAcrossDomains(linuxCrossDomainPowers(descriptors))
  const linkOf = (fd: Fd) => readlinkSync(`/proc/self/fd/${fd.number}`)

  test('carries a memfd and the writing end of a pipe as they are', () => {
    const { fd } = descriptors.createMemfd('keymap', { size: 10 })._unsafeUnwrap()
    const { reader, writer } = descriptors.createPipe()._unsafeUnwrap()
    for (const one of [fd, writer]) {
      expect(carry(one)._unsafeUnwrap()).toBe(one)
      one.close()
    }
    reader.close()
  })

  test('carries a file as a memfd with the same content', () => {
    const path = join(folder, 'keymap')
    writeFileSync(path, 'xkb_keymap {}')
    const file = descriptors.adopt(openSync(path, 'r'))
    using carried = carry(file)._unsafeUnwrap()
    expect(file.closed).toBe(true)
    expect(linkOf(carried)).toMatch(/^\/memfd:/)
    using memory = descriptors.map(carried, { length: 13 })._unsafeUnwrap()
    expect(new TextDecoder().decode(memory.bytes)).toBe('xkb_keymap {}')
  })

  test('carries no reading end, no socket and no directory, and closes what it refuses', () => {
    const { reader, writer } = descriptors.createPipe()._unsafeUnwrap()
    const [one, two]: [UnixSocket, UnixSocket] = descriptors.socketpair('stream')._unsafeUnwrap()
    const directory = descriptors.adopt(openSync(folder, 'r'))
    for (const fd of [reader, one.fd, directory]) {
      expect(carry(fd).isErr()).toBe(true)
      expect(fd.closed).toBe(true)
    }
    writer.close()
    two.close()
  })

  test('carries an eventfd, and nothing else that has no type of file and is no memory', () => {
    // Node's own of both kinds.
    for (const [target, carried] of [
      ['anon_inode:[eventfd]', true],
      ['anon_inode:[eventpoll]', false],
    ] as const) {
      const number = readdirSync('/proc/self/fd').find((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`) === target
        } catch {
          return false // The one by which the directory was read.
        }
      })
      const nodes = descriptors.adopt(Number(number))
      const copy = nodes.duplicate()._unsafeUnwrap()
      nodes.take()
      expect(carry(copy).isOk()).toBe(carried)
      expect(copy.closed).toBe(!carried)
      copy.close()
    }
  })

  test('carries no file that it cannot read, and leaves nothing of it', () => {
    const path = join(folder, 'written')
    writeFileSync(path, 'xkb_keymap {}')
    const before = liveFds()
    const file = descriptors.adopt(openSync(path, 'a'))
    expect(carry(file)._unsafeUnwrapErr()).toContain('EBADF')
    expect(file.closed).toBe(true)
    expect(liveFds()).toBe(before)
  })

  test('leaves an event out whose descriptor it cannot carry, and the client goes on', async () => {
    await using unit = new Unit({}, { carry })
    const { client, compositor } = await unit.started()
    client.make(client.bind('wl_seat'), 'get_keyboard')
    await client.sync()
    const { reader, writer } = descriptors.createPipe()._unsafeUnwrap()
    compositor.send(compositor.newest('wl_keyboard'), 'keymap', 1, reader, 10)
    await client.sync()
    expect(client.names()).not.toContain('wl_keyboard.keymap')
    expect(unit.codes()).toContain('W-TRANSPORT')
    reader.close()
    writer.close()
  })
})

describe('the command line', () => {
  const work = (...argv: string[]) => parseArguments(argv)._unsafeUnwrap().work

  test('has one thing to do', () => {
    expect(work('--policy', 'default', '--', 'foot', '--', '-x')).toEqual({
      kind: 'run',
      argv: ['foot', '--', '-x'],
    })
    expect(work('--policy=p.json', '--listen=/run/unit')).toEqual({ kind: 'listen', path: '/run/unit' })
    expect(work('--policy=p.json', '--inherited', '7')).toEqual({ kind: 'inherited', descriptor: 7 })
    expect(work('--policy=p.json', '--explain', 'wl_shm')).toEqual({ kind: 'explain', name: 'wl_shm' })
    expect(work('--schema')).toEqual({ kind: 'schema' })
    expect(work('--help')).toEqual({ kind: 'help' })
  })

  for (const [argv, why] of [
    [['--', 'foot'], '--policy is missing'],
    [['--policy', 'default'], 'nothing to do'],
    [['--policy', 'default', '--'], 'no command'],
    [['--policy', 'default', 'foot'], 'is not understood'],
    [['--policy', 'a', '--policy', 'b', '--', 'x'], 'given twice'],
    [['--policy', 'a', '--listen', 'x', '--', 'y'], 'give one of'],
    [['--policy', 'a', '--inherited', 'x'], 'number of a descriptor'],
    [['--policy'], 'needs a value'],
  ] as const) {
    test(`refuses ${argv.join(' ')}`, () => {
      expect(parseArguments(argv)._unsafeUnwrapErr()).toMatch(why)
    })
  }
})
