import type { CompiledMessage } from '../protocol/compile.js'
import type { Session } from '../relay/session.js'

export type Direction = 'request' | 'event' | 'from-proxy'

const ENTRIES = 512

/** What a proxy has carried since it was made, for all its clients together. Numbers only grow. */
export interface Counters {
  /** Messages from clients. */
  requests: number
  /** Messages to clients, those that the proxy itself sends included. */
  events: number
  /** Bytes of messages that were judged, in both directions. */
  bytes: number
}

/**
 * Remembers the last messages of a unit without allocating anything: what they were, never what they carried. It is
 * dumped when something goes wrong.
 */
export class Recorder {
  readonly counters: Counters = { requests: 0, events: 0, bytes: 0 }
  readonly #messages: (CompiledMessage | undefined)[] = new Array(ENTRIES).fill(undefined)
  readonly #numbers = new Uint32Array(ENTRIES * 4)
  #next = 0

  record(
    session: Session,
    direction: Direction,
    objectId: number,
    message: CompiledMessage,
    size: number,
  ): void {
    if (direction === 'request') this.counters.requests += 1
    else this.counters.events += 1
    this.counters.bytes += size
    const at = this.#next
    this.#messages[at] = message
    const numbers = this.#numbers
    numbers[at * 4] = session.number
    numbers[at * 4 + 1] = direction === 'request' ? 0 : direction === 'event' ? 1 : 2
    numbers[at * 4 + 2] = objectId
    numbers[at * 4 + 3] = size
    this.#next = (at + 1) % ENTRIES
  }

  /** The last messages, oldest first: `#2 -> wl_surface@5.commit, 8 bytes`. Ids of events are the compositor's. */
  lines(): string[] {
    const lines: string[] = []
    for (let step = 0; step < ENTRIES; step++) {
      const at = (this.#next + step) % ENTRIES
      const message = this.#messages[at]
      if (message === undefined) continue
      const [session, direction, objectId, size] = this.#numbers.subarray(at * 4, at * 4 + 4)
      const arrow = ['->', '<-', '<='][direction!]
      const [type, name] = message.fullName.split('.')
      lines.push(`#${session} ${arrow} ${type}@${objectId}.${name}, ${size} bytes`)
    }
    return lines
  }
}
