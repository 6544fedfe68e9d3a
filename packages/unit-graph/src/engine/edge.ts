import type { Attenuator } from '../attenuator/attenuator.js'
import type { Graph } from '../compose.js'
import type { AnyService } from '../service/service.js'

/** One way on which a call can go. */
export interface Edge {
  /** Key of the consuming unit. */
  readonly unit: string
  readonly need: string
  readonly service: AnyService
  /** Key of the providing unit and its name for what it provides, or the host program's name for its function. */
  readonly to:
    | { readonly kind: 'unit'; readonly unit: string; readonly provision: string }
    | { readonly kind: 'host'; readonly name: string }
  readonly attenuators: readonly Attenuator[]
  readonly strength: 'strong' | 'weak'
}

/** The edges of a graph in the order of its wires. */
export function edgesOf(graph: Graph): readonly Edge[] {
  const keys = new Map(Object.entries(graph.units).map(([key, { name }]) => [name, key]))
  return graph.wires.flatMap(({ unit, need, to }): Edge[] => {
    if (to.kind === 'absent') return []
    const { service, from, attenuators, strength } = to
    const end =
      from.kind === 'host'
        ? from
        : { kind: 'unit' as const, unit: keys.get(from.unit)!, provision: from.provision }
    return [{ unit, need, service, to: end, attenuators, strength }]
  })
}
