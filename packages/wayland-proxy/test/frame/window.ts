import type { Fd } from '@spectrum/unix-fd'
import type { FakeGlobal } from '../peers/compositor.js'
import { descriptors, type Seen } from '../peers/peer.js'
import { Scene } from '../peers/scene.js'
import { type Connection, Unit } from '../peers/unit.js'

export const FRAME = { label: 'mail', colour: '#a51d2d' }

/** Left and right, top and bottom of a frame together. */
export const AROUND = { width: 8, height: 24 }

/** A unit with a frame, and one client that knows what it wants. */
export class Framed implements AsyncDisposable {
  readonly unit: Unit
  readonly #file: Fd
  connection!: Connection
  scene!: Scene
  compositorGlobal = 0
  subcompositor = 0
  shm = 0
  shell = 0

  constructor(policy: object = {}) {
    this.unit = new Unit({ identity: { frame: FRAME }, ...policy })
    this.#file = descriptors.createMemfd('pixels', { size: 4 << 20 })._unsafeUnwrap().fd
  }

  static async start(policy: object = {}, globals?: readonly FakeGlobal[]): Promise<Framed> {
    const framed = new Framed(policy)
    framed.connection = await framed.unit.started(globals)
    const { client, compositor } = framed.connection
    framed.scene = new Scene(compositor)
    framed.compositorGlobal = client.bind('wl_compositor')
    if (client.offered('wl_subcompositor')) framed.subcompositor = client.bind('wl_subcompositor')
    if (client.offered('wl_shm')) framed.shm = client.bind('wl_shm')
    framed.shell = client.bind('xdg_wm_base')
    return framed
  }

  get client() {
    return this.connection.client
  }

  get compositor() {
    return this.connection.compositor
  }

  async settle(): Promise<void> {
    await this.client.sync()
    this.scene.update()
  }

  #pool = 0

  buffer(width: number, height: number): number {
    if (this.#pool === 0) {
      this.#pool = this.client.id()
      this.client.send(this.shm, 'create_pool', this.#pool, this.#file, 4 << 20)
    }
    return this.client.make(this.#pool, 'create_buffer', 0, width, height, width * 4, 1)
  }

  surface(): number {
    return this.client.make(this.compositorGlobal, 'create_surface')
  }

  show(surface: number, width: number, height: number): void {
    this.client.send(surface, 'attach', this.buffer(width, height), 0, 0)
    this.client.send(surface, 'commit')
  }

  toplevel() {
    const surface = this.surface()
    const xdg = this.client.make(this.shell, 'get_xdg_surface', surface)
    const toplevel = this.client.make(xdg, 'get_toplevel')
    this.client.send(surface, 'commit')
    return { surface, xdg, toplevel }
  }

  child(parent: number) {
    const surface = this.surface()
    const subsurface = this.client.make(this.subcompositor, 'get_subsurface', surface, parent)
    return { surface, subsurface }
  }

  positioner(width: number, height: number, anchor: readonly [number, number, number, number]): number {
    const positioner = this.client.make(this.shell, 'create_positioner')
    this.client.send(positioner, 'set_size', width, height)
    this.client.send(positioner, 'set_anchor_rect', ...anchor)
    return positioner
  }

  popup(parent: number, positioner: number) {
    const surface = this.surface()
    const xdg = this.client.make(this.shell, 'get_xdg_surface', surface)
    const popup = this.client.make(xdg, 'get_popup', parent, positioner)
    this.client.send(surface, 'commit')
    return { surface, xdg, popup }
  }

  /** The messages of this name that reached the compositor. */
  sent(name: string): readonly Seen[] {
    return this.compositor.seen.filter((one) => one.name === name)
  }

  /** The compositor's id of the surface that became the nth window or popup. */
  windowSurface(index = 0): number {
    return this.sent('xdg_wm_base.get_xdg_surface')[index]!.args[1] as number
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#file.close()
    await this.unit[Symbol.asyncDispose]()
  }
}
