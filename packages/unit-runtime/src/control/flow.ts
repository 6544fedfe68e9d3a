import { controlLimits } from './frames.js'

/** Credit is given back in pieces of at least this, or when nothing is held any more. */
const GIVE_BACK = controlLimits.window / 4

/** What one side may still send on a stream. Many may send; the peer's frames add. */
export class Credit {
  #left = controlLimits.window as number
  #closed = false
  #wake: (() => void) | undefined
  /** Resolves when all that was given to `send` until now has gone, or never will. */
  #turns: Promise<unknown> = Promise.resolve()

  /** False when the peer gives more than a window: it has lost count, or lies. */
  add(bytes: number): boolean {
    if (bytes < 1 || this.#left + bytes > controlLimits.window) return false
    this.#left += bytes
    this.#wake?.()
    return true
  }

  /**
   * Sends all bytes as the credit allows, in chunks, behind those that came before: between the chunks of one sender
   * there are none of another. False when the stream was closed before all had gone.
   */
  send(bytes: Uint8Array, send: (chunk: Uint8Array) => Promise<void>): Promise<boolean> {
    const sent = this.#turns.then(() => this.#sendNow(bytes, send))
    this.#turns = sent.catch(() => {})
    return sent
  }

  /** Resolves when nobody sends any more of those who did. Never rejects. */
  async flushed(): Promise<void> {
    await this.#turns
  }

  /** Whoever waits gets nothing any more. */
  close(): void {
    this.#closed = true
    this.#wake?.()
  }

  async #sendNow(bytes: Uint8Array, send: (chunk: Uint8Array) => Promise<void>): Promise<boolean> {
    for (let at = 0; at < bytes.length; ) {
      const count = await this.#take(Math.min(controlLimits.chunkBytes, bytes.length - at))
      if (count === 0) return false
      await send(bytes.subarray(at, at + count))
      at += count
    }
    return true
  }

  /** Waits until something may be sent, and takes at most `most` of it; 0 once it is closed. */
  async #take(most: number): Promise<number> {
    while (this.#left === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#closed) return 0
    const taken = Math.min(most, this.#left)
    this.#left -= taken
    return taken
  }
}

/** The receiving end of a stream: holds at most a window, and gives credit for what its one consumer has taken. */
export class Incoming implements AsyncIterable<Uint8Array> {
  readonly #onCredit: (bytes: number) => void
  readonly #held: Uint8Array[] = []
  #room = controlLimits.window as number
  #taken = 0
  #ended = false
  /** Nobody reads any more: what comes is dropped, and credit goes on being given. */
  #dropped = false
  #wake: (() => void) | undefined

  constructor(onCredit: (bytes: number) => void) {
    this.#onCredit = onCredit
  }

  get ended(): boolean {
    return this.#ended
  }

  /** False when the peer has sent more than it may, or after its own end. */
  push(bytes: Uint8Array): boolean {
    if (this.#ended || bytes.length > this.#room) return false
    this.#room -= bytes.length
    if (this.#dropped) this.#give(bytes.length)
    else this.#held.push(bytes)
    this.#wake?.()
    return true
  }

  /** No more will come. What is held can still be taken. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  /** Lets go of what is held and of all that comes. */
  drop(): void {
    this.#dropped = true
    for (const bytes of this.#held.splice(0)) this.#give(bytes.length)
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const next = this.#held.shift()
        if (next !== undefined) {
          yield next
          this.#give(next.length)
        } else if (this.#ended || this.#dropped) return
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        }
      }
    } finally {
      this.drop()
    }
  }

  #give(bytes: number): void {
    this.#taken += bytes
    if (this.#ended || (this.#taken < GIVE_BACK && this.#held.length > 0)) return
    const given = this.#taken
    this.#taken = 0
    this.#room += given
    this.#onCredit(given)
  }
}
