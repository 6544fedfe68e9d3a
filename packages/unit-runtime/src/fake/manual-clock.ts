import type { Clock } from '@spectrum/unit-monitor'

/** A clock that stands still until it is told otherwise: no deadline passes by accident in a test. */
export interface ManualClock extends Clock {
  /** Lets `ms` pass: every deadline up to then fires, in order. */
  advance(ms: number): void
}

/**
 * A clock that stands still until it is told to go on.
 *
 * @example
 * ```ts
 * import { manualClock } from '@spectrum/unit-runtime/fake'
 *
 * const clock = manualClock()
 * using deadline = clock.deadline(60_000)
 * clock.advance(59_999)
 * console.log(deadline.signal.aborted) // false
 * clock.advance(1)
 * console.log(deadline.signal.aborted) // true
 * ```
 */
export function manualClock(): ManualClock {
  const pending = new Set<{ readonly at: number; readonly controller: AbortController }>()
  let now = 0
  return {
    now: () => now,
    deadline(ms) {
      const entry = { at: now + ms, controller: new AbortController() }
      pending.add(entry)
      return {
        signal: entry.controller.signal,
        [Symbol.dispose]: () => void pending.delete(entry),
      }
    },
    advance(ms) {
      now += ms
      const due = [...pending].filter((entry) => entry.at <= now).sort((a, b) => a.at - b.at)
      for (const entry of due) {
        // A deadline that fired may have disposed of the next one.
        if (pending.delete(entry)) entry.controller.abort()
      }
    },
  }
}
