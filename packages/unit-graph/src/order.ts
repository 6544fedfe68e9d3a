import { circlesOf } from './check/circles.js'
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
  const lives = Object.entries(units).map(
    ([key, { diesWith = [] }]) => [key, diesWith.map((name) => keys.get(name)!)] as const,
  )
  const both = new Map(lives.map(([key, others]) => [key, new Set([...edges.get(key)!, ...others])]))
  const circle = circlesOf(Object.keys(units), both)
  for (const [key, others] of lives) {
    for (const other of others) if (circle.get(other) !== circle.get(key)) edges.get(key)!.add(other)
  }
  return edges
}
