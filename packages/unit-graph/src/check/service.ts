import { SCHEMA_LIMITS } from '../service/schema.js'
import { firstOf, isRecord, type ValueFault, wrong } from './fault.js'
import { isWhole } from './whole.js'

export const SERVICE_NAME_BYTES = 128
/** Names that read like `org.example.sign`: parts of lower-case letters, digits and "-", joined by dots. */
export const SERVICE_NAME = /^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*$/
export const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_-]*$/

/** A service as data: its name, the shape of its argument, its streams. */
export function faultOfService(value: unknown): ValueFault | undefined {
  if (!isRecord(value) || value['kind'] !== 'service') {
    return wrong([], 'a service, as defineService makes it')
  }
  const { name } = value
  if (typeof name !== 'string' || name.length > SERVICE_NAME_BYTES || !SERVICE_NAME.test(name)) {
    return wrong(['name'], 'like "org.example.sign": at most 128 of a-z, 0-9, "-" and "."')
  }
  return (
    faultOfArgument(value['argument'], ['argument'], 0) ??
    faultOfStream(value['request'], ['request']) ??
    faultOfStream(value['response'], ['response'])
  )
}

function faultOfStream(value: unknown, path: readonly string[]): ValueFault | undefined {
  if (value === undefined) return undefined
  if (!isRecord(value) || value['kind'] !== 'bytes') return wrong(path, 'bytes() or absent')
  return value['max'] === undefined || isWhole(value['max'], 0, Number.MAX_SAFE_INTEGER)
    ? undefined
    : wrong([...path, 'max'], 'a number of bytes')
}

function faultOfArgument(value: unknown, path: readonly string[], depth: number): ValueFault | undefined {
  if (depth > SCHEMA_LIMITS.depth) return wrong(path, `at most ${SCHEMA_LIMITS.depth} records deep`)
  if (!isRecord(value)) return wrong(path, 'none, text(…), integer(…), choice(…) or record(…)')
  switch (value['kind']) {
    case 'none':
      return undefined
    case 'text':
      return isWhole(value['maxBytes'], 0, SCHEMA_LIMITS.textBytes)
        ? undefined
        : wrong([...path, 'maxBytes'], `bytes from 0 to ${SCHEMA_LIMITS.textBytes}`)
    case 'integer': {
      const { min, max } = value
      return Number.isSafeInteger(min) && Number.isSafeInteger(max) && Number(min) <= Number(max)
        ? undefined
        : wrong(path, 'integer({ min, max }) with min at most max')
    }
    case 'choice': {
      const { of } = value
      return Array.isArray(of) &&
        of.length > 0 &&
        of.length <= SCHEMA_LIMITS.choices &&
        of.every((one) => typeof one === 'string') &&
        new Set(of).size === of.length
        ? undefined
        : wrong([...path, 'of'], `1 to ${SCHEMA_LIMITS.choices} different texts`)
    }
    case 'record':
      return faultOfRecord(value['fields'], [...path, 'fields'], depth)
    default:
      return wrong([...path, 'kind'], '"none", "text", "integer", "choice" or "record"')
  }
}

function faultOfRecord(fields: unknown, path: readonly string[], depth: number): ValueFault | undefined {
  if (!isRecord(fields) || Object.keys(fields).length > SCHEMA_LIMITS.fields) {
    return wrong(path, `a record of at most ${SCHEMA_LIMITS.fields} fields`)
  }
  return firstOf(Object.entries(fields), ([name, schema]) =>
    isFieldName(name)
      ? faultOfArgument(schema, [...path, name], depth + 1)
      : wrong(path, 'named by letters, digits, "_" and "-"'),
  )
}

/** The name of a field of a record, as services have them. */
export function isFieldName(name: unknown): boolean {
  return typeof name === 'string' && name.length <= SCHEMA_LIMITS.nameBytes && FIELD_NAME.test(name)
}
