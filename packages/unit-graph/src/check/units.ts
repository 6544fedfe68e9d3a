import type { GraphError } from '../errors.js'
import { printable } from '../escape.js'
import type { ResourceLimits, UnitDefinition } from '../unit.js'
import { isArgv } from './argv.js'
import { isRecord } from './fault.js'
import { faultOfInterfaces } from './interfaces.js'
import { faultOfVolumes } from './volumes.js'
import { isWhole, MEBIBYTE } from './whole.js'

export const UNIT_NAME = /^[a-z][a-z0-9-]{0,31}$/
export const MAX_UNITS = 4096

/** The first fault of the units themselves. Types are no boundary: they may come from JavaScript or a file. */
export function faultOfUnits(units: Readonly<Record<string, UnitDefinition>>): GraphError | undefined {
  const keys = Object.keys(units)
  if (keys.length === 0) {
    return { kind: 'no-units', message: 'A graph needs at least one unit: compose({ mail }).', path: [] }
  }
  if (keys.length > MAX_UNITS) {
    return { kind: 'invalid-value', message: `A graph has at most ${MAX_UNITS} units.`, path: [] }
  }
  const holders = new Map<string, string>()
  for (const key of keys) {
    const fault = faultOf(key, units[key], holders)
    if (fault !== undefined) return fault
    holders.set(units[key]!.name, key)
  }
  return undefined
}

function faultOf(key: string, unit: unknown, holders: ReadonlyMap<string, string>): GraphError | undefined {
  if (!isUnit(unit)) {
    const message = `"${printable(key)}" is not a unit; make it with defineUnit(name, { store: closure(…) }).`
    return { kind: 'not-a-unit', message, path: [key] }
  }
  if (typeof unit.name !== 'string' || !UNIT_NAME.test(unit.name)) {
    const message = `"${printable(unit.name)}" is not a unit name: take a lower-case letter, then at most 31 of a-z, 0-9 and "-".`
    return { kind: 'invalid-name', message, path: [key, 'name'], name: String(unit.name) }
  }
  const other = holders.get(unit.name)
  if (other !== undefined) {
    const message = `"${printable(key)}" and "${printable(other)}" are both named "${unit.name}"; a name belongs to one unit.`
    return { kind: 'duplicate-name', message, path: [key, 'name'], name: unit.name, other }
  }
  return (
    faultOfStore(key, unit) ??
    faultOfSize(key, unit) ??
    faultOfLimits(key, unit) ??
    faultOfVolumes(key, unit) ??
    faultOfLife(key, unit) ??
    faultOfInterfaces(key, unit)
  )
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
  if (vcpuCount !== undefined && !isWhole(vcpuCount, 1, 255)) {
    return wrong('vcpuCount', 'a whole number from 1 to 255')
  }
  if (hotplugSlots !== undefined && !isWhole(hotplugSlots, 0, 255)) {
    return wrong('hotplugSlots', 'a whole number from 0 to 255')
  }
  return undefined
}

/** In the order of their names in a definition, with their bounds. */
const RESOURCE_BOUNDS = {
  memoryBytes: [32 * MEBIBYTE, 2 ** 44],
  cpuWeight: [1, 10_000],
  ioWeight: [1, 10_000],
  pids: [1, 4_194_304],
} as const satisfies Record<keyof ResourceLimits, readonly [number, number]>
export const RESOURCES = Object.keys(RESOURCE_BOUNDS) as readonly (keyof ResourceLimits)[]

function faultOfLimits(key: string, { name, limits }: UnitDefinition): GraphError | undefined {
  if (limits === undefined) return undefined
  const fault = (path: readonly string[], rule: string): GraphError => ({
    kind: 'invalid-value',
    message: `${path.map(printable).join('.')} of unit "${name}" must be ${rule}.`,
    path: [key, ...path],
  })
  if (!isRecord(limits)) return fault(['limits'], `an object with any of ${RESOURCES.join(', ')}`)
  for (const field of Object.keys(limits)) {
    if (!Object.hasOwn(RESOURCE_BOUNDS, field)) return fault(['limits', field], 'left out: there is none')
  }
  for (const field of RESOURCES) {
    const [least, most] = RESOURCE_BOUNDS[field]
    if (limits[field] !== undefined && !isWhole(limits[field], least, most)) {
      return fault(['limits', field], `a whole number from ${least} to ${most}`)
    }
  }
  return undefined
}

function faultOfLife(key: string, unit: UnitDefinition): GraphError | undefined {
  const wrong = (path: readonly string[], rule: string): GraphError => ({
    kind: 'invalid-value',
    message: `${path.join('.')} of unit "${unit.name}" must be ${rule}.`,
    path: [key, ...path],
  })
  if (unit.command !== undefined && !isArgv(unit.command)) {
    return wrong(['command'], 'an argument vector: a program, then its arguments, without NUL')
  }
  if (unit.start !== undefined && unit.start !== 'eager' && unit.start !== 'lazy') {
    return wrong(['start'], '"eager" or "lazy"')
  }
  const { restart, diesWith } = unit
  if (restart !== undefined) {
    if (!['never', 'on-failure', 'always'].includes(restart?.when)) {
      return wrong(['restart', 'when'], '"never", "on-failure" or "always"')
    }
    if (restart.most !== undefined && !isWhole(restart.most, 0, 1_000_000)) {
      return wrong(['restart', 'most'], 'a whole number from 0 to 1000000')
    }
    if (restart.backoffMs !== undefined && !isWhole(restart.backoffMs, 0, 3_600_000)) {
      return wrong(['restart', 'backoffMs'], 'milliseconds from 0 to 3600000')
    }
  }
  if (
    diesWith !== undefined &&
    !(Array.isArray(diesWith) && diesWith.every((name) => typeof name === 'string'))
  ) {
    return wrong(['diesWith'], 'a list of unit names')
  }
  return undefined
}
