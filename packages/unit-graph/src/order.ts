import { strongWires } from './check/wires.js'
import type { Graph, UnitMap } from './compose.js'

/**
 * The keys of the graph in the order in which a host starts them: providers before their consumers, as far as
 * strong wires and `diesWith` say. Where units die with each other in a circle, or with their own consumers, that says
 * nothing about their order. Units in one inner list do not wait for each other. Stopping is the reverse.
 */
export function startOrder<Units extends UnitMap>(
  graph: Graph<Units>,
): readonly (readonly (keyof Units & string)[])[] {
  const keys = new Map(Object.entries(graph.units).map(([key, { name }]) => [name, key]))
  const edges = startedBefore(graph, keys)
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

/** For each key the keys that are up before it. */
function startedBefore(
  { units, wires }: Graph,
  keys: ReadonlyMap<string, string>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const edges = new Map([...strongWires(units, keys, wires)].map(([key, before]) => [key, new Set(before)]))
  for (const [key, { diesWith = [] }] of Object.entries(units)) {
    for (const name of diesWith) {
      const other = keys.get(name)!
      if (!waitsFor(edges, other, key)) edges.get(key)!.add(other)
    }
  }
  return edges
}

/** Whether `one` is `other`, or comes after it. */
function waitsFor(edges: ReadonlyMap<string, ReadonlySet<string>>, one: string, other: string): boolean {
  // What is added while a set is walked is walked, too.
  const before = new Set([one])
  for (const key of before) {
    if (key === other) return true
    for (const next of edges.get(key)!) before.add(next)
  }
  return false
}
