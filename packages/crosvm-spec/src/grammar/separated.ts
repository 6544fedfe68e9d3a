import { takeAll } from './cpu-set.js'
import type { Cursor } from './cursor.js'
import { checkProperties } from './record.js'
import { refuse, unsound } from './refusal.js'
import type { Shape } from './shape.js'
import { checkPath, checkText, resolvePath } from './text.js'

/** The whole of an argument, without any grammar of its own. */
export const wholePath = (name: string): Shape<string> => ({
  print: (value) => checkPath(value, name),
  read: (cursor) => resolvePath(cursor, takeAll(cursor), name),
})

export const wholeText = (name: string, maxBytes = 131_071): Shape<string> => {
  const check = (value: unknown): string => {
    checkText(value, name)
    if (Buffer.byteLength(value) > maxBytes) unsound(`${name} must be at most ${maxBytes} bytes long`)
    return value
  }
  return { print: check, read: (cursor) => check(takeAll(cursor)) }
}

/**
 * A number as Rust's `FromStr` reads it: decimal, no prefix. `bits`: the type of crosvm where that holds more than
 * is allowed here, a signed one if `least` is negative.
 */
export const wholeInteger = (least: number, most: number, bits?: 32 | 64): Shape<number> => {
  const says = `expected a whole number from ${least} to ${most}`
  const signed = least < 0
  return {
    print: (value) => {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
        refuse(`${says}, not ${String(value)}`)
      }
      return String(value === 0 ? 0 : value)
    },
    read: (cursor) => {
      const word = takeAll(cursor)
      const value = wholeNumber(word, signed)
      if (value >= BigInt(least) && value <= BigInt(most)) return Number(value)
      const cut =
        bits === undefined ? value + 1n : signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)
      return (cut === value ? unsound : refuse)(`${says}, not ${word}`)
    },
  }
}

function wholeNumber(text: string, signed: boolean): bigint {
  if (!(signed ? /^[+-]?[0-9]{1,40}$/ : /^\+?[0-9]{1,40}$/).test(text))
    refuse(`'${text}' is not a decimal number`)
  return BigInt(text.replace(/^\+/, ''))
}

export function decimal(text: string): number {
  return Number(wholeNumber(text, false))
}

/** A text that has no way to hold the separator: the message says what to do instead. */
export function without(separator: string, value: unknown, name: string): string {
  checkText(value, name)
  if (value.includes(separator)) {
    refuse(
      `${name} holds '${separator}', which separates the parts of this option and has no escape: ` +
        'use another name or a symbolic link',
    )
  }
  return value
}

/** One `key=value` between separators. A value is the text up to the next separator. */
export interface SeparatedField<T> {
  readonly key: string
  readonly aliases: readonly string[]
  print(value: T): string
  read(text: string, cursor: Cursor): T
}

export function part<T>(
  key: string,
  print: (value: T) => string,
  read: (text: string, cursor: Cursor) => T,
  ...aliases: string[]
): SeparatedField<T> {
  return { key, aliases, print, read }
}

export type SeparatedFields<T> = { readonly [K in keyof T]-?: SeparatedField<Exclude<T[K], undefined>> }

/** The `:key=value` parts of `--shared-dir` and `--pmem-ext2`. */
export function printParts<T extends object>(value: T, fields: SeparatedFields<T>): string[] {
  checkProperties(value, fields)
  const parts: string[] = []
  for (const [property, field] of Object.entries(fields) as [keyof T & string, SeparatedField<unknown>][]) {
    const held = value[property]
    if (held !== undefined) parts.push(`${field.key}=${without(':', field.print(held), property)}`)
  }
  return parts
}

export function readParts<T extends object>(
  parts: readonly string[],
  fields: SeparatedFields<T>,
  cursor: Cursor,
): Partial<T> {
  const entries = Object.entries(fields) as [keyof T & string, SeparatedField<unknown>][]
  const draft: Partial<Record<string, unknown>> = {}
  for (const text of parts) {
    const equals = text.indexOf('=')
    if (equals < 0) refuse(`'${text}' needs a value: there is no bare key between colons`)
    const key = text.slice(0, equals)
    const [property, field] =
      entries.find(([, known]) => known.key === key || known.aliases.includes(key)) ??
      refuse(`unknown key '${key}'`)
    if (Object.hasOwn(draft, property)) refuse(`'${key}' is given twice`)
    draft[property] = field.read(text.slice(equals + 1), cursor)
  }
  return draft as Partial<T>
}
