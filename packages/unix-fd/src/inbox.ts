import { Buffer } from 'node:buffer'
import { err, ok, type Result } from 'neverthrow'
import { invalidArgument, type UnixFdError } from './errors.js'
import { countLive, Fd } from './fd.js'
import { MOST_DESCRIPTORS, type SystemCalls } from './system-calls.js'

export const MOST_BYTES = 16 * 1024 * 1024
export const DEFAULT_BYTES = 64 * 1024

/** How much one receive takes. */
export interface Room {
  /** Default 64 KiB, at most 16 MiB. */
  readonly maxBytes?: number
  /** Default 0, at most 253. */
  readonly maxFds?: number
}

/**
 * Room for one message, used again for each: what `UnixSocket.tryReceive` fills. Its bytes are borrowed until the
 * next receive. Its descriptors are owned by the inbox until they are taken; what nobody took is closed by the
 * next receive, in one call, or by `close`.
 */
export class Inbox implements Disposable {
  /** The whole room. The first `length` bytes are the message. */
  readonly buffer: Uint8Array
  readonly maxFds: number
  readonly #calls: SystemCalls
  /** Flags, count, descriptors … */
  readonly #out: Int32Array
  #length = 0
  #first = 2
  #closed = false

  constructor(calls: SystemCalls, maxBytes: number, maxFds: number) {
    this.#calls = calls
    this.buffer = new Uint8Array(Buffer.allocUnsafeSlow(maxBytes).buffer)
    this.maxFds = maxFds
    this.#out = new Int32Array(2 + maxFds)
  }

  /** How many bytes the message has. */
  get length(): number {
    return this.#length
  }

  /** A view of the message, borrowed until the next receive. */
  get bytes(): Uint8Array {
    return this.buffer.subarray(0, this.#length)
  }

  /** How many of the message's descriptors nobody took yet. */
  get fdCount(): number {
    return this.#out[1]! + 2 - this.#first
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The next descriptor of the message, from now on the caller's. */
  takeFd(): Fd | undefined {
    if (this.fdCount === 0) return undefined
    const number = this.#out[this.#first]!
    this.#first += 1
    countLive(-1)
    return new Fd(this.#calls, number)
  }

  /** Every descriptor that nobody took yet, from now on the caller's. */
  takeFds(): Fd[] {
    const fds: Fd[] = []
    for (let fd = this.takeFd(); fd !== undefined; fd = this.takeFd()) fds.push(fd)
    return fds
  }

  /** Closes what nobody took. The room can be used again. */
  closeFds(): void {
    const count = this.fdCount
    if (count === 0) return
    const first = this.#first
    this.#first += count
    countLive(-count)
    if (this.#calls.closeAll(this.#out, first, count) < 0) {
      throw new Error("a descriptor in an inbox was closed behind its owner's back")
    }
  }

  /** Closes what nobody took; nothing can be received into it any more. Idempotent. */
  close(): void {
    this.closeFds()
    this.#closed = true
    this.#length = 0
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal recvmsg(2) into this room: bytes, or -errno. */
  fill(number: number, maxFds = this.maxFds): number {
    this.closeFds()
    this.#length = 0
    const result = this.#calls.receive(number, this.buffer, this.#out, maxFds)
    this.#first = 2
    if (result < 0) return result
    this.#length = result
    countLive(this.#out[1]!)
    return result
  }

  /** @internal msg_flags of the last message. */
  get flags(): number {
    return this.#out[0]!
  }

  /** @internal sendmsg(2) with the descriptors that nobody took. */
  sendFds(number: number, bytes: Uint8Array, start: number, attach: boolean): number {
    const count = attach ? this.fdCount : 0
    return this.#calls.send(number, bytes, start, bytes.length - start, this.#out, this.#first, count)
  }
}

export function checkRoom(room: Room): UnixFdError | undefined {
  const { maxBytes = DEFAULT_BYTES, maxFds = 0 } = room
  if (!Number.isInteger(maxBytes) || maxBytes < 1 || maxBytes > MOST_BYTES) {
    return invalidArgument('maxBytes', `${maxBytes}: make room for 1 to ${MOST_BYTES} bytes`)
  }
  if (!Number.isInteger(maxFds) || maxFds < 0 || maxFds > MOST_DESCRIPTORS) {
    return invalidArgument('maxFds', `${maxFds}: make room for 0 to ${MOST_DESCRIPTORS} descriptors`)
  }
  return undefined
}

export function createInbox(calls: SystemCalls, room: Room): Result<Inbox, UnixFdError> {
  const wrong = checkRoom(room)
  if (wrong) return err(wrong)
  const { maxBytes = DEFAULT_BYTES, maxFds = 0 } = room
  return ok(new Inbox(calls, maxBytes, maxFds))
}
