/** So many lines at once, and so many a second after that. */
const BURST = 200
const PER_SECOND = 5

/** Keeps a unit that makes trouble again and again from filling a log. Says how many lines were left out. */
export class LineBudget {
  readonly #write: (line: string) => void
  readonly #now: () => number
  #tokens = BURST
  #filledAt: number
  #leftOut = 0

  /** `now` in milliseconds. */
  constructor(write: (line: string) => void, now: () => number) {
    this.#write = write
    this.#now = now
    this.#filledAt = now()
  }

  say(line: string): void {
    const now = this.#now()
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filledAt) * PER_SECOND) / 1000)
    this.#filledAt = now
    if (this.#tokens < 1) {
      this.#leftOut += 1
      return
    }
    this.#tokens -= 1
    if (this.#leftOut > 0) this.#write(`${this.#leftOut} lines were left out`)
    this.#leftOut = 0
    this.#write(line)
  }
}
