import { err, type Result } from 'neverthrow'
import type { HostError } from '../errors.js'
import type { Wait } from '../wait.js'

/** Those who wait for a unit to run. */
export class Arrivals {
  readonly #waiting = new Set<(arrived: Result<void, HostError>) => void>()

  get any(): boolean {
    return this.#waiting.size > 0
  }

  /** As long as it takes. */
  wait(): Promise<Result<void, HostError>> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  /** `givenUp`: what is said when the wait ends first. */
  waitWithin(
    wait: Wait,
    givenUp: (reason: 'timed-out' | 'aborted') => HostError,
  ): Promise<Result<void, HostError>> {
    return new Promise((resolve) => {
      const settle = (arrived: Result<void, HostError>) => {
        wait.signal.removeEventListener('abort', leave)
        this.#waiting.delete(settle)
        resolve(arrived)
      }
      const leave = () => settle(err(givenUp(wait.reason() ?? 'aborted')))
      if (wait.signal.aborted) leave()
      else {
        this.#waiting.add(settle)
        wait.signal.addEventListener('abort', leave, { once: true })
      }
    })
  }

  /** Tells all that wait now. */
  settle(arrived: Result<void, HostError>): void {
    for (const settle of [...this.#waiting]) settle(arrived)
    this.#waiting.clear()
  }
}
