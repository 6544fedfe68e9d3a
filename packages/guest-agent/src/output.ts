import { ProtocolViolation } from './codec.js'
import { limits } from './frames.js'

/** Chunks smaller than this share buffers, so that a unit that sends byte by byte costs no object per byte. */
const smallBytes = 2_048
const sharedBytes = 8_192

/** What differs between an output of a command and a stream of a socket. */
export interface OutputTerms {
  /** Bytes that it holds at most: credit is given up to here. */
  readonly window: number
  /** Nothing was granted at the start; the window is, when somebody begins to read. */
  readonly onDemand: boolean
  /** Called once when its consumer leaves. Without it the sender goes on and what it sends is dropped. */
  readonly stop?: () => void
}

const ofCommand: OutputTerms = { window: limits.outputWindow, onDemand: false }

/**
 * The host's end of one stdout or stderr, or of what a socket sends. It holds at most one window of bytes: credit
 * goes to the unit only for what a consumer took. A consumer that leaves its loop early discards the rest.
 */
export class OutputStream implements AsyncIterable<Uint8Array> {
  readonly #grant: (credit: number) => void
  readonly #terms: OutputTerms
  #queue: Uint8Array[] = []
  /** The last, still growing entry of the queue, and how much of it is used. */
  #tail: { readonly bytes: Uint8Array; used: number } | undefined
  #received = 0
  #credit: number
  #consumed = 0
  #ended = false
  #discarding = false
  #taken = false
  #wake: (() => void) | undefined

  constructor(grant: (credit: number) => void, terms: OutputTerms = ofCommand) {
    this.#grant = grant
    this.#terms = terms
    this.#credit = terms.onDemand ? 0 : terms.window
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Bytes from the unit. Throws ProtocolViolation when they are not the next, or not covered by credit. */
  push(offset: number, bytes: Uint8Array): void {
    if (this.#ended) throw new ProtocolViolation('output after its end')
    if (offset !== this.#received) {
      throw new ProtocolViolation(`output at offset ${offset} where ${this.#received} is next`)
    }
    if (bytes.length > this.#credit) throw new ProtocolViolation('more output than was granted')
    this.#received += bytes.length
    this.#credit -= bytes.length
    if (this.#discarding) {
      this.#consume(bytes.length)
      return
    }
    this.#enqueue(bytes)
    this.#wake?.()
  }

  /** The unit says that the stream is complete. */
  end(offset: number): void {
    if (this.#ended) throw new ProtocolViolation('the end of an output twice')
    if (offset !== this.#received) {
      throw new ProtocolViolation(`output ends at ${offset} after ${this.#received} bytes`)
    }
    this.finish()
  }

  /** Nothing more will come; what is held can still be read. */
  finish(): void {
    this.#ended = true
    this.#wake?.()
  }

  /** Drops what is held and whatever comes. */
  discard(): void {
    if (this.#discarding) return
    this.#discarding = true
    this.#flushTail()
    const held = this.#queue.reduce((sum, chunk) => sum + chunk.length, 0)
    this.#queue = []
    if (!this.#ended) this.#terms.stop?.()
    this.#consume(held)
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#taken) throw new TypeError('a stream of a unit has one consumer')
    this.#taken = true
    if (this.#terms.onDemand && !this.#ended && !this.#discarding) {
      this.#credit = this.#terms.window
      this.#grant(this.#credit)
    }
    try {
      for (;;) {
        const chunk = this.#next()
        if (chunk !== undefined) {
          this.#consume(chunk.length)
          yield chunk
        } else if (this.#ended || this.#discarding) {
          return
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
          this.#wake = undefined
        }
      }
    } finally {
      this.discard()
    }
  }

  #enqueue(bytes: Uint8Array): void {
    if (bytes.length >= smallBytes) {
      this.#flushTail()
      this.#queue.push(bytes)
      return
    }
    if (this.#tail === undefined || this.#tail.used + bytes.length > sharedBytes) {
      this.#flushTail()
      this.#tail = { bytes: new Uint8Array(sharedBytes), used: 0 }
    }
    this.#tail.bytes.set(bytes, this.#tail.used)
    this.#tail.used += bytes.length
  }

  #flushTail(): void {
    if (this.#tail !== undefined) this.#queue.push(this.#tail.bytes.slice(0, this.#tail.used))
    this.#tail = undefined
  }

  #next(): Uint8Array | undefined {
    if (this.#queue.length === 0) this.#flushTail()
    return this.#queue.shift()
  }

  #consume(size: number): void {
    this.#consumed += size
    // In large steps: what is not granted yet is less than half, so the unit always has credit left.
    if (this.#ended || this.#consumed < this.#terms.window / 2) return
    if (this.#discarding && this.#terms.stop !== undefined) return
    this.#credit += this.#consumed
    this.#grant(this.#consumed)
    this.#consumed = 0
  }
}
