import { PERIOD_MS } from '../attenuator/attenuator.js'
import { firstOf, isRecord, type ValueFault, wrong } from './fault.js'
import { isWhole } from './whole.js'

const MAX_ATTENUATORS = 32
const MAX_PREDICATE_DEPTH = 16
const MAX_PREDICATE_PARTS = 256
/** The window of a rate is remembered call by call. */
const MAX_RATE = 10_000
/** The last moment that ECMAScript can print (ECMA-262, "Time Values"). */
const MAX_TIME = 8_640_000_000_000_000
const LABEL = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}]{1,64}$/u

export function faultOfAttenuators(value: unknown): ValueFault | undefined {
  if (!Array.isArray(value) || value.length > MAX_ATTENUATORS) {
    return wrong([], `a list of at most ${MAX_ATTENUATORS} attenuators`)
  }
  return firstOf(value, (one, index) => {
    const fault = faultOf(one)
    return fault && { ...fault, path: [String(index), ...fault.path] }
  })
}

function faultOf(value: unknown): ValueFault | undefined {
  if (!isRecord(value)) return wrong([], 'ask(), once(), only(…), rate(…) or another attenuator')
  switch (value['kind']) {
    case 'ask':
      return typeof value['remember'] === 'boolean' ? undefined : wrong(['remember'], 'true or false')
    case 'once':
    case 'read-only':
      return undefined
    case 'only':
      return faultOfPredicate(value['that'], ['that'], 0)
    case 'rate':
      if (!isWhole(value['count'], 1, MAX_RATE))
        return wrong(['count'], `a whole number from 1 to ${MAX_RATE}`)
      return Object.hasOwn(PERIOD_MS, String(value['per']))
        ? undefined
        : wrong(['per'], '"second", "minute", "hour" or "day"')
    case 'until':
      return isWhole(value['time'], -MAX_TIME, MAX_TIME)
        ? undefined
        : wrong(['time'], 'a moment in milliseconds since 1970')
    case 'audit':
      return isLabel(value['label']) ? undefined : wrong(['label'], '1 to 64 printable characters')
    case 'revocable':
      return isLabel(value['name']) ? undefined : wrong(['name'], '1 to 64 printable characters')
    default:
      return wrong(['kind'], 'an attenuator that this version knows')
  }
}

const isLabel = (value: unknown) => typeof value === 'string' && LABEL.test(value)
const isScalar = (value: unknown) =>
  typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))

function faultOfPredicate(value: unknown, path: readonly string[], depth: number): ValueFault | undefined {
  if (depth > MAX_PREDICATE_DEPTH) return wrong(path, `at most ${MAX_PREDICATE_DEPTH} deep`)
  if (!isRecord(value)) return wrong(path, 'equal(…), oneOf(…), field(…) or another predicate')
  const { of } = value
  const listed = Array.isArray(of) && of.length <= MAX_PREDICATE_PARTS
  switch (value['is']) {
    case 'equal':
      return isScalar(value['to']) ? undefined : wrong([...path, 'to'], 'a text or a number')
    case 'one-of':
      return listed && of.every(isScalar)
        ? undefined
        : wrong([...path, 'of'], `at most ${MAX_PREDICATE_PARTS} texts or numbers`)
    case 'starting-with':
      return typeof value['text'] === 'string' ? undefined : wrong([...path, 'text'], 'a text')
    case 'at-most':
      return Number.isFinite(value['number']) ? undefined : wrong([...path, 'number'], 'a number')
    case 'field':
      return typeof value['name'] === 'string'
        ? faultOfPredicate(value['that'], [...path, 'that'], depth + 1)
        : wrong([...path, 'name'], 'the name of a field')
    case 'not':
      return faultOfPredicate(value['that'], [...path, 'that'], depth + 1)
    case 'every':
    case 'any':
      return listed
        ? firstOf(of, (one, index) => faultOfPredicate(one, [...path, 'of', String(index)], depth + 1))
        : wrong([...path, 'of'], `at most ${MAX_PREDICATE_PARTS} predicates`)
    default:
      return wrong([...path, 'is'], 'a predicate that this version knows')
  }
}
