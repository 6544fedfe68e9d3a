import { FakeClient } from '../peers/client.js'
import { descriptors } from '../peers/peer.js'
import type { Desktop } from './desktop.js'

export const LEFT = 272
export const RIGHT = 273

/** A mouse at the desktop, moved by a test: what the user does, not the unit. */
export class HostPointer implements Disposable {
  readonly #client: FakeClient
  readonly #pointer: number
  /** Programs tell a click from a double one by it. */
  get #now(): number {
    return Math.round(performance.now())
  }

  private constructor(client: FakeClient, pointer: number) {
    this.#client = client
    this.#pointer = pointer
  }

  static async at(desktop: Desktop): Promise<HostPointer> {
    const client = new FakeClient(descriptors.connect(desktop.socket, 'stream')._unsafeUnwrap())
    await client.start()
    const pointer = client.id()
    client.send(client.bind('zwlr_virtual_pointer_manager_v1', 1), 'create_virtual_pointer', null, pointer)
    await client.sync()
    return new HostPointer(client, pointer)
  }

  async moveTo(x: number, y: number): Promise<void> {
    this.#client.send(this.#pointer, 'motion_absolute', this.#now, x, y, 1_280, 720)
    this.#client.send(this.#pointer, 'frame')
    await this.#client.sync()
  }

  async #button(button: number, state: number): Promise<void> {
    this.#client.send(this.#pointer, 'button', this.#now, button, state)
    this.#client.send(this.#pointer, 'frame')
    await this.#client.sync()
  }

  async click(x: number, y: number, button = LEFT): Promise<void> {
    await this.moveTo(x, y)
    await this.#button(button, 1)
    await this.#button(button, 0)
  }

  /** Holds the left button until what was to begin has begun, then goes on. */
  async drag(from: readonly [number, number], to: readonly [number, number], begun: () => Promise<void>) {
    await this.moveTo(...from)
    await this.#button(LEFT, 1)
    await begun()
    await this.moveTo(...to)
    await this.#button(LEFT, 0)
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}
