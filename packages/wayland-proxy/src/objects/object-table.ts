import { DISPLAY_ID, FIRST_SERVER_ID } from './ids.js'
import type { ProtocolObject } from './protocol-object.js'

/** The objects of one side by their ids: two dense ranges, as both ends allocate them. */
export class ObjectTable {
  readonly #low: (ProtocolObject | undefined)[] = [undefined]
  readonly #high: (ProtocolObject | undefined)[] = []

  get(id: number): ProtocolObject | undefined {
    if (id < this.#low.length) return this.#low[id]
    const high = id - FIRST_SERVER_ID
    return high >= 0 && high < this.#high.length ? this.#high[high] : undefined
  }

  /**
   * Whether a new object of the range's allocator may have this id now: not in use, and at most one above the
   * highest ever used.
   */
  admitsLow(id: number): boolean {
    return id > DISPLAY_ID && id <= this.#low.length && id < FIRST_SERVER_ID && this.#low[id] === undefined
  }

  /** The same for the compositor's range, where a zombie may be replaced. */
  admitsHigh(id: number): boolean {
    const high = id - FIRST_SERVER_ID
    if (high < 0 || high > this.#high.length) return false
    const before = this.#high[high]
    return before === undefined || !before.alive
  }

  /** The id was admitted, or comes from an `IdPool`. */
  set(id: number, object: ProtocolObject): void {
    if (id < FIRST_SERVER_ID) this.#low[id] = object
    else this.#high[id - FIRST_SERVER_ID] = object
  }

  delete(id: number): void {
    if (id < FIRST_SERVER_ID) this.#low[id] = undefined
    else this.#high[id - FIRST_SERVER_ID] = undefined
  }

  *[Symbol.iterator](): IterableIterator<ProtocolObject> {
    for (const object of this.#low) if (object) yield object
    for (const object of this.#high) if (object) yield object
  }
}
