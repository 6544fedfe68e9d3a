/** Ids from here on are given out by the compositor; those below, from 1, by the client. */
export const FIRST_SERVER_ID = 0xff00_0000
export const DISPLAY_ID = 1

const BITS = 32

/**
 * Gives out the lowest free id. libwayland refuses an id that is more than one above the highest ever used, so
 * ids have to stay dense whatever order they come back in.
 */
export class IdPool {
  readonly #first: number
  #next: number
  #free = 0
  /** A bit for each id that came back: set while it is free. */
  #bits = new Int32Array(BITS)
  /** No bit before this word is set. */
  #from = 0

  constructor(first: number) {
    this.#first = first
    this.#next = first
  }

  /** How many ids are in use. */
  get used(): number {
    return this.#next - this.#first - this.#free
  }

  take(): number {
    if (this.#free === 0) return this.#next++
    const bits = this.#bits
    let at = this.#from
    while (bits[at] === 0) at += 1
    this.#from = at
    const word = bits[at]!
    const lowest = word & -word
    bits[at] = word ^ lowest
    this.#free -= 1
    return this.#first + at * BITS + (BITS - 1 - Math.clz32(lowest))
  }

  /** Each id that was taken, once. */
  give(id: number): void {
    const offset = id - this.#first
    const at = Math.floor(offset / BITS)
    if (at >= this.#bits.length) this.#grow(at)
    this.#bits[at]! |= 1 << (offset % BITS)
    this.#from = Math.min(this.#from, at)
    this.#free += 1
  }

  #grow(at: number): void {
    const before = this.#bits
    this.#bits = new Int32Array(2 * (at + 1))
    this.#bits.set(before)
  }
}
