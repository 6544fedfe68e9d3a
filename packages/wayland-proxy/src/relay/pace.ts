/** So long after a client was last served, the others need not make room for it. */
const QUIET_AFTER_MS = 250

/** Knows whether one client alone is served at the moment: then nobody waits for the end of its turn. */
export class Pace {
  readonly #sessions: ReadonlySet<object>
  #last: object | undefined
  #othersAt = Number.NEGATIVE_INFINITY

  /** `sessions`: all that there are now. */
  constructor(sessions: ReadonlySet<object>) {
    this.#sessions = sessions
  }

  /** A turn of `session` begins. `now` in milliseconds. */
  alone(session: object, now: number): boolean {
    if (session !== this.#last) {
      // Whoever was served until now counts as active from here on.
      if (this.#last !== undefined) this.#othersAt = now
      this.#last = session
    }
    return this.#sessions.size === 1 || now - this.#othersAt > QUIET_AFTER_MS
  }
}
