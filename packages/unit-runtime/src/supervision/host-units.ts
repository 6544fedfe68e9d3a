import type { Attachment } from '@spectrum/store-share'
import type { Graph, UnitDefinition, UnitMap } from '@spectrum/unit-graph'
import { escapeAndCut } from '@spectrum/unit-monitor'
import { err, ok, type Result } from 'neverthrow'
import { attachUnits } from '../attach-units.js'
import type { GraphCalls, HostCalls } from '../broker/host-calls.js'
import type { CallProviders } from '../broker/powers.js'
import { type HostError, storeFailed } from '../errors.js'
import { emit, type HostEmitter, type UnitStateEvent } from '../events.js'
import type { HearState, RunningUnit } from '../running-unit.js'
import type { StartPlan } from '../start-plan.js'
import { ACCESS } from '../store-access.js'
import type { WaitOptions } from '../unit.js'
import type { UnitContext } from '../unit-context.js'
import { type FailedStart, type StartParts, startUnit } from '../unit-start.js'
import { faultOfVolumes } from '../volumes/host-volumes.js'
import { openWait, type Wait } from '../wait.js'
import { Gate } from './gate.js'
import { GraphSupervision } from './graph-supervision.js'
import type { HostLogs } from './host-logs.js'
import { SupervisedUnit } from './supervised-unit.js'
import { START_MS, UnitLife } from './unit-life.js'

export interface HostUnitsParts {
  readonly context: UnitContext
  readonly plan: StartPlan
  readonly deviceBudget: number
  readonly concurrentStarts: number
  readonly events: HostEmitter
  readonly logs: HostLogs
  /** Aborted when the host is being stopped. */
  readonly closing: AbortSignal
}

/** All units of a host: which names are taken, which graphs there are, and what their machines are started with. */
export class HostUnits implements CallProviders {
  readonly #parts: HostUnitsParts
  readonly #gate: Gate
  readonly #taken = new Set<string>()
  readonly #units = new Map<string, SupervisedUnit>()
  /** In the order of their starts. */
  readonly #graphs = new Set<GraphSupervision>()

  constructor(parts: HostUnitsParts) {
    this.#parts = parts
    this.#gate = new Gate(parts.concurrentStarts)
  }

  /** Those that have not ended for good, in the order of their graphs. */
  get units(): ReadonlyMap<string, SupervisedUnit> {
    return this.#units
  }

  isTaken(name: string): boolean {
    return this.#taken.has(name)
  }

  mayCome(name: string): boolean {
    return this.#units.get(name)?.life.mayCome ?? false
  }

  async bringUp(name: string, options: WaitOptions): Promise<Result<void, { readonly message: string }>> {
    const gone = { message: 'It has ended.' }
    return (await this.#units.get(name)?.start(options)) ?? err(gone)
  }

  /**
   * Starts the units of a graph, all or none. `calls` are opened for `wired`, which says who may call whom. The result
   * is by the graph's keys, in their order.
   */
  async start<Map extends UnitMap>(
    graph: Graph<Map>,
    wired: Graph,
    calls: HostCalls,
    options: WaitOptions,
  ): Promise<Result<Readonly<Record<string, SupervisedUnit>>, HostError>> {
    const definitions = Object.values(graph.units)
    const held = definitions.find(({ name }) => this.#taken.has(name))
    if (held !== undefined) {
      const message = `A unit named "${held.name}" runs on this host already; stop it first or take another name.`
      return err({ kind: 'unit-exists', message, unit: held.name })
    }
    const fault = faultOfVolumes(definitions, this.#parts.plan.current.monitor)
    if (fault !== undefined) return err(fault)
    for (const { name } of definitions) this.#taken.add(name)
    const attached = await this.#attach(definitions, options)
    if (attached.isErr()) {
      for (const { name } of definitions) this.#taken.delete(name)
      return err(attached.error)
    }
    const opened = calls.open(wired, graph)
    const { units, supervision } = this.#supervise(graph, attached.value, opened)
    this.#graphs.add(supervision)
    void Promise.all(Object.values(units).map((unit) => unit.ended)).then(() => {
      opened.close()
      this.#graphs.delete(supervision)
    })
    const { deadlineMs = START_MS, signal } = options
    const started = await supervision.start({ deadlineMs, signals: [signal, this.#parts.closing] })
    if (started.isOk()) return ok(units)
    opened.close()
    return err(started.error)
  }

  /** Stops all graphs, the last started first. Returns what could not be stopped. */
  async stop(graceMs: number, hurry: AbortSignal): Promise<readonly HostError[]> {
    const failures: HostError[] = []
    for (const graph of [...this.#graphs].reverse()) {
      failures.push(...(await graph.stop('The host is being stopped.', graceMs, hurry)))
    }
    return failures
  }

  async #attach(
    definitions: readonly UnitDefinition[],
    { deadlineMs = START_MS, signal }: WaitOptions,
  ): Promise<Result<ReadonlyMap<string, Attachment>, HostError>> {
    const { context, plan, deviceBudget, closing } = this.#parts
    using whole = openWait(context.powers.clock, deadlineMs, signal, closing)
    const slots = Math.max(...definitions.map((unit) => unit.hotplugSlots ?? 0))
    const room = plan.current.monitor.capabilities.maxPmemDevices - slots
    const attached = await attachUnits(context, definitions, Math.min(deviceBudget, room), whole)
    if (attached.isOk() || whole.reason() !== 'aborted') return attached
    return err({ kind: 'aborted', message: 'The start was aborted; nothing of it is left.' })
  }

  #supervise(
    graph: Graph,
    attachments: ReadonlyMap<string, Attachment>,
    calls: GraphCalls,
  ): {
    readonly units: Readonly<Record<string, SupervisedUnit>>
    readonly supervision: GraphSupervision
  } {
    const units: Record<string, SupervisedUnit> = {}
    const lives = new Map<string, UnitLife>()
    for (const [key, definition] of Object.entries(graph.units)) {
      const { name } = definition
      const attachment = attachments.get(name)!
      const life = this.#lifeOf(definition, attachment, calls)
      const unit = new SupervisedUnit(life, {
        attachment,
        log: this.#parts.logs.of(name),
        plan: planOf(this.#parts.plan),
        stop: (graceMs) => supervision.stopUnit(key, graceMs),
      })
      units[key] = unit
      lives.set(key, life)
      this.#units.set(name, unit)
    }
    const supervision = new GraphSupervision(graph, lives)
    return { units, supervision }
  }

  #lifeOf(definition: UnitDefinition, attachment: Attachment, calls: GraphCalls): UnitLife {
    const { context, events } = this.#parts
    const { name } = definition
    return new UnitLife({
      definition,
      clock: context.powers.clock,
      gate: this.#gate,
      launch: (hear, wait) => this.#launch(definition, attachment, calls, hear, wait),
      release: async () => {
        const released = await context.powers.cache.release(attachment)
        return released.isErr() ? storeFailed(name, released.error) : undefined
      },
      forget: () => {
        this.#units.delete(name)
        this.#taken.delete(name)
      },
      tellState: (event) => this.#tellState({ unit: name, ...event }),
      tellCommand: (event) => {
        const words =
          event.kind === 'started'
            ? `command started: ${JSON.stringify(event.argv)}`
            : `command ended: ${JSON.stringify(event.outcome)}`
        context.log(name, { source: 'host', text: escapeAndCut(words, 1_000) })
        emit(events, 'command', event)
      },
      say: (source, text) => context.log(name, { source, text }),
      note: (text) => context.log(name, { source: 'host', text }),
      step: (step) => context.step(name, step),
    })
  }

  #tellState(event: UnitStateEvent): void {
    const { context, events } = this.#parts
    const { unit, state, why, restart } = event
    const again =
      restart === undefined ? '' : ` (restart ${restart.attempt} of ${restart.most} in ${restart.delayMs} ms)`
    const text = `${state}${again}${why === undefined ? '' : `: ${why}`}`
    context.log(unit, { source: 'host', text: escapeAndCut(text, 1_000) })
    const handle = this.#units.get(unit)
    emit(events, 'unit-state', event)
    if (handle !== undefined) emit(handle.events, 'state', state)
  }

  async #partsFor(
    { name, volumes = {} }: UnitDefinition,
    parts: StartParts,
    wait: Wait,
  ): Promise<Result<StartParts, HostError>> {
    return Object.keys(volumes).length === 0 ? ok(parts) : this.#parts.plan.withVolumes(parts, name, wait)
  }

  /** With disks in the place of persistent memory, where the kernel of the unit turns out to have none. */
  async #launch(
    definition: UnitDefinition,
    attachment: Attachment,
    calls: GraphCalls,
    hear: HearState,
    wait: Wait,
  ): Promise<Result<RunningUnit, FailedStart>> {
    const { context, plan } = this.#parts
    const parts = await this.#partsFor(definition, plan.current, wait)
    if (parts.isErr()) return err({ error: parts.error, gone: undefined })
    const join = calls.join(definition.name)
    const unit = await startUnit(context, parts.value, definition, attachment, join, hear, wait)
    if (unit.isOk() || unit.error.gone !== undefined) return unit
    const other = await plan.afterFailure(unit.error.error, parts.value, definition.name, wait)
    const onDisks = other.isOk() ? await this.#partsFor(definition, other.value, wait) : other
    if (onDisks.isErr()) return err({ error: onDisks.error, gone: undefined })
    return startUnit(context, onDisks.value, definition, attachment, join, hear, wait)
  }
}

function planOf(plan: StartPlan) {
  return {
    get store() {
      return ACCESS[plan.current.transport]
    },
    get injection() {
      return plan.current.way
    },
  }
}
