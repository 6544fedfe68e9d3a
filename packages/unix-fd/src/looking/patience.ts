/**
 * Whether a program that was told of something looks for the next for a moment, or goes back to the event loop at once.
 *
 * Being told costs a sleep and two wake-ups, here and often at the peer as well. Looking costs a processor, so it is
 * worth that only while things follow one another closely, and only where the peer has a processor of its own
 * meanwhile. That they come soon is known of those that the event loop told; that looking finds them is tried, and less
 * often each time that it does not.
 */
export class Patience {
  /** So many have to come soon, in sequence, before looking is tried. */
  #needed = 1
  #soon = 0

  /** For how long to look. Nanoseconds; 0: not at all. */
  next(): number {
    return this.#soon >= this.#needed ? LOOK : 0
  }

  /** Something was found after so long. */
  found(nanoseconds: number): void {
    // Whoever did not run while it came, although it looked, shares a processor with others: that is no success.
    if (nanoseconds > LOOK) this.missed()
    // What was there at once says nothing of what comes later.
    else if (nanoseconds > AT_ONCE) this.#needed = Math.max(1, this.#needed >> 1)
  }

  /** Nothing came within that time. */
  missed(): void {
    this.#soon = 0
    this.#needed = Math.min(this.#needed * 2, MOST_NEEDED)
  }

  /** The event loop told of something, so long after the last. */
  told(nanoseconds: number): void {
    if (nanoseconds > SOON) this.#soon = 0
    else this.#soon = Math.min(this.#soon + 1, MOST_NEEDED)
  }
}

/** About what two wake-ups cost: who looks no longer than that never pays more than twice what being told costs. */
export const LOOK = 50_000

/** About what a look takes that finds something. */
const AT_ONCE = 2_000

/** What comes so soon, wake-ups included, might have been found. */
export const SOON = 200_000

/** So that looking in vain costs less than a microsecond for each that comes. */
export const MOST_NEEDED = 64
