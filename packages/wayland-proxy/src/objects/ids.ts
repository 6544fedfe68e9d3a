/** Ids from here on are given out by the compositor; those below, from 1, by the client. */
export const FIRST_SERVER_ID = 0xff00_0000
export const DISPLAY_ID = 1

/**
 * Gives out the lowest free id. libwayland refuses an id that is more than one above the highest ever used, so
 * ids have to stay dense whatever order they come back in.
 */
export class IdPool {
  readonly #first: number
  #next: number
  /** A binary heap, lowest on top. */
  readonly #free: number[] = []

  constructor(first: number) {
    this.#first = first
    this.#next = first
  }

  /** How many ids are in use. */
  get used(): number {
    return this.#next - this.#first - this.#free.length
  }

  take(): number {
    const free = this.#free
    const lowest = free[0]
    if (lowest === undefined) return this.#next++
    const last = free.pop()!
    if (free.length > 0) this.#sink(last)
    return lowest
  }

  /** Each id that was taken, once. */
  give(id: number): void {
    const free = this.#free
    let at = free.length
    free.push(id)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (free[parent]! <= id) break
      free[at] = free[parent]!
      at = parent
    }
    free[at] = id
  }

  #sink(id: number): void {
    const free = this.#free
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= free.length) break
      if (child + 1 < free.length && free[child + 1]! < free[child]!) child += 1
      if (free[child]! >= id) break
      free[at] = free[child]!
      at = child
    }
    free[at] = id
  }
}
