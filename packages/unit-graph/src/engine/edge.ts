import type { Attenuator } from '../attenuator/attenuator.js'
import type { Graph } from '../compose.js'
import type { AnyService } from '../service/service.js'

/** One way on which a call can go. */
export interface Edge {
  /** Key of the consuming unit. */
  readonly unit: string
  /** Key of the need in the consuming unit's definition. */
  readonly need: string
  /** What is called; the need and the provision are both of it. */
  readonly service: AnyService
  /** Key of the providing unit and its name for what it provides, or the host program's name for its function. */
  readonly to:
    | {
        readonly kind: 'unit'
        /** Key of the providing unit. */
        readonly unit: string
        /** Key in that unit's `provides`. */
        readonly provision: string
      }
    | {
        readonly kind: 'host'
        /** The name that was given to `fromHost`. */
        readonly name: string
      }
  /** In the order in which they were put on; all of them must pass. */
  readonly attenuators: readonly Attenuator[]
  /** `weak`: neither unit waits for the other; see `Grant`. */
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
