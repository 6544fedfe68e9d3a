import type { Clock } from '@spectrum/unit-monitor'
import { err, ok, type Result } from 'neverthrow'
import type { HostError } from '../errors.js'
import { wordsOfThrown } from '../thrown.js'
import type { Unit } from '../unit.js'
import { openWait, orAborted } from '../wait.js'

/** Called with a unit that nobody had before and nobody gets after. `signal` aborts when the unit is taken away. */
export type WithUnit<T> = (unit: Unit, signal: AbortSignal) => T | Promise<T>

/** The longest that a timer can wait: 24 days. */
const UNLIMITED_MS = 2 ** 31 - 1

/** For how long a unit is lent. */
export interface Lease {
  readonly clock: Clock
  readonly limitMs: number | undefined
  /** Whichever aborts ends it. */
  readonly signals: readonly (AbortSignal | undefined)[]
}

/** Calls `fn` with the unit and ends the unit, in that order unless the lease ends first. */
export async function lend<T>(
  unit: Unit,
  fn: WithUnit<T>,
  { clock, limitMs = UNLIMITED_MS, signals }: Lease,
): Promise<Result<T, HostError>> {
  using lease = openWait(clock, limitMs, ...signals)
  const taken = new AbortController()
  const takeAway = () => taken.abort()
  lease.signal.addEventListener('abort', takeAway, { once: true })
  void unit.ended.then(takeAway)
  const called = (async () => ok<T, HostError>(await fn(unit, taken.signal)))().catch((cause: unknown) =>
    err<T, HostError>(functionFailed(unit.name, cause)),
  )
  const done = await orAborted(called, lease.signal)
  takeAway()
  const ended = await unit.stop({ graceMs: 0 })
  if (ended.isErr()) return err(ended.error)
  return done ?? err(takenAway(unit, lease.reason(), limitMs))
}

function functionFailed(unit: string, cause: unknown): HostError {
  const message = `The function that had unit "${unit}" threw: ${wordsOfThrown(cause)}. The unit is gone.`
  return { kind: 'function-failed', message, unit, cause }
}

function takenAway(unit: Unit, reason: 'timed-out' | 'aborted' | undefined, limitMs: number): HostError {
  const { name } = unit
  if (reason === 'timed-out') {
    const message = `Unit "${name}" was taken away after ${limitMs} ms; allow more with limitMs.`
    return { kind: 'timed-out', message, unit: name, step: 'disposable', lastLines: unit.lastLines() }
  }
  return {
    kind: 'aborted',
    message: `The use of unit "${name}" was aborted; nothing of it is left.`,
    unit: name,
  }
}
