import { EventEmitter } from 'node:events'
import type { ExecOutcome } from '@spectrum/guest-agent'
import type TypedEmitter from 'typed-emitter'
import type { EventMap } from 'typed-emitter'
import type { CallEvent } from './broker/events.js'
import type { HostError } from './errors.js'
import type { JournalRecord } from './journal.js'
import type { LogLine } from './supervision/log-line.js'
import type { UnitState } from './unit.js'

/** How far an operation on a unit has come. Emitted at the moment, before the next step begins. */
export type Step =
  | 'closure-known'
  | 'attached'
  | 'view-served'
  | 'machine-started'
  | 'agent-answered'
  | 'store-mounted'
  | 'volumes-taken'
  | 'volumes-mounted'
  | 'inject-begun'
  | 'inject-plugged'
  | 'inject-granted'
  | 'inject-mounted'
  | 'revoke-begun'
  | 'revoke-unbound'
  | 'revoke-hidden'
  | 'lazy-start-begun'
  | 'restart-begun'
  | 'command-started'
  | 'stop-begun'
  | 'stop-given-up'
  | 'machine-ended'

/** A unit is in another state now: which one, why, and what comes next. */
export interface UnitStateEvent {
  /** Name of the unit. */
  readonly unit: string
  /** The state that it has entered. */
  readonly state: UnitState
  /** Why it is `failed`, `backing-off`, or `stopping` or `stopped` without having been asked to. */
  readonly why?: string
  /** The same as a value, where its machine failed or did not come up. */
  readonly failure?: HostError
  /** With `backing-off`: which restart in a row comes, of how many at most, and after how many milliseconds. */
  readonly restart?: {
    /** Counts from 1 on. */
    readonly attempt: number
    /** How many in a row its policy allows. */
    readonly most: number
    /** Milliseconds until it is started again. */
    readonly delayMs: number
  }
}

/** The command of a unit was started, or has ended. */
export type CommandEvent =
  | {
      readonly unit: string
      readonly kind: 'started'
      /** What runs in the unit: an absolute path there, and its arguments. */
      readonly argv: readonly string[]
    }
  | {
      readonly unit: string
      readonly kind: 'ended'
      /** How it has ended. */
      readonly outcome: ExecOutcome
    }

/** What a host tells while it lives. What a listener throws surfaces as an uncaught exception, never in the host. */
export type HostEvents = {
  /** A unit is in another state now. */
  'unit-state': (event: UnitStateEvent) => void
  /** A command of a unit was started, or has ended. */
  command: (event: CommandEvent) => void
  /** A line of a unit's log, escaped and bounded. */
  log: (
    event: LogLine & {
      /** Name of the unit that said it. */
      readonly unit: string
    },
  ) => void
  /** What became of a call between units: allowed or refused and why, and how one that was allowed has ended. */
  call: (event: CallEvent) => void
  /** A unit that starts has come to this step. */
  step: (event: {
    /** Name of the unit. */
    readonly unit: string
    readonly step: Step
  }) => void
  /** A record of the host's journal has reached the disk. */
  journal: (record: JournalRecord) => void
}

/** A host's events, typed: `on`, `once` and `off` know the names and what comes with each. */
export type HostEmitter = TypedEmitter<HostEvents>

/**
 * An emitter to which nobody listens yet, for `openHost({ events })`: whoever listens before the opening hears all of
 * it.
 */
export function newHostEmitter(): HostEmitter {
  return new EventEmitter() as HostEmitter
}

/**
 * Emits without letting a listener's exception into the host or a unit, where it would cut an operation in half. It
 * surfaces as an uncaught one, as a throw from any other callback does.
 */
export function emit<Events extends EventMap, Name extends keyof Events>(
  events: TypedEmitter<Events>,
  name: Name,
  ...args: Parameters<Events[Name]>
): void {
  try {
    events.emit(name, ...args)
  } catch (cause) {
    queueMicrotask(() => {
      throw cause
    })
  }
}
