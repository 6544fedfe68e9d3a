import { setMaxListeners } from 'node:events'
import type { Clock } from '@spectrum/unit-monitor'

/** One bounded wait: a signal that aborts at the deadline or with any of the given signals, and which it was. */
export interface Wait extends Disposable {
  readonly signal: AbortSignal
  /** Undefined while the wait goes on. */
  reason(): 'timed-out' | 'aborted' | undefined
  /** Milliseconds until the deadline; at least 1, because deadlines of others are positive. */
  leftMs(): number
}

/** Dispose it as soon as the work is done: it holds a timer and listens to the given signals. */
export function openWait(
  clock: Clock,
  deadlineMs: number,
  ...signals: readonly (AbortSignal | undefined)[]
): Wait {
  const controller = new AbortController()
  const ends = clock.now() + deadlineMs
  const deadline = clock.deadline(deadlineMs)
  let reason: 'timed-out' | 'aborted' | undefined
  const stop = (why: 'timed-out' | 'aborted') => () => {
    reason ??= why
    controller.abort()
  }
  const onDeadline = stop('timed-out')
  const onAbort = stop('aborted')
  const outer = signals.filter((signal) => signal !== undefined)
  deadline.signal.addEventListener('abort', onDeadline, { once: true })
  for (const signal of outer) {
    // As many waits as there are units share one; each takes its listener away again.
    setMaxListeners(0, signal)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  }
  return {
    signal: controller.signal,
    reason: () => reason,
    leftMs: () => Math.max(1, Math.ceil(ends - clock.now())),
    [Symbol.dispose]() {
      deadline.signal.removeEventListener('abort', onDeadline)
      for (const signal of outer) signal.removeEventListener('abort', onAbort)
      deadline[Symbol.dispose]()
    },
  }
}

/** What `promise` gives, or `undefined` when `signal` aborts first. The promise is not cancelled. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined
  let stop = () => {}
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
