import type { Clock } from '@spectrum/unit-monitor'

const WINDOW_MS = 1_000

/** Lets so many pass in a second, and makes the next one wait for the next second. */
export class Pace {
  readonly #clock: Clock
  readonly #most: number
  #began: number
  #count = 0

  constructor(clock: Clock, most: number) {
    this.#clock = clock
    this.#most = most
    this.#began = clock.now()
  }

  async one(signal: AbortSignal): Promise<void> {
    const now = this.#clock.now()
    if (now - this.#began >= WINDOW_MS) {
      this.#began = now
      this.#count = 0
    }
    this.#count += 1
    if (this.#count < this.#most || signal.aborted) return
    using pause = this.#clock.deadline(this.#began + WINDOW_MS - now)
    const either = AbortSignal.any([pause.signal, signal])
    if (!either.aborted)
      await new Promise<void>((resolve) => either.addEventListener('abort', () => resolve(), { once: true }))
  }
}
