import type { Authority } from '../engine/authority.js'
import type { Edge } from '../engine/edge.js'
import type { AnyService } from '../service/service.js'
import { type EdgeView, viewOf } from './view.js'

/** How one unit can reach another. */
export interface Explanation {
  /** Key of a unit. */
  readonly from: string
  /** Key of a unit, or `host:NAME`. */
  readonly to: string
  /** The edges that lead straight from one to the other. */
  readonly direct: readonly EdgeView[]
  /**
   * A shortest chain of edges, when none is direct: each unit on it could pass on what it is asked to. Empty
   * when there is none: then nothing that `from` does can reach `to` through this graph.
   */
  readonly chain: readonly EdgeView[]
}

/**
 * Why can `from` reach `to`? Both are keys of units; `to` may be `host:NAME`.
 *
 * @example
 * ```ts
 * import { Authority, explain, type Graph } from '@spectrum/unit-graph'
 *
 * export function conditions(graph: Graph): readonly string[] {
 *   const { direct, chain } = explain(new Authority(graph), 'mail', 'vault', Date.now())
 *   if (direct.length === 0) return [`only by ${chain.length} calls, one after the other`]
 *   return direct.flatMap((edge) => edge.conditions) // ['asks each time', 'at most 10 each minute']
 * }
 * ```
 */
export function explain(authority: Authority, from: string, to: string, now: number): Explanation {
  const edges = authority.edges()
  const view = (edge: Edge) => viewOf(authority, edge, now)
  const direct = edges.filter((edge) => edge.unit === from && endOf(edge) === to).map(view)
  const chain = direct.length > 0 ? [] : shortestChain(edges, from, to).map(view)
  return { from, to, direct, chain }
}

/**
 * Who may call this service, of whichever provider, and under which conditions?
 *
 * @example
 * ```ts
 * import { Authority, type Graph, whoCan } from '@spectrum/unit-graph'
 *
 * export function callers(graph: Graph): readonly string[] {
 *   return whoCan(new Authority(graph), 'org.example.sign', Date.now()).map(({ consumer }) => consumer)
 * }
 * ```
 */
export function whoCan(authority: Authority, service: AnyService | string, now: number): readonly EdgeView[] {
  const name = typeof service === 'string' ? service : service.name
  return authority
    .edges()
    .filter((edge) => edge.service.name === name)
    .map((edge) => viewOf(authority, edge, now))
}

/** All that a unit may do. */
export interface UnitAuthority {
  /** Key of the unit. */
  readonly unit: string
  /** Store paths that it was granted, without what they reference. */
  readonly store: readonly string[]
  /** Its edges, each with its conditions. */
  readonly calls: readonly EdgeView[]
  /** Needs that are wired to nothing on purpose. */
  readonly absent: readonly string[]
  /** Who may call what it provides. */
  readonly serves: readonly EdgeView[]
  /** Keys of all units, and host functions, that it can reach through any chain of edges. */
  readonly reaches: readonly string[]
}

/** All that a unit may do to others; undefined if the graph has no such key. */
export function authorityOf(authority: Authority, unit: string, now: number): UnitAuthority | undefined {
  const { units, wires } = authority.graph
  if (!Object.hasOwn(units, unit)) return undefined
  const edges = authority.edges()
  const view = (edge: Edge) => viewOf(authority, edge, now)
  return {
    unit,
    store: units[unit]!.store.roots,
    calls: edges.filter((edge) => edge.unit === unit).map(view),
    absent: wires.filter((wire) => wire.unit === unit && wire.to.kind === 'absent').map(({ need }) => need),
    serves: edges.filter((edge) => endOf(edge) === unit).map(view),
    reaches: [...arrivals(edges, unit).keys()].filter((key) => key !== unit).sort(),
  }
}

const endOf = (edge: Edge) => (edge.to.kind === 'unit' ? edge.to.unit : `host:${edge.to.name}`)

/** Every place that is reachable, with the edge on which it is reached first. */
function arrivals(edges: readonly Edge[], from: string): ReadonlyMap<string, Edge | undefined> {
  const leaving = new Map<string, Edge[]>()
  for (const edge of edges) {
    const known = leaving.get(edge.unit)
    if (known === undefined) leaving.set(edge.unit, [edge])
    else known.push(edge)
  }
  const arrived = new Map<string, Edge | undefined>([[from, undefined]])
  // A map iterates over what is added meanwhile, too, so this is breadth first.
  for (const place of arrived.keys()) {
    for (const edge of leaving.get(place) ?? []) {
      if (!arrived.has(endOf(edge))) arrived.set(endOf(edge), edge)
    }
  }
  return arrived
}

function shortestChain(edges: readonly Edge[], from: string, to: string): readonly Edge[] {
  const arrived = arrivals(edges, from)
  const chain: Edge[] = []
  for (let edge = arrived.get(to); edge !== undefined; edge = arrived.get(edge.unit)) chain.unshift(edge)
  return chain
}
