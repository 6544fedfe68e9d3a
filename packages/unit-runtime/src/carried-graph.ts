import type { Graph } from '@spectrum/unit-graph'
import type { HostError } from './errors.js'

/**
 * Why this host must not start a graph: it asks for something that the host would not do. Starting it all the same
 * would run units under other rules than the ones that were written down.
 */
export function faultOfGraph(graph: Graph): HostError | undefined {
  for (const [key, unit] of Object.entries(graph.units)) {
    const beyond = (['command', 'restart', 'diesWith'] as const).find((field) => unit[field] !== undefined)
    if (beyond !== undefined) return invalid(`${key}.${beyond}`, 'Start the unit without it, and use exec.')
    if (unit.start === 'lazy') return invalid(`${key}.start`, 'Start the unit when it is needed.')
  }
  const wire = graph.wires.find(({ to }) => to.kind === 'grant')
  if (wire === undefined) return undefined
  return invalid(`${wire.unit}.${wire.need}`, 'Wire the need to absent, or leave it out.')
}

const invalid = (field: string, way: string): HostError => ({
  kind: 'invalid-request',
  message: `${field} is part of the graph, but this host carries no calls and supervises no commands yet. ${way}`,
  field,
})
