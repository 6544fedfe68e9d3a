import { setMaxListeners } from 'node:events'
import type { Listener, UnixSocket } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import { header, words } from './client.js'

const descriptors = unixFd()._unsafeUnwrap()
const SEAT = 'wl_seat\0'
const EVENTS_PER_BLOCK = 1_000

/** wl_pointer.motion and its frame; wl_keyboard.modifiers. */
const motion = (id: number, step: number) => [
  ...header(id, 2, 20),
  step,
  step << 8,
  step << 8,
  ...header(id, 5, 8),
]
const modifiers = (id: number, step: number) => [...header(id, 4, 28), step, step, 0, 0, 0]

/**
 * A compositor with nothing but a seat, whose pointer never stands still and whose keyboard's modifiers never stay:
 * as fast as its clients' sockets take it.
 */
export class Flooder implements Disposable {
  readonly #listener: Listener
  readonly #stop = new AbortController()
  /** Bytes that were taken off it. */
  sent = 0

  constructor(path: string) {
    this.#listener = descriptors.listen(path, 'stream')._unsafeUnwrap()
    // Every client waits for the end.
    setMaxListeners(0, this.#stop.signal)
    void this.#accept()
  }

  async #accept(): Promise<void> {
    for (;;) {
      const socket = await this.#listener.accept(this.#stop.signal)
      if (socket.isErr()) return
      void this.#serve(socket.value)
    }
  }

  async #serve(socket: UnixSocket): Promise<void> {
    const { signal } = this.#stop
    let left: Uint8Array = new Uint8Array()
    let registry = 0
    let seat = 0
    for (;;) {
      const received = await socket.receive({ signal })
      if (received.isErr() || received.value.kind === 'end') return
      const joined = new Uint8Array(left.length + received.value.bytes.length)
      joined.set(left)
      joined.set(received.value.bytes, left.length)
      left = joined
      const view = new DataView(left.buffer)
      let at = 0
      while (left.length - at >= 8 && left.length - at >= view.getUint16(at + 6, true)) {
        const [id, opcode, size] = [
          view.getUint32(at, true),
          view.getUint16(at + 4, true),
          view.getUint16(at + 6, true),
        ]
        const last = view.getUint32(at + size - 4, true)
        if (id === 1 && opcode === 1) {
          registry = last
          const name = new Uint32Array(new TextEncoder().encode(SEAT).slice().buffer)
          await socket.send(words(...header(registry, 0, 28), 1, SEAT.length, ...name, 5), { signal })
        } else if (id === 1) {
          await socket.send(words(...header(last, 0, 12), 1, ...header(1, 1, 12), last), { signal })
        } else if (id === registry) seat = last
        else if (id === seat) void this.#flood(socket, opcode === 0 ? motion : modifiers, last)
        at += size
      }
      left = left.slice(at)
    }
  }

  async #flood(
    socket: UnixSocket,
    event: (id: number, step: number) => readonly number[],
    id: number,
  ): Promise<void> {
    const block = words(...Array.from({ length: EVENTS_PER_BLOCK }, (_, step) => event(id, step)).flat())
    for (;;) {
      const sent = await socket.send(block, { signal: this.#stop.signal })
      if (sent.isErr()) return
      this.sent += block.length
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
    this.#listener.close()
  }
}
