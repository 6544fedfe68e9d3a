import { DISPLAY_ID, FIRST_SERVER_ID } from './ids.js'
import type { ProtocolObject } from './protocol-object.js'

const PAGE_BITS = 8
const PAGE = 1 << PAGE_BITS

/** The objects of PAGE ids in a row. */
interface Page {
  readonly objects: (ProtocolObject | undefined)[]
  used: number
}

/**
 * Ids from 0 on, which one end gives out: densely, but it need not use any of them again. So what is kept is pages, as
 * long as something is on them: a client that makes and destroys for ever costs what it holds, and no more.
 */
class IdRange {
  readonly #pages: (Page | undefined)[] = []
  /** One above the highest id ever used. */
  end = 0

  get(id: number): ProtocolObject | undefined {
    return id < this.end ? this.#pages[id >>> PAGE_BITS]?.objects[id & (PAGE - 1)] : undefined
  }

  set(id: number, object: ProtocolObject): void {
    if (id >= this.end) this.end = id + 1
    const number = id >>> PAGE_BITS
    let page = this.#pages[number]
    if (page === undefined) {
      page = { objects: new Array(PAGE).fill(undefined), used: 0 }
      this.#pages[number] = page
    }
    if (page.objects[id & (PAGE - 1)] === undefined) page.used += 1
    page.objects[id & (PAGE - 1)] = object
  }

  delete(id: number): void {
    const number = id >>> PAGE_BITS
    const page = this.#pages[number]
    if (page === undefined || page.objects[id & (PAGE - 1)] === undefined) return
    page.objects[id & (PAGE - 1)] = undefined
    page.used -= 1
    // The ids behind the last will soon be used.
    if (page.used === 0 && number !== this.end >>> PAGE_BITS) this.#pages[number] = undefined
  }

  *[Symbol.iterator](): IterableIterator<ProtocolObject> {
    for (const page of this.#pages) {
      for (const object of page?.objects ?? []) if (object) yield object
    }
  }
}

/** The objects of one side by their ids: two dense ranges, as both ends allocate them. */
export class ObjectTable {
  readonly #low = new IdRange()
  readonly #high = new IdRange()

  get(id: number): ProtocolObject | undefined {
    return id < FIRST_SERVER_ID ? this.#low.get(id) : this.#high.get(id - FIRST_SERVER_ID)
  }

  /**
   * Whether a new object of the range's allocator may have this id now: not in use, and at most one above the
   * highest ever used.
   */
  admitsLow(id: number): boolean {
    return id > DISPLAY_ID && id <= this.#low.end && id < FIRST_SERVER_ID && this.#low.get(id) === undefined
  }

  /** The same for the compositor's range, where a zombie may be replaced. */
  admitsHigh(id: number): boolean {
    const high = id - FIRST_SERVER_ID
    if (high < 0 || high > this.#high.end) return false
    const before = this.#high.get(high)
    return before === undefined || !before.alive
  }

  /** The id was admitted, or comes from an `IdPool`. */
  set(id: number, object: ProtocolObject): void {
    if (id < FIRST_SERVER_ID) this.#low.set(id, object)
    else this.#high.set(id - FIRST_SERVER_ID, object)
  }

  delete(id: number): void {
    if (id < FIRST_SERVER_ID) this.#low.delete(id)
    else this.#high.delete(id - FIRST_SERVER_ID)
  }

  *[Symbol.iterator](): IterableIterator<ProtocolObject> {
    yield* this.#low
    yield* this.#high
  }
}
