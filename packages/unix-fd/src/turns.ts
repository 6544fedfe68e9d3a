/**
 * Lets one caller at a time through, in order of arrival: two sends that interleave on a stream would garble
 * both.
 */
export class Turns {
  #taken = false
  readonly #queue: (() => void)[] = []

  /** Takes the turn if it is free right now. */
  enterNow(): boolean {
    if (this.#taken) return false
    this.#taken = true
    return true
  }

  /** Resolves to whether it is the caller's turn: false once `signal` has aborted. A turn ends with `leave`. */
  enter(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false)
    if (this.enterNow()) return Promise.resolve(true)
    return new Promise((resolve) => {
      const admit = () => {
        signal.removeEventListener('abort', giveUp)
        resolve(true)
      }
      const giveUp = () => {
        this.#queue.splice(this.#queue.indexOf(admit), 1)
        resolve(false)
      }
      this.#queue.push(admit)
      signal.addEventListener('abort', giveUp, { once: true })
    })
  }

  leave(): void {
    const next = this.#queue.shift()
    if (next) next()
    else this.#taken = false
  }
}
