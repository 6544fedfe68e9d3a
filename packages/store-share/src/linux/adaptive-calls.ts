import { setImmediate } from 'node:timers/promises'

/** The event loop gets a turn after this many milliseconds of synchronous calls. */
const SLICE_MS = 2

/** A call that takes longer was not answered from memory. */
const SLOW_MS = 0.5

/**
 * So many calls go to the thread pool after a slow one, before a synchronous one is tried again: few at first,
 * because on a busy machine another process may have had the processor meanwhile, twice as many each time.
 */
const FEWEST_CALLS_AFTER_SLOW = 4
const MOST_CALLS_AFTER_SLOW = 64

/**
 * Chooses, call by call, between the synchronous and the asynchronous form of a small system call. What the
 * kernel has in memory is answered in a few microseconds, a tenth of what the way to the thread pool costs;
 * what it has to fetch from a disk must not hold up the event loop.
 */
export class AdaptiveCalls {
  #sliceBegan = Number.NEGATIVE_INFINITY
  #asynchronous = 0
  #afterSlow = FEWEST_CALLS_AFTER_SLOW

  async run<T>(now: () => T, later: () => Promise<T>): Promise<T> {
    if (this.#asynchronous > 0) {
      this.#asynchronous--
      return later()
    }
    let began = performance.now()
    if (began - this.#sliceBegan > SLICE_MS) {
      await setImmediate()
      began = performance.now()
      this.#sliceBegan = began
    }
    try {
      return now()
    } finally {
      const slow = performance.now() - began > SLOW_MS
      if (slow) this.#asynchronous = this.#afterSlow
      this.#afterSlow = slow ? Math.min(2 * this.#afterSlow, MOST_CALLS_AFTER_SLOW) : FEWEST_CALLS_AFTER_SLOW
    }
  }
}
