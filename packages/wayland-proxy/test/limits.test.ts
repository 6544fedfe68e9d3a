import type { Fd } from '@spectrum/unix-fd'
import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS, readPolicy } from '../src/index.js'
import { LIMIT_BOUNDS } from '../src/policy/limits.js'
import { descriptors, table } from './peers/peer.js'
import { type Connection, powers, Unit } from './peers/unit.js'

const memory = (size: number) => descriptors.createMemfd('test', { size })._unsafeUnwrap()

/** What one client does beyond a limit ends it, and neither another of the unit nor another unit. */
async function hits(
  limits: object,
  act: (connection: Connection) => void | Promise<void>,
  error: string | RegExp,
): Promise<void> {
  await using unit = new Unit({ limits })
  await using otherUnit = new Unit()
  const other = await unit.started()
  const elsewhere = await otherUnit.started()
  const connection = await unit.started()
  await act(connection)
  expect(await connection.client.error()).toMatch(error)
  await other.client.sync()
  await elsewhere.client.sync()
}

const many = (count: number, act: () => void) => {
  for (let index = 0; index < count; index++) act()
}

describe('a limit', () => {
  test('of objects', () =>
    hits(
      { objects: 30 },
      ({ client }) => {
        const wl = client.bind('wl_compositor')
        many(40, () => client.make(wl, 'create_region'))
      },
      '2: more than 30 objects',
    ))

  test('of objects of all clients together', async () => {
    await using unit = new Unit({ limits: { objectsPerUnit: 40 } })
    const one = await unit.started()
    const two = await unit.started()
    const wl = one.client.bind('wl_compositor')
    many(30, () => one.client.make(wl, 'create_region'))
    await one.client.sync()
    const other = two.client.bind('wl_compositor')
    many(10, () => two.client.make(other, 'create_region'))
    expect(await two.client.error()).toMatch('more than 40 objectsPerUnit')
    // What it held is free again, and the first is unharmed.
    await one.client.sync()
    const three = await unit.started()
    three.client.bind('wl_compositor')
    await three.client.sync()
  })

  test('of surfaces', () =>
    hits(
      { surfaces: 3 },
      ({ client }) => {
        const wl = client.bind('wl_compositor')
        many(4, () => client.make(wl, 'create_surface'))
      },
      '2: more than 3 surfaces',
    ))

  test('of regions', () =>
    hits(
      { regions: 3 },
      ({ client }) => {
        const wl = client.bind('wl_compositor')
        many(4, () => client.make(wl, 'create_region'))
      },
      '2: more than 3 regions',
    ))

  test('of toplevels', () =>
    hits(
      { toplevels: 1 },
      ({ client }) => {
        const [wl, xdg] = [client.bind('wl_compositor'), client.bind('xdg_wm_base')]
        many(2, () => {
          client.make(client.make(xdg, 'get_xdg_surface', client.make(wl, 'create_surface')), 'get_toplevel')
        })
      },
      '2: more than 1 toplevels',
    ))

  test('of popups', () =>
    hits(
      { popups: 1 },
      ({ client }) => {
        const [wl, xdg] = [client.bind('wl_compositor'), client.bind('xdg_wm_base')]
        const positioner = client.make(xdg, 'create_positioner')
        many(2, () => {
          const surface = client.make(xdg, 'get_xdg_surface', client.make(wl, 'create_surface'))
          client.make(surface, 'get_popup', null, positioner)
        })
      },
      '2: more than 1 popups',
    ))

  test('of pools, and of buffers', async () => {
    using file = memory(4096)
    await hits(
      { pools: 2 },
      ({ client }) => {
        const shm = client.bind('wl_shm')
        many(3, () => client.make(shm, 'create_pool', file.fd, 4096))
      },
      '2: more than 2 pools',
    )
    await hits(
      { buffers: 2 },
      ({ client }) => {
        const pool = client.make(client.bind('wl_shm'), 'create_pool', file.fd, 4096)
        many(3, () => client.make(pool, 'create_buffer', 0, 8, 8, 32, 0))
      },
      '2: more than 2 buffers',
    )
  })

  test('of frame callbacks', () =>
    hits(
      { callbacks: 5 },
      ({ client }) => {
        const surface = client.make(client.bind('wl_compositor'), 'create_surface')
        many(6, () => client.make(surface, 'frame'))
      },
      '2: more than 5 callbacks',
    ))

  test('of pools of all clients together, whose descriptors it keeps until they are gone', async () => {
    await using unit = new Unit({ limits: { poolsPerUnit: 3 } })
    using file = memory(4_096)
    const [one, two] = [await unit.started(), await unit.started()]
    const shm = one.client.bind('wl_shm')
    const made = [1, 2].map(() => one.client.make(shm, 'create_pool', file.fd, 4_096))
    await one.client.sync()
    const other = two.client.bind('wl_shm')
    many(2, () => two.client.make(other, 'create_pool', file.fd, 4_096))
    expect(await two.client.error()).toMatch('2: the unit has 3 pools')
    expect(unit.codes()).toContain('W-LIMIT')
    for (const pool of made) one.client.send(pool, 'destroy')
    await one.client.sync()
    many(3, () => one.client.make(shm, 'create_pool', file.fd, 4_096))
    await one.client.sync()
    one.client.close()
    await expect.poll(() => unit.proxy.connections).toBe(0)
  })

  test('of the bytes of a pool, made or grown', async () => {
    using file = memory(40_960)
    const grow = (size: number, grown?: number) =>
      hits(
        { poolBytes: 8_192 },
        ({ client }) => {
          const pool = client.make(client.bind('wl_shm'), 'create_pool', file.fd, size)
          if (grown !== undefined) client.send(pool, 'resize', grown)
        },
        'of 8192 at most',
      )
    await grow(8_193)
    await grow(8_192, 8_193)
  })

  test('of the bytes of all pools of the unit, until they and their buffers are gone', async () => {
    await using unit = new Unit({ limits: { poolBytesPerUnit: 10_000 } })
    using file = memory(8_192)
    const first = await unit.started()
    const pool = first.client.make(first.client.bind('wl_shm'), 'create_pool', file.fd, 8_192)
    const buffer = first.client.make(pool, 'create_buffer', 0, 8, 8, 32, 0)
    first.client.send(pool, 'destroy')
    await first.client.sync()
    const second = await unit.started()
    second.client.make(second.client.bind('wl_shm'), 'create_pool', file.fd, 8_192)
    expect(await second.client.error()).toMatch('the unit shares more than 10000 bytes')
    first.client.send(buffer, 'destroy')
    await first.client.sync()
    const third = await unit.started()
    third.client.make(third.client.bind('wl_shm'), 'create_pool', file.fd, 8_192)
    await third.client.sync()
    for (const { compositor } of [first, third])
      for (const { args } of compositor.seen) {
        for (const arg of args) if (typeof arg === 'object' && arg && 'close' in arg) (arg as Fd).close()
      }
  })

  test('of rectangles in a region', () =>
    hits(
      { rectanglesPerRegion: 4 },
      ({ client }) => {
        const region = client.make(client.bind('wl_compositor'), 'create_region')
        many(5, () => client.send(region, 'add', 0, 0, 1, 1))
      },
      '2: more than 4 rectangles',
    ))

  test('of damage rectangles, above which one covers the surface', async () => {
    await using unit = new Unit({ limits: { damageRectangles: 3 } })
    const { client, compositor } = await unit.started()
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    many(50, () => client.send(surface, 'damage', 1, 1, 1, 1))
    client.send(surface, 'commit')
    client.send(surface, 'damage', 2, 2, 2, 2)
    client.send(surface, 'commit')
    await client.sync()
    const seen = compositor.seen.filter(({ name }) => name.startsWith('wl_surface'))
    const lines = seen.map(({ name, args }) => `${name.slice(11)} ${args.join(' ')}`.trim())
    expect(lines.slice(-3)).toEqual(['commit', 'damage 2 2 2 2', 'commit'])
    expect(lines).toContain('damage 0 0 2147483647 2147483647')
    expect(lines.length).toBeLessThan(10)
  })

  test('of pixels is what larger numbers become', async () => {
    await using unit = new Unit({ limits: { pixels: 1_000 } })
    const { client, compositor } = await unit.started()
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    const xdg = client.make(client.bind('xdg_wm_base'), 'get_xdg_surface', surface)
    client.send(xdg, 'set_window_geometry', -0x80000000, 5, 0x7fffffff, 1_000)
    const { args } = await compositor.next('xdg_surface.set_window_geometry')
    expect(args).toEqual([-1_000, 5, 1_000, 1_000])
  })

  test('of clients: others wait in the queue, which the acceptor’s tests show', () => {
    expect(DEFAULT_LIMITS.connections).toBeGreaterThan(0)
  })
})

describe('a client that does not read', () => {
  test('is cut off at its limit; the compositor is read all the same, and other clients go on', async () => {
    await using unit = new Unit({ limits: { clientQueueBytes: 65_536 } })
    const other = await unit.started()
    const { client, compositor } = await unit.started()
    const output = client.bind('wl_output')
    await client.sync()
    client.stall()
    const event = table.find('wl_output')!.events.find(({ name }) => name === 'scale')!
    const { bytes } = compositor.encode(compositor.newest('wl_output'), event, [1])
    const block = new Uint8Array(bytes.length * 512)
    for (let at = 0; at < 512; at++) block.set(bytes, at * bytes.length)
    while (unit.endings.length === 0) {
      compositor.tryRaw(block)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(unit.endings[0]).toMatchObject({ kind: 'client-too-slow' })
    expect(unit.codes()).toContain('W-SLOW-READER')
    expect(output).toBeGreaterThan(0)
    await other.client.sync()
  })

  test('and makes and destroys what the proxy answers itself is cut off, though the compositor says nothing', async () => {
    await using unit = new Unit({ limits: { clientQueueBytes: 65_536 } })
    const other = await unit.started()
    const { client } = await unit.started()
    const manager = client.bind('zwp_idle_inhibit_manager_v1')
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    await client.sync()
    client.stall()
    const id = client.id()
    const pair = [manager, (16 << 16) | 1, id, surface, id, 8 << 16]
    const block = new Uint8Array(Uint32Array.from(Array(500).fill(pair).flat()).buffer)
    // Of each the client is told in 12 bytes that its id is free again.
    for (let sent = 0; unit.endings.length === 0 && sent < 64 * 2 ** 20; ) {
      sent += Math.max(0, client.tryRaw(block.subarray(sent % block.length)))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(unit.endings[0]).toMatchObject({ kind: 'client-too-slow' })
    expect(unit.codes()).toContain('W-SLOW-READER')
    await other.client.sync()
  })

  test('while it is told of 4,000 monitors and of ten seconds of input misses nothing', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    client.make(client.bind('wl_seat'), 'get_keyboard')
    await client.sync()
    client.stall()
    const { events } = unit.proxy.counters
    const [registry, keyboard] = [compositor.newest('wl_registry'), compositor.newest('wl_keyboard')]
    for (let name = 1_000; name < 5_000; name++) compositor.send(registry, 'global', name, 'wl_output', 4)
    const modifiers = (step: number) => [keyboard, (28 << 16) | 4, step, step, 0, 0, 0]
    const input = Array.from({ length: 20_000 }, (_, step) => modifiers(step)).flat()
    compositor.raw(new Uint8Array(Uint32Array.from(input).buffer))
    await expect.poll(() => unit.proxy.counters.events).toBeGreaterThanOrEqual(events + 24_000)
    expect(unit.proxy.unreadBytes).toBeGreaterThan(256 * 1024)
    client.resume()
    await client.sync()
    expect(unit.endings).toEqual([])
    expect(unit.proxy.unreadBytes).toBe(0)
    const seen = client.seen.filter(({ name }) => name === 'wl_keyboard.modifiers')
    expect(seen.length).toBe(20_000)
    expect(seen.at(-1)!.args[0]).toBe(19_999)
    expect(client.globals.filter(({ interface: type }) => type === 'wl_output').length).toBeGreaterThan(4_000)
  })

  test('is cut off first of its unit when that leaves too much unread together; who leaves less goes on', async () => {
    await using unit = new Unit({ limits: { clientQueueBytesPerUnit: 300_000 } })
    await using otherUnit = new Unit()
    const reading = await unit.started()
    const elsewhere = await otherUnit.started()
    const [worst, late] = [await unit.started(), await unit.started()]
    const event = table.find('wl_output')!.events.find(({ name }) => name === 'scale')!
    const tell = async ({ compositor }: Connection, enough: () => boolean) => {
      const { bytes } = compositor.encode(compositor.newest('wl_output'), event, [1])
      const block = new Uint8Array(bytes.length * 512).map((_, at) => bytes[at % bytes.length]!)
      for (let sent = 0; !enough(); ) {
        sent += Math.max(0, compositor.tryRaw(block.subarray(sent % block.length)))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    for (const { client } of [worst, late]) {
      client.bind('wl_output')
      await client.sync()
      client.stall()
    }
    await tell(worst, () => unit.proxy.unreadBytes > 200_000)
    expect(unit.endings).toEqual([])
    let most = 0
    await tell(late, () => {
      most = Math.max(most, unit.proxy.unreadBytes)
      return unit.endings.length > 0
    })
    expect(unit.endings[0]).toMatchObject({ kind: 'client-too-slow' })
    expect(unit.endings[0]!.message).toContain('300000')
    expect(unit.codes()).toContain('W-SLOW-READER')
    // What one turn of one client adds is looked at when it was added.
    expect(most).toBeLessThan(300_000 + 65_536)
    expect(unit.proxy.connections).toBe(2)
    late.client.resume()
    await expect.poll(() => unit.proxy.unreadBytes).toBe(0)
    await reading.client.sync()
    await elsewhere.client.sync()
    worst.client.resume()
    await worst.client.end()
  })

  test('and asks for descriptors is cut off before it has those of the unit, and other clients go on', async () => {
    await using unit = new Unit({ limits: { descriptorsPerUnit: 64 } })
    const other = await unit.started()
    const { client, compositor } = await unit.started()
    client.make(client.bind('wl_seat'), 'get_keyboard')
    await client.sync()
    client.stall()
    using file = memory(4_096)
    const keymap = table.find('wl_keyboard')!.events.find(({ name }) => name === 'keymap')!
    const { bytes } = compositor.encode(compositor.newest('wl_keyboard'), keymap, [1, file.fd, 4_096])
    const block = new Uint8Array(bytes.length * 28)
    for (let at = 0; at < 28; at++) block.set(bytes, at * bytes.length)
    const fds = new Array(28).fill(file.fd)
    let most = 0
    while (unit.endings.length === 0 && most < 1_000) {
      compositor.tryRaw(block, fds)
      await new Promise((resolve) => setImmediate(resolve))
      most = Math.max(most, unit.proxy.descriptors)
    }
    expect(unit.endings[0]).toMatchObject({ kind: 'client-too-slow' })
    expect(most).toBeLessThanOrEqual(64 + 28)
    expect(unit.codes()).toContain('W-SLOW-READER')
    await other.client.sync()
  })

  test('finds the last motion of many, with its frame', async () => {
    await using unit = new Unit({ limits: { clientQueueBytes: 16_384, coalesceAboveBytes: 4_096 } })
    const { client, compositor } = await unit.started()
    client.make(client.bind('wl_seat'), 'get_pointer')
    await client.sync()
    client.stall()
    const pointer = compositor.newest('wl_pointer')
    // Far more than the sockets and the queue may hold: 28 bytes each.
    for (let round = 0; round < 300; round++) {
      const words: number[] = []
      for (let step = 0; step < 50; step++) {
        words.push(pointer, (20 << 16) | 2, round * 50 + step, step << 8, round << 8, pointer, (8 << 16) | 5)
      }
      compositor.raw(new Uint8Array(Uint32Array.from(words).buffer))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
    compositor.send(pointer, 'button', 1, 2, 3, 1)
    client.resume()
    await client.next('wl_pointer.button')
    const motions = client.seen.filter(({ name }) => name === 'wl_pointer.motion')
    expect(motions.at(-1)!.args).toEqual([14_999, 49, 299])
    expect(motions.length).toBeLessThan(14_000)
    expect(client.names().slice(-2)).toEqual(['wl_pointer.frame', 'wl_pointer.button'])
    expect(client.faults).toEqual([])
  })
})

describe('a compositor that does not read', () => {
  test('stops its client from being read, and nothing grows; other clients go on', async () => {
    await using unit = new Unit({ limits: { compositorQueueBytes: 16_384 } })
    const other = await unit.started()
    const { client, compositor } = await unit.started()
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    await client.sync()
    compositor.stall()
    const commit = client.encode(surface, table.find('wl_surface')!.requests[6]!, []).bytes
    const block = new Uint8Array(commit.length * 1_000)
    for (let at = 0; at < 1_000; at++) block.set(commit, at * commit.length)
    let sent = 0
    let idle = 0
    while (idle < 20) {
      const some = client.tryRaw(block)
      // A part of a message at the end of what was taken.
      if (some > 0 && some % commit.length !== 0)
        client.raw(block.subarray(some % commit.length, commit.length))
      sent += Math.max(0, some)
      idle = some > 0 ? 0 : idle + 1
      await new Promise((resolve) => setImmediate(resolve))
    }
    // Two sockets' buffers and one queue.
    expect(sent).toBeLessThan(4 * 2 ** 20)
    await other.client.sync()
    compositor.resume()
    await client.sync()
  })

  test('and owes answers stops its client as well', async () => {
    await using unit = new Unit({ limits: { unconfirmed: 10 } })
    const { client, compositor } = await unit.started()
    compositor.answers = false
    const wl = client.bind('wl_compositor')
    many(30, () => client.send(client.make(wl, 'create_region'), 'destroy'))
    await new Promise((resolve) => setTimeout(resolve, 30))
    const destroyed = () => compositor.names().filter((name) => name === 'wl_region.destroy').length
    expect(destroyed()).toBeLessThanOrEqual(11)
    compositor.answer()
    await client.sync()
    expect(destroyed()).toBe(30)
  })
})

describe('turns', () => {
  test('a flooding client leaves its turn to others after so many messages', async () => {
    await using unit = new Unit({ limits: { messagesPerTurn: 10 } })
    const busy = await unit.started()
    const quiet = await unit.started()
    const surface = busy.client.make(busy.client.bind('wl_compositor'), 'create_surface')
    await busy.client.sync()
    const commit = busy.client.encode(surface, table.find('wl_surface')!.requests[6]!, []).bytes
    const block = new Uint8Array(commit.length * 3_000)
    for (let at = 0; at < 3_000; at++) block.set(commit, at * commit.length)
    const commits = () => busy.compositor.names().filter((name) => name === 'wl_surface.commit').length
    busy.client.raw(block)
    await quiet.client.sync()
    expect(commits()).toBeLessThan(3_000)
    await busy.client.sync()
    expect(commits()).toBe(3_000)
  })

  test('a flooding client rests after each turn while another one is active, and not while it is alone', async () => {
    const rests: number[] = []
    // It stands still, whatever the machine has to do beside this.
    let now = 1_000
    await using unit = new Unit(
      { limits: { messagesPerTurn: 40 } },
      {
        powers: {
          clock: { now: () => now },
          later: (milliseconds, callback) => {
            // Ids that are free again wait longer.
            if (milliseconds === 1) rests.push(milliseconds)
            powers.later(milliseconds, callback)
          },
        },
      },
    )
    const busy = await unit.started()
    const quiet = await unit.started()
    const surface = busy.client.make(busy.client.bind('wl_compositor'), 'create_surface')
    const commit = busy.client.encode(surface, table.find('wl_surface')!.requests[6]!, []).bytes
    const block = new Uint8Array(commit.length * 500)
    for (let at = 0; at < 500; at++) block.set(commit, at * commit.length)
    const flood = async () => {
      busy.client.raw(block)
      await busy.client.sync()
    }
    await quiet.client.sync()
    await flood()
    expect(rests.length).toBeGreaterThanOrEqual(500 / 40)
    now = 11_000
    rests.length = 0
    await flood()
    expect(rests).toEqual([])
    // Whoever has left does not count.
    await quiet.client.sync()
    quiet.client.close()
    await expect.poll(() => unit.endings.length).toBe(1)
    await flood()
    expect(rests).toEqual([])
  })

  test('a rate holds a client back without losing anything', async () => {
    await using unit = new Unit({ limits: { requestsPerSecond: 500 } })
    const { client, compositor } = await unit.started()
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    const before = performance.now()
    many(600, () => client.send(surface, 'commit'))
    await client.sync()
    expect(performance.now() - before).toBeGreaterThan(100)
    expect(compositor.names().filter((name) => name === 'wl_surface.commit')).toHaveLength(600)
  })
})

describe('the bounds of limits', () => {
  for (const [name, [least, most]] of Object.entries(LIMIT_BOUNDS)) {
    test(`${name}: ${least} to ${most}`, () => {
      const reads = (value: unknown) => readPolicy({ limits: { [name]: value } }).isOk()
      expect([least - 1, least, most, most + 1, least + 0.5, '1'].map(reads)).toEqual([
        false,
        true,
        true,
        false,
        false,
        false,
      ])
    })
  }
})

describe('what is destroyed', () => {
  test('counts no more, although the compositor has not confirmed it', async () => {
    await using unit = new Unit({ limits: { pools: 2, regions: 2 } })
    const { client, compositor } = await unit.started()
    compositor.answers = false
    const [wl, shm] = [client.bind('wl_compositor'), client.bind('wl_shm')]
    using file = memory(4_096)
    many(40, () => {
      client.send(client.make(wl, 'create_region'), 'destroy')
      client.send(client.make(shm, 'create_pool', file.fd, 4_096), 'destroy')
    })
    await expect
      .poll(() => compositor.names().filter((name) => name === 'wl_shm_pool.destroy').length)
      .toBe(40)
    compositor.answer()
    await client.sync()
  })

  test('may have come with many descriptors: a slow compositor holds the client back, and nobody is cut off', async () => {
    await using unit = new Unit({ limits: { descriptorsPerUnit: 64 } })
    const { client, compositor } = await unit.started()
    const shm = client.bind('wl_shm')
    await client.sync()
    compositor.stall()
    using file = memory(4_096)
    many(2_000, () => client.send(client.make(shm, 'create_pool', file.fd, 4_096), 'destroy'))
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(unit.proxy.descriptors).toBeLessThanOrEqual(64)
    compositor.resume()
    await client.sync()
    expect(unit.endings).toEqual([])
  })
})
