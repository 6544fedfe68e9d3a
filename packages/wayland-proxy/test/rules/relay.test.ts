import { describe, expect, test } from 'vitest'
import { Unit } from '../peers/unit.js'

describe('a client', () => {
  test('sees the globals under names of the proxy and binds them', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    expect(client.offered('wl_compositor')).toMatchObject({ version: 5 })
    client.bind('wl_compositor', 4)
    const { args } = await compositor.next('wl_registry.bind')
    expect(args.slice(0, 3)).toEqual([40, 'wl_compositor', 4])
  })

  test('creates, uses and destroys a surface, and may use its id again', async () => {
    await using unit = new Unit()
    const { client, compositor } = await unit.started()
    const wl = client.bind('wl_compositor')
    const surface = client.make(wl, 'create_surface')
    const region = client.make(wl, 'create_region')
    client.send(region, 'add', 0, 0, 10, 10)
    client.send(surface, 'set_opaque_region', region)
    client.send(surface, 'set_opaque_region', null)
    client.send(surface, 'damage', 0, 0, 5, 5)
    client.send(surface, 'commit')
    client.send(region, 'destroy')
    client.send(surface, 'destroy')
    await client.sync()
    expect(compositor.names().slice(-9, -1)).toEqual([
      'wl_compositor.create_region',
      'wl_region.add',
      'wl_surface.set_opaque_region',
      'wl_surface.set_opaque_region',
      'wl_surface.damage',
      'wl_surface.commit',
      'wl_region.destroy',
      'wl_surface.destroy',
    ])
    expect(client.objects.has(surface)).toBe(false)
    client.make(wl, 'create_surface')
    await client.sync()
  })
})
