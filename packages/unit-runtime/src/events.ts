import { EventEmitter } from 'node:events'
import type TypedEmitter from 'typed-emitter'
import type { EventMap } from 'typed-emitter'
import type { CallEvent } from './broker/events.js'
import type { JournalRecord } from './journal.js'
import type { UnitState } from './unit.js'

/** How far an operation on a unit has come. Emitted at the moment, before the next step begins. */
export type Step =
  | 'closure-known'
  | 'attached'
  | 'view-served'
  | 'machine-started'
  | 'agent-answered'
  | 'store-mounted'
  | 'inject-begun'
  | 'inject-plugged'
  | 'inject-granted'
  | 'inject-mounted'
  | 'revoke-begun'
  | 'revoke-unbound'
  | 'revoke-hidden'
  | 'stop-begun'
  | 'machine-ended'

/** What a host tells while it lives. */
export type HostEvents = {
  'unit-state': (event: {
    readonly unit: string
    readonly state: UnitState
    /** Why it failed, when it did. */
    readonly why?: string
  }) => void
  /** A line of a unit's kernel log or of its monitor, escaped and bounded by the monitor's driver. */
  log: (event: {
    readonly unit: string
    readonly source: 'console' | 'monitor'
    readonly text: string
  }) => void
  /** What became of a call between units: allowed or refused and why, and how one that was allowed has ended. */
  call: (event: CallEvent) => void
  step: (event: { readonly unit: string; readonly step: Step }) => void
  /** A record reached the disk. */
  journal: (record: JournalRecord) => void
}

/** A host's events, typed. */
export type HostEmitter = TypedEmitter<HostEvents>

/** An emitter to which nobody listens yet. */
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
