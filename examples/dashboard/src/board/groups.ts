import { compose, type Graph, type UnitMap } from '@spectrum/unit-runtime'

/** Units that can only be started together, as a graph of their own. */
export interface Group {
  readonly graph: Graph
  /** Names of its units. */
  readonly units: readonly string[]
}

/**
 * A graph, taken apart where no wire and no shared fate holds it together. A host starts graphs, not units: what has ended
 * comes again with the units it is wired to.
 */
export function groupsOf(graph: Graph): readonly Group[] {
  const keyOf = new Map(Object.entries(graph.units).map(([key, { name }]) => [name, key]))
  const neighbours = new Map<string, Set<string>>(Object.keys(graph.units).map((key) => [key, new Set()]))
  const join = (key: string, name: string) => {
    const other = keyOf.get(name)
    if (other === undefined) return
    neighbours.get(key)?.add(other)
    neighbours.get(other)?.add(key)
  }
  for (const { unit, to } of graph.wires) {
    if (to.kind === 'grant' && to.from.kind === 'unit') join(unit, to.from.unit)
  }
  for (const [key, { diesWith = [] }] of Object.entries(graph.units)) {
    for (const name of diesWith) join(key, name)
  }
  const groups: Group[] = []
  const grouped = new Set<string>()
  for (const key of neighbours.keys()) {
    if (grouped.has(key)) continue
    const members = reach(key, neighbours)
    for (const member of members) grouped.add(member)
    groups.push(groupOf(graph, members))
  }
  return groups
}

function reach(start: string, neighbours: ReadonlyMap<string, ReadonlySet<string>>): ReadonlySet<string> {
  const found = new Set([start])
  // A set that grows while it is walked is walked to its end.
  for (const key of found) for (const next of neighbours.get(key) ?? []) found.add(next)
  return found
}

function groupOf(graph: Graph, members: ReadonlySet<string>): Group {
  const units: UnitMap = Object.fromEntries(Object.entries(graph.units).filter(([key]) => members.has(key)))
  const wiring: Record<string, Record<string, unknown>> = {}
  for (const { unit, need, to } of graph.wires) {
    if (members.has(unit)) wiring[unit] = { ...wiring[unit], [need]: to }
  }
  return {
    // What was a graph in one piece is one in several, and the types of its needs are checked at run time.
    graph: compose(units)
      .wire(wiring as never)
      ._unsafeUnwrap(),
    units: Object.values(units).map(({ name }) => name),
  }
}
