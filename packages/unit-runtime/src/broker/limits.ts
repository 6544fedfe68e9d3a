/** What the calls of one graph may take. Numbers are of calls that are open at once, and milliseconds. */
export interface CallLimits {
  /** Of one calling unit. The agent itself keeps it below 64. */
  readonly perUnit: number
  /** On one edge. */
  readonly perEdge: number
  /** Into one provider. A unit runs at most 64 commands: some are left for the host. */
  readonly perProvider: number
  /** Before the prompter, of one unit: more would bury a person in questions. */
  readonly asking: number
  /** For the caller's line with its argument, in time and bytes. */
  readonly argumentMs: number
  /** Bytes of the caller's line with its argument; a longer one is refused as `invalid-argument`. */
  readonly argumentBytes: number
  /** Milliseconds for a person's answer; no answer by then denies. */
  readonly askMs: number
  /** That wait for one provider to come up, and how long each of them waits. */
  readonly waiting: number
  /**
   * Milliseconds that a call waits for its provider's unit to come up; then it is refused as `provider-not-started`.
   */
  readonly providerMs: number
  /** Without a byte in either direction, until a call is ended. */
  readonly idleMs: number
}

/** How many calls go on at once, how long they wait and how much they hold, unless a host says otherwise. */
export const CALL_LIMITS: CallLimits = Object.freeze({
  perUnit: 32,
  perEdge: 16,
  perProvider: 48,
  asking: 4,
  argumentMs: 10_000,
  argumentBytes: 32_768,
  askMs: 120_000,
  waiting: 16,
  providerMs: 60_000,
  idleMs: 600_000,
})

/** Counts what is open under any key, and refuses one more than the most. */
export class Slots {
  readonly #taken = new Map<string, number>()

  take(key: string, most: number): boolean {
    const taken = this.#taken.get(key) ?? 0
    if (taken >= most) return false
    this.#taken.set(key, taken + 1)
    return true
  }

  free(key: string): void {
    const left = (this.#taken.get(key) ?? 0) - 1
    if (left > 0) this.#taken.set(key, left)
    else this.#taken.delete(key)
  }
}
