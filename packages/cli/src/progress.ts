import { escapeLines } from './escape.js'
import type { Clock, Sink } from './powers.js'

/** One line on a terminal that says what is being waited for; nothing at all in a pipe. */
export class Progress {
  readonly #sink: Sink
  readonly #clock: Clock
  readonly #began: number
  #shown = false

  constructor(sink: Sink, clock: Clock) {
    this.#sink = sink
    this.#clock = clock
    this.#began = clock.now()
  }

  show(text: string): void {
    if (!this.#sink.isTerminal) return
    this.#shown = true
    const seconds = ((this.#clock.now() - this.#began) / 1000).toFixed(1)
    this.#write(`\r\x1b[K${seconds} s  ${escapeLines(text)}`)
  }

  /** Leaves the line empty for whatever comes next. */
  clear(): void {
    if (!this.#shown) return
    this.#shown = false
    this.#write('\r\x1b[K')
  }

  #write(text: string): void {
    // Nobody may be there to see it.
    this.#sink.write(text).catch(() => {})
  }
}
