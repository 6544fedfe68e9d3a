import type { SystemCalls } from '../system-calls.js'
import { Patience } from './patience.js'

/** The calls that looking takes. */
export type LookingCalls = Pick<SystemCalls, 'now' | 'look'>

/** A descriptor that is looked at. */
export interface Looked {
  /** -1 when it is closed. */
  readonly number: number
  /** The events somebody waits for; 0 while nobody does. */
  readonly wanted: number
  report(events: number): void
}

/** A descriptor's words in what `look` is given. */
const NUMBER = 0
const WANTED = 1
const FOUND = 2
const WORDS = 3

/** So many are looked at, those told of last: looking at many would cost more than being told. */
export const MOST_LOOKED_AT = 8

/** So long after the event loop told of something it gets its turn again. Nanoseconds. */
export const LONGEST_TURN = 1_000_000

/**
 * Looks again at descriptors, all together, after the event loop told of one: what is passed on by one of them is often
 * answered on another. One for each thread.
 */
export class Lookout {
  readonly #calls: LookingCalls
  readonly #patience = new Patience()
  readonly #descriptors = new Int32Array(MOST_LOOKED_AT * WORDS)
  /** Told of lately. */
  readonly #recent: Looked[] = []
  /** Those in `#descriptors`, in order. */
  readonly #looked: Looked[] = []
  /** When what was found or told last had been dealt with. */
  #done = Number.NEGATIVE_INFINITY
  #turn = -1
  #turnEnds = 0

  constructor(calls: LookingCalls) {
    this.#calls = calls
  }

  /** The event loop tells of `looked`, in a turn it names. */
  told(looked: Looked, turn: number): void {
    const now = this.#calls.now()
    this.#patience.told(now - this.#done)
    if (turn !== this.#turn) {
      this.#turn = turn
      this.#turnEnds = now + LONGEST_TURN
    }
    if (this.#recent.includes(looked)) return
    if (this.#recent.length === MOST_LOOKED_AT) this.#recent.shift()
    this.#recent.push(looked)
  }

  /** What was told or found has been dealt with: whether to look for more, once what that set off has run. */
  goesOn(): boolean {
    this.#done = this.#calls.now()
    return this.#done < this.#turnEnds && this.#patience.next() > 0
  }

  /** Looks once, and reports what is found. Whether to look for more, as `goesOn`. */
  look(): boolean {
    const count = this.#collect()
    if (count === 0) return false
    const start = this.#calls.now()
    const left = this.#turnEnds - start
    if (left <= 0) return false
    const found = this.#calls.look(this.#descriptors, count, Math.min(this.#patience.next(), left))
    if (found <= 0) {
      this.#patience.missed()
      return false
    }
    this.#patience.found(this.#calls.now() - start)
    for (let i = 0; i < count; i++) {
      const at = i * WORDS
      const looked = this.#looked[i]!
      // A report before this one may have closed it, or dealt with what it waits for.
      const events = this.#descriptors[at + FOUND]! & looked.wanted
      if (events !== 0 && looked.number === this.#descriptors[at + NUMBER]) looked.report(events)
    }
    this.#looked.length = 0
    return this.goesOn()
  }

  /** It is not looked at any more. */
  forget(looked: Looked): void {
    const index = this.#recent.indexOf(looked)
    if (index >= 0) this.#recent.splice(index, 1)
  }

  #collect(): number {
    this.#looked.length = 0
    for (const looked of this.#recent) {
      if (looked.wanted === 0) continue
      const at = this.#looked.length * WORDS
      this.#descriptors[at + NUMBER] = looked.number
      this.#descriptors[at + WANTED] = looked.wanted
      this.#looked.push(looked)
    }
    return this.#looked.length
  }
}

const lookouts = new WeakMap<SystemCalls, Lookout>()

/** The lookout of the thread whose calls these are. */
export function lookoutOf(calls: SystemCalls): Lookout {
  let lookout = lookouts.get(calls)
  if (lookout === undefined) {
    lookout = new Lookout(calls)
    lookouts.set(calls, lookout)
  }
  return lookout
}
