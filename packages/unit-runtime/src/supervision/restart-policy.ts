import type { RestartPolicy } from '@spectrum/unit-graph'

const MOST = 5
const BACKOFF_MS = 250
/** A pause is not doubled beyond this; a first one that is longer stays as it is. */
const LONGEST_BACKOFF_MS = 300_000
/** What ran so long ran well: whatever happens to it then is the first in a row. */
const RAN_WELL_MS = 60_000

/** What comes after the end of a machine that nobody asked for. */
export type Next =
  | { readonly kind: 'stays-down' }
  | {
      readonly kind: 'again'
      /** Which in a row, from 1 on. */
      readonly attempt: number
      readonly most: number
      /** Milliseconds to wait before. */
      readonly delayMs: number
    }

/** Counts the restarts of one unit in a row, by its policy; without one it is `never`. */
export class RestartCount {
  #inARow = 0

  constructor(private readonly policy: RestartPolicy = { when: 'never' }) {}

  /** `ranMs`: how long it was up; 0 when it did not come up at all. */
  after(end: 'success' | 'failure', ranMs: number): Next {
    const { when, most = MOST, backoffMs = BACKOFF_MS } = this.policy
    if (when === 'never' || (when === 'on-failure' && end === 'success')) return { kind: 'stays-down' }
    if (ranMs >= RAN_WELL_MS) this.#inARow = 0
    if (this.#inARow >= most) return { kind: 'stays-down' }
    this.#inARow += 1
    const doubled = backoffMs * 2 ** Math.min(this.#inARow - 1, 52)
    const delayMs = Math.min(doubled, Math.max(backoffMs, LONGEST_BACKOFF_MS))
    return { kind: 'again', attempt: this.#inARow, most, delayMs }
  }
}
