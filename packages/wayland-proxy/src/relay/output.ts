import type { Fd, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import { ok, type Result } from 'neverthrow'

const FIRST_BYTES = 16 * 1024
/** Above this, a buffer that has drained is given back. */
const KEPT_BYTES = 128 * 1024
/** What libwayland receives at most with one message; more would be lost there. */
export const MOST_DESCRIPTORS_SENT = 28
const DONE: Result<boolean, UnixFdError> = ok(true)
const BLOCKED: Result<boolean, UnixFdError> = ok(false)

/**
 * Messages on their way out, in one buffer that grows while the peer does not read. Messages are whole words,
 * so the end is always aligned; the start need not be, because the kernel may take any number of bytes.
 */
export class Output {
  bytes = new Uint8Array(FIRST_BYTES)
  /** The same memory as words. */
  words = new Int32Array(this.bytes.buffer)
  #head = 0
  #tail = 0
  /** How many bytes were queued before the one at index 0. */
  #base = 0
  /** Descriptors in order, and the position of the first byte of each one's message. */
  readonly #fds: Fd[] = []
  readonly #fdPositions: number[] = []

  /** Bytes that the kernel has not taken yet. */
  get pending(): number {
    return this.#tail - this.#head
  }

  get pendingDescriptors(): number {
    return this.#fds.length
  }

  /** The position of the next message, counted from the first byte ever queued. */
  get position(): number {
    return this.#base + this.#tail
  }

  /** Makes room for a message and says at which word it begins. It is queued by `commit`. */
  reserve(size: number): number {
    if (this.#tail + size > this.bytes.length) this.#makeRoom(size)
    return this.#tail >> 2
  }

  commit(size: number): void {
    this.#tail += size
  }

  /** A whole message and its descriptors, which belong to the queue from now on. */
  push(message: Uint8Array, fds: readonly Fd[]): void {
    for (const fd of fds) {
      this.#fds.push(fd)
      this.#fdPositions.push(this.position)
    }
    const at = this.reserve(message.length) << 2
    this.bytes.set(message, at)
    this.#tail += message.length
  }

  /** The word at a position that has not been sent. */
  wordIndexOf(position: number): number {
    return (position - this.#base) >> 2
  }

  /** Sends what the kernel takes. True when nothing is left. */
  flush(socket: UnixSocket): Result<boolean, UnixFdError> {
    while (this.#head < this.#tail) {
      const attached = this.#attachable()
      // What follows the last descriptor that fits into one message must not arrive with it.
      const end =
        attached < this.#fds.length
          ? Math.max(this.#fdPositions[attached]! - this.#base, this.#head + 1)
          : this.#tail
      const sent = socket.trySend(
        this.bytes.subarray(this.#head, end),
        attached === 0 ? undefined : this.#fds.slice(0, attached),
      )
      if (sent.isErr()) {
        // Too many descriptors are in flight to peers that do not read them yet: later.
        if (sent.error.kind === 'system' && sent.error.code === 'ETOOMANYREFS') return BLOCKED
        return sent.map(() => false)
      }
      if (sent.value === 0) return BLOCKED
      this.#head += sent.value
      if (attached > 0) this.#closeSent(attached)
    }
    this.#reset()
    return DONE
  }

  /** Closes what was not sent. */
  close(): void {
    this.#closeSent(this.#fds.length)
    this.#head = this.#tail
  }

  /** How many descriptors go with the next byte. Some may go before their message; none may go after it. */
  #attachable(): number {
    if (this.#fds.length <= MOST_DESCRIPTORS_SENT) return this.#fds.length
    let count = MOST_DESCRIPTORS_SENT
    // All of one message's stay together.
    while (count > 0 && this.#fdPositions[count - 1] === this.#fdPositions[count]) count -= 1
    return count
  }

  #closeSent(count: number): void {
    for (const fd of this.#fds.splice(0, count)) fd.close()
    this.#fdPositions.splice(0, count)
  }

  #reset(): void {
    this.#base += this.#tail
    this.#head = 0
    this.#tail = 0
    if (this.bytes.length > KEPT_BYTES) this.#resize(FIRST_BYTES)
  }

  #makeRoom(size: number): void {
    const shift = this.#head & ~3
    if (shift > 0 && this.#tail - shift + size <= this.bytes.length >> 1) {
      this.bytes.copyWithin(0, shift, this.#tail)
      this.#base += shift
      this.#head -= shift
      this.#tail -= shift
      return
    }
    this.#resize(Math.max(2 * this.bytes.length, this.#tail + size))
  }

  #resize(length: number): void {
    const before = this.bytes
    this.bytes = new Uint8Array(Math.ceil(length / 4) * 4)
    this.words = new Int32Array(this.bytes.buffer)
    if (this.#tail > 0) this.bytes.set(before.subarray(0, this.#tail))
  }
}
