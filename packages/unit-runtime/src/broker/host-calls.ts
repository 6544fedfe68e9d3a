import type { AgentError } from '@spectrum/guest-agent'
import { Authority, type Graph } from '@spectrum/unit-graph'
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

/** The brokers of a host: one for each graph, because calls never leave their graph. */
export class HostCalls {
  readonly #powers: BrokerPowers
  readonly #limits: Partial<CallLimits>
  readonly #brokers = new Set<Broker>()

  constructor(powers: BrokerPowers, limits: Partial<CallLimits> = {}) {
    this.#powers = powers
    this.#limits = limits
  }

  open(graph: Graph): GraphCalls {
    const broker = new Broker(new Authority(graph), this.#powers, this.#limits)
    const keys = new Map(Object.entries(graph.units).map(([key, { name }]) => [name, key]))
    this.#brokers.add(broker)
    return {
      join: (name) => (agent, options) => broker.attach(keys.get(name)!, agent, options),
      close: () => {
        broker.close()
        this.#brokers.delete(broker)
      },
    }
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
