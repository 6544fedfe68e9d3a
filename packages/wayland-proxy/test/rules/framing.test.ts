import { describe, expect, test } from 'vitest'
import type { FakeClient } from '../peers/client.js'
import { table } from '../peers/peer.js'
import { Unit } from '../peers/unit.js'

/** Words as bytes, in the machine's order. */
const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer)
const header = (id: number, opcode: number, size: number) => [id, ((size << 16) | opcode) >>> 0]

/** What a client is told for these bytes, sent after an honest start. */
async function answerTo(bytes: (client: FakeClient, surface: number) => Uint8Array): Promise<string> {
  await using unit = new Unit()
  const { client, compositor } = await unit.started()
  const surface = client.make(client.bind('wl_compositor'), 'create_surface')
  await client.sync()
  const before = compositor.seen.length
  client.raw(bytes(client, surface))
  const error = await client.error()
  await client.end()
  await compositor.end()
  expect(compositor.seen.length).toBe(before)
  return error
}

describe('rule 1: a message has 8 to 4096 bytes in whole words', () => {
  for (const size of [0, 4, 7, 9, 13, 4100, 0xfffc]) {
    test(`${size} bytes are refused`, async () => {
      const error = await answerTo((_client, surface) => words(...header(surface, 6, size), 0, 0, 0))
      expect(error).toMatch(`1: a message of ${size} bytes`)
    })
  }

  test('4096 bytes are taken', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    const xdg = client.make(client.bind('xdg_wm_base'), 'get_xdg_surface', surface)
    const toplevel = client.make(xdg, 'get_toplevel')
    const message = new Uint8Array(4096)
    message.set(words(...header(toplevel, 2, 4096), 4096 - 12))
    message.fill(65, 12, 4095)
    client.raw(message)
    await client.sync()
    const { args } = await compositor.next('xdg_toplevel.set_title')
    expect(args).toEqual(['A'.repeat(255)])
  })
})

describe('rule 2: messages come in any pieces', () => {
  test('byte by byte is as good as at once', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    const wl = client.bind('wl_compositor')
    const surface = client.make(wl, 'create_surface')
    const damage = table.find('wl_surface')!.requests.find(({ name }) => name === 'damage')!
    const { bytes } = client.encode(surface, damage, [1, 2, 3, 4])
    const all = new Uint8Array([...bytes, ...bytes, ...bytes])
    for (const byte of all) {
      client.raw(Uint8Array.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await client.sync()
    expect(compositor.names().filter((name) => name === 'wl_surface.damage')).toHaveLength(3)
  })
})

describe('rule 5: a string', () => {
  const title =
    (length: number, ...rest: number[]) =>
    async () =>
      answerToToplevel((toplevel) => words(...header(toplevel, 2, 12 + 4 * rest.length), length, ...rest))

  test('that is longer than its message is refused', async () => {
    expect(await title(9, 0x41414141, 0)()).toMatch('1: xdg_toplevel.set_title')
    expect(await title(0xffffffff, 0)()).toMatch('1: xdg_toplevel.set_title')
  })

  test('without its NUL is refused', async () => {
    expect(await title(4, 0x41414141)()).toMatch('does not end with a NUL')
  })

  test('that is null where it must not be is refused', async () => {
    expect(await title(0)()).toMatch('null is not allowed')
  })

  test('ends at its first NUL where it is shown, and keeps no padding of the client', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    const xdg = client.make(client.bind('xdg_wm_base'), 'get_xdg_surface', surface)
    const toplevel = client.make(xdg, 'get_toplevel')
    client.raw(words(...header(toplevel, 2, 20), 5, 0x43004241, 0xeeeeee00))
    const { args } = await compositor.next('xdg_toplevel.set_title')
    expect(args).toEqual(['AB'])
  })
})

describe('rule 6: an array', () => {
  test('whose length overflows is refused', async () => {
    await using unit = new Unit({
      globals: { zwp_tablet_manager_v2: 'allow', xdg_toplevel_icon_manager_v1: 'allow' },
    })
    const { client } = await unit.started()
    // The compositor's side: an event with an array of 2^32 - 1 bytes.
    expect(client.ended).toBe(false)
    const { client: other, compositor } = await unit.started()
    const seat = other.bind('wl_seat')
    const keyboard = other.make(seat, 'get_keyboard')
    const surface = other.make(other.bind('wl_compositor'), 'create_surface')
    await other.sync()
    const theirs = { keyboard: compositor.newest('wl_keyboard'), surface: compositor.newest('wl_surface') }
    compositor.raw(words(...header(theirs.keyboard, 1, 24), 1, theirs.surface, 0xffffffff, 0))
    await other.end()
    expect(unit.endings.at(-1)).toMatchObject({ kind: 'compositor-broke-protocol' })
    expect([keyboard, surface].every((id) => id > 0)).toBe(true)
  })
})

describe('rule 7: the arguments fill the message', () => {
  test('too short and too long are refused', async () => {
    expect(await answerTo((_c, surface) => words(...header(surface, 2, 20), 0, 0, 0))).toMatch(
      '20 bytes where 24',
    )
    expect(await answerTo((_c, surface) => words(...header(surface, 6, 12), 0))).toMatch('12 bytes where 8')
  })

  test('bytes behind the last of several strings are refused', async () => {
    expect(await answerToToplevel((toplevel) => words(...header(toplevel, 2, 20), 2, 0x0041, 0))).toMatch(
      'left after the last argument',
    )
  })
})

async function answerToToplevel(bytes: (toplevel: number) => Uint8Array): Promise<string> {
  await using unit = new Unit()
  const { client } = await unit.started()
  const surface = client.make(client.bind('wl_compositor'), 'create_surface')
  const xdg = client.make(client.bind('xdg_wm_base'), 'get_xdg_surface', surface)
  const toplevel = client.make(xdg, 'get_toplevel')
  await client.sync()
  client.raw(bytes(toplevel))
  return await client.error()
}
