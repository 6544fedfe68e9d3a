import { describe, expect, test } from 'vitest'
import { pictureBytes } from '../../src/frame/picture.js'
import { USUAL_GLOBALS } from '../peers/compositor.js'
import { liveAtRandom } from './random.js'
import { AROUND, Framed } from './window.js'

const states = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer)
const numbers = (bytes: unknown) => [...new Uint32Array((bytes as Uint8Array).slice().buffer)]

describe('a window’s frame', () => {
  test('is there with its first content, also when the client sets neither title nor geometry', async () => {
    await using framed = await Framed.start()
    const { surface } = framed.toplevel()
    framed.show(surface, 300, 200)
    await framed.settle()
    const window = framed.windowSurface()
    expect(framed.scene.shown(window)).toHaveLength(5)
    expect(framed.scene.faultOf(window)).toBeUndefined()
    expect(framed.scene.geometry(window)).toEqual({ x: -4, y: -20, width: 308, height: 224 })
  })

  test('goes round the client’s geometry as far as nothing reaches out of it', async () => {
    await using framed = await Framed.start()
    const { surface, xdg } = framed.toplevel()
    framed.client.send(xdg, 'set_window_geometry', 2, 10, 296, 188)
    framed.show(surface, 300, 200)
    await framed.settle()
    const window = framed.windowSurface()
    expect(framed.scene.geometry(window)).toEqual({ x: -2, y: -10, width: 304, height: 212 })
    expect(framed.scene.faultOf(window)).toBeUndefined()
  })

  test('goes round an oversized shadow: no pixel of the client is outside', async () => {
    await using framed = await Framed.start()
    const { surface, xdg } = framed.toplevel()
    framed.client.send(xdg, 'set_window_geometry', 100, 100, 50, 50)
    framed.show(surface, 400, 400)
    await framed.settle()
    expect(framed.scene.faultOf(framed.windowSurface())).toBeUndefined()
    expect(framed.scene.geometry(framed.windowSurface())).toEqual({ x: 0, y: 0, width: 400, height: 400 })
  })

  test('does not believe in a geometry beyond what is shown', async () => {
    await using framed = await Framed.start()
    const { surface, xdg } = framed.toplevel()
    framed.client.send(xdg, 'set_window_geometry', -500, -500, 4_000, 4_000)
    framed.show(surface, 100, 100)
    await framed.settle()
    expect(framed.scene.geometry(framed.windowSurface())).toEqual({ x: -4, y: -20, width: 108, height: 124 })
  })

  test('follows a geometry that changes without new content, with the commit', async () => {
    await using framed = await Framed.start()
    const { surface, xdg } = framed.toplevel()
    framed.show(surface, 100, 100)
    framed.client.send(xdg, 'set_window_geometry', 0, 10, 100, 80)
    await framed.settle()
    expect(framed.scene.geometry(framed.windowSurface())?.height).toBe(124)
    framed.client.send(surface, 'commit')
    await framed.settle()
    expect(framed.scene.geometry(framed.windowSurface())).toEqual({ x: -4, y: -10, width: 108, height: 110 })
    expect(framed.scene.faultOf(framed.windowSurface())).toBeUndefined()
  })

  test('is measured after scale, transform and viewport', async () => {
    const globals = [...USUAL_GLOBALS, { name: 90, interface: 'wp_viewporter', version: 1 }]
    await using framed = await Framed.start({}, globals)
    const { surface } = framed.toplevel()
    const { client, scene } = framed
    const size = async () => {
      await framed.settle()
      expect(scene.geometry(framed.windowSurface())).toBeDefined()
      const { width, height } = scene.geometry(framed.windowSurface())!
      return [width - AROUND.width, height - AROUND.height]
    }
    client.send(surface, 'set_buffer_scale', 2)
    framed.show(surface, 300, 200)
    expect(await size()).toEqual([150, 100])
    client.send(surface, 'set_buffer_transform', 1)
    client.send(surface, 'commit')
    expect(await size()).toEqual([100, 150])
    const viewport = client.make(client.bind('wp_viewporter'), 'get_viewport', surface)
    client.send(viewport, 'set_source', 0, 0, 40, 30)
    client.send(surface, 'commit')
    expect(await size()).toEqual([40, 30])
    client.send(viewport, 'set_destination', 640, 480)
    client.send(surface, 'commit')
    expect(await size()).toEqual([640, 480])
    client.send(viewport, 'destroy')
    client.send(surface, 'commit')
    expect(await size()).toEqual([100, 150])
  })

  test('comes again with a window that was hidden, with nothing left of its geometry', async () => {
    await using framed = await Framed.start()
    const { surface, xdg } = framed.toplevel()
    framed.client.send(xdg, 'set_window_geometry', 0, 10, 100, 80)
    framed.show(surface, 100, 100)
    framed.client.send(surface, 'attach', null, 0, 0)
    framed.client.send(surface, 'commit')
    framed.client.send(surface, 'commit')
    await framed.settle()
    const before = framed.sent('xdg_surface.set_window_geometry').length
    framed.show(surface, 100, 100)
    await framed.settle()
    expect(framed.sent('xdg_surface.set_window_geometry')).toHaveLength(before + 1)
    expect(framed.scene.geometry(framed.windowSurface())).toEqual({ x: -4, y: -20, width: 108, height: 124 })
  })

  test('stays with a surface that becomes a window a second time', async () => {
    await using framed = await Framed.start()
    const { client } = framed
    const { surface, xdg, toplevel } = framed.toplevel()
    framed.show(surface, 100, 100)
    client.send(toplevel, 'destroy')
    client.send(xdg, 'destroy')
    client.send(surface, 'attach', null, 0, 0)
    client.send(surface, 'commit')
    const again = client.make(framed.shell, 'get_xdg_surface', surface)
    client.make(again, 'get_toplevel')
    client.send(surface, 'commit')
    framed.show(surface, 50, 50)
    await framed.settle()
    expect(framed.scene.faultOf(framed.windowSurface())).toBeUndefined()
    expect(framed.sent('wl_subcompositor.get_subsurface')).toHaveLength(4)
  })

  test('costs nothing while a window only shows new content of the same size', async () => {
    await using framed = await Framed.start()
    const { surface } = framed.toplevel()
    framed.show(surface, 100, 100)
    await framed.settle()
    const before = framed.compositor.seen.length
    framed.client.send(surface, 'damage', 0, 0, 9, 9)
    framed.client.send(surface, 'commit')
    await framed.settle()
    expect(framed.compositor.names().slice(before)).toEqual([
      'wl_surface.damage',
      'wl_surface.commit',
      'wl_display.sync',
    ])
  })

  test('leaves nothing behind: not in a storm of sizes, not when the window is gone', async () => {
    await using framed = await Framed.start()
    const { client, compositor } = framed
    const { surface, xdg, toplevel } = framed.toplevel()
    const buffers = () =>
      [...compositor.objects.values()].filter(({ type }) => type.name === 'wl_buffer').length
    for (let size = 20; size < 50; size++) {
      const buffer = framed.buffer(size, size)
      client.send(surface, 'attach', buffer, 0, 0)
      client.send(surface, 'commit')
      client.send(buffer, 'destroy')
    }
    await framed.settle()
    for (const { id, args } of framed.sent('wl_surface.attach')) {
      if (id !== framed.windowSurface() && compositor.objects.has(args[0] as number)) {
        compositor.send(args[0] as number, 'release')
      }
    }
    await framed.settle()
    expect(buffers()).toBe(4)
    client.send(toplevel, 'destroy')
    client.send(xdg, 'destroy')
    client.send(surface, 'destroy')
    await framed.settle()
    const left = [...compositor.objects.values()].map(({ type }) => type.name)
    expect(left.filter((name) => name === 'wl_surface' || name === 'wl_subsurface')).toEqual([])
    expect(buffers()).toBe(0)
  })

  for (const lacking of ['wl_shm', 'wl_subcompositor']) {
    test(`that cannot be made, because the compositor has no ${lacking}, means no window`, async () => {
      const globals = USUAL_GLOBALS.filter((one) => one.interface !== lacking)
      await using framed = await Framed.start({}, globals)
      framed.toplevel()
      expect(await framed.client.error()).toMatch(`the compositor has no ${lacking}`)
      expect(framed.unit.codes()).toContain('W-FRAME')
      expect(framed.compositor.names()).not.toContain('xdg_surface.get_toplevel')
    })
  }

  test('that would be too large means no window', async () => {
    await using framed = await Framed.start()
    const { surface } = framed.toplevel()
    const far = framed.child(surface)
    framed.client.send(far.subsurface, 'set_position', 16_000, 0)
    framed.show(far.surface, 1_000, 10)
    framed.show(surface, 10, 10)
    expect(await framed.client.error()).toMatch('too large for a frame')
    await expect.poll(() => framed.compositor.ended).toBe(true)
    framed.scene.update()
    expect(framed.scene.shown(framed.windowSurface())).toEqual([])
  })

  test('is not asked for by what is left of a surface that is gone: the client is refused', async () => {
    await using framed = await Framed.start()
    const { client } = framed
    const surface = framed.surface()
    const xdg = client.make(framed.shell, 'get_xdg_surface', surface)
    client.send(surface, 'destroy')
    await framed.settle()
    client.make(xdg, 'get_toplevel')
    expect(await client.error()).toMatch('a window whose surface is gone')
  })

  test('asks nothing of a window whose parts the client destroys in the wrong order', async () => {
    await using framed = await Framed.start()
    const { client } = framed
    const { surface, xdg } = framed.toplevel()
    framed.show(surface, 100, 100)
    client.send(xdg, 'destroy')
    await framed.settle()
    const before = framed.compositor.seen.length
    framed.show(surface, 300, 100)
    await framed.settle()
    expect(framed.compositor.names().slice(before)).not.toContain('xdg_surface.set_window_geometry')
  })

  test('is not there where the policy names none', async () => {
    await using framed = await Framed.start({ identity: { frame: 'none' } })
    const { surface, xdg } = framed.toplevel()
    framed.client.send(xdg, 'set_window_geometry', 1, 2, 30, 40)
    framed.show(surface, 100, 100)
    await framed.settle()
    expect(framed.scene.shown(framed.windowSurface())).toHaveLength(1)
    expect(framed.scene.geometry(framed.windowSurface())).toEqual({ x: 1, y: 2, width: 30, height: 40 })
  })
})

test('no surface moves itself: neither a window off the screen, nor the pointer’s image from the pointer', async () => {
  await using framed = await Framed.start()
  const { client } = framed
  const { surface } = framed.toplevel()
  const image = framed.surface()
  const buffer = framed.buffer(100, 100)
  for (const one of [surface, image]) {
    client.send(one, 'attach', buffer, 5, -30)
    client.send(one, 'offset', 0, -30)
    client.send(one, 'commit')
  }
  await framed.settle()
  const moves = framed.sent('wl_surface.attach').map(({ args }) => args.slice(1))
  expect(moves.filter(([x, y]) => x !== 0 || y !== 0)).toEqual([])
  expect(framed.sent('wl_surface.offset').map(({ args }) => args)).toEqual([
    [0, 0],
    [0, 0],
  ])
})

describe('subsurfaces', () => {
  test('never lie above the frame, wherever the client puts them', async () => {
    await using framed = await Framed.start()
    const { surface } = framed.toplevel()
    const [one, two] = [framed.child(surface), framed.child(surface)]
    framed.client.send(one.subsurface, 'place_above', two.surface)
    framed.show(one.surface, 50, 50)
    framed.show(two.surface, 50, 50)
    framed.show(surface, 100, 100)
    await framed.settle()
    expect(framed.scene.shown(framed.windowSurface())).toHaveLength(7)
    expect(framed.scene.faultOf(framed.windowSurface())).toBeUndefined()
  })

  test('that reach out make the frame wider', async () => {
    await using framed = await Framed.start()
    const { surface } = framed.toplevel()
    const part = framed.child(surface)
    framed.client.send(part.subsurface, 'set_position', -300, 50)
    framed.show(part.surface, 100, 100)
    framed.show(surface, 100, 100)
    await framed.settle()
    expect(framed.scene.faultOf(framed.windowSurface())).toBeUndefined()
    expect(framed.scene.geometry(framed.windowSurface())!.x).toBe(-304)
  })

  test('that grow by themselves find the frame there before them', async () => {
    await using framed = await Framed.start()
    const { surface } = framed.toplevel()
    const part = framed.child(surface)
    framed.client.send(part.subsurface, 'set_desync')
    framed.show(surface, 100, 100)
    await framed.settle()
    framed.show(part.surface, 500, 50)
    await framed.settle()
    expect(framed.scene.faultOf(framed.windowSurface())).toBeUndefined()
    expect(framed.scene.shown(framed.windowSurface())).toHaveLength(6)
  })

  test('that make the frame go first take along what the window had not committed yet', async () => {
    await using framed = await Framed.start()
    const { client } = framed
    const { surface } = framed.toplevel()
    const part = framed.child(surface)
    client.send(part.subsurface, 'set_desync')
    framed.show(surface, 100, 100)
    client.send(surface, 'attach', framed.buffer(400, 300), 0, 0)
    framed.show(part.surface, 200, 50)
    await framed.settle()
    expect(framed.scene.faultOf(framed.windowSurface())).toBeUndefined()
  })

  test('that would make the frame go first, while the window is about to be hidden, only hide it', async () => {
    await using framed = await Framed.start()
    const { client } = framed
    const { surface } = framed.toplevel()
    const part = framed.child(surface)
    client.send(part.subsurface, 'set_desync')
    framed.show(surface, 100, 100)
    client.send(surface, 'attach', null, 0, 0)
    framed.show(part.surface, 500, 50)
    await framed.settle()
    expect(framed.scene.shown(framed.windowSurface())).toEqual([])
    client.send(surface, 'commit')
    framed.show(surface, 100, 100)
    await framed.settle()
    expect(framed.scene.shown(framed.windowSurface())).toHaveLength(6)
    expect(framed.scene.faultOf(framed.windowSurface())).toBeUndefined()
  })

  test('that waited are framed when they need not wait any more', async () => {
    await using framed = await Framed.start()
    const { client } = framed
    const { surface } = framed.toplevel()
    const part = framed.child(surface)
    framed.show(surface, 100, 100)
    framed.show(part.surface, 500, 50)
    await framed.settle()
    expect(framed.scene.geometry(framed.windowSurface())!.width).toBe(108)
    client.send(part.subsurface, 'set_desync')
    await framed.settle()
    expect(framed.scene.shown(framed.windowSurface())).toHaveLength(6)
    expect(framed.scene.faultOf(framed.windowSurface())).toBeUndefined()
  })

  test('cannot be inside themselves', async () => {
    await using framed = await Framed.start()
    const one = framed.surface()
    const two = framed.child(one)
    framed.client.make(framed.subcompositor, 'get_subsurface', one, two.surface)
    expect(await framed.client.error()).toMatch('inside itself')
  })

  test('are not nested without end', async () => {
    await using framed = await Framed.start()
    let top = framed.surface()
    for (let level = 0; level < 64; level++) {
      const above = framed.surface()
      framed.client.make(framed.subcompositor, 'get_subsurface', top, above)
      top = above
    }
    expect(await framed.client.error()).toMatch('too deep')
  })

  test('of any kind and order leave every window framed: 4 random lives', async () => {
    for (let seed = 1; seed <= 4; seed++) await liveAtRandom(seed, 40)
  })
})

describe('sizes', () => {
  const configured = async (framed: Framed, width: number, height: number, ...list: number[]) => {
    const { client, compositor } = framed
    compositor.send(compositor.newest('xdg_toplevel'), 'configure', width, height, states(...list))
    const { args } = await client.next('xdg_toplevel.configure')
    return { width: args[0], height: args[1], states: numbers(args[2]) }
  }

  test('that the compositor wants come without the frame; 0 stays 0, and nothing becomes less than 1', async () => {
    await using framed = await Framed.start()
    framed.toplevel()
    await framed.settle()
    expect(await configured(framed, 800, 600)).toMatchObject({ width: 792, height: 576 })
    expect(await configured(framed, 0, 600)).toMatchObject({ width: 0, height: 576 })
    expect(await configured(framed, 3, 3)).toMatchObject({ width: 1, height: 1 })
  })

  test('in fullscreen leave the frame on the screen, whatever shadow the window has now', async () => {
    await using framed = await Framed.start()
    const { surface, xdg } = framed.toplevel()
    framed.client.send(xdg, 'set_window_geometry', 30, 30, 40, 40)
    framed.show(surface, 100, 100)
    await framed.settle()
    expect(await configured(framed, 1_280, 720, 2)).toMatchObject({ width: 1_272, height: 696 })
    framed.client.send(xdg, 'set_window_geometry', 0, 0, 1_272, 696)
    framed.show(surface, 1_272, 696)
    await framed.settle()
    const window = framed.windowSurface()
    expect(framed.scene.geometry(window)).toMatchObject({ width: 1_280, height: 720 })
    expect(framed.scene.faultOf(window)).toBeUndefined()
  })

  test('in fullscreen that the client does not keep, so that the frame were off the screen, end it', async () => {
    await using framed = await Framed.start()
    const { client, compositor } = framed
    const { surface, xdg } = framed.toplevel()
    framed.show(surface, 1_280, 720)
    await framed.settle()
    await configured(framed, 1_280, 720, 2)
    compositor.send(compositor.newest('xdg_surface'), 'configure', 77)
    await client.next('xdg_surface.configure')
    // What it shows before it answers is from before.
    client.send(surface, 'commit')
    await framed.settle()
    expect(framed.sent('xdg_toplevel.unset_fullscreen')).toHaveLength(0)
    client.send(xdg, 'ack_configure', 77)
    client.send(surface, 'commit')
    await framed.settle()
    expect(framed.sent('xdg_toplevel.unset_fullscreen')).toHaveLength(1)
    expect(framed.unit.codes()).toContain('W-FULLSCREEN')
  })

  test('in fullscreen are agreed to when the client is seen to keep to them: weston cuts off who does not', async () => {
    await using framed = await Framed.start()
    const { client, compositor } = framed
    const { surface, xdg } = framed.toplevel()
    const answer = async (serial: number, ...states: number[]) => {
      await configured(framed, 1_280, 720, ...states)
      compositor.send(compositor.newest('xdg_surface'), 'configure', serial)
      await client.next('xdg_surface.configure')
      client.send(xdg, 'ack_configure', serial)
      await framed.settle()
    }
    const agreed = () => framed.sent('xdg_surface.ack_configure').map(({ args }) => args[0])
    await framed.settle()
    await answer(1)
    framed.show(surface, 100, 100)
    await answer(2, 2)
    expect(agreed()).toEqual([1])
    framed.show(surface, 1_272, 696)
    await framed.settle()
    expect(agreed()).toEqual([1, 2])
    const names = compositor.names()
    expect(names.lastIndexOf('xdg_surface.ack_configure')).toBeLessThan(
      names.lastIndexOf('wl_surface.commit'),
    )
    await answer(3, 2)
    framed.show(surface, 1_280, 720)
    await framed.settle()
    expect(framed.sent('xdg_toplevel.unset_fullscreen')).toHaveLength(1)
    await answer(4, 2)
    await answer(5)
    client.send(surface, 'commit')
    await framed.settle()
    expect(agreed()).toEqual([1, 2, 5])
  })

  test('in fullscreen at weston, which forgets what lies before a surface’s origin, leave room for that', async () => {
    const globals = [...USUAL_GLOBALS, { name: 91, interface: 'weston_desktop_shell', version: 1 }]
    await using framed = await Framed.start({}, globals)
    const { client, compositor } = framed
    const { surface, xdg } = framed.toplevel()
    framed.show(surface, 100, 100)
    await framed.settle()
    const cover = async (serial: number, width: number, height: number) => {
      const told = await configured(framed, 1_280, 720, 2)
      compositor.send(compositor.newest('xdg_surface'), 'configure', serial)
      await client.next('xdg_surface.configure')
      client.send(xdg, 'ack_configure', serial)
      framed.show(surface, width, height)
      await framed.settle()
      return told
    }
    expect(await cover(1, 1_268, 676)).toMatchObject({ width: 1_268, height: 676 })
    expect(framed.sent('xdg_toplevel.unset_fullscreen')).toHaveLength(0)
    await cover(2, 1_268, 677)
    expect(framed.sent('xdg_toplevel.unset_fullscreen')).toHaveLength(1)
    await cover(3, 1_269, 676)
    expect(framed.sent('xdg_toplevel.unset_fullscreen')).toHaveLength(2)
  })

  test('of a window with a shadow inside its frame come without that, too', async () => {
    await using framed = await Framed.start()
    const { surface, xdg } = framed.toplevel()
    framed.client.send(xdg, 'set_window_geometry', 30, 30, 40, 40)
    framed.show(surface, 100, 100)
    await framed.settle()
    expect(await configured(framed, 100, 100)).toMatchObject({ width: 40, height: 40 })
  })

  test('tell programs that they are tiled, so that they draw no shadow', async () => {
    await using framed = await Framed.start()
    framed.toplevel()
    await framed.settle()
    expect((await configured(framed, 0, 0, 4, 5)).states).toEqual([4, 5, 6, 7, 8])
  })

  test('that the client wants at least or at most are the compositor’s with the frame', async () => {
    await using framed = await Framed.start()
    const { toplevel } = framed.toplevel()
    framed.client.send(toplevel, 'set_min_size', 100, 0)
    framed.client.send(toplevel, 'set_max_size', 300, 200)
    expect((await framed.compositor.next('xdg_toplevel.set_min_size')).args).toEqual([108, 0])
    expect((await framed.compositor.next('xdg_toplevel.set_max_size')).args).toEqual([308, 224])
  })

  test('of a place in the window are the compositor’s with the frame', async () => {
    await using framed = await Framed.start()
    const { toplevel } = framed.toplevel()
    const seat = framed.client.bind('wl_seat')
    framed.client.make(seat, 'get_pointer')
    await framed.settle()
    framed.compositor.send(framed.compositor.newest('wl_pointer'), 'button', 7, 0, 0x111, 1)
    await framed.client.next('wl_pointer.button')
    framed.client.send(toplevel, 'show_window_menu', seat, 7, 10, 10)
    expect((await framed.compositor.next('xdg_toplevel.show_window_menu')).args.slice(1)).toEqual([7, 14, 30])
  })

  test('of nothing end the client', async () => {
    await using framed = await Framed.start()
    const { xdg } = framed.toplevel()
    framed.client.send(xdg, 'set_window_geometry', 0, 0, 0, 10)
    expect(await framed.client.error()).toMatch('4: a window of 0 by 10')
  })
})

describe('a frame on a dense screen', () => {
  test('is drawn as densely as its window, and anew when that changes', async () => {
    await using framed = await Framed.start()
    const { client } = framed
    const { surface } = framed.toplevel()
    framed.show(surface, 300, 200)
    await framed.settle()
    const window = framed.windowSurface()
    const ofStrips = (name: string) => framed.sent(name).filter(({ id }) => id !== window)
    for (const scale of [2, 3, 1]) {
      client.send(surface, 'set_buffer_scale', scale)
      framed.show(surface, 300 * scale, 200 * scale)
      await framed.settle()
      expect(
        ofStrips('wl_surface.set_buffer_scale')
          .slice(-4)
          .map(({ args }) => args),
      ).toEqual(Array.from({ length: 4 }, () => [scale]))
      const buffers = framed.sent('wl_shm_pool.create_buffer').slice(-5)
      const sizes = buffers.map(({ args }) => [args[2], args[3]])
      expect(sizes).toContainEqual([308 * scale, 20 * scale])
      expect(sizes).toContainEqual([4 * scale, 200 * scale])
    }
    // The window is as large as it was.
    expect(framed.sent('xdg_surface.set_window_geometry')).toHaveLength(1)
  })

  test('is as dense as there are pictures at most, whatever the window says', async () => {
    await using framed = await Framed.start()
    const { surface } = framed.toplevel()
    framed.client.send(surface, 'set_buffer_scale', 8)
    framed.show(surface, 300, 200)
    await framed.settle()
    expect(framed.sent('wl_surface.set_buffer_scale').map(({ args }) => args)).toContainEqual([3])
    expect(framed.sent('wl_shm.create_pool').map(({ args }) => args[2])).toEqual(
      expect.arrayContaining([pictureBytes(1), pictureBytes(3)]),
    )
  })
})

describe('a popup’s frame', () => {
  test('takes a place that no number can tell once it is counted in, as the last that one can', async () => {
    await using framed = await Framed.start()
    const { client, compositor } = framed
    const { surface, xdg } = framed.toplevel()
    // Its shadow makes the parent's frame wider than a popup's.
    client.send(xdg, 'set_window_geometry', 20, 20, 260, 160)
    framed.show(surface, 300, 200)
    framed.popup(xdg, framed.positioner(50, 40, [10, 20, 5, 6]))
    await framed.settle()
    const [least, most] = [-0x80000000, 0x7fffffff]
    compositor.send(compositor.newest('xdg_popup'), 'configure', least, least, most, most)
    const [x, y, width, height] = (await client.next('xdg_popup.configure')).args
    expect([x, y]).toEqual([least, least])
    expect(width).toBe(most - 8)
    expect(height).toBe(most - 24)
  })

  test('is there like a window’s, and its place is the one in the window with the frame', async () => {
    await using framed = await Framed.start()
    const { surface, xdg } = framed.toplevel()
    framed.show(surface, 300, 200)
    const popup = framed.popup(xdg, framed.positioner(50, 40, [10, 20, 5, 6]))
    framed.show(popup.surface, 50, 40)
    await framed.settle()
    expect(framed.sent('xdg_positioner.set_size').at(-1)!.args).toEqual([58, 64])
    expect(framed.sent('xdg_positioner.set_anchor_rect').at(-1)!.args).toEqual([14, 40, 5, 6])
    const told = framed.compositor.names()
    expect(told.lastIndexOf('xdg_positioner.set_size')).toBeLessThan(told.indexOf('xdg_surface.get_popup'))
    expect(framed.scene.shown(framed.windowSurface(1))).toHaveLength(5)
    expect(framed.scene.faultOf(framed.windowSurface(1))).toBeUndefined()
  })

  test('and the compositor’s answer, its size and a new place agree with it', async () => {
    const globals = USUAL_GLOBALS.map((one) =>
      one.interface === 'xdg_wm_base' ? { ...one, version: 6 } : one,
    )
    await using framed = await Framed.start({}, globals)
    const { client, compositor } = framed
    const { surface, xdg } = framed.toplevel()
    framed.show(surface, 300, 200)
    const popup = framed.popup(xdg, framed.positioner(50, 40, [10, 20, 5, 6]))
    await framed.settle()
    compositor.send(compositor.newest('xdg_popup'), 'configure', 14, 40, 58, 64)
    expect((await client.next('xdg_popup.configure')).args).toEqual([14, 40, 50, 40])
    const other = framed.positioner(70, 80, [0, 0, 1, 1])
    client.send(other, 'set_parent_size', 300, 200)
    client.send(popup.popup, 'reposition', other, 5)
    await framed.settle()
    expect(framed.sent('xdg_positioner.set_size').at(-1)!.args).toEqual([78, 104])
    expect(framed.sent('xdg_positioner.set_parent_size').at(-1)!.args).toEqual([308, 224])
  })

  test('is kept on the screen, whatever the client says about a place that is off it', async () => {
    await using framed = await Framed.start()
    const { client } = framed
    const { surface, xdg } = framed.toplevel()
    framed.show(surface, 300, 200)
    const flipped = framed.positioner(50, 40, [10, 20, 5, 6])
    client.send(flipped, 'set_constraint_adjustment', 12)
    framed.popup(xdg, flipped)
    framed.popup(xdg, framed.positioner(50, 40, [10, 20, 5, 6]))
    await framed.settle()
    const told = framed.sent('xdg_positioner.set_constraint_adjustment').map(({ args }) => args[0])
    expect(told).toEqual([12, 15, 3])
  })

  test('leaves something of the screen free: a menu that covers it is dismissed, a long one is not', async () => {
    await using framed = await Framed.start()
    const { client, compositor } = framed
    const { surface, xdg } = framed.toplevel()
    framed.show(surface, 300, 200)
    const popup = framed.popup(xdg, framed.positioner(50, 40, [10, 20, 5, 6]))
    await framed.settle()
    const output = compositor.newest('wl_output')
    // On its side, and dense: 500 by 1,000 in what clients count with.
    compositor.send(output, 'geometry', 0, 0, 1, 1, 0, 'maker', 'model', 1)
    compositor.send(output, 'mode', 0, 4_000, 4_000, 60)
    compositor.send(output, 'mode', 1, 2_000, 1_000, 60)
    compositor.send(output, 'scale', 2)
    await framed.settle()
    const commits = () => framed.sent('wl_surface.commit').filter(({ id }) => id === framed.windowSurface(1))
    const dismissed = () => client.names().filter((name) => name === 'xdg_popup.popup_done').length
    framed.show(popup.surface, 100, 990)
    framed.show(popup.surface, 490, 800)
    await framed.settle()
    expect([dismissed(), commits().length]).toEqual([0, 3])
    framed.show(popup.surface, 443, 877)
    await framed.settle()
    expect([dismissed(), commits().length]).toEqual([1, 3])
    expect(framed.unit.codes()).toContain('W-POPUP')
    // Nor in parts: the popup itself stays small.
    framed.show(popup.surface, 100, 100)
    const part = framed.child(popup.surface)
    client.send(part.subsurface, 'set_desync')
    framed.show(part.surface, 443, 877)
    await framed.settle()
    expect(dismissed()).toBe(2)
    expect(framed.unit.endings).toEqual([])
  })

  test('counts a parent’s shadow that lies inside its frame', async () => {
    await using framed = await Framed.start()
    const { surface, xdg } = framed.toplevel()
    framed.client.send(xdg, 'set_window_geometry', 30, 30, 240, 140)
    framed.show(surface, 300, 200)
    framed.popup(xdg, framed.positioner(50, 40, [0, 0, 5, 6]))
    await framed.settle()
    expect(framed.sent('xdg_positioner.set_anchor_rect').at(-1)!.args).toEqual([30, 30, 5, 6])
    const { client, compositor } = framed
    compositor.send(compositor.newest('xdg_popup'), 'configure', 30, 30, 58, 64)
    expect((await client.next('xdg_popup.configure')).args).toEqual([4, 20, 50, 40])
  })
})

describe('the pointer’s image', () => {
  test('of a usual size passes; one that could cover the desktop ends the client', async () => {
    await using framed = await Framed.start()
    const { client } = framed
    const pointer = client.make(client.bind('wl_seat'), 'get_pointer')
    const image = framed.surface()
    client.send(pointer, 'set_cursor', 1, image, 0, 0)
    framed.show(image, 64, 64)
    await framed.settle()
    expect(framed.unit.endings).toEqual([])
    framed.show(image, 257, 10)
    expect(await client.error()).toMatch('a pointer image larger than 256 by 256')
    expect(framed.unit.codes()).toContain('W-CURSOR')
  })

  test('touches the pointer’s place, whatever hotspot it names', async () => {
    await using framed = await Framed.start()
    const { client } = framed
    const pointer = client.make(client.bind('wl_seat'), 'get_pointer')
    const image = framed.surface()
    for (const [x, y] of [
      [3, 4],
      [-1, 257],
      [0x7fffffff, -0x80000000],
    ])
      client.send(pointer, 'set_cursor', 1, image, x!, y!)
    await framed.settle()
    const hotspots = framed.sent('wl_pointer.set_cursor').map(({ args }) => args.slice(2))
    expect(hotspots).toEqual([
      [3, 4],
      [0, 256],
      [256, 0],
    ])
  })

  test('may not grow through subsurfaces, nor be large before it becomes the pointer’s', async () => {
    await using framed = await Framed.start()
    const { client } = framed
    const pointer = client.make(client.bind('wl_seat'), 'get_pointer')
    const image = framed.surface()
    const part = framed.child(image)
    framed.show(part.surface, 1_000, 10)
    framed.show(image, 10, 10)
    client.send(pointer, 'set_cursor', 1, image, 0, 0)
    expect(await client.error()).toMatch('a pointer image')
  })
})
