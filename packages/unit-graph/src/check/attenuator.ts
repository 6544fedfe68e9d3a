import { PERIOD_MS } from '../attenuator/attenuator.js'
import { PREDICATE_LIMITS } from '../attenuator/predicate.js'
import { firstOf, isRecord, type ValueFault, wrong } from './fault.js'
import { isFieldName } from './service.js'
import { isWhole } from './whole.js'

const MAX_ATTENUATORS = 32
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
      return faultOfPredicate(value['that'], ['that'], 0, { parts: 0 })
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
const isText = (value: unknown) => typeof value === 'string' && value.length <= PREDICATE_LIMITS.textLength
const isScalar = (value: unknown) => isText(value) || (typeof value === 'number' && Number.isFinite(value))

const TOO_MANY = `of at most ${PREDICATE_LIMITS.parts} predicates, texts and numbers in all`
const A_TEXT = `a text of at most ${PREDICATE_LIMITS.textLength} characters`

/** `seen` counts over the whole predicate: lists in lists would be exponentially many. */
function faultOfPredicate(
  value: unknown,
  path: readonly string[],
  depth: number,
  seen: { parts: number },
): ValueFault | undefined {
  if (depth > PREDICATE_LIMITS.depth) return wrong(path, `at most ${PREDICATE_LIMITS.depth} deep`)
  seen.parts += 1
  if (seen.parts > PREDICATE_LIMITS.parts) return wrong(path, TOO_MANY)
  if (!isRecord(value)) return wrong(path, 'equal(…), oneOf(…), field(…) or another predicate')
  const { of } = value
  switch (value['is']) {
    case 'equal':
      return isScalar(value['to']) ? undefined : wrong([...path, 'to'], `a number, or ${A_TEXT}`)
    case 'one-of':
      if (!Array.isArray(of)) return wrong([...path, 'of'], 'texts and numbers')
      seen.parts += of.length
      if (seen.parts > PREDICATE_LIMITS.parts) return wrong([...path, 'of'], TOO_MANY)
      return firstOf(of, (one, index) =>
        isScalar(one) ? undefined : wrong([...path, 'of', String(index)], `a number, or ${A_TEXT}`),
      )
    case 'starting-with':
      return isText(value['text']) ? undefined : wrong([...path, 'text'], A_TEXT)
    case 'at-most':
      return Number.isFinite(value['number']) ? undefined : wrong([...path, 'number'], 'a number')
    case 'field':
      return isFieldName(value['name'])
        ? faultOfPredicate(value['that'], [...path, 'that'], depth + 1, seen)
        : wrong([...path, 'name'], 'the name of a field')
    case 'not':
      return faultOfPredicate(value['that'], [...path, 'that'], depth + 1, seen)
    case 'every':
    case 'any':
      return Array.isArray(of)
        ? firstOf(of, (one, index) => faultOfPredicate(one, [...path, 'of', String(index)], depth + 1, seen))
        : wrong([...path, 'of'], 'predicates')
    default:
      return wrong([...path, 'is'], 'a predicate that this version knows')
  }
}
