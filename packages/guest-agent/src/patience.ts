import type { AgentOptions, Clock } from './agent.js'
import type { AgentError } from './errors.js'

/** A wait that ended first. */
export type Ended = Extract<AgentError, { readonly kind: 'aborted' | 'timed-out' }>

/** A caller's deadline and abort signal as one signal that knows which of the two it was. */
export interface Patience extends Disposable {
  readonly signal: AbortSignal
  /** Why it ran out. Ask only once `signal` is aborted. */
  readonly reason: 'timed-out' | 'aborted'
  error(what: string): Ended
}

/** `deadlineMs` undefined: no deadline. */
export function patience(clock: Clock, { signal, deadlineMs }: AgentOptions): Patience {
  const timer = deadlineMs === undefined ? undefined : clock.deadline(deadlineMs)
  const both = AbortSignal.any([timer?.signal, signal].filter((one) => one !== undefined))
  return {
    signal: both,
    get reason() {
      return signal?.aborted === true ? 'aborted' : 'timed-out'
    },
    error(what) {
      return this.reason === 'aborted'
        ? { kind: 'aborted', message: `${what}: aborted by the caller` }
        : {
            kind: 'timed-out',
            message: `${what}: no answer from the unit within ${deadlineMs} ms; look at its console, or allow more time`,
          }
    },
    [Symbol.dispose]() {
      timer?.[Symbol.dispose]()
    },
  }
}

/** Waits for `work` or for the signal, whichever is first; leaves no listener behind. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | 'aborted'> {
  if (signal.aborted) return 'aborted'
  let stop: (() => void) | undefined
  const aborted = new Promise<'aborted'>((resolve) => {
    stop = () => resolve('aborted')
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop!)
  }
}
