/**
 * Whether whoever resumes a guest looks for its next exit for a moment, or goes on to other things and is told of it.
 *
 * Being told costs two wake-ups of a thread, and where a processor has to leave its idle state for each, several times
 * what the exit itself does. Looking costs a processor, so it is worth that only while a guest comes back soon, and only
 * where the vCPU's thread gets a processor meanwhile: its own, or this one, which who looks gives up for it (see
 * `look_for` in native/vcpu_thread.c). Another program may take it instead, and keep it for a thousand times as long as a
 * wake-up takes. How long runs take is known of those that were told; that the second holds is tried, and less often each
 * time that it does not.
 */
export class Patience {
  /** So many runs in sequence have to be short before looking is tried. */
  #needed = 1
  #short = 0
  /** The vCPU's thread has gone to sleep: it has to be woken before the guest runs. */
  #asleep = true

  /** For how long to look for the next exit. Nanoseconds; 0: not at all. */
  next(): number {
    if (this.#short < this.#needed) return 0
    return this.#asleep ? WAKE + LOOK : LOOK
  }

  /** The exit was there, after so long. */
  found(nanoseconds: number): void {
    // Whoever waited far longer than it looked has lost the processor to somebody else: that is no success.
    if (nanoseconds > (this.#asleep ? WAKE + LATE : LATE)) this.missed()
    else {
      this.#needed = Math.max(1, this.#needed >> 1)
      this.#asleep = false
    }
  }

  /** It was not. */
  missed(): void {
    this.#short = 0
    this.#asleep = true
    this.#needed = Math.min(this.#needed * 2, MOST_NEEDED)
  }

  /** The event loop told of an exit, for which the guest ran so long. */
  told(nanoseconds: number): void {
    if (nanoseconds > LOOK) this.#short = 0
    else this.#short += 1
  }
}

/** About what being told costs: who looks no longer than that never pays more than twice what knowing would have cost. */
const LOOK = 25_000
/**
 * About what it takes until a thread that was woken runs, on an idle processor of a virtual machine. Without it the first
 * look after a time without looks would always fail there, and there would never be a second one.
 */
export const WAKE = 100_000
/** Far longer than a look, and far less than a scheduler gives to another program. */
export const LATE = 4 * LOOK
const MOST_NEEDED = 64
