import { posix } from 'node:path'
import type { Cursor } from './cursor.js'
import { numberOf } from './cursor.js'
import { refuse, unsound } from './refusal.js'
import type { Shape } from './shape.js'

/** Linux's MAX_ARG_STRLEN less the terminating zero: no argument can be longer. */
export const LONGEST_ARGUMENT = 131_071

/** What a text must be like. */
export interface TextRule {
  /** Names the text in messages: `id`, `tap-name`. */
  readonly name: string
  /** In UTF-8. Default: any length that an argument can have. */
  readonly maxBytes?: number
  /** What the whole text matches, and how a message says that: `printable ASCII`. */
  readonly pattern?: { readonly test: RegExp; readonly says: string }
  /** crosvm's own parser does not look at this rule. */
  readonly onlyHere?: true
}

/** How crosvm deserialises a text, which decides how it may be quoted. */
export type TextField =
  /** Any string. */
  | 'owned'
  /** The field borrows from the argument, so it must have no escapes: double quotes fail. */
  | 'borrowed'
  /** The field's type is guessed from the text: what looks like a number or a boolean must be quoted. */
  | 'guessed'

/** A string with the fewest quotes that crosvm reads back as exactly this string. */
export function quote(text: string, field: TextField): string {
  checkText(text, 'a string')
  const bare = /^[^,"'[\]]+$/.test(text)
  if (bare && !(field === 'guessed' && looksTyped(text))) return text
  if (!text.includes("'")) return `'${text}'`
  if (field === 'borrowed') {
    refuse('a text with both a single quote and one of , " [ ] cannot be given here: leave the quote out')
  }
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** Whether crosvm's guess for an untyped value would be a number or a boolean. */
function looksTyped(text: string): boolean {
  return numberOf(text) !== undefined || text.startsWith('true') || text.startsWith('false')
}

export function checkText(text: unknown, name: string): asserts text is string {
  if (typeof text !== 'string') refuse(`${name} must be a string, not ${typeof text}`)
  if (text.includes('\0')) refuse(`${name} holds a zero byte, which no argument can hold`)
  if (/\p{Cs}/u.test(text)) refuse(`${name} holds half a surrogate pair, which UTF-8 cannot hold`)
  if (text.length > LONGEST_ARGUMENT) refuse(`${name} is longer than an argument can be`)
}

function applyRule(text: unknown, rule: TextRule): string {
  checkText(text, rule.name)
  const no = rule.onlyHere ? unsound : refuse
  if (rule.maxBytes !== undefined && Buffer.byteLength(text) > rule.maxBytes) {
    no(`${rule.name} must be at most ${rule.maxBytes} bytes long`)
  }
  if (rule.pattern && !rule.pattern.test.test(text)) no(`${rule.name} must be ${rule.pattern.says}`)
  return text
}

/** A string field. */
export function text(rule: TextRule, field: TextField = 'owned'): Shape<string> {
  return {
    print: (value) => quote(applyRule(value, rule), field),
    read: (cursor) => applyRule(readText(cursor, field), rule),
  }
}

export function readText(cursor: Cursor, field: TextField): string {
  const found = cursor.string()
  if (field === 'borrowed' && found.quotes === 'double' && found.text !== '') {
    cursor.fail('double quotes cannot be used for this field: use single quotes before this')
  }
  if (field === 'guessed' && found.quotes === 'none' && looksTyped(found.text)) {
    cursor.fail(`'${found.text}' is taken for a number or a boolean: quote it; before this`)
  }
  return found.text
}

/** A string of a known form that has one canonical spelling; other spellings are read but never written. */
export function canonicalText<T extends string>(
  name: string,
  canonical: (text: string) => T | undefined,
  says: string,
  field: TextField = 'owned',
): Shape<T> {
  return {
    print: (value) => {
      checkText(value, name)
      if (canonical(value) !== value) refuse(`${name} must be ${says}`)
      return quote(value, field)
    },
    read: (cursor) => canonical(readText(cursor, field)) ?? refuse(`${name} must be ${says}`, cursor.offset),
  }
}

/** An absolute path: crosvm and its jailed children do not all share a working directory. */
export function checkPath(value: unknown, name: string): string {
  checkText(value, name)
  if (!value.startsWith('/')) unsound(`${name} must be an absolute path, not ${JSON.stringify(value)}`)
  return value
}

export function resolvePath(cursor: Pick<Cursor, 'context'>, value: string, name: string): string {
  if (value.startsWith('/') || cursor.context.workingDirectory === undefined) return checkPath(value, name)
  if (value === '') unsound(`${name} must not be empty`)
  return checkPath(posix.join(cursor.context.workingDirectory, value), name)
}

/** A path of the host that an option takes, quoted where it must be. */
export function path(name: string, field: TextField = 'owned'): Shape<string> {
  return {
    print: (value) => quote(checkPath(value, name), field),
    read: (cursor) => resolvePath(cursor, readText(cursor, field), name),
  }
}
