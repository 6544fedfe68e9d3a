import type { OperationOptions } from './machine.js'
import type { Clock } from './powers.js'

/** Why a wait ended without its result. Thrown inside this package only; callers see a `MonitorError`. */
export class WaitEnded extends Error {
  constructor(readonly why: 'aborted' | 'timed-out') {
    super(why)
  }
}

/**
 * The patience of one operation: its caller's signal and its deadline in one. Dispose it when the operation
 * is over, so that neither a timer nor a listener outlives it.
 */
export class Patience implements Disposable {
  readonly #controller = new AbortController()
  readonly #release: (() => void)[] = []
  readonly deadlineMs: number

  constructor(clock: Clock, options: OperationOptions | undefined, defaultMs: number) {
    this.deadlineMs = options?.deadlineMs ?? defaultMs
    const deadline = clock.deadline(this.deadlineMs)
    this.#release.push(() => deadline[Symbol.dispose]())
    this.#follow(options?.signal, 'aborted')
    this.#follow(deadline.signal, 'timed-out')
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The result of `promise`, or a rejection with `WaitEnded` as soon as patience ends. */
  race<T>(promise: Promise<T>): Promise<T> {
    // Once patience has ended nobody looks at the promise any more; its rejection is then no news.
    promise.catch(() => {})
    return new Promise<T>((resolve, reject) => {
      const end = () => reject(this.signal.reason)
      if (this.signal.aborted) return end()
      this.signal.addEventListener('abort', end, { once: true })
      promise.then(resolve, reject).finally(() => this.signal.removeEventListener('abort', end))
    })
  }

  [Symbol.dispose](): void {
    for (const release of this.#release.splice(0)) release()
  }

  #follow(signal: AbortSignal | undefined, why: WaitEnded['why']): void {
    if (signal === undefined) return
    const end = () => this.#controller.abort(new WaitEnded(why))
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
    this.#release.push(() => signal.removeEventListener('abort', end))
  }
}
