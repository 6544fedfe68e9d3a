import type { Graph, UnitDefinition } from '@spectrum/unit-graph'
import type { Clock } from '@spectrum/unit-monitor'
import type { ResultAsync } from 'neverthrow'
import type { HostError } from '../errors.js'
import type { Awaken } from '../running-unit.js'
import type { Unit, WaitOptions } from '../unit.js'

/** A unit that can be held still. */
export interface PausableUnit extends Unit {
  /** From `running` to `paused`. After a failure it runs. */
  pause(options?: WaitOptions): ResultAsync<void, HostError>
  /** From `paused` to `running`, with the host's time and new entropy. After a failure it is of no use. */
  resume(options?: WaitOptions, awaken?: Awaken): ResultAsync<void, HostError>
}

/** What disposables use of their host. */
export interface DisposablePowers {
  readonly clock: Clock
  /** Whether units of this host can be paused. Those that cannot wait running. */
  readonly canPause: boolean
  /** Starts the one unit of `graph`; its calls are decided by `wired`. */
  start(graph: Graph, wired: Graph, options: WaitOptions): ResultAsync<PausableUnit, HostError>
  /** Of a unit that runs now. */
  definitionOf(unit: string): UnitDefinition | undefined
  /** Removes what is kept of a unit that has ended: no other one has its name. Never rejects. */
  forget(unit: string): Promise<void>
  /** Whether a unit of this name exists, or is being started. */
  isTaken(unit: string): boolean
  /** Guest memory of this unit, in bytes. */
  memoryOf(definition: UnitDefinition): number
  /** Tells a guest that stood still what it missed. */
  readonly awaken: Awaken
  /** Aborts when the host begins to stop. It ends all of its units itself. */
  readonly closing: AbortSignal
}
