import { setMaxListeners } from 'node:events'
import { basename } from 'node:path/posix'
import { conditionOf } from '@spectrum/unit-graph'
import type { ClosureReference, Graph, Host, HostEvents, Unit } from '@spectrum/unit-runtime'
import { err, ok, type Result, type ResultAsync } from 'neverthrow'
import type { Clock } from '../clock.js'
import { type Group, groupsOf } from './groups.js'
import { LogTail } from './log-tail.js'
import { Memory } from './memory.js'
import { Notices } from './notices.js'
import type { Command, CommandRefusal, EdgeView, Snapshot, UnitLines, UnitView } from './snapshot.js'
import type { Source } from './source.js'

export interface BoardOptions {
  /** What the page can start, one group of it at a time. */
  readonly graph: Graph
  /** What it can add to running units, by name: nothing else of the store. */
  readonly software: Readonly<Record<string, ClosureReference>>
  readonly clock: Clock
}

type Told = Pick<UnitView, 'state' | 'why'>
type Calls = Pick<EdgeView, 'allowed' | 'refused'>

/** What there is to see of a host and its graph, and to do about it. Disposing it ends what it has begun; the host goes on. */
export class Board implements Source, AsyncDisposable {
  readonly #host: Host
  readonly #graph: Graph
  readonly #groups: ReadonlyMap<string, Group>
  readonly #software: ReadonlyMap<string, ClosureReference>
  readonly #clock: Clock
  readonly #logs = new LogTail()
  readonly #memory = new Memory()
  readonly #notices = new Notices()
  /** Of units that the host may hold no longer. */
  readonly #told = new Map<string, Told>()
  /** By `UNIT.NEED` of the wires. */
  readonly #calls: Map<string, Calls>
  readonly #watchers = new Set<() => void>()
  readonly #work = new Set<PromiseLike<unknown>>()
  readonly #closing = new AbortController()
  #looking: AbortController | undefined
  #revision = 1

  constructor(host: Host, { graph, software, clock }: BoardOptions) {
    // Every operation that is under way listens to it.
    setMaxListeners(0, this.#closing.signal)
    this.#host = host
    this.#graph = graph
    this.#clock = clock
    this.#software = new Map(Object.entries(software))
    this.#groups = new Map(
      groupsOf(graph).flatMap((group) => group.units.map((unit) => [unit, group] as const)),
    )
    this.#calls = new Map(
      graph.wires.map(({ unit, need }) => [`${graph.units[unit]!.name}.${need}`, { allowed: 0, refused: 0 }]),
    )
    host.events.on('unit-state', this.#onState)
    host.events.on('command', this.#onCommand)
    host.events.on('log', this.#onLog)
    host.events.on('call', this.#onCall)
  }

  get revision(): number {
    return this.#revision
  }

  /** Starts every group; what fails is among the notices. */
  startAll(): void {
    for (const group of new Set(this.#groups.values())) this.#startGroup(group, group.units[0]!)
  }

  snapshot(): Snapshot {
    const { kind: monitor, accelerator, why } = this.#host.monitor
    // Units of other graphs are there, too, as long as they are.
    const own = Object.values(this.#graph.units).map(({ name }) => name)
    const names = new Set([...own, ...this.#host.units.keys()])
    return {
      host: { monitor, accelerator, why },
      units: [...names].map((name) => this.#viewOf(name)),
      edges: this.#edges(),
      memory: this.#memory.total,
      software: [...this.#software.keys()],
      notices: this.#notices.list,
    }
  }

  linesAfter(seen: ReadonlyMap<string, number>): readonly UnitLines[] {
    return this.#logs.after(seen)
  }

  watch(onChange: () => void): Disposable {
    // One callback may be given twice.
    const watcher = () => onChange()
    this.#watchers.add(watcher)
    this.#look()
    return {
      [Symbol.dispose]: () => {
        this.#watchers.delete(watcher)
        this.#look()
      },
    }
  }

  command(unit: string, command: Command): Result<number, CommandRefusal> {
    if (this.#closing.signal.aborted) return refuse('closing', 'The dashboard is being closed.')
    if (!this.#groups.has(unit) && !this.#host.units.has(unit))
      return refuse('unknown-unit', 'There is no such unit.')
    switch (command.kind) {
      case 'start':
        return this.#start(unit)
      case 'stop':
        return this.#stop(unit, command.now)
      case 'inject':
        return this.#inject(unit, command.software)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    this.#looking?.abort()
    this.#host.events.off('unit-state', this.#onState)
    this.#host.events.off('command', this.#onCommand)
    this.#host.events.off('log', this.#onLog)
    this.#host.events.off('call', this.#onCall)
    await Promise.all(this.#work)
  }

  #start(name: string): Result<number, CommandRefusal> {
    const view = this.#viewOf(name)
    if (!view.may.start) return refuse('not-now', view.hint ?? `Unit "${name}" cannot be started now.`)
    const unit = this.#host.units.get(name)
    if (unit === undefined) return ok(this.#startGroup(this.#groups.get(name)!, name))
    const signal = this.#closing.signal
    return ok(this.#follow(name, 'start', 'starting', unit.start({ signal }), () => 'runs'))
  }

  #startGroup(group: Group, name: string): number {
    const started = this.#host.start(group.graph, { signal: this.#closing.signal })
    const which = group.units.length === 1 ? '' : ` its graph: ${group.units.join(', ')}`
    return this.#follow(name, 'start', `starting${which}`, started, () => `started${which}`)
  }

  #stop(name: string, now: boolean): Result<number, CommandRefusal> {
    const unit = this.#host.units.get(name)
    if (unit === undefined) return refuse('not-now', `Unit "${name}" does not run.`)
    if (this.#notices.underWay(name, 'stop') >= (now ? 2 : 1))
      return refuse('not-now', `Unit "${name}" is being stopped.`)
    const stopped = unit.stop(now ? { graceMs: 0 } : {})
    return ok(
      this.#follow(name, 'stop', now ? 'being ended' : 'stopping', stopped, ({ graceful }) =>
        graceful ? 'has ended in order' : 'was ended',
      ),
    )
  }

  #inject(name: string, software: string): Result<number, CommandRefusal> {
    const reference = this.#software.get(software)
    if (reference === undefined) return refuse('unknown-software', 'No such software is offered.')
    const unit = this.#host.units.get(name)
    if (unit?.state !== 'running') return refuse('not-now', `Unit "${name}" does not run.`)
    if (this.#notices.underWay(name, 'inject') > 0)
      return refuse('not-now', `Something is being added to unit "${name}".`)
    const injected = unit.inject(reference, { signal: this.#closing.signal })
    return ok(
      this.#follow(name, 'inject', `being given ${software}`, injected, ({ added, ms }) =>
        added.length === 0
          ? `had ${software} already`
          : `has ${software} now: ${added.length} store paths in ${ms.toFixed(0)} ms`,
      ),
    )
  }

  #follow<T>(
    unit: string,
    action: Command['kind'],
    begun: string,
    work: ResultAsync<T, { readonly message: string }>,
    words: (value: T) => string,
  ): number {
    const id = this.#notices.begin(unit, action, begun)
    const done = work.then((result) => {
      this.#work.delete(done)
      if (result.isOk()) this.#notices.end(id, 'done', words(result.value))
      else this.#notices.end(id, 'failed', result.error.message.slice(0, 2_000))
      this.#changed()
    })
    this.#work.add(done)
    this.#changed()
    return id
  }

  #viewOf(name: string): UnitView {
    const group = this.#groups.get(name)
    const definition = Object.values(this.#graph.units).find((each) => each.name === name)
    const unit = this.#host.units.get(name)
    const { state, why } = this.#toldOf(name, unit)
    const roots = definition?.store.roots ?? unit?.attachment.closure.roots ?? []
    const has = new Set(unit?.closure.paths.map(({ path }) => path))
    const lacking = [...this.#software].flatMap(([software, { roots }]) =>
      roots.every((root) => has.has(root)) ? [] : [software],
    )
    const start = this.#mayStart(unit, group)
    return {
      name,
      state,
      ...(why === undefined ? {} : { why }),
      restarts: unit?.restarts ?? 0,
      ...(unit?.command === undefined
        ? {}
        : { command: { argv: unit.command.argv, state: unit.command.state } }),
      software: roots.map((root) => basename(root)),
      injected: (unit?.closure.roots ?? [])
        .filter((root) => !roots.includes(root))
        .map((root) => basename(root)),
      paths: has.size,
      ...(unit === undefined ? {} : this.#memory.of(name)),
      may: {
        start: start === true,
        stop: unit === undefined ? 'no' : state === 'stopping' ? 'now' : 'yes',
        inject: state === 'running' ? lacking : [],
      },
      ...(typeof start === 'string' ? { hint: start } : {}),
    }
  }

  #toldOf(name: string, unit: Unit | undefined): Told {
    const told = this.#told.get(name) ?? { state: 'not-started' }
    if (unit === undefined || unit.state === told.state) return told
    return { state: unit.state }
  }

  /** A text says why it cannot be started although it does not run. */
  #mayStart(unit: Unit | undefined, group: Group | undefined): boolean | string {
    if (unit !== undefined) return unit.state === 'dormant'
    if (group === undefined) return false
    // The host knows of them a moment later.
    if (group.units.some((other) => this.#notices.underWay(other, 'start') > 0)) return false
    const alive = group.units.filter((other) => this.#host.units.has(other))
    if (alive.length === 0) return true
    const which = alive.map((other) => `"${other}"`).join(', ')
    return `It is started together with what it is wired to. Stop ${which} first.`
  }

  #edges(): readonly EdgeView[] {
    return this.#graph.wires.map(({ unit: key, need, to }): EdgeView => {
      const { name: unit, needs } = this.#graph.units[key]!
      const service = needs[need]!.service.name
      const { allowed, refused } = this.#calls.get(`${unit}.${need}`)!
      if (to.kind === 'absent') return { unit, need, service, conditions: [], allowed, refused }
      const { from, attenuators } = to
      const provider = { kind: from.kind, name: from.kind === 'unit' ? from.unit : from.name }
      return { unit, need, service, provider, conditions: attenuators.map(conditionOf), allowed, refused }
    })
  }

  /** The figures are read while somebody looks. */
  #look(): void {
    if (this.#watchers.size === 0 || this.#closing.signal.aborted) {
      this.#looking?.abort()
      this.#looking = undefined
    } else if (this.#looking === undefined) {
      this.#looking = new AbortController()
      const follow = this.#memory.follow(this.#host, this.#clock, this.#looking.signal, () => this.#changed())
      this.#work.add(follow)
      void follow.then(() => this.#work.delete(follow))
    }
  }

  #changed(): void {
    this.#revision += 1
    this.#tell()
  }

  #tell(): void {
    for (const watcher of this.#watchers) watcher()
  }

  readonly #onState: HostEvents['unit-state'] = ({ unit, state, why }) => {
    this.#told.set(unit, why === undefined ? { state } : { state, why })
    this.#changed()
    if (state !== 'stopped' && state !== 'failed') return
    // It can be started again when the host has let go of it, which is not told.
    void this.#host.units.get(unit)?.ended.then(() => {
      if (!this.#groups.has(unit) && !this.#host.units.has(unit)) {
        this.#told.delete(unit)
        this.#logs.forget(unit)
      }
      this.#changed()
    })
  }

  readonly #onCommand: HostEvents['command'] = () => this.#changed()

  readonly #onLog: HostEvents['log'] = ({ unit, ...line }) => {
    if (!this.#groups.has(unit) && !this.#host.units.has(unit)) return
    this.#logs.add(unit, line)
    this.#tell()
  }

  readonly #onCall: HostEvents['call'] = (event) => {
    if (event.kind === 'ended') return
    const key = `${event.unit}.${event.need}`
    const counted = this.#calls.get(key)
    if (counted === undefined) return
    const { allowed, refused } = counted
    this.#calls.set(
      key,
      event.kind === 'allowed' ? { allowed: allowed + 1, refused } : { allowed, refused: refused + 1 },
    )
    this.#changed()
  }
}

function refuse(kind: CommandRefusal['kind'], message: string): Result<never, CommandRefusal> {
  return err({ kind, message })
}
