/** Lets at most `width` through at once, the first that came first. */
export class Gate {
  #inside = 0
  readonly #waiting = new Set<() => void>()

  constructor(private readonly width: number) {}

  /** Undefined when a signal aborts before there is room. Dispose of what it gives to make room. */
  async enter(...signals: readonly (AbortSignal | undefined)[]): Promise<Disposable | undefined> {
    if (signals.some((signal) => signal?.aborted)) return undefined
    if (this.#inside >= this.width) {
      const admitted = await new Promise<boolean>((resolve) => {
        const settle = (admitted: boolean) => {
          for (const signal of signals) signal?.removeEventListener('abort', leave)
          resolve(admitted)
        }
        const admit = () => settle(true)
        const leave = () => {
          this.#waiting.delete(admit)
          settle(false)
        }
        this.#waiting.add(admit)
        for (const signal of signals) signal?.addEventListener('abort', leave, { once: true })
      })
      if (!admitted) return undefined
    } else {
      this.#inside += 1
    }
    let inside = true
    return {
      [Symbol.dispose]: () => {
        if (!inside) return
        inside = false
        this.#leave()
      },
    }
  }

  /** Who waited longest takes the place over. */
  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#inside -= 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
