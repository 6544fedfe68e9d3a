import type { CrosvmExit } from '@spectrum/crosvm-spec'
import type { ControlError } from '@spectrum/crosvm-spec/control'
import type { CrosvmEnd, MissingPrerequisite, SpawnError } from '@spectrum/crosvm-spec/spawn'
import type { MonitorError } from '../errors.js'
import type { MachineDescription, MachineExit } from '../machine.js'
import { escapeAndCut } from '../printable.js'
import { DiedAtStart, notExecuted, whyNotStarted } from '../starting.js'
import { type Patience, WaitEnded } from '../waiting.js'

const MESSAGE_LENGTH = 400

/** Why crosvm was not spawned, or not for long, as any monitor's driver tells it. */
export function whyNotSpawned(
  error: SpawnError,
  binary: string,
  description: MachineDescription,
  patience: Patience,
  lastLines: readonly string[],
): MonitorError {
  const ended = (why: unknown) => whyNotStarted(why, description, patience, lastLines)
  switch (error.kind) {
    case 'prerequisites':
      return missing(error.missing[0], error.message)
    case 'absent-options':
      return lacks(`--${error.options[0]?.option ?? ''}`, error.message)
    case 'probe-failed':
      return notCrosvm(binary, error.message)
    case 'not-executed':
      return notExecuted(error.cause, 'crosvm', { file: binary, role: `unit ${description.name}: crosvm` })
    case 'ended':
      return ended(new DiedAtStart(machineExit(error.end, lastLines)))
    case 'aborted':
      return ended(new WaitEnded('timed-out'))
    case 'not-ready':
      return patience.signal.aborted
        ? ended(patience.signal.reason)
        : controlFailed(description.name, error.cause, lastLines)
    case 'wrong-descriptors':
      return { kind: 'system', message: escapeAndCut(error.message, MESSAGE_LENGTH) }
  }
}

export function notCrosvm(binary: string, message: string): MonitorError {
  return { kind: 'monitor-missing', binary, message: `crosvm: ${escapeAndCut(message, MESSAGE_LENGTH)}` }
}

export function controlFailed(
  machine: string,
  failure: ControlError,
  lastLines: readonly string[],
): MonitorError {
  const message = `machine ${machine}: ${escapeAndCut(failure.message, MESSAGE_LENGTH)}`
  if (failure.kind === 'no-reply') return { kind: 'timed-out', message, lastLines }
  if (failure.kind === 'aborted') return { kind: 'aborted', message }
  return { kind: 'monitor-protocol', message, cause: failure }
}

/** How a machine ended that nobody here has killed. */
export function machineExit(
  { exit, status }: Pick<CrosvmEnd, 'exit' | 'status'>,
  lastLines: readonly string[],
): MachineExit {
  if (exit.kind === 'stopped') return { kind: 'powered-off' }
  if (status.kind === 'signalled') return { kind: 'signalled', signal: status.signal, lastLines }
  return { kind: 'failed', reason: reasonOf(exit), code: status.code, lastLines }
}

function reasonOf({ kind }: CrosvmExit): Extract<MachineExit, { kind: 'failed' }>['reason'] {
  return kind === 'guest-reset' || kind === 'guest-panicked' ? kind : 'monitor-failed'
}

/** What is in the way of the machine's own socket is its caller's affair; the rest this host's. */
function missing(first: MissingPrerequisite | undefined, message: string): MonitorError {
  const prerequisite = first?.prerequisite
  if (prerequisite?.kind === 'absent')
    return { kind: 'system', message: escapeAndCut(message, MESSAGE_LENGTH), code: 'EEXIST' }
  const capability =
    prerequisite === undefined || prerequisite.kind === 'descriptor'
      ? 'descriptor'
      : prerequisite.kind === 'privilege'
        ? prerequisite.privilege
        : prerequisite.path
  return lacks(capability, message)
}

function lacks(capability: string, message: string): MonitorError {
  const why = escapeAndCut(message, MESSAGE_LENGTH)
  return { kind: 'unsupported', capability, message: `crosvm cannot run machines here: ${why}` }
}
