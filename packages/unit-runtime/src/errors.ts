import type { AgentClosed, AgentError, GuestKernelError, NotStartedReason } from '@spectrum/guest-agent'
import type { StoreError } from '@spectrum/store-share'
import type { MachineExit, MonitorError } from '@spectrum/unit-monitor'
import type { ExceededLimit } from './limits/host-groups.js'
import type { ViewFailure } from './powers.js'
import type { VolumeFailure } from './volumes/volume-power.js'

/**
 * Everything that can go wrong between a graph and its running units. `message` says what to do next and is
 * safe to print; `unit` names the unit that it happened to.
 */
export type HostError =
  /** The store or the blob cache refused; `cause.kind` tells apart a bad path, a missing reference, a full disk. */
  | {
      readonly kind: 'store-failed'
      /** What went wrong and what to do next; safe to print. */
      readonly message: string
      /** Name of the unit that it happened to, where it was one. */
      readonly unit?: string
      /** What the store or the blob cache said; match on its `kind`. */
      readonly cause: StoreError
    }
  /** No machine could be started or extended. `lastLines`: the newest console and monitor output. */
  | {
      readonly kind: 'monitor-failed'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit?: string
      /** What the monitor said; match on its `kind`. */
      readonly cause: MonitorError
      /** Newest lines of its console and monitor, oldest first; escaped and bounded. */
      readonly lastLines: readonly string[]
    }
  /** The unit refused a request, cannot do it, or broke the protocol. */
  | {
      readonly kind: 'agent-failed'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit?: string
      /** What the agent said, or what became of its channel; match on its `kind`. */
      readonly cause: AgentError
      /** Newest lines of its console and its monitor, oldest first; escaped and bounded. */
      readonly lastLines: readonly string[]
    }
  /** The guest kernel cannot do what a unit needs: `erofs`, `virtio_pmem`, `dax` … */
  | {
      readonly kind: 'kernel-lacks'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit?: string
      /** As the kernel names it: `erofs`, `virtio_pmem`, `dax` … */
      readonly feature: string
    }
  /** No guest kernel was named or found. */
  | { readonly kind: 'kernel-missing'; readonly message: string }
  /** The guest kernel, its modules or the agent cannot be read. */
  | {
      readonly kind: 'kernel-unusable'
      readonly message: string
      /** What is wrong with the kernel; match on its `kind`. */
      readonly cause: GuestKernelError
    }
  /** The machine ended although nobody asked it to. */
  | {
      readonly kind: 'unit-died'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
      /** How the monitor's process ended. */
      readonly exit: MachineExit
      /** The limit of its definition that it ended of, where it was one. */
      readonly exceeded?: ExceededLimit
      /** Newest lines of its console and its monitor, oldest first; escaped and bounded. */
      readonly lastLines: readonly string[]
    }
  /** The unit's agent did not answer for so many milliseconds: its kernel hangs, or its machine gets no time. */
  | {
      readonly kind: 'unit-unresponsive'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
      /** Milliseconds without an answer: the heartbeat's interval times the beats that it may miss. */
      readonly silentMs: number
      /** Newest lines of its console and its monitor, oldest first; escaped and bounded. */
      readonly lastLines: readonly string[]
    }
  /** A volume of the unit cannot be used; `reason` is that of a {@link VolumeFailure}. */
  | {
      readonly kind: 'volume-failed'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
      /** Key of the volume in the unit's definition. */
      readonly volume: string
      /** For programs: `in-use`, `would-shrink` … */
      readonly reason: VolumeFailure['reason']
    }
  /** The unit came up, but its command could not be started there. */
  | {
      readonly kind: 'command-not-started'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
      /** Why there was no process, as the agent told it. */
      readonly reason: NotStartedReason
    }
  /**
   * The deadline has passed. `step`: what was waited for (`open`, `store`, `guest-kernel`, `monitor`, `agent`, `start`, `view` …).
   * What was begun has been taken back.
   */
  | {
      readonly kind: 'timed-out'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit?: string
      /** What was waited for. */
      readonly step: string
      /** Newest lines of its console and its monitor, oldest first; escaped and bounded. */
      readonly lastLines: readonly string[]
    }
  /** The caller's signal has aborted. What was begun has been taken back. */
  | {
      readonly kind: 'aborted'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit?: string
    }
  /** The unit's view could not be started, or its server could not be told what to show. */
  | {
      readonly kind: 'view-failed'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
      /** What the view said; match on its `kind`. */
      readonly cause: ViewFailure
    }
  /** What is to be taken away was never granted as such. */
  | {
      readonly kind: 'not-granted'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
      /** The store path that was to be taken away. */
      readonly path: string
    }
  /** No store path has debug information for this build. */
  | {
      readonly kind: 'no-debug-output'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
    }
  /** The unit holds as many devices as its machine reserved room for. */
  | {
      readonly kind: 'no-slot-left'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
      /** Devices that it would take. */
      readonly needed: number
      /** Devices that still have a slot. */
      readonly left: number
    }
  /** The unit's devices would need more of its memory for page structures, or more address space, than it has. */
  | {
      readonly kind: 'no-memory-left'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
      /** Bytes of persistent memory. */
      readonly needed: number
      /** Bytes that there is still room for. */
      readonly left: number
    }
  /** The unit has no machine that could do it. `state`: its `UnitState` at that moment. */
  | {
      readonly kind: 'unit-not-running'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
      /** Its `UnitState` at that moment. */
      readonly state: string
    }
  /** A unit of this name has not ended on this host yet; names of units are a host's own. Nothing was started. */
  | {
      readonly kind: 'unit-exists'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
    }
  /** An option or an argument has no meaning: `field` names it. Nothing was done. */
  | {
      readonly kind: 'invalid-request'
      readonly message: string
      /** Name of the option or argument. */
      readonly field: string
    }
  /** The function that had a disposable threw; `cause` is what it threw. The unit is gone. */
  | {
      readonly kind: 'function-failed'
      readonly message: string
      /** Name of the unit that it happened to, as its definition has it. */
      readonly unit: string
      /** What the function threw, untouched. */
      readonly cause: unknown
    }
  /** The host stops or has stopped. Open another. */
  | { readonly kind: 'host-closed'; readonly message: string }
  /** The host's own files: the state or cache directory cannot be used. `code`: the system's name of the error, `EACCES` … */
  | {
      readonly kind: 'state'
      readonly message: string
      /** Absolute path of what could not be used. */
      readonly path: string
      /** The system's name of the error (errno(3)), where it had one. */
      readonly code?: string
      /** What was thrown, where something was. */
      readonly cause?: unknown
    }

export function viewFailed(unit: string, cause: ViewFailure): HostError {
  if (cause.kind === 'aborted') return { kind: 'aborted', message: cause.message, unit }
  if (cause.kind === 'timed-out')
    return { kind: 'timed-out', message: cause.message, unit, step: 'view', lastLines: [] }
  return { kind: 'view-failed', message: about(unit, cause.message), unit, cause }
}

export function storeFailed(unit: string | undefined, cause: StoreError): HostError {
  const whose = unit === undefined ? {} : { unit }
  if (cause.kind === 'aborted') return { kind: 'aborted', message: cause.message, ...whose }
  if (cause.kind === 'timed-out') {
    return { kind: 'timed-out', message: cause.message, ...whose, step: 'store', lastLines: [] }
  }
  return { kind: 'store-failed', message: about(unit, cause.message), ...whose, cause }
}

export function monitorFailed(unit: string | undefined, cause: MonitorError): HostError {
  const whose = unit === undefined ? {} : { unit }
  const lastLines = 'lastLines' in cause ? cause.lastLines : []
  if (cause.kind === 'aborted') return { kind: 'aborted', message: cause.message, ...whose }
  const message = about(unit, withLastLines(cause.message, lastLines))
  if (cause.kind === 'timed-out') return { kind: 'timed-out', message, ...whose, step: 'monitor', lastLines }
  return { kind: 'monitor-failed', message, ...whose, cause, lastLines }
}

export function agentFailed(unit: string, cause: AgentError, lastLines: readonly string[]): HostError {
  if (cause.kind === 'aborted') return { kind: 'aborted', message: cause.message, unit }
  const message = about(unit, withLastLines(cause.message, lastLines))
  if (cause.kind === 'timed-out') return { kind: 'timed-out', message, unit, step: 'agent', lastLines }
  if (cause.kind === 'kernel-lacks') return { kind: 'kernel-lacks', message, unit, feature: cause.feature }
  return { kind: 'agent-failed', message, unit, cause, lastLines }
}

/** `exceeded`: what its exit does not say. */
export function unitDied(
  unit: string,
  exit: MachineExit,
  lastLines: readonly string[],
  exceeded?: ExceededLimit,
): HostError {
  const how =
    exceeded?.why ??
    (exit.kind === 'failed'
      ? `${REASONS[exit.reason]} (monitor status ${exit.code})`
      : exit.kind === 'signalled'
        ? `its monitor was ended by ${exit.signal}`
        : exit.kind === 'killed'
          ? 'its monitor was killed'
          : 'the guest powered off')
  const message = withLastLines(`Unit "${unit}" died: ${how}. Start it again.`, lastLines)
  const limit = exceeded === undefined ? {} : { exceeded }
  return { kind: 'unit-died', message, unit, exit, ...limit, lastLines }
}

export function unitUnresponsive(unit: string, silentMs: number, lastLines: readonly string[]): HostError {
  const message = withLastLines(
    `Unit "${unit}" has not answered for ${silentMs} ms and is ended: its guest hangs, or its machine gets no ` +
      'processor time. Give it more (heartbeat), or start it again.',
    lastLines,
  )
  return { kind: 'unit-unresponsive', message, unit, silentMs, lastLines }
}

/** The channel of a machine that goes on. */
export function channelLost(unit: string, closed: AgentClosed, lastLines: readonly string[]): HostError {
  const how = closed.kind === 'protocol-violation' ? `it broke the protocol: ${closed.message}` : closed.kind
  const message = `Unit "${unit}" lost its control channel (${how}) and is ended.`
  return { kind: 'agent-failed', message, unit, cause: { kind: 'unit-lost', message, closed }, lastLines }
}

export function viewLost(unit: string): HostError {
  const message = `Unit "${unit}" lost the server of its view and is ended.`
  return { kind: 'view-failed', message, unit, cause: { kind: 'server-died', message } }
}

const REASONS: Readonly<Record<(MachineExit & { kind: 'failed' })['reason'], string>> = {
  'guest-reset': 'the guest reset itself, as after a kernel panic',
  'guest-panicked': 'the guest kernel panicked',
  'monitor-failed': 'its monitor failed',
  'stopped-from-outside': 'somebody else ended its monitor',
}

/** `directory` is what was worked in; the system may name the very path that it refused. */
export function stateFailed(directory: string, what: string, cause: unknown): HostError {
  const code = textOf(cause, 'code')
  const path = textOf(cause, 'path') ?? directory
  const remedy =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'free some space there or name another directory'
      : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
        ? 'make it this user’s own, writable for nobody else, or name another directory'
        : 'check that directory or name another one'
  const where = path === directory ? '' : ` at ${path}`
  const message = `Could not ${what} ${directory}${code === undefined ? '' : ` (${code}${where})`}: ${remedy}.`
  return { kind: 'state', message, path, ...(code === undefined ? {} : { code }), cause }
}

function textOf(cause: unknown, field: 'code' | 'path'): string | undefined {
  const value = (cause as { readonly [name in 'code' | 'path']?: unknown } | null | undefined)?.[field]
  return typeof value === 'string' ? value : undefined
}

function about(unit: string | undefined, message: string): string {
  return unit === undefined ? message : `Unit "${unit}": ${message}`
}

// Drivers may have put the lines into their message already; the newest of them decides.
function withLastLines(message: string, lines: readonly string[]): string {
  const newest = lines.slice(-8)
  const last = newest.at(-1)
  if (last === undefined || message.includes(last)) return message
  return `${message}\nThe last lines were:\n${newest.map((line) => `  ${line}`).join('\n')}`
}
