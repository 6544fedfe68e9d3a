import type { Attachment, SharingReport, StoreSource } from '@spectrum/store-share'
import type { Graph, UnitDefinition, UnitMap } from '@spectrum/unit-graph'
import type { Accelerator, ChosenMonitor, Considered } from '@spectrum/unit-monitor'
import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { attachUnits } from './attach-units.js'
import { type GraphCalls, HostCalls } from './broker/host-calls.js'
import type { CallLimits } from './broker/limits.js'
import type { HostService } from './broker/powers.js'
import { faultOfGraph } from './carried-graph.js'
import { type HostError, stateFailed, storeFailed, unitDied } from './errors.js'
import { emit, type HostEmitter } from './events.js'
import type { HostDirectory } from './host-directory.js'
import { findLeftovers, type Leftovers } from './leftovers.js'
import type { HostBlobCache, HostPowers } from './powers.js'
import type { Prompter } from './prompter/prompter.js'
import type { ReconciledHost } from './reconcile.js'
import type { RunningUnit } from './running-unit.js'
import { startGraph, stopInReverse } from './start-graph.js'
import type { StartPlan } from './start-plan.js'
import type { StopOptions, Unit, WaitOptions } from './unit.js'
import { measure, type UnitContext } from './unit-context.js'
import { type FailedStart, startUnit } from './unit-start.js'
import { openWait, orAborted, type Wait } from './wait.js'

/** The units of a graph, by the keys that were given to `compose`. */
export type Units<Map extends UnitMap> = {
  readonly [Key in keyof Map]: Unit<Map[Key]['name']>
}

/** Which monitor runs the units of this host. */
export interface HostMonitor {
  readonly kind: string
  readonly accelerator: Accelerator
  /** Why this one, in words. */
  readonly why: string
  /** Every monitor that was looked at, in order of preference, and what became of it. */
  readonly considered: readonly Considered[]
}

/** Owns units, from their start to the last trace of them. Disposing it stops them all. */
export interface Host extends AsyncDisposable {
  /** Its own directory: private to its user, and gone when it has stopped. */
  readonly directory: string
  readonly monitor: HostMonitor
  /** What was found of hosts that had died, and done about it, when this one opened. */
  readonly reconciled: readonly ReconciledHost[]
  readonly events: HostEmitter
  /** The units that run now, by name, in the order of their start. */
  readonly units: ReadonlyMap<string, Unit>
  /**
   * Starts all units of a graph, or none: when one fails, the others are stopped and its error is returned.
   * `deadlineMs` (180 s) is for each unit. Aborting the signal ends the starts and cleans up.
   */
  start<Map extends UnitMap>(graph: Graph<Map>, options?: WaitOptions): ResultAsync<Units<Map>, HostError>
  /**
   * Takes back every grant that is `revocable` by this name, now and with the calls that are open on it. Returns how
   * many edges of running graphs that closes.
   */
  revokeGrant(name: string): number
  /** What the units share, read from the kernel. */
  sharing(options?: WaitOptions): ResultAsync<SharingReport, HostError>
  /** Looks for what exists of this host. Also after `stop`, when all of it is empty. */
  leftovers(options?: WaitOptions): ResultAsync<Leftovers, HostError>
  /**
   * Stops all units in the reverse order of their start and removes the host's own files. Idempotent; a second
   * call with `graceMs: 0`, or the abort of the host's signal, ends the grace of the first one.
   */
  stop(options?: StopOptions): ResultAsync<void, HostError>
}

const START_MS = 180_000
const GRACE_MS = 10_000
const LEFTOVERS_MS = 60_000

/** What `openHostWith` has put together; the host owns the directory from then on. */
export interface HostParts {
  readonly powers: HostPowers
  readonly directory: HostDirectory
  readonly choice: ChosenMonitor
  readonly start: StartPlan
  readonly store: StoreSource
  readonly cache: HostBlobCache
  readonly reconciled: readonly ReconciledHost[]
  readonly events: HostEmitter
  readonly concurrentStarts: number
  readonly deviceBudget: number
  readonly prompter: Prompter | undefined
  readonly services: Readonly<Record<string, HostService>>
  readonly callLimits: Partial<CallLimits> | undefined
  readonly signal: AbortSignal | undefined
}

export class OpenHost implements Host {
  readonly directory: string
  readonly monitor: HostMonitor
  readonly reconciled: readonly ReconciledHost[]
  readonly events: HostEmitter
  readonly #parts: HostParts
  readonly #context: UnitContext
  /** Names taken by units that start or run. */
  readonly #taken = new Set<string>()
  readonly #units = new Map<string, RunningUnit>()
  readonly #calls: HostCalls
  readonly #starts = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()
  /** Aborted when whoever stops the host will wait for no guest any longer. */
  readonly #hurry = new AbortController()
  readonly #onAbort = () => void this.stop({ graceMs: 0 })
  #stopped: Promise<Result<void, HostError>> | undefined

  constructor(parts: HostParts) {
    const { choice, powers, directory, events } = parts
    this.#parts = parts
    this.directory = directory.path
    this.reconciled = parts.reconciled
    this.events = events
    this.monitor = Object.freeze({
      kind: choice.monitor.kind,
      accelerator: choice.monitor.accelerator,
      why: choice.why,
      considered: choice.considered,
    })
    this.#context = {
      powers: {
        clock: powers.clock,
        store: parts.store,
        cache: parts.cache,
        storeFiles: powers.storeFiles,
        measureSharing: powers.measureSharing,
      },
      directory,
      step: (unit, step) => emit(events, 'step', { unit, step }),
      state: (unit, state, why) =>
        emit(events, 'unit-state', { unit, state, ...(why === undefined ? {} : { why }) }),
      log: (unit, line) => emit(events, 'log', { unit, ...line }),
      forget: (unit) => this.#forget(unit as RunningUnit),
    }
    this.#calls = new HostCalls(
      {
        clock: powers.clock,
        epochMs: () => powers.epochMs(),
        prompter: parts.prompter,
        services: parts.services,
        onEvent: (event) => emit(events, 'call', event),
      },
      parts.callLimits,
    )
    parts.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (parts.signal?.aborted) this.#onAbort()
  }

  get units(): ReadonlyMap<string, Unit> {
    return this.#units
  }

  start<Map extends UnitMap>(
    graph: Graph<Map>,
    options: WaitOptions = {},
  ): ResultAsync<Units<Map>, HostError> {
    const work = this.#start(graph, options)
    this.#starts.add(work)
    void work.finally(() => this.#starts.delete(work))
    return new ResultAsync(work)
  }

  revokeGrant(name: string): number {
    return this.#calls.revoke(name)
  }

  sharing(options: WaitOptions = {}): ResultAsync<SharingReport, HostError> {
    return new ResultAsync(measure(this.#context.powers, [...this.#units.values()], options))
  }

  leftovers(options: WaitOptions = {}): ResultAsync<Leftovers, HostError> {
    return new ResultAsync(this.#leftovers(options))
  }

  async #leftovers(options: WaitOptions): Promise<Result<Leftovers, HostError>> {
    const { powers, directory } = this.#parts
    using wait = openWait(powers.clock, options.deadlineMs ?? LEFTOVERS_MS, options.signal)
    const looking = findLeftovers(powers, directory).then(
      (found) => ok<Leftovers, HostError>(found),
      (cause: unknown) => err<Leftovers, HostError>(stateFailed(directory.path, 'look into', cause)),
    )
    return (await orAborted(looking, wait.signal)) ?? err(unseenLeftovers(wait))
  }

  stop(options: StopOptions = {}): ResultAsync<void, HostError> {
    const { graceMs = GRACE_MS } = options
    if (graceMs <= 0) this.#hurry.abort()
    this.#stopped ??= this.#stop(graceMs)
    return new ResultAsync(this.#stopped)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #start<Map extends UnitMap>(
    graph: Graph<Map>,
    options: WaitOptions,
  ): Promise<Result<Units<Map>, HostError>> {
    if (this.#stopped !== undefined) {
      return err({ kind: 'host-closed', message: 'This host is stopped; open another one.' })
    }
    const fault = faultOfGraph(graph, this.#parts.services)
    if (fault !== undefined) return err(fault)
    const names = Object.values(graph.units).map((unit) => unit.name)
    const held = names.find((name) => this.#taken.has(name))
    if (held !== undefined) {
      const message = `A unit named "${held}" runs on this host already; stop it first or take another name.`
      return err({ kind: 'unit-exists', message, unit: held })
    }
    for (const name of names) this.#taken.add(name)
    const calls = this.#calls.open(graph)
    const started = await this.#startUnits(graph, calls, options)
    if (started.isErr()) {
      calls.close()
      for (const name of names) if (!this.#units.has(name)) this.#taken.delete(name)
      return err(started.error)
    }
    void Promise.all([...started.value.values()].map((unit) => unit.ended)).then(() => calls.close())
    return ok(Object.fromEntries(started.value) as unknown as Units<Map>)
  }

  async #startUnits<Map extends UnitMap>(
    graph: Graph<Map>,
    calls: GraphCalls,
    options: WaitOptions,
  ): Promise<Result<ReadonlyMap<string, RunningUnit>, HostError>> {
    const { powers, start, concurrentStarts, deviceBudget } = this.#parts
    const deadlineMs = options.deadlineMs ?? START_MS
    const definitions: readonly UnitDefinition[] = Object.values(graph.units)
    using whole = openWait(powers.clock, deadlineMs, options.signal, this.#closing.signal)
    const slots = Math.max(...definitions.map((unit) => unit.hotplugSlots ?? 0))
    const room = start.current.monitor.capabilities.maxPmemDevices - slots
    const attached = await attachUnits(this.#context, definitions, Math.min(deviceBudget, room), whole)
    if (attached.isErr()) return err(whole.reason() === 'aborted' ? abortedStart(undefined) : attached.error)
    /** What no unit holds, nor a machine that cannot be ended. */
    const unheld = new Map(attached.value)
    const started = await startGraph(graph, concurrentStarts, async (definition, signal) => {
      const { name } = definition
      using wait = openWait(powers.clock, deadlineMs, options.signal, signal, this.#closing.signal)
      if (wait.signal.aborted) return err(abortedStart(name))
      emit(this.events, 'unit-state', { unit: name, state: 'starting' })
      const attachment = attached.value.get(name)!
      const begun = await this.#startUnit(definition, attachment, calls, wait)
      if (begun.isOk() || begun.error.machineLives) unheld.delete(name)
      if (begun.isErr()) {
        const { error } = begun.error
        emit(this.events, 'unit-state', { unit: name, state: 'failed', why: error.message })
        return err(error)
      }
      const unit = begun.value
      if (unit.state !== 'running') {
        const { exit } = await unit.ended
        return err(unitDied(name, exit, unit.lastLines()))
      }
      // Aborted in the very last moment: the unit is whole but nobody wants it any more.
      if (wait.signal.aborted) {
        await unit.stop({ graceMs: 0 })
        return err(abortedStart(name))
      }
      this.#units.set(name, unit)
      emit(this.events, 'unit-state', { unit: name, state: 'running' })
      return ok(unit)
    })
    // What cannot be given back now is given back when the host stops.
    for (const attachment of unheld.values()) await this.#parts.cache.release(attachment)
    return started
  }

  async #startUnit(
    definition: UnitDefinition,
    attachment: Attachment,
    calls: GraphCalls,
    wait: Wait,
  ): Promise<Result<RunningUnit, FailedStart>> {
    const { start } = this.#parts
    const parts = start.current
    const join = calls.join(definition.name)
    const unit = await startUnit(this.#context, parts, definition, attachment, join, wait)
    if (unit.isOk() || unit.error.machineLives) return unit
    const other = await start.afterFailure(unit.error.error, parts, definition.name, wait)
    if (other.isErr()) return err({ error: other.error, machineLives: false })
    return startUnit(this.#context, other.value, definition, attachment, join, wait)
  }

  async #stop(graceMs: number): Promise<Result<void, HostError>> {
    this.#closing.abort()
    await Promise.allSettled(this.#starts)
    await this.#parts.start.close()
    this.#calls.close()
    const failures = await stopInReverse([...this.#units.values()], graceMs, this.#hurry.signal)
    // Something still lives: the directory stays as the proof of it.
    const failure = failures[0] ?? (await this.#closeCache()) ?? (await this.#removeDirectory())
    if (failure !== undefined) {
      // It may be tried again.
      this.#stopped = undefined
      return err(failure)
    }
    this.#parts.signal?.removeEventListener('abort', this.#onAbort)
    return ok(undefined)
  }

  /** Before the host's directories go: the cache may still write there. */
  async #closeCache(): Promise<HostError | undefined> {
    const closed = await this.#parts.cache.close()
    return closed.isErr() ? storeFailed(undefined, closed.error) : undefined
  }

  async #removeDirectory(): Promise<HostError | undefined> {
    const { directory } = this.#parts
    try {
      await directory.removeAll()
      return undefined
    } catch (cause) {
      return stateFailed(directory.path, 'remove', cause)
    }
  }

  #forget(unit: RunningUnit): void {
    if (this.#units.get(unit.name) === unit) this.#units.delete(unit.name)
    this.#taken.delete(unit.name)
  }
}

function unseenLeftovers(wait: Wait): HostError {
  if (wait.reason() === 'aborted')
    return { kind: 'aborted', message: 'The look at what is left was aborted.' }
  const message =
    'The processes and files of the host could not be listed in time; allow more with deadlineMs.'
  return { kind: 'timed-out', message, step: 'leftovers', lastLines: [] }
}

function abortedStart(unit: string | undefined): HostError {
  const message = 'The start was aborted; nothing of it is left.'
  return { kind: 'aborted', message, ...(unit === undefined ? {} : { unit }) }
}
