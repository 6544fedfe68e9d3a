import type { AgentError } from '@spectrum/guest-agent'
import { Authority, type Graph, type UnitDefinition } from '@spectrum/unit-graph'
import type { ResultAsync } from 'neverthrow'
import { Broker } from './broker.js'
import type { CallLimits } from './limits.js'
import type { BrokerPowers, CallAgent } from './powers.js'

/** Makes a unit whose store is mounted part of its graph's calls. */
export type JoinCalls = (
  agent: CallAgent,
  options: { readonly signal: AbortSignal; readonly deadlineMs: number },
) => ResultAsync<void, AgentError>

/** The calls of one graph, while its units run. */
export interface GraphCalls {
  /** `name`: of a unit of the graph. */
  join(name: string): JoinCalls
  /** Ends all of its calls. */
  close(): void
}

/** A unit whose agent may be called. */
interface Callable {
  readonly definition: UnitDefinition
  readonly agent: CallAgent
}

/** The brokers of a host: one for each graph, because calls never leave what their graph says. */
export class HostCalls {
  readonly #powers: BrokerPowers
  /** Units of open graphs, by their names. */
  readonly #definitions = new Map<string, UnitDefinition>()
  /** Those that run, by their names. */
  readonly #callable = new Map<string, Callable>()
  readonly #limits: Partial<CallLimits>
  readonly #brokers = new Set<Broker>()

  constructor(powers: BrokerPowers, limits: Partial<CallLimits> = {}) {
    this.#powers = powers
    this.#limits = limits
  }

  /** `started`: what is started of the graph. The others in it run already, and are called where their own graph has them. */
  open(graph: Graph, started: Graph = graph): GraphCalls {
    const borrowed = (key: string) =>
      Object.hasOwn(started.units, key) ? undefined : this.#agentLike(graph.units[key]!)
    const broker = new Broker(new Authority(graph), { ...this.#powers, borrowed }, this.#limits)
    const keys = new Map(Object.entries(graph.units).map(([key, { name }]) => [name, key]))
    this.#brokers.add(broker)
    const definitions = Object.values(started.units)
    for (const definition of definitions) this.#definitions.set(definition.name, definition)
    return {
      join: (name) => (agent, options) => {
        const key = keys.get(name)!
        this.#mayBeCalled({ definition: graph.units[key]!, agent })
        return broker.attach(key, agent, options)
      },
      close: () => {
        broker.close()
        this.#brokers.delete(broker)
        for (const definition of definitions) {
          if (this.#definitions.get(definition.name) === definition) this.#definitions.delete(definition.name)
        }
      },
    }
  }

  /** What the unit of this name was started as, until its graph has ended. */
  definitionOf(name: string): UnitDefinition | undefined {
    return this.#definitions.get(name)
  }

  /** The agent of the unit of this name, as long as it provides the very things that the definition was copied with. */
  #agentLike({ name, provides }: UnitDefinition): CallAgent | undefined {
    const callable = this.#callable.get(name)
    return callable?.definition.provides === provides ? callable.agent : undefined
  }

  #mayBeCalled(callable: Callable): void {
    const { name } = callable.definition
    this.#callable.set(name, callable)
    void callable.agent.closed.then(() => {
      if (this.#callable.get(name) === callable) this.#callable.delete(name)
    })
  }

  revoke(name: string): number {
    let edges = 0
    for (const broker of this.#brokers) edges += broker.revoke(name)
    return edges
  }

  close(): void {
    for (const broker of this.#brokers) broker.close()
  }
}
