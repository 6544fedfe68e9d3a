import type { Fd, Found, Inbox, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import type { Result } from 'neverthrow'
import { MOST_MESSAGE_BYTES } from '../wire/framing.js'

/** Who writes so much at once is likely to go on: to gather it costs less than to pass on each piece. */
const BULK_BYTES = 1_024
/** Up to so much is copied without a view of it, which would cost more than the copy. */
const LITTLE_BYTES = 256

/**
 * What arrived and was not understood yet. Bytes come in any pieces, so they are gathered at aligned places,
 * where messages can be read as words. Descriptors are a queue of their own.
 */
export class Input {
  bytes = new Uint8Array(MOST_MESSAGE_BYTES)
  /** The same memory as words. Both change with `receive`, as much as comes. */
  words = new Int32Array(this.bytes.buffer)
  /** The next message begins here; always a multiple of 4. */
  start = 0
  end = 0
  /** Arrived and not claimed by a message, in order. They belong to this queue. */
  readonly fds: Fd[] = []
  /** Whether to look for more before what came is passed on. What is left behind is told by the event loop. */
  mayBeMore = false

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
    const before = this.bytes
    const left = this.length
    if (left + inbox.length > before.length) {
      // Mostly by a whole message at least, so that this is rare.
      this.bytes = new Uint8Array((left + inbox.length + MOST_MESSAGE_BYTES) & ~3)
      this.words = new Int32Array(this.bytes.buffer)
    }
    if (left > 0 && (this.start > 0 || this.bytes !== before))
      this.bytes.set(before.subarray(this.start, this.end))
    this.start = 0
    this.end = left
    this.#append(inbox)
    const inBulk = inbox.length >= BULK_BYTES
    // A receive ends at descriptors, too, whatever is behind them.
    this.mayBeMore = inBulk || inbox.fdCount > 0
    // Who sends little often waits for what comes back. Of bulk the more is gathered the later it is told.
    socket.fd.patient = !inBulk
    for (let fd = inbox.takeFd(); fd !== undefined; fd = inbox.takeFd()) this.fds.push(fd)
    return found
  }

  #append(inbox: Inbox): void {
    const { length } = inbox
    if (length > LITTLE_BYTES) this.bytes.set(inbox.bytes, this.end)
    else {
      const { buffer, start } = inbox
      for (let index = 0; index < length; index++) this.bytes[this.end + index] = buffer[start + index]!
    }
    this.end += length
  }

  close(): void {
    for (const fd of this.fds.splice(0)) fd.close()
    this.start = this.end
  }
}
