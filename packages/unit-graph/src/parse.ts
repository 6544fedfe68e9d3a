import { err, Result } from 'neverthrow'
import type { Attenuator } from './attenuator/attenuator.js'
import type { Predicate } from './attenuator/predicate.js'
import { isRecord } from './check/fault.js'
import { faultOfUnits, RESOURCES } from './check/units.js'
import { faultOfWires } from './check/wires.js'
import { type Graph, graphOf, type UnitMap } from './compose.js'
import type { GraphError } from './errors.js'
import { printable } from './escape.js'
import { absent, Grant, Provision } from './grant.js'
import type { ArgumentSchema } from './service/schema.js'
import { Service } from './service/service.js'
import { closure } from './store.js'
import type { UnitDefinition } from './unit.js'
import type { Wire } from './wire.js'

const MAX_BYTES = 16 * 1024 * 1024

/** The JSON form of a graph; {@link parseGraph} reads it back, equal in every field. */
export function printGraph(graph: Graph): string {
  return JSON.stringify(graph, null, 2)
}

const parseJson = Result.fromThrowable(
  (text: string): unknown => JSON.parse(text),
  (thrown): GraphError => ({
    kind: 'not-a-graph',
    message: `A graph in a file is JSON; this is not: ${printable((thrown as Error).message)}.`,
    path: [],
  }),
)

/**
 * Builds a graph from its JSON form. Everything that the compiler refuses in a program is refused here, and so
 * is every field that a graph does not have.
 */
export function parseGraph(text: string): Result<Graph, GraphError> {
  if (Buffer.byteLength(text) > MAX_BYTES) {
    return err({ kind: 'not-a-graph', message: `A graph has at most ${MAX_BYTES} bytes of JSON.`, path: [] })
  }
  return parseJson(text).andThen((value) => {
    if (!isRecord(value) || value['kind'] !== 'graph' || !isRecord(value['units'])) return err(NOT_A_GRAPH)
    const { units: rawUnits, wires: rawWires } = value as { units: UnitMap; wires: unknown }
    if (!Array.isArray(rawWires)) return err(NOT_A_GRAPH)
    const fault = faultOfUnits(rawUnits) ?? faultOfWires(rawUnits, rawWires)
    if (fault !== undefined) return err(fault)
    const units = Object.fromEntries(Object.entries(rawUnits).map(([key, unit]) => [key, revived(unit)]))
    const wires = rawWires.map(wireOf)
    const graph = graphOf(units, wires)
    const foreign = firstForeign(value, { kind: 'graph', units, wires })
    return foreign === undefined ? graph : err(foreignField(foreign))
  })
}

const NOT_A_GRAPH: GraphError = {
  kind: 'not-a-graph',
  message: 'A graph in a file is what printGraph writes: { "kind": "graph", "units": {…}, "wires": […] }.',
  path: [],
}

const foreignField = (path: readonly string[]): GraphError => ({
  kind: 'invalid-value',
  message: `${printable(path.join('.'))} is not part of a graph; remove it, or read the file with the version that wrote it.`,
  path,
})

// What follows runs on checked data only: it makes the frozen values that the constructors make.

function revived(unit: UnitDefinition): UnitDefinition {
  const { name, store, needs, provides, memoryBytes, vcpuCount, hotplugSlots, limits, volumes } = unit
  const { command, start, restart, diesWith } = unit
  return Object.freeze({
    kind: 'unit',
    name,
    store: closure(...store.roots),
    needs: mapped(needs, ({ service, availability }) =>
      Object.freeze({ service: serviceOf(service), availability }),
    ),
    provides: mapped(
      provides,
      ({ service, unit, name, by }) =>
        new Provision(unit, name, {
          kind: 'offer',
          service: serviceOf(service),
          by: Object.freeze(
            by.kind === 'command'
              ? { kind: by.kind, argv: Object.freeze([...by.argv]) }
              : { kind: by.kind, path: by.path },
          ),
        }),
    ),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(vcpuCount === undefined ? {} : { vcpuCount }),
    ...(hotplugSlots === undefined ? {} : { hotplugSlots }),
    ...(limits === undefined ? {} : { limits: Object.freeze(picked(limits, RESOURCES)) }),
    ...(volumes === undefined
      ? {}
      : {
          volumes: mapped(volumes, (volume) =>
            Object.freeze(picked(volume, ['path', 'sizeBytes', 'readOnly'])),
          ),
        }),
    ...(command === undefined ? {} : { command: Object.freeze([...command]) }),
    ...(start === undefined ? {} : { start }),
    ...(restart === undefined
      ? {}
      : { restart: Object.freeze(picked(restart, ['when', 'most', 'backoffMs'])) }),
    ...(diesWith === undefined ? {} : { diesWith: Object.freeze([...diesWith]) }),
  }) as UnitDefinition
}

// biome-ignore lint/suspicious/noExplicitAny: see AnyService
function serviceOf(service: Service<any, any>): Service<any, any> {
  return new Service(
    service.name,
    schemaOf(service.argument),
    service.request && Object.freeze(picked(service.request, ['kind', 'max'])),
    service.response && Object.freeze(picked(service.response, ['kind', 'max'])),
  )
}

function wireOf({ unit, need, to }: Wire): Wire {
  if (to.kind === 'absent') return { unit, need, to: absent }
  const from =
    to.from.kind === 'host'
      ? picked(to.from, ['kind', 'name'])
      : picked(to.from, ['kind', 'unit', 'provision'])
  return {
    unit,
    need,
    to: new Grant(serviceOf(to.service), from, to.attenuators.map(attenuatorOf), to.strength),
  }
}

function picked<Value extends object, Key extends keyof Value>(value: Value, keys: readonly Key[]): Value {
  return Object.fromEntries(
    keys.filter((key) => value[key] !== undefined).map((key) => [key, value[key]]),
  ) as unknown as Value
}

function mapped<Value, To>(from: Readonly<Record<string, Value>>, to: (value: Value) => To) {
  return Object.freeze(Object.fromEntries(Object.entries(from).map(([key, value]) => [key, to(value)])))
}

/** The fields that each kind of part has; the checks have seen to their types. */
const ATTENUATOR_FIELDS: Readonly<Record<Attenuator['kind'], readonly string[]>> = {
  ask: ['remember'],
  once: [],
  only: ['that'],
  rate: ['count', 'per'],
  until: ['time'],
  audit: ['label'],
  'read-only': [],
  revocable: ['name'],
}
const PREDICATE_FIELDS: Readonly<Record<Predicate['is'], readonly string[]>> = {
  equal: ['to'],
  'one-of': ['of'],
  'starting-with': ['text'],
  'at-most': ['number'],
  field: ['name', 'that'],
  every: ['of'],
  any: ['of'],
  not: ['that'],
}
const SCHEMA_FIELDS: Readonly<Record<ArgumentSchema['kind'], readonly string[]>> = {
  none: [],
  text: ['maxBytes'],
  integer: ['min', 'max'],
  choice: ['of'],
  record: ['fields'],
}

function attenuatorOf(attenuator: Attenuator): Attenuator {
  const own = picked(attenuator, ['kind', ...ATTENUATOR_FIELDS[attenuator.kind]] as never[])
  return Object.freeze(own.kind === 'only' ? { ...own, that: predicateOf(own.that) } : own)
}

function predicateOf(predicate: Predicate): Predicate {
  const own = picked(predicate, ['is', ...PREDICATE_FIELDS[predicate.is]] as never[])
  if (own.is === 'field' || own.is === 'not') return Object.freeze({ ...own, that: predicateOf(own.that) })
  if (own.is === 'every' || own.is === 'any') {
    return Object.freeze({ ...own, of: Object.freeze(own.of.map(predicateOf)) })
  }
  return Object.freeze(own.is === 'one-of' ? { ...own, of: Object.freeze([...own.of]) } : own)
}

function schemaOf(schema: ArgumentSchema): ArgumentSchema {
  const own = picked(schema, ['kind', ...SCHEMA_FIELDS[schema.kind]] as never[])
  if (own.kind === 'record') return Object.freeze({ ...own, fields: mapped(own.fields, schemaOf) })
  return Object.freeze(own.kind === 'choice' ? { ...own, of: Object.freeze([...own.of]) } : own)
}

/** The path of the first thing in `given` that `known` lacks. */
function firstForeign(
  given: unknown,
  known: unknown,
  path: readonly string[] = [],
): readonly string[] | undefined {
  if (typeof given !== 'object' || given === null) return undefined
  if (typeof known !== 'object' || known === null) return path
  for (const [key, value] of Object.entries(given)) {
    const here = [...path, key]
    if (!Object.hasOwn(known, key)) return here
    const foreign = firstForeign(value, (known as Record<string, unknown>)[key], here)
    if (foreign !== undefined) return foreign
  }
  return undefined
}
