import { describe, expect, test } from 'vitest'
import { USUAL_GLOBALS } from '../peers/compositor.js'
import { Unit } from '../peers/unit.js'

describe('rule 19: a bind', () => {
  test('of a hidden global by a guessed name is refused, whatever the name', async () => {
    const globals = [...USUAL_GLOBALS, { name: 5, interface: 'zwlr_screencopy_manager_v1', version: 3 }]
    for (const name of [0, 1, 2, 5, 9, 40, 46]) {
      await using unit = new Unit()
      const { client } = await unit.started(globals)
      const id = client.id()
      client.send(client.registry, 'bind', name, 'zwlr_screencopy_manager_v1', 1, id)
      expect(await client.error()).toMatch('as zwlr_screencopy_manager_v1')
      expect(unit.codes()).toContain('W-BIND')
    }
  })

  test('as another interface than offered is refused', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    client.send(client.registry, 'bind', client.offered('wl_shm')!.name, 'wl_seat', 1, client.id())
    expect(await client.error()).toMatch('which is wl_shm')
  })

  for (const version of [0, 8, 0xffffffff]) {
    test(`in version ${version} of 7 is refused`, async () => {
      await using unit = new Unit()
      const { client } = await unit.started()
      client.send(client.registry, 'bind', client.offered('wl_seat')!.name, 'wl_seat', version, client.id())
      expect(await client.error()).toMatch('versions 1 to 7 are offered')
    })
  }

  test('of a global that has just gone gives an object of which nothing comes', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    const { name } = client.offered('wl_output')!
    compositor.send(2, 'global_remove', 44)
    await client.next('wl_registry.global_remove')
    const output = client.id()
    client.send(client.registry, 'bind', name, 'wl_output', 3, output)
    client.send(output, 'release')
    expect((await client.next('wl_display.delete_id')).args).toEqual([output])
    await client.sync()
    expect(compositor.names()).not.toContain('wl_registry.bind')
  })

  test('an inert object is null where null may be, and what needs it is left out', async () => {
    await using unit = new Unit({ fullscreen: 'allow' })
    const { client, compositor } = await unit.started()
    const { name } = client.offered('wl_output')!
    compositor.send(2, 'global_remove', 44)
    await client.next('wl_registry.global_remove')
    const output = client.id()
    client.send(client.registry, 'bind', name, 'wl_output', 3, output)
    const surface = client.make(client.bind('wl_compositor'), 'create_surface')
    const xdg = client.make(client.bind('xdg_wm_base'), 'get_xdg_surface', surface)
    const toplevel = client.make(xdg, 'get_toplevel')
    await client.sync()
    compositor.send(compositor.newest('xdg_toplevel'), 'configure', 0, 0, new Uint8Array())
    await client.next('xdg_toplevel.configure')
    client.send(toplevel, 'set_fullscreen', output)
    expect((await compositor.next('xdg_toplevel.set_fullscreen')).args).toEqual([null])
  })

  test('gives children its version', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    const surface = client.make(client.bind('wl_compositor', 3), 'create_surface')
    client.objects.get(surface)!.version = 5
    client.send(surface, 'damage_buffer', 0, 0, 1, 1)
    expect(await client.error()).toMatch(/1: wl_surface@\d+ has no damage_buffer in version 3/)
  })

  test('of what the compositor has in a newer version is clamped to what is known here', async () => {
    await using unit = new Unit()
    const { client } = await unit.started([{ name: 1, interface: 'wl_compositor', version: 99 }])
    expect(client.offered('wl_compositor')!.version).toBe(6)
  })
})

describe('rule 20: a message', () => {
  test('that its interface does not have is refused', async () => {
    await using unit = new Unit()
    const { client } = await unit.started()
    const wl = client.bind('wl_compositor')
    client.raw(new Uint8Array(Uint32Array.from([wl, (8 << 16) | 0x109]).buffer))
    expect(await client.error()).toMatch(/1: wl_compositor@\d+ has no request 265/)
  })

  test('newer than the version that the client bound never reaches it', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    client.bind('wl_output', 2)
    await client.sync()
    const output = compositor.newest('wl_output')
    compositor.objects.get(output)!.version = 4
    compositor.send(output, 'name', 'DP-1')
    compositor.send(output, 'done')
    await client.next('wl_output.done')
    expect(client.names()).not.toContain('wl_output.name')
    expect(client.faults).toEqual([])
  })
})

describe('rule 21: registries', () => {
  test('may be made again and again, up to their limit, and all are told of changes', async () => {
    await using unit = new Unit({ limits: { registries: 4 } })
    const { client, compositor } = await unit.started()
    const more = [client.make(1, 'get_registry'), client.make(1, 'get_registry')]
    await client.sync()
    compositor.send(2, 'global', 90, 'wl_output', 4)
    await client.sync()
    const news = client.seen.filter(
      ({ name, args }) => name === 'wl_registry.global' && args[1] === 'wl_output',
    )
    expect(
      news
        .slice(-3)
        .map(({ id }) => id)
        .sort(),
    ).toEqual([client.registry, ...more].sort())
    expect(compositor.names().filter((name) => name === 'wl_display.get_registry')).toHaveLength(1)
    client.make(1, 'get_registry')
    client.make(1, 'get_registry')
    expect(await client.error()).toMatch('2: more than 4 registries')
  })

  test('can be destroyed through wl_fixes, which the proxy answers', async () => {
    await using unit = new Unit({ limits: { registries: 1 } })
    const { client } = await unit.started()
    client.send(client.bind('wl_fixes'), 'destroy_registry', client.registry)
    await client.sync()
    client.make(1, 'get_registry')
    await client.sync()
    expect(client.globals.length).toBeGreaterThan(5)
  })

  test('of two globals of one interface both can be bound', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started([
      { name: 7, interface: 'wl_output', version: 4 },
      { name: 8, interface: 'wl_output', version: 3 },
    ])
    for (const { name, version } of client.globals.filter((one) => one.interface === 'wl_output')) {
      client.send(client.registry, 'bind', name, 'wl_output', version, client.id())
    }
    expect((await compositor.next('wl_registry.bind')).args.slice(0, 3)).toEqual([7, 'wl_output', 4])
    expect((await compositor.next('wl_registry.bind')).args.slice(0, 3)).toEqual([8, 'wl_output', 3])
  })
})
