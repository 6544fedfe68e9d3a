import { setMaxListeners } from 'node:events'
import { type Graph, startOrder } from '@spectrum/unit-graph'
import { err, ok, type Result } from 'neverthrow'
import type { HostError } from '../errors.js'
import type { UnitEnd } from '../unit.js'
import { Gate } from './gate.js'
import { dyingWith, stoppedBefore } from './stop-order.js'
import type { StartTerms, UnitLife } from './unit-life.js'

/** So many units are asked to end at once. */
const STOPS_AT_ONCE = 8
const GRACE_MS = 10_000

/** Starts and stops the units of one graph in its order, and ends those that die with others. */
export class GraphSupervision {
  readonly #graph: Graph
  readonly #lives: ReadonlyMap<string, UnitLife>
  readonly #before: ReadonlyMap<string, ReadonlySet<string>>
  readonly #stops = new Gate(STOPS_AT_ONCE)
  /** Keys of the units that are being stopped, or have been: none of them comes back. */
  readonly #going = new Set<string>()

  /** `lives`: by the keys of the graph, in their order. */
  constructor(graph: Graph, lives: ReadonlyMap<string, UnitLife>) {
    this.#graph = graph
    this.#lives = lives
    this.#before = stoppedBefore(graph)
    for (const [key, life] of lives) void life.over.then(() => this.#stopDependents(key))
  }

  /**
   * Brings them up, providers before their consumers; lazy ones fall asleep in their turn. The first failure ends the
   * starts under way, stops what runs, and is the error; aborts that it caused elsewhere are not.
   */
  async start(terms: StartTerms): Promise<Result<void, HostError>> {
    // One for all of them: a graph has many units, and the callers' signals should not have many listeners.
    const giving = new AbortController()
    setMaxListeners(0, giving.signal)
    const give = () => giving.abort()
    for (const signal of terms.signals) {
      if (signal?.aborted) give()
      else signal?.addEventListener('abort', give, { once: true })
    }
    const started = await this.#startAll({ deadlineMs: terms.deadlineMs, signals: [giving.signal] }, give)
    for (const signal of terms.signals) signal?.removeEventListener('abort', give)
    if (started.isErr()) await this.stop('The start of its graph failed.', 0)
    return started
  }

  async #startAll(terms: StartTerms, give: () => void): Promise<Result<void, HostError>> {
    let failure: HostError | undefined
    for (const independent of startOrder(this.#graph)) {
      await Promise.all(
        independent.map(async (key) => {
          const up = await this.#lives.get(key)!.begin(terms)
          if (up.isOk()) return
          failure ??= up.error
          give()
        }),
      )
      if (failure !== undefined) break
    }
    return failure === undefined ? ok(undefined) : err(failure)
  }

  /** Stops all of them. Returns what could not be stopped. */
  async stop(why: string, graceMs: number, hurry?: AbortSignal): Promise<readonly HostError[]> {
    const stopped = await this.#stopInOrder([...this.#lives.keys()], why, graceMs, hurry)
    return [...stopped.values()].flatMap((each) => (each.isErr() ? [each.error] : []))
  }

  /** Stops one, after what dies with it. */
  async stopUnit(key: string, graceMs: number): Promise<Result<UnitEnd, HostError>> {
    const stopped = await this.#stopInOrder(dyingWith(this.#graph, [key]), 'It was stopped.', graceMs)
    return stopped.get(key)!
  }

  async #stopDependents(key: string): Promise<void> {
    // Those that are being stopped in order already keep their turn.
    const dying = [...dyingWith(this.#graph, [key])].filter((each) => each !== key && !this.#going.has(each))
    if (dying.length === 0) return
    const why = `It dies with unit "${this.#lives.get(key)!.name}", which has ended.`
    await this.#stopInOrder(dying, why, GRACE_MS)
  }

  /** Each when those that go before it have gone, as far as they are among these; what failed to go holds nobody up. */
  async #stopInOrder(
    keys: Iterable<string>,
    why: string,
    graceMs: number,
    hurry?: AbortSignal,
  ): Promise<ReadonlyMap<string, Result<UnitEnd, HostError>>> {
    const among = new Set(keys)
    for (const key of among) this.#going.add(key)
    // None of them comes up again while it waits for its turn to go.
    for (const key of among) this.#lives.get(key)!.retire(why)
    const going = new Map<string, Promise<Result<UnitEnd, HostError>>>()
    const go = (key: string): Promise<Result<UnitEnd, HostError>> => {
      const begun = going.get(key) ?? this.#stopAfter(key, among, go, why, graceMs, hurry)
      going.set(key, begun)
      return begun
    }
    const stopped = new Map<string, Result<UnitEnd, HostError>>()
    await Promise.all([...among].reverse().map(async (key) => void stopped.set(key, await go(key))))
    return stopped
  }

  async #stopAfter(
    key: string,
    among: ReadonlySet<string>,
    go: (key: string) => Promise<unknown>,
    why: string,
    graceMs: number,
    hurry: AbortSignal | undefined,
  ): Promise<Result<UnitEnd, HostError>> {
    // Chains of units may be long.
    await Promise.resolve()
    await Promise.all([...this.#before.get(key)!].filter((other) => among.has(other)).map(go))
    const life = this.#lives.get(key)!
    // Whoever is in a hurry does not wait for those who wait for their guests.
    using _turn = hurry?.aborted || graceMs <= 0 ? undefined : await this.#stops.enter(hurry)
    const stopping = life.stop(why, hurry?.aborted ? 0 : graceMs)
    const kill = () => void life.stop(why, 0)
    hurry?.addEventListener('abort', kill, { once: true })
    const stopped = await stopping
    hurry?.removeEventListener('abort', kill)
    return stopped
  }
}
