import type { GraphError } from '../errors.js'
import { printable } from '../escape.js'
import type { Grant } from '../grant.js'
import type { AnyService } from '../service/service.js'
import type { UnitDefinition } from '../unit.js'
import type { Wire } from '../wire.js'
import { faultOfAttenuators } from './attenuator.js'
import { findCycle } from './cycle.js'
import { isRecord } from './fault.js'
import { faultOfService } from './service.js'

type Units = Readonly<Record<string, UnitDefinition>>

/** The first fault of the wires between units that are each sound. */
export function faultOfWires(units: Units, wires: readonly Wire[]): GraphError | undefined {
  const keys = new Map(Object.entries(units).map(([key, { name }]) => [name, key]))
  const bound = new Set<string>()
  for (const [index, wire] of wires.entries()) {
    const fault = faultOfWire(units, keys, wire, ['wires', String(index)], bound)
    if (fault !== undefined) return fault
  }
  return (
    faultOfUnbound(units, bound) ??
    faultOfClash(units, wires) ??
    faultOfLives(units, keys) ??
    faultOfCycle(units, keys, wires) ??
    faultOfUnreachable(units, wires)
  )
}

const placeOf = (unit: string, need: string) => JSON.stringify([unit, need])
const say = (unit: string, need: string) => `${printable(unit)}.${printable(need)}`

function faultOfWire(
  units: Units,
  keys: ReadonlyMap<string, string>,
  wire: Wire,
  path: readonly string[],
  bound: Set<string>,
): GraphError | undefined {
  if (!isRecord(wire) || typeof wire.unit !== 'string' || typeof wire.need !== 'string') {
    return { kind: 'invalid-value', message: 'A wire is { unit, need, to }.', path }
  }
  const { unit, need, to } = wire
  if (!Object.hasOwn(units, unit)) {
    const message = `${say(unit, need)} is wired, but no unit has the key "${printable(unit)}".`
    return { kind: 'unknown-unit', message, path: [...path, 'unit'], unit }
  }
  const needs = units[unit]!.needs
  if (!Object.hasOwn(needs, need)) {
    const message = `${say(unit, need)} is wired, but ${printable(unit)} has no such need; it has: ${Object.keys(needs).join(', ') || 'none'}.`
    return { kind: 'unknown-need', message, path: [...path, 'need'], unit, need }
  }
  if (bound.has(placeOf(unit, need))) {
    const message = `${say(unit, need)} is wired twice; keep the wire that is meant.`
    return { kind: 'wired-twice', message, path, unit, need }
  }
  bound.add(placeOf(unit, need))
  const { service, availability } = needs[need]!
  if (isRecord(to) && to.kind === 'absent') {
    if (availability === 'optional') return undefined
    const message = `${say(unit, need)} must be provided; define the need as .optional() if the unit can do without.`
    return { kind: 'unbound-need', message, path: [...path, 'to'], unit, need }
  }
  return faultOfGrant(units, keys, service, to, say(unit, need), [...path, 'to'])
}

function faultOfGrant(
  units: Units,
  keys: ReadonlyMap<string, string>,
  wanted: AnyService,
  to: unknown,
  subject: string,
  path: readonly string[],
): GraphError | undefined {
  const invalid = (rest: readonly string[], rule: string): GraphError => ({
    kind: 'invalid-value',
    message: `The wire of ${subject} must be ${rule}.`,
    path: [...path, ...rest],
  })
  if (!isGrant(to)) return invalid([], 'a provision, a grant made from one, or absent')
  const service = faultOfService(to.service)
  if (service !== undefined) return invalid(['service', ...service.path], service.rule)
  if (to.strength !== 'strong' && to.strength !== 'weak') return invalid(['strength'], '"strong" or "weak"')
  const attenuator = faultOfAttenuators(to.attenuators)
  if (attenuator !== undefined) return invalid(['attenuators', ...attenuator.path], attenuator.rule)
  if (to.service.name !== wanted.name) return wrongService(wanted, to, subject, path)
  if (to.from.kind === 'host') {
    return typeof to.from.name === 'string' && to.from.name !== ''
      ? undefined
      : invalid(['from', 'name'], 'fromHost(service, name) with a name')
  }
  const { unit, provision } = to.from
  const key = keys.get(unit)
  if (key === undefined) {
    const message = `${subject} is wired to unit "${printable(unit)}", which is not in this graph.`
    return { kind: 'unknown-unit', message, path: [...path, 'from', 'unit'], unit }
  }
  const provides = units[key]!.provides
  if (!Object.hasOwn(provides, provision)) {
    const message = `${subject} is wired to ${say(unit, provision)}, but that unit provides no such thing.`
    return { kind: 'unknown-provision', message, path: [...path, 'from', 'provision'], unit, provision }
  }
  // What a grant says of its service is not believed: the provider's own definition decides.
  const offered = provides[provision]!.service
  return sameService(offered, wanted) && sameService(to.service, wanted)
    ? undefined
    : wrongService(wanted, { ...to, service: offered }, subject, path)
}

function isGrant(value: unknown): value is Grant {
  if (!isRecord(value) || value['kind'] !== 'grant' || !isRecord(value['from'])) return false
  const from = value['from']
  return (
    from['kind'] === 'host' ||
    (from['kind'] === 'unit' && typeof from['unit'] === 'string' && typeof from['provision'] === 'string')
  )
}

function wrongService(
  wanted: AnyService,
  to: { readonly service: AnyService },
  subject: string,
  path: readonly string[],
): GraphError {
  const offered = to.service.name
  const message =
    offered === wanted.name
      ? `${subject} and its provider both speak of ${wanted.name}, but define it differently; share one definition.`
      : `${subject} needs ${wanted.name}, but is wired to ${offered}.`
  return { kind: 'wrong-service', message, path, wanted: wanted.name, offered }
}

function faultOfUnbound(units: Units, bound: ReadonlySet<string>): GraphError | undefined {
  for (const [unit, { needs }] of Object.entries(units)) {
    for (const [need, { service, availability }] of Object.entries(needs)) {
      if (bound.has(placeOf(unit, need))) continue
      const way = availability === 'optional' ? 'a provider or absent' : 'a provider'
      const message = `${say(unit, need)} needs ${service.name}: wire it to ${way}.`
      return { kind: 'unbound-need', message, path: [unit, 'needs', need], unit, need }
    }
  }
  return undefined
}

/** Everything of a service that two sides must agree on, in a fixed order of keys. */
function shapeOf(value: unknown): string {
  return JSON.stringify(value, (_key, one) =>
    isRecord(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one,
  )
}
const sameService = (one: AnyService, other: AnyService) => shapeOf(one) === shapeOf(other)

function faultOfClash(units: Units, wires: readonly Wire[]): GraphError | undefined {
  const seen = new Map<string, { readonly shape: string; readonly path: readonly string[] }>()
  const check = (service: AnyService, path: readonly string[]): GraphError | undefined => {
    const shape = shapeOf(service)
    const first = seen.get(service.name)
    if (first === undefined) seen.set(service.name, { shape, path })
    if (first === undefined || first.shape === shape) return undefined
    const message = `${path.join('.')} and ${first.path.join('.')} define ${service.name} differently; share one definition.`
    return { kind: 'service-clash', message, path, service: service.name, other: first.path }
  }
  for (const [key, { needs, provides }] of Object.entries(units)) {
    for (const [name, one] of Object.entries(needs)) {
      const fault = check(one.service, [key, 'needs', name])
      if (fault !== undefined) return fault
    }
    for (const [name, one] of Object.entries(provides)) {
      const fault = check(one.service, [key, 'provides', name])
      if (fault !== undefined) return fault
    }
  }
  for (const [index, { to }] of wires.entries()) {
    const fault = to.kind === 'grant' ? check(to.service, ['wires', String(index), 'to']) : undefined
    if (fault !== undefined) return fault
  }
  return undefined
}

function faultOfLives(units: Units, keys: ReadonlyMap<string, string>): GraphError | undefined {
  for (const [key, { name, diesWith = [] }] of Object.entries(units)) {
    for (const [index, other] of diesWith.entries()) {
      const path = [key, 'diesWith', String(index)]
      if (!keys.has(other)) {
        const message = `"${name}" dies with "${printable(other)}", which is not in this graph.`
        return { kind: 'unknown-unit', message, path, unit: other }
      }
    }
  }
  return undefined
}

function faultOfCycle(
  units: Units,
  keys: ReadonlyMap<string, string>,
  wires: readonly Wire[],
): GraphError | undefined {
  // Units may die with one another: that asks for no order of their starts.
  const cycle = findCycle(Object.keys(units), strongWires(units, keys, wires))
  if (cycle === undefined) return undefined
  const message = `Strong wires lead in a circle: ${cycle.join(' → ')}. Split a unit, turn a wire round, or make one .weak().`
  return { kind: 'cycle', message, path: [cycle[0]!], units: cycle }
}

/** For each key the keys that must be up before it: its providers over strong wires. */
export function strongWires(
  units: Units,
  keys: ReadonlyMap<string, string>,
  wires: readonly Wire[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const edges = new Map(Object.keys(units).map((key) => [key, new Set<string>()]))
  for (const { unit, to } of wires) {
    if (to.kind !== 'grant' || to.strength !== 'strong' || to.from.kind !== 'unit') continue
    edges.get(unit)!.add(keys.get(to.from.unit)!)
  }
  return edges
}

function faultOfUnreachable(units: Units, wires: readonly Wire[]): GraphError | undefined {
  const called = new Set(
    wires.flatMap(({ to }) => (to.kind === 'grant' && to.from.kind === 'unit' ? [to.from.unit] : [])),
  )
  const found = Object.entries(units).find(([, { start, name }]) => start === 'lazy' && !called.has(name))
  if (found === undefined) return undefined
  const [key, { name }] = found
  const message = `"${name}" starts when it is called, but no wire leads to it; wire it or make it eager.`
  return { kind: 'unreachable-unit', message, path: [key], unit: key }
}
