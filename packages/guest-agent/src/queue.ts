/** Values for one consumer that waits for them. Whoever pushes bounds what is held. */
export class AsyncQueue<T> implements AsyncIterable<T> {
  #held: T[] = []
  #ended = false
  #wake: (() => void) | undefined

  push(value: T): void {
    if (this.#ended) return
    this.#held.push(value)
    this.#wake?.()
  }

  /** What is held can still be taken; nothing is added. */
  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      if (this.#held.length > 0) {
        yield this.#held.shift()!
      } else if (this.#ended) {
        return
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        this.#wake = undefined
      }
    }
  }
}
