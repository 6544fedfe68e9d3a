import { INSETS, pictureBytes } from '../../src/frame/picture.js'
import type { FakeCompositor } from './compositor.js'
import type { Seen } from './peer.js'

interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

interface Content {
  readonly width: number
  readonly height: number
  readonly ofProxy: boolean
}

interface Surface {
  readonly id: number
  pending: Content | null
  shown: Content | null
  cached: boolean
  geometry: Rectangle | undefined
  pendingGeometry: Rectangle | undefined
  /** Bottom to top; the surface itself among its subsurfaces. */
  stack: number[]
  pendingStack: number[]
  child:
    | { parent: number; x: number; y: number; pendingX: number; pendingY: number; sync: boolean }
    | undefined
}

interface Placed extends Rectangle {
  readonly id: number
  readonly ofProxy: boolean
}

/** What a compositor that follows the protocol would show of the messages that reached it. */
export class Scene {
  readonly #compositor: FakeCompositor
  readonly #surfaces = new Map<number, Surface>()
  readonly #roles = new Map<number, number>()
  readonly #pools = new Map<number, number>()
  readonly #buffers = new Map<number, Content>()
  #read = 0

  constructor(compositor: FakeCompositor) {
    this.#compositor = compositor
  }

  /** Takes in what came since; returns the id of the newest surface that became a window or popup. */
  update(): void {
    for (; this.#read < this.#compositor.seen.length; this.#read++) {
      this.#hear(this.#compositor.seen[this.#read]!)
    }
  }

  #hear({ id, name, args }: Seen): void {
    const number = (index: number) => args[index] as number
    switch (name) {
      case 'wl_compositor.create_surface':
        this.#surfaces.set(number(0), {
          id: number(0),
          pending: null,
          shown: null,
          cached: false,
          geometry: undefined,
          pendingGeometry: undefined,
          stack: [number(0)],
          pendingStack: [number(0)],
          child: undefined,
        })
        return
      case 'wl_shm.create_pool':
        this.#pools.set(number(0), number(2))
        return
      case 'wl_shm_pool.create_buffer': {
        const ofProxy = this.#pools.get(id) === pictureBytes()
        this.#buffers.set(number(0), { width: number(2), height: number(3), ofProxy })
        return
      }
      case 'wl_surface.attach': {
        const surface = this.#surfaces.get(id)!
        surface.pending = args[0] === null ? null : this.#buffers.get(number(0))!
        return
      }
      case 'wl_surface.commit':
        this.#commit(this.#surfaces.get(id)!)
        return
      case 'wl_surface.destroy':
        this.#surfaces.delete(id)
        return
      case 'wl_subcompositor.get_subsurface': {
        const parent = this.#surfaces.get(number(2))!
        this.#roles.set(number(0), number(1))
        this.#surfaces.get(number(1))!.child = {
          parent: parent.id,
          x: 0,
          y: 0,
          pendingX: 0,
          pendingY: 0,
          sync: true,
        }
        parent.pendingStack.push(number(1))
        return
      }
      case 'wl_subsurface.set_position': {
        const child = this.#surfaces.get(this.#roles.get(id)!)?.child
        if (child) [child.pendingX, child.pendingY] = [number(0), number(1)]
        return
      }
      case 'wl_subsurface.place_above':
      case 'wl_subsurface.place_below': {
        const moved = this.#roles.get(id)!
        const { pendingStack } = this.#surfaces.get(this.#surfaces.get(moved)!.child!.parent)!
        pendingStack.splice(pendingStack.indexOf(moved), 1)
        const at = pendingStack.indexOf(number(0))
        if (at < 0) throw new Error('no sibling')
        pendingStack.splice(name.endsWith('above') ? at + 1 : at, 0, moved)
        return
      }
      case 'wl_subsurface.set_sync':
      case 'wl_subsurface.set_desync': {
        const surface = this.#surfaces.get(this.#roles.get(id)!)
        if (!surface?.child) return
        surface.child.sync = name.endsWith('set_sync')
        if (!this.#waits(surface) && surface.cached) this.#apply(surface)
        return
      }
      case 'wl_subsurface.destroy': {
        const surface = this.#surfaces.get(this.#roles.get(id)!)
        if (surface) this.#leave(surface)
        return
      }
      case 'xdg_wm_base.get_xdg_surface':
        this.#roles.set(number(0), number(1))
        return
      case 'xdg_surface.set_window_geometry': {
        const [x, y, width, height] = args as number[]
        const surface = this.#surfaces.get(this.#roles.get(id)!)!
        surface.pendingGeometry = { x: x!, y: y!, width: width!, height: height! }
      }
    }
  }

  #leave(surface: Surface): void {
    const parent = this.#surfaces.get(surface.child?.parent ?? 0)
    if (parent) {
      parent.stack = parent.stack.filter((id) => id !== surface.id)
      parent.pendingStack = parent.pendingStack.filter((id) => id !== surface.id)
    }
    surface.child = undefined
  }

  #waits(surface: Surface): boolean {
    for (let one: Surface | undefined = surface; one?.child; one = this.#surfaces.get(one.child.parent)) {
      if (one.child.sync) return true
    }
    return false
  }

  #commit(surface: Surface): void {
    if (this.#waits(surface)) surface.cached = true
    else this.#apply(surface)
  }

  #apply(surface: Surface): void {
    surface.cached = false
    surface.shown = surface.pending
    surface.geometry = surface.pendingGeometry
    surface.stack = [...surface.pendingStack]
    for (const id of surface.stack) {
      const one = this.#surfaces.get(id)
      if (one?.child && id !== surface.id) {
        one.child.x = one.child.pendingX
        one.child.y = one.child.pendingY
        if (one.cached && one.child.sync) this.#apply(one)
      }
    }
  }

  #place(id: number, x: number, y: number, into: Placed[]): void {
    const surface = this.#surfaces.get(id)
    if (!surface?.shown) return
    for (const one of surface.stack) {
      if (one === id) into.push({ id, x, y, ...surface.shown })
      else {
        const { child } = this.#surfaces.get(one) ?? {}
        if (child) this.#place(one, x + child.x, y + child.y, into)
      }
    }
  }

  /** All that is shown of a window, bottom to top. */
  shown(id: number): readonly Placed[] {
    const placed: Placed[] = []
    this.#place(id, 0, 0, placed)
    return placed
  }

  geometry(id: number): Rectangle | undefined {
    return this.#surfaces.get(id)?.geometry
  }

  /** What is wrong with the frame of a window that is shown, in a word. */
  faultOf(id: number): string | undefined {
    const placed = this.shown(id)
    if (placed.length === 0) return undefined
    const geometry = this.geometry(id)
    if (geometry === undefined) return 'no geometry'
    const { x, y, width, height } = geometry
    const { left, top, right, bottom } = INSETS
    const inner = height - top - bottom
    const expected = [
      { x, y, width, height: top },
      { x, y: y + top, width: left, height: inner },
      { x: x + width - right, y: y + top, width: right, height: inner },
      { x, y: y + height - bottom, width, height: bottom },
    ]
    const strips = placed.slice(-4)
    if (!strips.every(({ ofProxy }) => ofProxy)) return 'something is above the frame'
    const same = (a: Rectangle, b: Rectangle) =>
      a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height
    if (!expected.every((one) => strips.some((strip) => same(one, strip)))) return 'strips are misplaced'
    const outside = placed.find(
      (one) => one.x < x || one.y < y || one.x + one.width > x + width || one.y + one.height > y + height,
    )
    return outside && `${JSON.stringify(outside)} reaches out of ${JSON.stringify(geometry)}`
  }
}
