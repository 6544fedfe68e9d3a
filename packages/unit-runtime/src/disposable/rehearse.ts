import { err, ok, type Result } from 'neverthrow'
import type { HostError } from '../errors.js'
import type { WaitOptions } from '../unit.js'
import type { PausableUnit } from './powers.js'

/** Argument vectors of commands, run one after the other; see `PrepareOptions`. */
export type Rehearsal = readonly (readonly string[])[]

/** The agent's own program, which ends at once where it is not the first process of its machine. */
const NOTHING: Rehearsal = [['/proc/self/exe']]
const REHEARSAL_MS = 10_000
const MOST_COMMANDS = 16

/**
 * Runs commands before a unit is held still. The first one of a guest takes longer than any later one, and the first run of a
 * program longer than the next one, because nothing of what they use was used before; whoever gets a unit out of the pool
 * is to have that behind them. Where none was given it is one that does nothing, and that does not have to go well. Of those
 * that were given each must be there to be started; how it ends is its own matter.
 */
export async function rehearse(
  unit: Pick<PausableUnit, 'name' | 'exec'>,
  rehearsal: Rehearsal,
  { signal }: WaitOptions,
): Promise<Result<void, HostError>> {
  for (const argv of rehearsal.length === 0 ? NOTHING : rehearsal) {
    const run = await unit.exec(argv, { signal, deadlineMs: REHEARSAL_MS, maxBytes: 0 })
    if (rehearsal.length === 0) continue
    if (run.isErr()) return err(run.error)
    const { outcome } = run.value
    if (outcome.kind === 'not-started') return err(notStarted(unit.name, argv[0]!, outcome.reason))
  }
  return ok(undefined)
}

/** Why these cannot be commands of a unit. */
export function faultOfRehearsal(rehearsal: Rehearsal): HostError | undefined {
  const isCommand = (argv: unknown) =>
    Array.isArray(argv) &&
    argv.every((each) => typeof each === 'string' && !each.includes('\0')) &&
    argv[0]?.startsWith('/')
  if (Array.isArray(rehearsal) && rehearsal.length <= MOST_COMMANDS && rehearsal.every(isCommand))
    return undefined
  const message = `rehearsal must be at most ${MOST_COMMANDS} argument vectors, each with an absolute path in the unit first.`
  return { kind: 'invalid-request', message, field: 'rehearsal' }
}

function notStarted(
  unit: string,
  file: string,
  reason: (HostError & { kind: 'command-not-started' })['reason'],
): HostError {
  const message = `Unit "${unit}" could not rehearse ${JSON.stringify(file)} (${reason}): name a program of its closure.`
  return { kind: 'command-not-started', message, unit, reason }
}
