import type { Fd, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import { ok, type Result } from 'neverthrow'
import { MOST_MESSAGE_BYTES } from '../wire/framing.js'

/** Enough for what goes out in most turns; every client has one in each direction. */
const OWN_BYTES = MOST_MESSAGE_BYTES
/** What more is queued in: mostly enough for what is handed to the kernel at once, and little beyond what is queued. */
const PIECE_BYTES = 4 * MOST_MESSAGE_BYTES
/**
 * So many that are not in use are kept for whoever needs some next: as much as a unit's clients may leave unread by
 * default. What is let go instead is free only when V8 next looks, and a proxy gives it little reason to.
 */
const MOST_SPARE = 64
/** What libwayland receives at most with one message; more would be lost there. */
export const MOST_DESCRIPTORS_SENT = 28
const DONE: Result<boolean, UnixFdError> = ok(true)
const BLOCKED: Result<boolean, UnixFdError> = ok(false)

/** A part of a queue. */
class Piece {
  readonly bytes: Uint8Array
  /** The same memory as words. */
  readonly words: Int32Array
  /** Where what was queued in it ends. */
  end = 0

  constructor(length: number) {
    this.bytes = new Uint8Array(length)
    this.words = new Int32Array(this.bytes.buffer)
  }
}

const spare: Piece[] = []

/**
 * Messages on their way out. The queue grows by pieces while the peer does not read, and gives them back as it does.
 * Messages are whole words and never lie in two pieces, so their places are always aligned.
 */
export class Output {
  readonly #own = new Piece(OWN_BYTES)
  /** The one that is written to. */
  #last = this.#own
  /** Those before it, in order. */
  readonly #before: Piece[] = []
  /** Where what the kernel has not taken begins in the first of all. */
  #head = 0
  /** Bytes since the first ever: all that were queued, and those that the kernel took. */
  #queued = 0
  #sent = 0
  /** Descriptors in order, and the position of the first byte of each one's message. */
  readonly #fds: Fd[] = []
  readonly #fdPositions: number[] = []

  /** Where the next message is written. Both change with `reserve`. */
  get bytes(): Uint8Array {
    return this.#last.bytes
  }

  /** The same memory as words. */
  get words(): Int32Array {
    return this.#last.words
  }

  /** Bytes that the kernel has not taken yet. */
  get pending(): number {
    return this.#queued - this.#sent
  }

  get pendingDescriptors(): number {
    return this.#fds.length
  }

  /** The position of the next message, counted from the first byte ever queued. */
  get position(): number {
    return this.#queued
  }

  /** Makes room for a message of at most 4,096 bytes and says at which word it begins. It is queued by `commit`. */
  reserve(size: number): number {
    if (this.#last.end + size > this.#last.bytes.length) this.#makeRoom()
    return this.#last.end >> 2
  }

  commit(size: number): void {
    this.#last.end += size
    this.#queued += size
  }

  /** A whole message and its descriptors, which belong to the queue from now on. */
  push(message: Uint8Array, fds: readonly Fd[]): void {
    for (const fd of fds) {
      this.#fds.push(fd)
      this.#fdPositions.push(this.position)
    }
    const at = this.reserve(message.length) << 2
    this.bytes.set(message, at)
    this.commit(message.length)
  }

  /** Where the message at a position can still be changed, in `words`; -1 when it cannot be any more. */
  wordIndexOf(position: number): number {
    const index = this.#last.end - (this.#queued - position)
    return index < 0 || position < this.#sent ? -1 : index >> 2
  }

  /** Sends what the kernel takes. True when nothing is left. */
  flush(socket: UnixSocket): Result<boolean, UnixFdError> {
    while (this.#sent < this.#queued) {
      const piece = this.#before[0] ?? this.#last
      const attached = this.#attachable()
      // What follows the last descriptor that fits into one message must not arrive with it.
      const most =
        attached < this.#fds.length ? Math.max(this.#fdPositions[attached]! - this.#sent, 1) : piece.end
      const sent = socket.trySend(
        piece.bytes,
        attached === 0 ? undefined : this.#fds.slice(0, attached),
        this.#head,
        Math.min(this.#head + most, piece.end),
      )
      if (sent.isErr()) {
        // Too many descriptors are in flight to peers that do not read them yet: later.
        if (sent.error.kind === 'system' && sent.error.code === 'ETOOMANYREFS') return BLOCKED
        return sent.map(() => false)
      }
      if (sent.value === 0) return BLOCKED
      this.#taken(piece, sent.value)
      if (attached > 0) this.#closeSent(attached)
    }
    return DONE
  }

  /** Closes what was not sent. */
  close(): void {
    this.#closeSent(this.#fds.length)
    // Somebody may just be writing to the last: nobody else gets that one.
    for (const piece of this.#before.splice(0)) giveBack(piece)
    this.#sent = this.#queued
    this.#head = this.#last.end
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

  #taken(piece: Piece, count: number): void {
    this.#sent += count
    this.#head += count
    if (this.#head < piece.end) return
    this.#head = 0
    if (piece !== this.#last) {
      giveBack(this.#before.shift()!)
      return
    }
    piece.end = 0
    if (piece === this.#own) return
    giveBack(piece)
    this.#last = this.#own
  }

  #makeRoom(): void {
    const full = this.#last
    const next = spare.pop() ?? new Piece(PIECE_BYTES)
    next.end = 0
    this.#last = next
    if (full !== this.#own) {
      this.#before.push(full)
      return
    }
    // What was queued in one turn goes out at once, so it moves. The kernel may have taken a part of a word.
    const from = this.#head & ~3
    next.bytes.set(full.bytes.subarray(from, full.end))
    next.end = full.end - from
    this.#head -= from
    full.end = 0
  }
}

function giveBack(piece: Piece): void {
  if (spare.length < MOST_SPARE) spare.push(piece)
}
