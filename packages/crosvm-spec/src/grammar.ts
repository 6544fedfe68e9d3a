/**
 * crosvm's key-value grammar alone, for those who print or read single values.
 *
 * @packageDocumentation
 */

export { bracketedCpus, cpus } from './grammar/cpu-set.js'
export { Cursor, type ReadContext } from './grammar/cursor.js'
export {
  type Field,
  type Fields,
  optional,
  type RecordRule,
  record,
  required,
  tagged,
  variant,
} from './grammar/record.js'
export { choice, flag, integer, type ListRule, list, u64 } from './grammar/scalar.js'
export { type GrammarError, parseValue, printValue, type Shape } from './grammar/shape.js'
export { path, quote, type TextField, type TextRule, text } from './grammar/text.js'
