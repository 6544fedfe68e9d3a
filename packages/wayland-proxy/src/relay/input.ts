import type { Fd, Found, Inbox, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import type { Result } from 'neverthrow'
import { MOST_MESSAGE_BYTES } from '../wire/framing.js'

/** Who writes so much at once is likely to go on: to gather it costs less than to pass on each piece. */
const BULK_BYTES = 1_024

/**
 * What arrived and was not understood yet. Bytes come in any pieces, so they are gathered at aligned places,
 * where messages can be read as words. Descriptors are a queue of their own.
 */
export class Input {
  readonly bytes: Uint8Array
  readonly words: Int32Array
  /** The next message begins here; always a multiple of 4. */
  start = 0
  end = 0
  /** Arrived and not claimed by a message, in order. They belong to this queue. */
  readonly fds: Fd[] = []
  /** Whether to look for more before what came is passed on. What is left behind is told by the event loop. */
  mayBeMore = false

  constructor(inboxBytes: number) {
    this.bytes = new Uint8Array(inboxBytes + MOST_MESSAGE_BYTES)
    this.words = new Int32Array(this.bytes.buffer)
  }

  get length(): number {
    return this.end - this.start
  }

  /** Whether there is room for all that one receive may bring. */
  get mayReceive(): boolean {
    return this.length < MOST_MESSAGE_BYTES
  }

  /** Only when it may. `inbox` is borrowed: what it brought is taken out at once. */
  receive(socket: UnixSocket, inbox: Inbox): Result<Found, UnixFdError> {
    const found = socket.tryReceive(inbox)
    if (found.isErr() || found.value !== 'data') return found
    if (this.start > 0) {
      this.bytes.copyWithin(0, this.start, this.end)
      this.end -= this.start
      this.start = 0
    }
    this.bytes.set(inbox.bytes, this.end)
    this.end += inbox.length
    // A receive ends at descriptors, too, whatever is behind them.
    this.mayBeMore = inbox.length >= BULK_BYTES || inbox.fdCount > 0
    for (let fd = inbox.takeFd(); fd !== undefined; fd = inbox.takeFd()) this.fds.push(fd)
    return found
  }

  close(): void {
    for (const fd of this.fds.splice(0)) fd.close()
    this.start = this.end
  }
}
