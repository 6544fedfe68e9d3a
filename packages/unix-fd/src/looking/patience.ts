/**
 * Whether a program that was told of something looks for the next for a moment, or goes back to the event loop at once.
 *
 * Being told costs a sleep and two wake-ups, here and often at the peer as well. Looking costs a processor, so it is
 * worth that only while things follow one another closely, and only where the peer has a processor of its own
 * meanwhile. That they come soon is known of those that the event loop told; whether looking finds them is an account
 * in time: who finds something has saved about what a look costs, who looks in vain has spent it, and one twentieth of
 * the time is there to be tried with.
 */
export class Patience {
  #soon = false
  /** Time that may still be looked in vain, in nanoseconds. */
  #credit = LOOK

  /** For how long to look. Nanoseconds; 0: not at all. */
  next(): number {
    return this.#soon && this.#credit >= LOOK ? LOOK : 0
  }

  /** Something was found after so long. */
  found(nanoseconds: number): void {
    // Whoever did not run while it came, although it looked, shares a processor with others: that is no success.
    if (nanoseconds > LOOK) this.missed()
    // What was there at once says nothing of what comes later.
    else if (nanoseconds > AT_ONCE) this.#earn(LOOK)
  }

  /** Nothing came within that time. */
  missed(): void {
    this.#soon = false
    this.#credit -= LOOK
  }

  /** The event loop told of something, so long after the last. */
  told(nanoseconds: number): void {
    this.#soon = nanoseconds <= SOON
    this.#earn(nanoseconds / TRIED)
  }

  #earn(nanoseconds: number): void {
    this.#credit = Math.min(this.#credit + nanoseconds, MOST_CREDIT)
  }
}

/** About what two wake-ups cost: who looks no longer than that never pays more than twice what being told costs. */
export const LOOK = 50_000

/** About what a look takes that finds something. */
const AT_ONCE = 2_000

/** What comes so soon, wake-ups included, might have been found. */
export const SOON = 200_000

/** One of so many nanoseconds may be looked in vain. */
const TRIED = 20

/** What looking in vain may cost at once, where it has found much, or nothing happened for long. */
export const MOST_CREDIT = 20 * LOOK
