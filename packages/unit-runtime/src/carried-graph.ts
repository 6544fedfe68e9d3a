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
  for (const { unit, need, to } of graph.wires) {
    if (to.kind === 'absent' || to.from.kind !== 'host' || Object.hasOwn(services, to.from.name)) continue
    const message =
      `${unit}.${need} is wired to the function "${to.from.name}" of the host program, which this host does not have. ` +
      'Name it when the host is opened: openHost({ services: { … } }).'
    return { kind: 'invalid-request', message, field: `${unit}.${need}` }
  }
  return undefined
}
