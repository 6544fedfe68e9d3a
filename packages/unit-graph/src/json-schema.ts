import { PERIOD_MS } from './attenuator/attenuator.js'
import { PREDICATE_LIMITS } from './attenuator/predicate.js'
import { LOCAL_NAME, MAX_INTERFACES, MAX_SOCKET_PATH } from './check/interfaces.js'
import { FIELD_NAME, SERVICE_NAME, SERVICE_NAME_BYTES } from './check/service.js'
import { MAX_UNITS, UNIT_NAME } from './check/units.js'
import { MAX_VOLUME_PATH, MAX_VOLUMES, VOLUME_NAME } from './check/volumes.js'
import { MEBIBYTE } from './check/whole.js'
import { SCHEMA_LIMITS } from './service/schema.js'

/** A value of JSON, without null: a schema has none. */
export type Json = boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
type Fields = Readonly<Record<string, Json>>

const ref = (name: string): Json => ({ $ref: `#/$defs/${name}` })
const text = (options: Fields = {}): Json => ({ type: 'string', ...options })
const whole = (minimum: number, maximum: number, options: Fields = {}): Json => ({
  type: 'integer',
  minimum,
  maximum,
  ...options,
})
const list = (items: Json, options: Fields = {}): Json => ({ type: 'array', items, ...options })
const named = (pattern: RegExp, value: Json, most: number, options: Fields = {}): Json => ({
  type: 'object',
  propertyNames: { pattern: pattern.source, ...options },
  additionalProperties: value,
  maxProperties: most,
})

/** Exactly these fields; those of `optional` may be left out. */
function exactly(required: Fields, optional: Fields = {}): Fields {
  return {
    type: 'object',
    properties: { ...required, ...optional },
    required: Object.keys(required),
    additionalProperties: false,
  }
}

/** One of several shapes, told apart by one field: an editor can then say what is missing of which. */
const oneOf = (tag: string, shapes: Readonly<Record<string, Fields>>): Json => ({
  oneOf: Object.entries(shapes).map(([name, fields]) => exactly({ [tag]: { const: name }, ...fields })),
})

const argv = list(text({ pattern: '^[^\\0]*$' }), { minItems: 1, maxItems: 4096 })
const label = text({ minLength: 1, maxLength: 64 })
const scalar: Json = { type: ['string', 'number'], maxLength: PREDICATE_LIMITS.textLength }

/**
 * The form of a graph in a file, as a JSON schema (draft 2020-12), for editors and other languages. It knows shapes;
 * that wires fit and circles are absent only `parseGraph` knows, which is also who decides.
 */
export const graphJsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'A graph of units',
  ...exactly({
    kind: { const: 'graph' },
    units: {
      type: 'object',
      minProperties: 1,
      maxProperties: MAX_UNITS,
      additionalProperties: ref('unit'),
    },
    wires: list(ref('wire')),
  }),
  $defs: {
    unit: exactly(
      {
        kind: { const: 'unit' },
        name: text({ pattern: UNIT_NAME.source }),
        store: exactly({ kind: { const: 'closure' }, roots: list(text({ minLength: 1 }), { minItems: 1 }) }),
        needs: named(LOCAL_NAME, ref('need'), MAX_INTERFACES),
        provides: named(LOCAL_NAME, ref('provision'), MAX_INTERFACES),
      },
      {
        memoryBytes: whole(32 * MEBIBYTE, 2 ** 44, { multipleOf: MEBIBYTE }),
        vcpuCount: whole(1, 255),
        hotplugSlots: whole(0, 255),
        limits: exactly(
          {},
          {
            memoryBytes: whole(32 * MEBIBYTE, 2 ** 44),
            cpuWeight: whole(1, 10_000),
            ioWeight: whole(1, 10_000),
            pids: whole(1, 4_194_304),
          },
        ),
        volumes: named(
          VOLUME_NAME,
          exactly(
            {
              path: text({ pattern: '^/', maxLength: MAX_VOLUME_PATH }),
              sizeBytes: whole(16 * MEBIBYTE, 2 ** 44, { multipleOf: MEBIBYTE }),
            },
            { readOnly: { type: 'boolean' } },
          ),
          MAX_VOLUMES,
        ),
        command: argv,
        start: { enum: ['eager', 'lazy'] },
        restart: exactly(
          { when: { enum: ['never', 'on-failure', 'always'] } },
          { most: whole(0, 1_000_000), backoffMs: whole(0, 3_600_000) },
        ),
        diesWith: list(text()),
      },
    ),
    need: exactly({ service: ref('service'), availability: { enum: ['required', 'optional'] } }),
    provision: exactly({
      kind: { const: 'provision' },
      unit: text({ pattern: UNIT_NAME.source }),
      name: text({ pattern: LOCAL_NAME.source }),
      service: ref('service'),
      by: oneOf('kind', {
        command: { argv },
        socket: { path: text({ pattern: '^/[^\\0]*$', maxLength: MAX_SOCKET_PATH }) },
      }),
    }),
    service: exactly(
      {
        kind: { const: 'service' },
        name: text({ pattern: SERVICE_NAME.source, maxLength: SERVICE_NAME_BYTES }),
        argument: ref('argument'),
      },
      { request: ref('stream'), response: ref('stream') },
    ),
    stream: exactly({ kind: { const: 'bytes' } }, { max: whole(0, Number.MAX_SAFE_INTEGER) }),
    argument: oneOf('kind', {
      none: {},
      text: { maxBytes: whole(0, SCHEMA_LIMITS.textBytes) },
      integer: {
        min: whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
        max: whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      },
      choice: { of: list(text(), { minItems: 1, maxItems: SCHEMA_LIMITS.choices, uniqueItems: true }) },
      record: {
        fields: named(FIELD_NAME, ref('argument'), SCHEMA_LIMITS.fields, {
          maxLength: SCHEMA_LIMITS.nameBytes,
        }),
      },
    }),
    wire: exactly({
      unit: text(),
      need: text({ pattern: LOCAL_NAME.source }),
      to: { oneOf: [exactly({ kind: { const: 'absent' } }), ref('grant')] },
    }),
    grant: exactly({
      kind: { const: 'grant' },
      service: ref('service'),
      from: oneOf('kind', {
        host: { name: text({ minLength: 1 }) },
        unit: {
          unit: text({ pattern: UNIT_NAME.source }),
          provision: text({ pattern: LOCAL_NAME.source }),
        },
      }),
      attenuators: list(ref('attenuator'), { maxItems: 32 }),
      strength: { enum: ['strong', 'weak'] },
    }),
    attenuator: oneOf('kind', {
      ask: { remember: { type: 'boolean' } },
      once: {},
      only: { that: ref('predicate') },
      rate: { count: whole(1, 10_000), per: { enum: Object.keys(PERIOD_MS) } },
      until: { time: { type: 'integer' } },
      audit: { label },
      'read-only': {},
      revocable: { name: label },
    }),
    predicate: oneOf('is', {
      equal: { to: scalar },
      'one-of': { of: list(scalar, { maxItems: PREDICATE_LIMITS.parts - 1 }) },
      'starting-with': { text: text({ maxLength: PREDICATE_LIMITS.textLength }) },
      'at-most': { number: { type: 'number' } },
      field: {
        name: text({ pattern: FIELD_NAME.source, maxLength: SCHEMA_LIMITS.nameBytes }),
        that: ref('predicate'),
      },
      every: { of: list(ref('predicate'), { maxItems: PREDICATE_LIMITS.parts - 1 }) },
      any: { of: list(ref('predicate'), { maxItems: PREDICATE_LIMITS.parts - 1 }) },
      not: { that: ref('predicate') },
    }),
  },
} satisfies Json
