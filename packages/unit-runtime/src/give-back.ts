import type { Agent } from '@spectrum/guest-agent'
import type { Machine, MachineExit, MonitorError } from '@spectrum/unit-monitor'
import { err, type Result } from 'neverthrow'
import { type HostError, monitorFailed, stateFailed } from './errors.js'
import type { MachineLimits } from './limits/host-groups.js'
import { wordsOfThrown } from './thrown.js'
import type { UnitContext } from './unit-context.js'
import type { UnitView } from './unit-view.js'
import type { MachineVolumes } from './volumes/host-volumes.js'

/** What one machine has of its host, or what a start that failed had put together of it by then. */
export interface MachineHoldings {
  /** Absolute path of its own directory, journalled. */
  readonly directory: string
  readonly machine?: Machine | undefined
  readonly agent?: Agent | undefined
  readonly volumes?: MachineVolumes | undefined
  readonly view?: UnitView | undefined
  readonly limits?: MachineLimits | undefined
}

/** Ends a machine. A driver that throws has failed, too: what it was to end must stay known. */
export async function killMachine(machine: Machine): Promise<Result<MachineExit, MonitorError>> {
  try {
    return await machine.kill()
  } catch (cause) {
    const message = `machine ${machine.name} could not be ended: its driver threw ${wordsOfThrown(cause)}`
    return err({ kind: 'system', message, cause })
  }
}

/**
 * Gives back everything that a machine held, when it has ended or was never started: each part whatever becomes of the
 * others. Returns the first failure, with the words of all of them, which stand in the unit's log, too. Never rejects.
 */
export async function giveBack(
  context: Pick<UnitContext, 'directory' | 'log'>,
  unit: string,
  { directory, machine, agent, volumes, view, limits }: MachineHoldings,
): Promise<HostError | undefined> {
  const failures: HostError[] = []
  const give = async (what: () => unknown, failed: (cause: unknown) => HostError) => {
    try {
      await what()
    } catch (cause) {
      failures.push(failed(cause))
    }
  }
  const unreleased = (cause: unknown) =>
    monitorFailed(unit, {
      kind: 'system',
      message: `machine ${unit} has ended, and its driver could not release it: ${wordsOfThrown(cause)}`,
      cause,
    })
  await give(() => agent?.[Symbol.asyncDispose](), unreleased)
  await give(() => machine?.[Symbol.asyncDispose](), unreleased)
  // The next machine may have them, whatever else goes wrong here.
  await give(
    () => volumes?.[Symbol.asyncDispose](),
    (cause) => stateFailed(directory, 'give back the volumes of', cause),
  )
  await give(
    () => view?.[Symbol.asyncDispose](),
    (cause) => stateFailed(directory, 'end the view beside', cause),
  )
  await give(
    () => limits?.[Symbol.asyncDispose](),
    (cause) => stateFailed(directory, 'remove the control group of', cause),
  )
  await give(
    () => context.directory.remove(directory),
    (cause) => stateFailed(directory, 'remove', cause),
  )
  for (const { message } of failures)
    context.log(unit, { source: 'host', text: `not given back: ${message}` })
  return together(failures)
}

/** The first of them, with the words of all. */
export function together(failures: readonly HostError[]): HostError | undefined {
  const [first, ...others] = failures
  if (first === undefined || others.length === 0) return first
  return { ...first, message: [first, ...others].map(({ message }) => message).join(' And: ') }
}
