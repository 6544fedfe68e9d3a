import type { Graph, UnitMap } from '../compose.js'
import { type Edge, edgesOf } from '../engine/edge.js'
import { startOrder } from '../order.js'
import type { UnitDefinition } from '../unit.js'

/** A node of a Genode configuration, from which both of its notations are printed. */
export interface GenodeNode {
  /** The name of the element: `config`, `start` … */
  readonly type: string
  /** In order; the first one, if it is `name`, stands beside the type in HID. */
  readonly attributes: readonly (readonly [name: string, value: string])[]
  /** Nodes inside of it, in order. */
  readonly children: readonly GenodeNode[]
}

/** What every component asks of core by way of its parent (Genode Foundations, "Services of core"). */
const CORE_SERVICES = ['PD', 'CPU', 'ROM', 'LOG'] as const
const DEFAULT_MEMORY_BYTES = 256 * 1024 * 1024
const CAPS = 1000

const node = (
  type: string,
  attributes: Readonly<Record<string, string>> = {},
  children: readonly GenodeNode[] = [],
): GenodeNode => ({ type, attributes: Object.entries(attributes), children })

/**
 * A configuration of Genode's `init` that gives each unit exactly the routes of its wires: explicit routes only,
 * never `any-service` or `any-child`; a need that is wired to nothing has no route, so `init` denies it. The
 * session label is the need's name. A provider gets the policies of its own callers, made of the same edges.
 *
 * Attenuators have no counterpart in `init`: an edge that has any goes through a component of its own,
 * `CONSUMER-NEED-guard`, which is told the conditions in its `config` and is to be provided by the system.
 */
export function genodeOf(graph: Graph): GenodeNode {
  const edges = edgesOf(graph)
  const host = [...new Set(edges.flatMap(({ to, service }) => (to.kind === 'host' ? [service.name] : [])))]
  const order = startOrder(graph as Graph<UnitMap>).flat()
  return node('config', {}, [
    node(
      'parent-provides',
      {},
      [...CORE_SERVICES, ...host.map(serviceName)].map((name) => node('service', { name })),
    ),
    ...order.flatMap((key) => [
      ...edges
        .filter((edge) => edge.unit === key && edge.attenuators.length > 0)
        .map((edge) => guard(graph, edge)),
      start(graph, key, edges),
    ]),
  ])
}

/** Genode's service names are single words that begin with a capital letter. */
const serviceName = (name: string) =>
  name
    .split(/[.-]/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('_')

const guardName = (graph: Graph, edge: Edge) => `${graph.units[edge.unit]!.name}-${edge.need}-guard`

/** The child, or the parent, that answers the last hop of an edge. */
function targetOf(graph: Graph, edge: Edge): GenodeNode {
  return edge.to.kind === 'host'
    ? node('parent', { label: edge.to.name })
    : node('child', { name: graph.units[edge.to.unit]!.name })
}

const route = (rules: readonly GenodeNode[]) =>
  node('route', {}, [...rules, ...CORE_SERVICES.map((name) => node('service', { name }, [node('parent')]))])

function start(graph: Graph, key: string, edges: readonly Edge[]): GenodeNode {
  const unit = graph.units[key]!
  const rules = edges
    .filter((edge) => edge.unit === key)
    .map((edge) => {
      const direct = edge.attenuators.length === 0
      const target = direct ? targetOf(graph, edge) : node('child', { name: guardName(graph, edge) })
      return node('service', { name: serviceName(edge.service.name), label: edge.need }, [target])
    })
  const provided = [...new Set(Object.values(unit.provides).map(({ service }) => serviceName(service.name)))]
  const policies = edges
    .filter((edge) => edge.to.kind === 'unit' && edge.to.unit === key)
    .map((edge) => policy(graph, edge))
  return component(unit.name, unit, [
    ...(provided.length === 0
      ? []
      : [
          node(
            'provides',
            {},
            provided.map((name) => node('service', { name })),
          ),
        ]),
    route(rules),
    node('config', {}, [
      ...(unit.command ?? []).map((value) => node('arg', { value })),
      ...unit.store.roots.map((path) => node('store-path', { path })),
      ...policies,
    ]),
  ])
}

/**
 * The session label a server sees is `CHILD -> LABEL`: `init` writes the child's name, so the caller is known
 * from the route and not from what it says. The label is left as it is, and the policy says what it stands for.
 */
function policy(graph: Graph, edge: Edge): GenodeNode {
  const asks = edge.attenuators.length === 0 ? graph.units[edge.unit]!.name : guardName(graph, edge)
  const provision = edge.to.kind === 'unit' ? edge.to.provision : edge.to.name
  return node('policy', { label: `${asks} -> ${edge.need}`, provision })
}

function guard(graph: Graph, edge: Edge): GenodeNode {
  const name = serviceName(edge.service.name)
  const conditions = edge.attenuators.map((one) => node('condition', { json: JSON.stringify(one) }))
  return component(guardName(graph, edge), undefined, [
    node('binary', { name: 'spectrum-guard' }),
    node('provides', {}, [node('service', { name })]),
    route([node('service', { name, label: edge.need }, [targetOf(graph, edge)])]),
    node('config', {}, [
      ...conditions,
      node('policy', { label: `${graph.units[edge.unit]!.name} -> ${edge.need}` }),
    ]),
  ])
}

function component(
  name: string,
  unit: UnitDefinition | undefined,
  children: readonly GenodeNode[],
): GenodeNode {
  const ram = unit === undefined ? '4M' : `${(unit.memoryBytes ?? DEFAULT_MEMORY_BYTES) / (1024 * 1024)}M`
  return node('start', { name, caps: String(CAPS), ram }, children)
}

/** As XML, which `init` reads up to Genode 26.08. */
export function printXml(tree: GenodeNode, indent = ''): string {
  const attributes = tree.attributes.map(([name, value]) => ` ${name}="${xmlText(value)}"`).join('')
  if (tree.children.length === 0) return `${indent}<${tree.type}${attributes}/>\n`
  const inner = tree.children.map((child) => printXml(child, `${indent}  `)).join('')
  return `${indent}<${tree.type}${attributes}>\n${inner}${indent}</${tree.type}>\n`
}

const xmlText = (text: string) =>
  text.replace(/[^\x20\x21\x23-\x25\x27-\x3b\x3d\x3f-\x7e]/gu, (one) => `&#${one.codePointAt(0)};`)

/** As HID ("human-inclined data"), the notation since Genode 26.02. Throws on a value that HID cannot hold. */
export function printHid(tree: GenodeNode): string {
  return `${hidLines(tree, 0).join('\n')}\n-\n`
}

function hidLines(tree: GenodeNode, depth: number): readonly string[] {
  const bullet = depth === 0 ? '' : `${'  '.repeat(depth - 1)}+ `
  const parts = tree.attributes.map(([name, value], index) =>
    index === 0 && name === 'name' ? undefined : `${name}: ${hidValue(value)}`,
  )
  const named = tree.attributes[0]?.[0] === 'name' ? ` ${hidValue(tree.attributes[0][1])}` : ''
  const line = [`${bullet}${tree.type}${named}`, ...parts.filter((part) => part !== undefined)].join(' | ')
  return [line, ...tree.children.flatMap((child) => hidLines(child, depth + 1))]
}

function hidValue(value: string): string {
  // A bar or a line break would end the value, and blanks at its ends are not part of it.
  if (/[|\p{Cc}]/u.test(value) || value !== value.trim()) {
    throw new RangeError(`HID cannot hold ${JSON.stringify(value)}; print XML instead.`)
  }
  return value
}
