import { strongEdges } from './check/wires.js'
import type { Graph, UnitMap } from './compose.js'

/**
 * The keys of the graph in the order in which a host starts them: providers before their consumers, as far as
 * strong wires and `diesWith` say. Units in one inner list do not wait for each other. Stopping is the reverse.
 */
export function startOrder<Units extends UnitMap>(
  graph: Graph<Units>,
): readonly (readonly (keyof Units & string)[])[] {
  const keys = new Map(Object.entries(graph.units).map(([key, { name }]) => [name, key]))
  const edges = strongEdges(graph.units, keys, graph.wires)
  const missing = new Map([...edges].map(([key, providers]) => [key, providers.size]))
  const consumers = new Map<string, string[]>(Object.keys(graph.units).map((key) => [key, []]))
  for (const [key, providers] of edges) for (const provider of providers) consumers.get(provider)!.push(key)
  const order: string[][] = []
  let ready = Object.keys(graph.units).filter((key) => missing.get(key) === 0)
  while (ready.length > 0) {
    order.push(ready)
    const next: string[] = []
    for (const key of ready) {
      for (const consumer of consumers.get(key)!) {
        const left = missing.get(consumer)! - 1
        missing.set(consumer, left)
        if (left === 0) next.push(consumer)
      }
    }
    ready = next
  }
  return order
}
