import { expect } from 'vitest'
import { randomFrom } from '../fuzz.js'
import { Framed } from './window.js'

/** A window and subsurfaces in subsurfaces that come, move, grow and wait as they like: always inside of the frame. */
export async function liveAtRandom(seed: number, steps: number): Promise<void> {
  const random = randomFrom(seed * 7_919)
  await using framed = await Framed.start()
  const { client } = framed
  const { surface, xdg } = framed.toplevel()
  framed.show(surface, 200, 200)
  const parts: { surface: number; subsurface: number; parent: number }[] = []
  const any = () => parts[random(parts.length)]!
  for (let step = 0; step < steps; step++) {
    const kind = parts.length === 0 ? 0 : random(13)
    if (kind === 0) {
      const parent = parts.length === 0 || random(2) === 0 ? surface : any().surface
      parts.push({ ...framed.child(parent), parent })
    } else if (kind === 1) {
      client.send(any().subsurface, 'set_position', random(600) - 300, random(600) - 300)
    } else if (kind === 2) client.send(any().subsurface, random(2) === 0 ? 'set_desync' : 'set_sync')
    else if (kind === 3) {
      const one = any()
      const siblings = parts.filter((other) => other.parent === one.parent && other !== one)
      const other = siblings[random(siblings.length + 1)]?.surface ?? one.parent
      client.send(one.subsurface, random(2) === 0 ? 'place_above' : 'place_below', other)
    } else if (kind === 4) {
      client.send(xdg, 'set_window_geometry', random(50), random(50), 1 + random(300), 1 + random(300))
    } else if (kind < 7) framed.show(any().surface, 1 + random(300), 1 + random(300))
    else if (kind === 7) client.send(any().surface, 'commit')
    else if (kind === 8) {
      const buffer = random(3) === 0 ? null : framed.buffer(1 + random(300), 1 + random(300))
      client.send(surface, 'attach', buffer, 0, 0)
    } else if (kind === 9) client.send(surface, 'commit')
    else if (kind === 10) {
      const leaf = parts.findIndex((one) => !parts.some(({ parent }) => parent === one.surface))
      const [gone] = parts.splice(leaf, 1)
      client.send(gone!.subsurface, 'destroy')
      client.send(gone!.surface, 'destroy')
    } else framed.show(surface, 1 + random(300), 1 + random(300))
    await framed.settle()
    expect(framed.scene.faultOf(framed.windowSurface()), `seed ${seed}, step ${step}`).toBeUndefined()
  }
  expect(framed.unit.endings).toEqual([])
}
