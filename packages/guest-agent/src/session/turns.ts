import type { AgentOptions, Clock } from '../agent.js'
import { type Ended, patience, unlessAborted } from '../patience.js'

/** A turn: what is left of the caller's time, and what ends the turn. */
export interface Turn {
  readonly leftMs: number
  readonly done: () => void
}

/** The unit does some things one at a time: whoever comes waits until it has answered the last one. */
export class Turns {
  readonly #clock: Clock
  #last: Promise<unknown> = Promise.resolve()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async take(what: string, { signal }: AgentOptions, deadlineMs: number): Promise<Turn | Ended> {
    const begin = this.#clock.now()
    using wait = patience(this.#clock, { signal, deadlineMs })
    const before = this.#last
    let done!: () => void
    this.#last = new Promise<void>((resolve) => {
      done = resolve
    })
    if ((await unlessAborted(before, wait.signal)) === 'aborted') {
      void before.then(done)
      return wait.error(what)
    }
    return { leftMs: Math.max(0, deadlineMs - (this.#clock.now() - begin)), done }
  }
}
