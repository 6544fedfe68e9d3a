import { FakeClient } from '../peers/client.js'
import { descriptors } from '../peers/peer.js'
import type { Desktop } from './desktop.js'

export const LEFT = 272
export const RIGHT = 273

/** A mouse at the desktop, moved by a test: what the user does, not the unit. */
export class HostPointer implements Disposable {
  readonly #client: FakeClient
  readonly #pointer: number
  #time = 0

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
    this.#client.send(this.#pointer, 'motion_absolute', ++this.#time, x, y, 1_280, 720)
    this.#client.send(this.#pointer, 'frame')
    await this.#client.sync()
  }

  async click(x: number, y: number, button = LEFT): Promise<void> {
    await this.moveTo(x, y)
    for (const state of [1, 0]) {
      this.#client.send(this.#pointer, 'button', ++this.#time, button, state)
      this.#client.send(this.#pointer, 'frame')
    }
    await this.#client.sync()
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}
