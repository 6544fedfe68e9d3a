import { describe, expect, test } from 'vitest'
import type { Connection } from '../peers/unit.js'
import { Unit } from '../peers/unit.js'

async function refused(act: (connection: Connection) => void | Promise<void>): Promise<string> {
  await using unit = new Unit()
  const connection = await unit.started()
  await act(connection)
  return await connection.client.error()
}

describe('rule 8: an object argument', () => {
  test('must exist', async () => {
    const error = await refused(({ client }) => {
      const surface = client.make(client.bind('wl_compositor'), 'create_surface')
      client.send(surface, 'set_input_region', 777)
    })
    expect(error).toMatch('0: wl_surface.set_input_region, region')
  })

  test('must be of the interface that the protocol names', async () => {
    const error = await refused(({ client }) => {
      const surface = client.make(client.bind('wl_compositor'), 'create_surface')
      client.send(surface, 'set_input_region', surface)
    })
    expect(error).toMatch('0: wl_surface.set_input_region, region: an argument is an object of another')
  })

  test('must not have been destroyed', async () => {
    const error = await refused(({ client, compositor }) => {
      compositor.answers = false
      const wl = client.bind('wl_compositor')
      const surface = client.make(wl, 'create_surface')
      const region = client.make(wl, 'create_region')
      client.send(region, 'destroy')
      client.send(surface, 'set_input_region', region)
    })
    expect(error).toMatch('does not exist')
  })

  test('must not be null where the protocol wants one', async () => {
    const error = await refused(({ client }) => {
      const surface = client.make(client.bind('wl_compositor'), 'create_surface')
      const subcompositor = client.bind('wl_subcompositor')
      const words = [subcompositor, (20 << 16) | 1, client.id(), surface, 0]
      client.raw(new Uint8Array(Uint32Array.from(words).buffer))
    })
    expect(error).toMatch(/null.* is not allowed/)
  })

  test('of another client does not exist for this one', async () => {
    await using unit = new Unit()
    const first = await unit.started()
    const second = await unit.started()
    const wl = first.client.bind('wl_compositor')
    for (let count = 0; count < 20; count++) first.client.make(wl, 'create_region')
    const surface = second.client.make(second.client.bind('wl_compositor'), 'create_surface')
    second.client.send(surface, 'set_input_region', 20)
    expect(await second.client.error()).toMatch('does not exist')
    await first.client.sync()
  })
})

describe('rule 13: ids', () => {
  const withId = (id: number) =>
    refused(({ client }) => {
      client.raw(new Uint8Array(Uint32Array.from([client.bind('wl_compositor'), 12 << 16, id]).buffer))
    })

  test('of new objects are in the client’s range', async () => {
    expect(await withId(0xff000000)).toMatch('0: 4278190080 is not the next free id')
    expect(await withId(1)).toMatch('0: 1 is not the next free id')
  })

  test('0 is null', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    const wl = client.bind('wl_compositor')
    client.raw(new Uint8Array(Uint32Array.from([wl, 12 << 16, 0]).buffer))
    expect(await client.error()).toMatch(/null.* is not allowed/)
  })

  test('that are in use are refused', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    const wl = client.bind('wl_compositor')
    client.send(wl, 'create_surface', wl)
    expect(await client.error()).toMatch('is not the next free id')
  })

  test('of the compositor’s new objects are in its range', async () => {
    await using unit = new Unit({ globals: { zwp_tablet_manager_v2: 'allow' } })
    const globals = [
      { name: 1, interface: 'wl_seat', version: 7 },
      { name: 2, interface: 'zwp_tablet_manager_v2', version: 1 },
    ]
    const { client, compositor } = await unit.started(globals)
    client.make(client.bind('zwp_tablet_manager_v2'), 'get_tablet_seat', client.bind('wl_seat'))
    await client.sync()
    compositor.send(compositor.newest('zwp_tablet_seat_v2'), 'tablet_added', 77)
    await client.end()
    expect(unit.endings[0]).toMatchObject({ kind: 'compositor-broke-protocol' })
  })
})

describe('rule 14: ids are dense on both sides', () => {
  test('a client that leaves a gap is refused', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    client.send(client.bind('wl_compositor'), 'create_surface', 100)
    expect(await client.error()).toMatch('0: 100 is not the next free id')
  })

  test('what the proxy answers itself leaves no gap at the compositor', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    const manager = client.bind('wl_data_device_manager')
    for (let count = 0; count < 10; count++) client.make(manager, 'create_data_source')
    client.make(client.bind('wl_compositor'), 'create_surface')
    await client.sync()
    // Faults would tell of gaps, at the end of the unit too.
    expect(compositor.faults).toEqual([])
    expect(compositor.newest('wl_surface')).toBeLessThan(client.objects.size)
  })

  test('objects of the compositor come to the client without gaps, after some were its zombies', async () => {
    await using unit = new Unit({ globals: { zwp_tablet_manager_v2: 'allow' } })
    const { client, compositor } = await unit.started([
      { name: 1, interface: 'wl_seat', version: 7 },
      { name: 2, interface: 'zwp_tablet_manager_v2', version: 1 },
    ])
    const manager = client.bind('zwp_tablet_manager_v2')
    const seat = client.bind('wl_seat')
    const first = client.make(manager, 'get_tablet_seat', seat)
    client.make(manager, 'get_tablet_seat', seat)
    await client.sync()
    compositor.answers = false
    const [one, two] = [...compositor.objects].filter(([, { type }]) => type.name === 'zwp_tablet_seat_v2')
    client.send(first, 'destroy')
    await compositor.next('zwp_tablet_seat_v2.destroy')
    compositor.send(one![0], 'tablet_added', 0xff000000)
    compositor.send(0xff000000, 'name', 'gone already')
    compositor.send(two![0], 'tablet_added', 0xff000001)
    compositor.send(0xff000001, 'name', 'here')
    const { args } = await client.next('zwp_tablet_seat_v2.tablet_added')
    expect(args).toEqual([0xff000000])
    expect((await client.next('zwp_tablet_v2.name')).args).toEqual(['here'])
    expect(client.faults).toEqual([])
  })
})

describe('rule 15: an id is free again after delete_id', () => {
  test('and not before', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    compositor.answers = false
    const wl = client.bind('wl_compositor')
    const region = client.make(wl, 'create_region')
    client.send(region, 'destroy')
    client.send(wl, 'create_region', region)
    expect(await client.error()).toMatch('is not the next free id')
  })

  test('which wakes no client by itself: it comes with the next event, or a little later', async () => {
    const later: (() => void)[] = []
    await using unit = new Unit({}, { powers: { later: (_milliseconds, callback) => later.push(callback) } })
    const { client, compositor } = await unit.started()
    const confirmed = () => unit.proxy.recentMessages().filter((line) => line.includes('delete_id')).length
    await expect.poll(confirmed).toBe(1)
    const wl = client.bind('wl_compositor')
    const make = async () => {
      const region = client.make(wl, 'create_region')
      const before = confirmed()
      client.send(region, 'destroy')
      await expect.poll(confirmed).toBe(before + 1)
      return region
    }
    const first = await make()
    compositor.send(compositor.newest('wl_registry'), 'global', 999, 'wl_compositor', 4)
    await expect.poll(() => client.objects.has(first)).toBe(false)
    const second = await make()
    expect(client.objects.has(second)).toBe(true)
    await expect
      .poll(() => {
        for (const callback of later.splice(0)) callback()
        return client.objects.has(second)
      })
      .toBe(false)
    // So many are told at once.
    const many = Array.from({ length: 400 }, () => client.make(wl, 'create_region'))
    for (const region of many) client.send(region, 'destroy')
    await expect.poll(() => client.objects.has(many[0]!)).toBe(false)
  })

  test('an object that only the proxy knew gets one, too', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    const source = client.make(client.bind('wl_data_device_manager'), 'create_data_source')
    client.send(source, 'destroy')
    expect((await client.next('wl_display.delete_id')).args).toEqual([source])
  })

  test('a callback that the compositor drops with its surface does', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    const frame = client.make(surface, 'frame')
    await client.sync()
    compositor.confirm(compositor.newest('wl_callback'))
    expect((await client.next('wl_display.delete_id')).args).toEqual([frame])
    client.make(surface, 'frame')
    await client.sync()
  })

  test('a delete_id of what cannot be deleted ends the pair', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    compositor.send(1, 'delete_id', 4_000)
    await client.end()
    expect(unit.endings[0]).toMatchObject({ kind: 'compositor-broke-protocol' })
  })
})

describe('rule 16: a zombie', () => {
  test('takes no more requests', async () => {
    const error = await refused(({ client, compositor }) => {
      compositor.answers = false
      const surface = client.make(client.bind('wl_compositor'), 'create_surface')
      client.send(surface, 'destroy')
      client.send(surface, 'commit')
    })
    expect(error).toMatch(/0: object \d+ does not exist/)
  })

  test('still gets events, which are understood and go nowhere', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    compositor.answers = false
    const output = client.bind('wl_output')
    const seat = client.bind('wl_seat')
    const pointer = client.make(seat, 'get_pointer')
    client.send(pointer, 'release')
    client.send(output, 'release')
    await compositor.next('wl_output.release')
    compositor.send(compositor.newest('wl_pointer'), 'motion', 1, 2, 3)
    compositor.send(compositor.newest('wl_output'), 'done')
    compositor.answer()
    await client.sync()
    expect(client.names()).not.toContain('wl_pointer.motion')
    expect(client.names()).not.toContain('wl_output.done')
  })
})

describe('rule 17: an object of the compositor', () => {
  test('may be replaced at its id as soon as the client has destroyed it, and racing events are eaten', async () => {
    await using unit = new Unit({ globals: { zwp_tablet_manager_v2: 'allow' } })
    const { client, compositor } = await unit.started([
      { name: 1, interface: 'wl_seat', version: 7 },
      { name: 2, interface: 'zwp_tablet_manager_v2', version: 1 },
    ])
    client.make(client.bind('zwp_tablet_manager_v2'), 'get_tablet_seat', client.bind('wl_seat'))
    await client.sync()
    const seat = compositor.newest('zwp_tablet_seat_v2')
    compositor.send(seat, 'tablet_added', 0xff000000)
    const first = (await client.next('zwp_tablet_seat_v2.tablet_added')).args[0] as number
    client.send(first, 'destroy')
    // Sent before the compositor hears of it:
    compositor.send(0xff000000, 'removed')
    await compositor.next('zwp_tablet_v2.destroy')
    compositor.send(seat, 'tablet_added', 0xff000000)
    compositor.send(0xff000000, 'name', 'new')
    const second = await client.next('zwp_tablet_seat_v2.tablet_added')
    expect(second.args).toEqual([first])
    await client.next('zwp_tablet_v2.name')
    await client.sync()
    expect(client.faults).toEqual([])
  })

  test('must not replace one that the client still has', async () => {
    await using unit = new Unit({ globals: { zwp_tablet_manager_v2: 'allow' } })
    const { client, compositor } = await unit.started([
      { name: 1, interface: 'wl_seat', version: 7 },
      { name: 2, interface: 'zwp_tablet_manager_v2', version: 1 },
    ])
    client.make(client.bind('zwp_tablet_manager_v2'), 'get_tablet_seat', client.bind('wl_seat'))
    await client.sync()
    const seat = compositor.newest('zwp_tablet_seat_v2')
    compositor.send(seat, 'tablet_added', 0xff000000)
    compositor.send(seat, 'tablet_added', 0xff000000)
    await client.end()
    expect(unit.endings[0]).toMatchObject({ kind: 'compositor-broke-protocol' })
  })
})

describe('rule 18: a destructor event', () => {
  test('ends a callback, whose id comes back by delete_id', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    compositor.answers = false
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    const frame = client.make(surface, 'frame')
    await compositor.next('wl_surface.frame')
    const theirs = compositor.newest('wl_callback')
    compositor.send(theirs, 'done', 5)
    await client.next('wl_callback.done')
    compositor.confirm(theirs)
    expect((await client.next('wl_display.delete_id')).args).toEqual([frame])
  })
})
