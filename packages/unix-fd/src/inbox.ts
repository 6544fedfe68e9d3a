import { Buffer } from 'node:buffer'
import { err, ok, type Result } from 'neverthrow'
import { invalidArgument, type UnixFdError } from './errors.js'
import { countLive, Fd } from './fd.js'
import { MOST_DESCRIPTORS, MOST_MESSAGES, type SystemCalls } from './system-calls.js'

const MOST_BYTES = 16 * 1024 * 1024
export const DEFAULT_BYTES = 64 * 1024

/** How much one message may bring. */
export interface Room {
  /** Default 64 KiB, at most 16 MiB. */
  readonly maxBytes?: number
  /** Default 0, at most 253. */
  readonly maxFds?: number
}

export interface InboxRoom extends Room {
  /**
   * How many messages the kernel may hand over at once: 1 to 64, default 1. Each has room of its own, 16 MiB
   * together at most. `tryReceive` gives them one by one all the same. Take all that are `waiting` before you wait
   * for the event loop: it knows only of those that the kernel still has.
   */
  readonly maxMessages?: number
}

/** Where a message's words stand in its slot. */
const FLAGS = 0
const LENGTH = 1
const COUNT = 2
const DESCRIPTORS = 3

/**
 * Room for received messages, used again and again: what `UnixSocket.tryReceive` fills. It shows one message at a
 * time, whose bytes are borrowed until the next. Its descriptors are owned by the inbox until they are taken;
 * what nobody took is closed by the next `tryReceive`, in one call, or by `close`.
 *
 * With `maxMessages` it also holds messages that were not shown yet. It then belongs to one socket, and `close`
 * loses them.
 */
export class Inbox implements Disposable {
  /** The room of all messages. The one that is shown begins at `start` and has `length` bytes. */
  readonly buffer: Uint8Array
  readonly maxBytes: number
  readonly maxFds: number
  readonly #calls: SystemCalls
  readonly #slots: number
  readonly #stride: number
  readonly #out: Int32Array
  /** The last view of each slot. */
  readonly #views: (Uint8Array | undefined)[]
  /** The slot of the message that is shown, and how many slots were filled. */
  #slot = 0
  #filled = 0
  /** Of the message that is shown: the place in `#out` of the first descriptor that nobody took, and the end. */
  #first = 0
  #end = 0
  #length = 0
  #closed = false
  #socket: object | undefined

  constructor(calls: SystemCalls, maxBytes: number, maxFds: number, slots = 1) {
    this.#calls = calls
    this.buffer = new Uint8Array(Buffer.allocUnsafeSlow(maxBytes * slots).buffer)
    this.maxBytes = maxBytes
    this.maxFds = maxFds
    this.#slots = slots
    this.#stride = DESCRIPTORS + maxFds
    this.#out = new Int32Array(slots * this.#stride)
    this.#views = new Array(slots).fill(undefined)
  }

  /** Where in `buffer` the message begins. */
  get start(): number {
    return this.#slot * this.maxBytes
  }

  /** How many bytes the message has. */
  get length(): number {
    return this.#length
  }

  /** A view of the message, borrowed until the next. */
  get bytes(): Uint8Array {
    // Messages are often as long as the one before in their slot, and making a view costs as much as sending it on.
    const before = this.#views[this.#slot]
    if (before?.length === this.#length) return before
    const view = this.buffer.subarray(this.start, this.start + this.#length)
    this.#views[this.#slot] = view
    return view
  }

  /** How many of the message's descriptors nobody took yet. */
  get fdCount(): number {
    return this.#end - this.#first
  }

  /** How many messages are here already and were not shown yet. */
  get waiting(): number {
    return Math.max(this.#filled - this.#slot - 1, 0)
  }

  /** Whether it was closed, and with it all that was in it. */
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

  /** Every descriptor of the message that nobody took yet, from now on the caller's. */
  takeFds(): Fd[] {
    const fds: Fd[] = []
    for (let fd = this.takeFd(); fd !== undefined; fd = this.takeFd()) fds.push(fd)
    return fds
  }

  /** Closes those of the message's descriptors that nobody took. */
  closeFds(): void {
    const count = this.fdCount
    if (count === 0) return
    const first = this.#first
    this.#first = this.#end
    countLive(-count)
    if (this.#calls.closeAll(this.#out, first, count) < 0) {
      throw new Error("a descriptor in an inbox was closed behind its owner's back")
    }
  }

  /** Closes what nobody took, and loses what was not shown. Nothing can be received into it any more. Idempotent. */
  close(): void {
    this.discard()
    this.#closed = true
  }

  /** Closes it with the descriptors that nobody took. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal Room for several messages is one socket's: another's would be taken for the first one's. */
  bind(socket: object): void {
    if (this.#socket === socket || this.#slots === 1) return
    if (this.#socket !== undefined) {
      throw new Error('an inbox for several messages belongs to one socket: create one for each')
    }
    this.#socket = socket
  }

  /** @internal Closes every descriptor, of messages that were not shown, too. */
  discard(): void {
    this.closeFds()
    while (this.advance()) this.closeFds()
    this.#length = 0
  }

  /**
   * @internal Shows the next message that is here already. The descriptors of the one before are closed.
   */
  advance(): boolean {
    this.closeFds()
    if (this.#slot + 1 >= this.#filled) return false
    this.#show(this.#slot + 1)
    return true
  }

  /**
   * @internal Whether the last fill found fewer messages than it had room for: then no more is there, or it will
   * be reported as readable. Only once, so that whoever asks again asks the kernel.
   */
  takeExhausted(): boolean {
    const exhausted = this.#filled > 0 && this.#filled < this.#slots
    this.#filled = 0
    this.#length = 0
    return exhausted
  }

  /** @internal Receives, when none is left to show. How many messages, or -errno. */
  fill(number: number, maxFds = this.maxFds): number {
    this.closeFds()
    this.#length = 0
    const result = this.#calls.receive(number, this.buffer, this.#out, maxFds, this.#slots)
    this.#filled = Math.max(result, 0)
    if (result <= 0) return result
    for (let slot = 0; slot < result; slot++) countLive(this.#out[slot * this.#stride + COUNT]!)
    this.#show(0)
    return result
  }

  #show(slot: number): void {
    const at = slot * this.#stride
    this.#slot = slot
    this.#length = this.#out[at + LENGTH]!
    this.#first = at + DESCRIPTORS
    this.#end = this.#first + this.#out[at + COUNT]!
  }

  /** @internal msg_flags of the message. */
  get flags(): number {
    return this.#out[this.#slot * this.#stride + FLAGS]!
  }

  /** @internal sendmsg(2) with the descriptors that nobody took. */
  sendFds(number: number, bytes: Uint8Array, start: number, size: number): number {
    return this.#calls.send(number, bytes, start, size, this.#out, this.#first, this.fdCount)
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

export function createInbox(calls: SystemCalls, room: InboxRoom): Result<Inbox, UnixFdError> {
  const wrong = checkRoom(room)
  if (wrong) return err(wrong)
  const { maxBytes = DEFAULT_BYTES, maxFds = 0, maxMessages = 1 } = room
  if (!Number.isInteger(maxMessages) || maxMessages < 1 || maxMessages > MOST_MESSAGES) {
    return err(invalidArgument('maxMessages', `${maxMessages}: take 1 to ${MOST_MESSAGES} messages at once`))
  }
  if (maxMessages * maxBytes > MOST_BYTES) {
    const message = `${maxMessages} messages of ${maxBytes} bytes: make room for ${MOST_BYTES} bytes at most`
    return err(invalidArgument('maxMessages', message))
  }
  return ok(new Inbox(calls, maxBytes, maxFds, maxMessages))
}
