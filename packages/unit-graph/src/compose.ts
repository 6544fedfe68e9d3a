import { err, ok, type Result } from 'neverthrow'
import type { GraphError } from './errors.js'
import { printable } from './escape.js'
import type { UnitDefinition } from './unit.js'

export type UnitMap = Readonly<Record<string, UnitDefinition>>

/**
 * Units that belong together. Frozen plain data: two graphs compare by their JSON.
 * The keys are the program's own names for the units; `units.mail` stays typed from `compose({ mail })`.
 */
export interface Graph<Units extends UnitMap = UnitMap> {
  readonly kind: 'graph'
  readonly units: Units
}

const MEBIBYTE = 1024 * 1024
const NAME = /^[a-z][a-z0-9-]{0,31}$/

/**
 * Checks units together and makes a graph of them.
 * The first fault in the order of the keys is returned; nothing is started or looked up.
 */
export function compose<const Units extends UnitMap>(units: Units): Result<Graph<Units>, GraphError> {
  const keys = Object.keys(units)
  if (keys.length === 0) {
    return err({ kind: 'no-units', message: 'A graph needs at least one unit: compose({ mail }).', path: [] })
  }
  const holders = new Map<string, string>()
  for (const key of keys) {
    const fault = faultOf(key, units[key], holders)
    if (fault !== undefined) return err(fault)
    holders.set(units[key]!.name, key)
  }
  return ok(Object.freeze({ kind: 'graph', units: Object.freeze({ ...units }) }))
}

/**
 * The keys of the graph in the order in which a host starts them: units in one inner list do not depend on
 * each other. Stopping is the reverse. Units have no wires between them, so all of them are independent.
 */
export function startOrder<Units extends UnitMap>(
  graph: Graph<Units>,
): readonly (readonly (keyof Units & string)[])[] {
  return [Object.keys(graph.units)]
}

// Types are no boundary: a graph may be built from JavaScript or from parsed JSON.
function faultOf(key: string, unit: unknown, holders: ReadonlyMap<string, string>): GraphError | undefined {
  if (!isUnit(unit)) {
    const message = `"${printable(key)}" is not a unit; make it with defineUnit(name, { store: closure(…) }).`
    return { kind: 'not-a-unit', message, path: [key] }
  }
  if (typeof unit.name !== 'string' || !NAME.test(unit.name)) {
    const message = `"${printable(unit.name)}" is not a unit name: take a lower-case letter, then at most 31 of a-z, 0-9 and "-".`
    return { kind: 'invalid-name', message, path: [key, 'name'], name: String(unit.name) }
  }
  const other = holders.get(unit.name)
  if (other !== undefined) {
    const message = `"${printable(key)}" and "${printable(other)}" are both named "${unit.name}"; a name belongs to one unit.`
    return { kind: 'duplicate-name', message, path: [key, 'name'], name: unit.name, other }
  }
  return faultOfStore(key, unit) ?? faultOfSize(key, unit)
}

function isUnit(value: unknown): value is UnitDefinition {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'unit'
}

function faultOfStore(key: string, unit: UnitDefinition): GraphError | undefined {
  const store: unknown = unit.store
  const roots = (store as { roots?: unknown } | undefined)?.roots
  if ((store as { kind?: unknown } | undefined)?.kind !== 'closure' || !Array.isArray(roots)) {
    const message = `Unit "${unit.name}" has no store: grant it store: closure('/nix/store/…').`
    return { kind: 'invalid-value', message, path: [key, 'store'] }
  }
  if (roots.length === 0) {
    const message = `Unit "${unit.name}" is granted an empty closure; name at least one store path.`
    return { kind: 'empty-closure', message, path: [key, 'store', 'roots'] }
  }
  const wrong = roots.findIndex((root) => typeof root !== 'string' || root === '')
  if (wrong < 0) return undefined
  const message = `Root ${wrong} of unit "${unit.name}" is not a store path; write it as /nix/store/HASH-NAME.`
  return { kind: 'invalid-value', message, path: [key, 'store', 'roots', String(wrong)] }
}

function faultOfSize(key: string, unit: UnitDefinition): GraphError | undefined {
  const { memoryBytes, vcpuCount, hotplugSlots } = unit
  const wrong = (field: string, rule: string): GraphError => ({
    kind: 'invalid-value',
    message: `${field} of unit "${unit.name}" must be ${rule}.`,
    path: [key, field],
  })
  if (memoryBytes !== undefined && !isWhole(memoryBytes, 32 * MEBIBYTE, 2 ** 44, MEBIBYTE)) {
    return wrong('memoryBytes', 'a multiple of 1 MiB from 32 MiB to 16 TiB')
  }
  if (vcpuCount !== undefined && !isWhole(vcpuCount, 1, 255, 1)) {
    return wrong('vcpuCount', 'a whole number from 1 to 255')
  }
  if (hotplugSlots !== undefined && !isWhole(hotplugSlots, 0, 255, 1)) {
    return wrong('hotplugSlots', 'a whole number from 0 to 255')
  }
  return undefined
}

function isWhole(value: unknown, least: number, most: number, step: number): boolean {
  return (
    Number.isSafeInteger(value) &&
    Number(value) >= least &&
    Number(value) <= most &&
    Number(value) % step === 0
  )
}
