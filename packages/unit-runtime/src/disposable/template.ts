import { createHash } from 'node:crypto'
import {
  type Absent,
  compose,
  type Grant,
  type Graph,
  Provision,
  type UnitDefinition,
  type Wiring,
} from '@spectrum/unit-graph'
import { err, type Result } from 'neverthrow'
import type { HostError } from '../errors.js'
import { canonicalJson } from './canonical.js'

/** What the needs of a template are wired to: provisions of units that run on the host, its functions, or `absent`. */
export type TemplateWires = Readonly<Record<string, Grant | Provision | Absent>>

/** The wires that the compiler asks for: one for each need of the template, of its service. */
export type WiresOf<Template extends UnitDefinition> =
  Wiring<{ readonly unit: Template }> extends { readonly unit: infer Wires } ? Wires : undefined

/** A template with all that its units are granted. Two of them make the same units when their digests are equal. */
export interface Recipe {
  readonly template: UnitDefinition
  readonly wires: TemplateWires
  /** The units that the wires lead to, without needs of their own: these are decided where they were started. */
  readonly providers: readonly UnitDefinition[]
  /**
   * SHA-256, in hexadecimal, of the canonical JSON of the template's graph: its name, its store paths (whose names
   * stand for their contents), memory, processors and slots, its wires with every condition, and what is at their other
   * ends.
   */
  readonly digest: string
}

export function recipeOf(
  template: UnitDefinition,
  wires: TemplateWires,
  definitionOf: (unit: string) => UnitDefinition | undefined,
): Result<Recipe, HostError> {
  const beyond = (['command', 'restart', 'diesWith', 'volumes'] as const).find(
    (field) => template[field] !== undefined,
  )
  if (beyond !== undefined) {
    const message = `A disposable lives for one function, does what that says and keeps nothing: define "${template.name}" without ${beyond}.`
    return err({ kind: 'invalid-request', message, field: beyond })
  }
  if (template.start === 'lazy') {
    const message = `A disposable starts when it is asked for: define "${template.name}" without start: 'lazy'.`
    return err({ kind: 'invalid-request', message, field: 'start' })
  }
  const providers: UnitDefinition[] = []
  for (const name of new Set(Object.values(wires).flatMap(providerNames))) {
    const definition = definitionOf(name)
    if (definition === undefined) {
      const message = `"${template.name}" is wired to unit "${name}", which does not run on this host; start its graph first.`
      return err({ kind: 'invalid-request', message, field: 'wires' })
    }
    const { kind, store, provides } = definition
    providers.push({ kind, name, store, needs: {}, provides })
  }
  const graph = graphOf(template, template.name, wires, providers)
  return graph.map((whole) => {
    const { store } = template
    const roots = [...store.roots].sort()
    const units = { ...whole.units, [template.name]: { ...template, store: { ...store, roots } } }
    const digest = createHash('sha256')
      .update(canonicalJson({ ...whole, units }))
      .digest('hex')
    return { template, wires, providers, digest }
  })
}

/** The graphs of one disposable: what is started, and what decides over its calls. */
export function graphsOf(
  { template, wires, providers }: Recipe,
  name: string,
): Result<{ readonly start: Graph; readonly wired: Graph }, HostError> {
  return graphOf(template, name, wires, providers).map((wired) => ({
    start: Object.freeze({ kind: 'graph', units: { [name]: wired.units[name]! }, wires: [] }),
    wired,
  }))
}

function graphOf(
  template: UnitDefinition,
  name: string,
  wires: TemplateWires,
  providers: readonly UnitDefinition[],
): Result<Graph, HostError> {
  const units = Object.fromEntries([{ ...template, name }, ...providers].map((unit) => [unit.name, unit]))
  const wired = Object.keys(template.needs).length > 0 || Object.keys(wires).length > 0
  // Composing checks what the compiler cannot know of units by names.
  const wiring: object = wired ? { [name]: wires } : {}
  return compose(units)
    .wire(wiring)
    .mapErr(({ message, path }) => ({ kind: 'invalid-request', message, field: path.join('.') }))
}

function providerNames(end: Grant | Provision | Absent): readonly string[] {
  if (end instanceof Provision) return [end.unit]
  return end.kind === 'grant' && end.from.kind === 'unit' ? [end.from.unit] : []
}

/** At most 32 characters, as the names of all units. */
export function freshName(template: string, count: number): string {
  const suffix = `-${count}`
  return `${template.slice(0, 32 - suffix.length)}${suffix}`
}
