import { setMaxListeners } from 'node:events'
import type { SharingReport, StoreSource } from '@spectrum/store-share'
import type { Graph, UnitDefinition, UnitMap } from '@spectrum/unit-graph'
import type { Accelerator, ChosenMonitor, Considered, Processes } from '@spectrum/unit-monitor'
import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { HostCalls } from './broker/host-calls.js'
import type { CallLimits } from './broker/limits.js'
import type { HostService } from './broker/powers.js'
import { faultOfGraph } from './carried-graph.js'
import { awakenWith } from './disposable/awaken.js'
import {
  type DisposableOptions,
  Disposables,
  type DisposableUnits,
  type PrepareOptions,
  type WithWires,
} from './disposable/disposables.js'
import type { WithUnit } from './disposable/lend.js'
import type { PoolLimits } from './disposable/pool.js'
import { type HostError, stateFailed, storeFailed } from './errors.js'
import { emit, type HostEmitter } from './events.js'
import type { HostDirectory } from './host-directory.js'
import { findLeftovers, type Leftovers } from './leftovers.js'
import { HostGroups } from './limits/host-groups.js'
import type { HostBlobCache, HostPowers } from './powers.js'
import type { Prompter } from './prompter/prompter.js'
import type { ReconciledHost } from './reconcile.js'
import type { StartPlan } from './start-plan.js'
import { type HeartbeatOptions, heartbeatOf } from './supervision/heartbeat-policy.js'
import { HostLogs } from './supervision/host-logs.js'
import { HostUnits } from './supervision/host-units.js'
import type { LogLine, LogOptions, LogSource } from './supervision/log-line.js'
import type { SupervisedUnit } from './supervision/supervised-unit.js'
import type { StopOptions, Unit, WaitOptions } from './unit.js'
import { measure, type UnitContext } from './unit-context.js'
import { DEFAULT_MEMORY } from './unit-start.js'
import { HostVolumes } from './volumes/host-volumes.js'
import { openWait, orAborted, type Wait } from './wait.js'

/** The units of a graph, by the keys that were given to `compose`. */
export type Units<Map extends UnitMap> = {
  readonly [Key in keyof Map]: Unit<Map[Key]['name']>
}

/** Which monitor runs the units of this host. */
export interface HostMonitor {
  readonly kind: string
  /** How its machines run: by KVM, or emulated. */
  readonly accelerator: Accelerator
  /** Why this one, in words that can be printed. */
  readonly why: string
  /** Every monitor that was looked at, in order of preference, and what became of it. */
  readonly considered: readonly Considered[]
}

/** Owns units, from their start to the last trace of them. Disposing it stops them all. */
export interface Host extends AsyncDisposable, DisposableUnits {
  /** Its own directory: private to its user, and gone when it has stopped. */
  readonly directory: string
  /** Which monitor was chosen, and why; it stays the same for all units of the host. */
  readonly monitor: HostMonitor
  /** What was found of hosts that had died, and done about it, when this one opened. */
  readonly reconciled: readonly ReconciledHost[]
  /** The emitter that `openHost` was given, or the host's own. */
  readonly events: HostEmitter
  /** The units that have not ended for good, dormant ones too: by name, in the order of their graphs. */
  readonly units: ReadonlyMap<string, Unit>
  /**
   * Starts all units of a graph, or none: when one fails, the others are stopped and its error is returned. Lazy ones
   * are `dormant` then. `deadlineMs` (180 s) is for each unit, from its turn on. Aborting the signal ends the starts and
   * cleans up. The result has the keys of the graph, in their order.
   *
   * Fails with `store-failed` (no such path …), `monitor-failed`, `agent-failed`, `kernel-lacks`, `unit-died`, `volume-failed`,
   * `command-not-started`, `view-failed`, `no-slot-left`, `no-memory-left`, `unit-exists`, `invalid-request`, `timed-out`, `aborted`,
   * `host-closed` or `state`, with the `unit` that it happened to.
   */
  start<Map extends UnitMap>(graph: Graph<Map>, options?: WaitOptions): ResultAsync<Units<Map>, HostError>
  /**
   * Takes back every grant that is `revocable` by this name, now and with the calls that are open on it. Returns how
   * many edges of running graphs that closes.
   *
   * @example
   * ```ts
   * import { closure, compose, defineService, defineUnit, type Host, revocable } from '@spectrum/unit-runtime'
   *
   * export async function lendFor(host: Host, ms: number): Promise<void> {
   *   const Clock = defineService('org.example.clock', {})
   *   const clock = defineUnit('clock', {
   *     store: closure('/nix/store/…-clock'),
   *     provides: { time: Clock.socket('/run/clock') },
   *   })
   *   const mail = defineUnit('mail', { store: closure('/nix/store/…-mail'), needs: { time: Clock } })
   *   const wires = { mail: { time: clock.provides.time.with(revocable('the-time')) } }
   *   ;(await host.start(compose({ clock, mail }).wire(wires)._unsafeUnwrap()))._unsafeUnwrap()
   *   await new Promise((resolve) => setTimeout(resolve, ms))
   *   console.log(host.revokeGrant('the-time'), 'edge closed')
   * }
   * ```
   */
  revokeGrant(name: string): number
  /**
   * What the units that run share, in bytes, read from `/proc/PID/smaps` and `/proc/PID/pagemap` of their processes. Default deadline: 60 s.
   * Fails with `store-failed` where those cannot be read, `timed-out`, `aborted`.
   */
  sharing(options?: WaitOptions): ResultAsync<SharingReport, HostError>
  /** What a unit of this name has said, also when it has ended. Kept until the host stops. */
  logs(unit: string, options?: LogOptions): AsyncIterable<LogLine>
  /**
   * Looks for what exists of this host: processes, sockets, mounts, files. Also after `stop`, when all of it is empty. Default
   * deadline: 60 s. Fails with `state` where it cannot look, `timed-out`, `aborted`.
   */
  leftovers(options?: WaitOptions): ResultAsync<Leftovers, HostError>
  /**
   * Stops all units, consumers before their providers, and removes the host's own files. Idempotent; a second
   * call with `graceMs: 0`, or the abort of the host's signal, ends the grace of the first one. Fails with the first thing that
   * could not be ended or removed; the rest is ended all the same, and the next host finds what is left in the journal.
   */
  stop(options?: StopOptions): ResultAsync<void, HostError>
}

const GRACE_MS = 10_000
const LEFTOVERS_MS = 60_000

/** What `openHostWith` has put together; the host owns the directory from then on. */
export interface HostParts {
  readonly powers: HostPowers
  readonly directory: HostDirectory
  readonly choice: ChosenMonitor
  readonly start: StartPlan
  /** With the journal around them. */
  readonly processes: Processes
  /** Absolute path of the state directory. */
  readonly state: string
  readonly store: StoreSource
  readonly cache: HostBlobCache
  readonly reconciled: readonly ReconciledHost[]
  readonly events: HostEmitter
  readonly concurrentStarts: number
  readonly deviceBudget: number
  readonly prompter: Prompter | undefined
  readonly services: Readonly<Record<string, HostService>>
  /** Ends what the services own. */
  closeServices(): Promise<void>
  readonly callLimits: Partial<CallLimits> | undefined
  readonly heartbeat: 'off' | HeartbeatOptions
  readonly disposables: Partial<PoolLimits> | undefined
  readonly signal: AbortSignal | undefined
}

export class OpenHost implements Host {
  readonly directory: string
  readonly monitor: HostMonitor
  readonly reconciled: readonly ReconciledHost[]
  readonly events: HostEmitter
  readonly #parts: HostParts
  readonly #context: UnitContext
  readonly #units: HostUnits
  readonly #logs: HostLogs
  readonly #calls: HostCalls
  readonly #disposables: Disposables
  readonly #starts = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()
  /** Aborted when whoever stops the host will wait for no guest any longer. */
  readonly #hurry = new AbortController()
  readonly #onAbort = () => void this.stop({ graceMs: 0 })
  #stopped: Promise<Result<void, HostError>> | undefined

  constructor(parts: HostParts) {
    const { choice, powers, directory, events } = parts
    // All units listen to them, and take their listeners away.
    setMaxListeners(0, this.#closing.signal, this.#hurry.signal)
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
    this.#logs = new HostLogs(directory, () => powers.epochMs())
    this.#context = {
      powers: {
        clock: powers.clock,
        store: parts.store,
        cache: parts.cache,
        storeFiles: powers.storeFiles,
        measureSharing: powers.measureSharing,
      },
      directory,
      groups: new HostGroups(powers.resources, directory),
      volumes: new HostVolumes(powers.openVolume, parts.processes, parts.state),
      heartbeatOf: (unit) => heartbeatOf(parts.heartbeat, unit),
      step: (unit, step) => emit(events, 'step', { unit, step }),
      log: (unit, line) => this.#log(unit, line),
    }
    this.#units = new HostUnits({
      context: this.#context,
      plan: parts.start,
      deviceBudget: parts.deviceBudget,
      concurrentStarts: parts.concurrentStarts,
      events,
      logs: this.#logs,
      closing: this.#closing.signal,
    })
    this.#calls = new HostCalls(
      {
        clock: powers.clock,
        epochMs: () => powers.epochMs(),
        prompter: parts.prompter,
        services: parts.services,
        providers: this.#units,
        onEvent: (event) => emit(events, 'call', event),
      },
      parts.callLimits,
    )
    this.#disposables = new Disposables(
      {
        clock: powers.clock,
        canPause: choice.monitor.capabilities.pause,
        start: (graph, wired, options) =>
          this.#tracked(this.#start(graph, options, wired)).map(
            // A host supervises all of its units.
            (units) => Object.values(units)[0] as SupervisedUnit,
          ),
        definitionOf: (unit) => this.#calls.definitionOf(unit),
        forget: (unit) => this.#logs.forget(unit),
        isTaken: (unit) => this.#units.isTaken(unit),
        memoryOf: ({ memoryBytes = DEFAULT_MEMORY }) => memoryBytes,
        awaken: awakenWith(powers),
        closing: this.#closing.signal,
      },
      parts.disposables,
    )
    parts.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (parts.signal?.aborted) this.#onAbort()
  }

  get units(): ReadonlyMap<string, Unit> {
    return this.#units.units
  }

  start<Map extends UnitMap>(
    graph: Graph<Map>,
    options: WaitOptions = {},
  ): ResultAsync<Units<Map>, HostError> {
    return this.#tracked(this.#start(graph, options))
  }

  disposable<T, Template extends UnitDefinition>(
    template: Template,
    fn: WithUnit<T>,
    ...options: WithWires<Template, DisposableOptions>
  ): ResultAsync<T, HostError> {
    return this.#disposables.disposable(template, fn, ...options)
  }

  prepareDisposables<Template extends UnitDefinition>(
    template: Template,
    ...options: WithWires<Template, PrepareOptions>
  ): ResultAsync<number, HostError> {
    return this.#disposables.prepareDisposables(template, ...options)
  }

  revokeGrant(name: string): number {
    return this.#calls.revoke(name)
  }

  sharing(options: WaitOptions = {}): ResultAsync<SharingReport, HostError> {
    return new ResultAsync(measure(this.#context.powers, [...this.#units.units.values()], options))
  }

  logs(unit: string, options?: LogOptions): AsyncIterable<LogLine> {
    return this.#logs.read(unit, options)
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

  /** A start that a stop of the host waits for. */
  #tracked<T>(work: Promise<Result<T, HostError>>): ResultAsync<T, HostError> {
    this.#starts.add(work)
    void work.finally(() => this.#starts.delete(work))
    return new ResultAsync(work)
  }

  /** The calls of the graph's units follow `wired`. */
  async #start<Map extends UnitMap>(
    graph: Graph<Map>,
    options: WaitOptions,
    wired: Graph = graph,
  ): Promise<Result<Units<Map>, HostError>> {
    if (this.#stopped !== undefined) {
      return err({ kind: 'host-closed', message: 'This host is stopped; open another one.' })
    }
    const fault = faultOfGraph(wired, this.#parts.services)
    if (fault !== undefined) return err(fault)
    const started = await this.#units.start(graph, wired, this.#calls, options)
    return started.map((units) => units as unknown as Units<Map>)
  }

  #log(unit: string, { source, text }: { readonly source: LogSource; readonly text: string }): void {
    const line = this.#logs.add(unit, source, text)
    if (line === undefined) return
    emit(this.events, 'log', { unit, ...line })
    const handle = this.#units.units.get(unit)
    if (handle !== undefined) emit(handle.events, 'log', line)
  }

  async #stop(graceMs: number): Promise<Result<void, HostError>> {
    this.#closing.abort()
    await Promise.allSettled(this.#starts)
    await this.#disposables.settled()
    await this.#parts.start.close()
    this.#calls.close()
    const failures = await this.#units.stop(graceMs, this.#hurry.signal)
    // What a service of the host program's own throws is no reason to leave the rest behind.
    const thrown = await this.#parts.closeServices().then(
      () => undefined,
      (cause: unknown) => stateFailed(this.directory, 'end what the services have in', cause),
    )
    // Something still lives: the directory stays as the proof of it.
    if (failures.length === 0) await this.#closeShared()
    const failure = failures[0] ?? (await this.#closeCache()) ?? (await this.#removeDirectory()) ?? thrown
    if (failure !== undefined) {
      // It may be tried again.
      this.#stopped = undefined
      return err(failure)
    }
    this.#parts.signal?.removeEventListener('abort', this.#onAbort)
    return ok(undefined)
  }

  /** What all units have used. A group that stays is named by the journal, and so is for the next host. */
  async #closeShared(): Promise<void> {
    await this.#logs.close()
    await this.#context.groups.close().catch(() => {})
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
}

function unseenLeftovers(wait: Wait): HostError {
  if (wait.reason() === 'aborted')
    return { kind: 'aborted', message: 'The look at what is left was aborted.' }
  const message =
    'The processes and files of the host could not be listed in time; allow more with deadlineMs.'
  return { kind: 'timed-out', message, step: 'leftovers', lastLines: [] }
}
