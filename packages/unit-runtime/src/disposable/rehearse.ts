import { okAsync, type ResultAsync } from 'neverthrow'
import type { WaitOptions } from '../unit.js'
import type { PausableUnit } from './powers.js'

/** The agent's own program, which ends at once where it is not the first process of its machine. */
const NOTHING = ['/proc/self/exe']
const REHEARSAL_MS = 10_000

/**
 * Runs a command that does nothing. The first one of a guest takes longer to start than any later one, because nothing of
 * what starts a program was used before; whoever gets a unit out of the pool is to have that behind them. What becomes of
 * it does not matter.
 */
export function rehearsed<Unit extends Pick<PausableUnit, 'exec'>>(
  unit: Unit,
  { signal }: WaitOptions,
): ResultAsync<Unit, never> {
  return unit
    .exec(NOTHING, { signal, deadlineMs: REHEARSAL_MS })
    .map(() => unit)
    .orElse(() => okAsync(unit))
}
