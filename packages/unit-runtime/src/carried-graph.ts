import type { Graph } from '@spectrum/unit-graph'
import type { HostService } from './broker/powers.js'
import type { HostError } from './errors.js'

/**
 * Why this host must not start a graph: it asks for something that the host would not do. Starting it all the same
 * would run units under other rules than the ones that were written down.
 */
export function faultOfGraph(
  graph: Graph,
  services: Readonly<Record<string, HostService>> = {},
): HostError | undefined {
  for (const [key, unit] of Object.entries(graph.units)) {
    const beyond = (['command', 'restart', 'diesWith'] as const).find((field) => unit[field] !== undefined)
    if (beyond !== undefined) return invalid(`${key}.${beyond}`, 'Start the unit without it, and use exec.')
    if (unit.start === 'lazy') return invalid(`${key}.start`, 'Start the unit when it is needed.')
  }
  for (const { unit, need, to } of graph.wires) {
    if (to.kind === 'absent' || to.from.kind !== 'host' || Object.hasOwn(services, to.from.name)) continue
    const message =
      `${unit}.${need} is wired to the function "${to.from.name}" of the host program, which this host does not have. ` +
      'Name it when the host is opened: openHost({ services: { … } }).'
    return { kind: 'invalid-request', message, field: `${unit}.${need}` }
  }
  return undefined
}

const invalid = (field: string, way: string): HostError => ({
  kind: 'invalid-request',
  message: `${field} is part of the graph, but this host supervises no commands yet. ${way}`,
  field,
})
