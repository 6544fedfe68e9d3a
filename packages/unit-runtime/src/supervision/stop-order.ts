import type { Graph } from '@spectrum/unit-graph'

/**
 * For each key of the graph the keys that are stopped before it: the units that call it, over strong wires and weak
 * ones, and those that die with it. Where that leads in a circle, weak wires give way first, then `diesWith`; strong
 * wires never lead in one.
 */
export function stoppedBefore(graph: Graph): ReadonlyMap<string, ReadonlySet<string>> {
  const keys = new Map(Object.entries(graph.units).map(([key, { name }]) => [name, key]))
  const before = new Map(Object.keys(graph.units).map((key) => [key, new Set<string>()]))
  const add = (first: string, then: string) => {
    if (first !== then && !leads(before, then, first)) before.get(then)!.add(first)
  }
  const wires = graph.wires.flatMap(({ unit, to }) =>
    to.kind === 'grant' && to.from.kind === 'unit'
      ? [{ consumer: unit, provider: keys.get(to.from.unit)!, strength: to.strength }]
      : [],
  )
  for (const { consumer, provider, strength } of wires) {
    if (strength === 'strong') before.get(provider)!.add(consumer)
  }
  for (const [key, { diesWith = [] }] of Object.entries(graph.units)) {
    for (const name of diesWith) add(key, keys.get(name)!)
  }
  for (const { consumer, provider, strength } of wires) if (strength === 'weak') add(consumer, provider)
  return before
}

/** Whether `first` has to wait for `then` already. */
function leads(before: ReadonlyMap<string, ReadonlySet<string>>, then: string, first: string): boolean {
  const seen = new Set<string>([first])
  const waiting = [first]
  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    if (key === then) return true
    for (const next of before.get(key)!) {
      if (!seen.has(next)) waiting.push(next)
      seen.add(next)
    }
  }
  return false
}

/** The keys of all units that end when these do, these included; circles are fine. */
export function dyingWith(graph: Graph, ending: Iterable<string>): ReadonlySet<string> {
  const dependents = new Map<string, string[]>()
  for (const [key, { diesWith = [] }] of Object.entries(graph.units)) {
    for (const name of diesWith) dependents.set(name, [...(dependents.get(name) ?? []), key])
  }
  const dying = new Set(ending)
  // What is added while a set is walked is walked, too.
  for (const key of dying) for (const other of dependents.get(graph.units[key]!.name) ?? []) dying.add(other)
  return dying
}
