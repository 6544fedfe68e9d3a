import type { Cursor } from './cursor.js'
import { refuse, unsound } from './refusal.js'
import type { Shape } from './shape.js'

/** True or false; a key that stands alone, as `ro` does, is true. */
export const flag: Shape<boolean> = {
  print: (value) => {
    if (typeof value !== 'boolean') refuse(`expected true or false, not ${String(value)}`)
    return String(value)
  },
  read: (cursor) => cursor.boolean(),
  bare: () => true,
}

/**
 * A whole number that a JavaScript number holds exactly. `bits`: the unsigned type of crosvm where that holds more
 * than is allowed here.
 */
export function integer(least: number, most: number, bits?: 32 | 64): Shape<number> {
  const says = `expected a whole number from ${least} to ${most}`
  const fits = (value: number) => Number.isSafeInteger(value) && value >= least && value <= most
  return {
    print: (value) => {
      if (typeof value !== 'number' || !fits(value)) refuse(`${says}, not ${String(value)}`)
      return String(value === 0 ? 0 : value)
    },
    read: (cursor) => {
      const value = cursor.number()
      if (fits(Number(value))) return Number(value)
      const held = bits !== undefined && value >= 0n && value < 1n << BigInt(bits)
      return (held ? unsound : refuse)(`${says}, not ${value}`)
    },
  }
}

export const u8 = integer(0, 0xff)
export const u16 = integer(0, 0xffff)
export const u32 = integer(0, 0xffff_ffff)
/** A count or index that crosvm holds in 64 bits and that no machine makes larger than this. */
export const count = integer(0, Number.MAX_SAFE_INTEGER, 64)

/** A 64-bit unsigned number, exact. */
export const u64: Shape<bigint> = bounded64(0n)

export function bounded64(least: bigint): Shape<bigint> {
  const check = (value: unknown): bigint => {
    if (typeof value !== 'bigint' || value < least || value > 0xffff_ffff_ffff_ffffn) {
      refuse(`expected a bigint from ${least}n to 2n ** 64n - 1n, not ${String(value)}`)
    }
    return value
  }
  return { print: (value) => String(check(value)), read: (cursor) => check(cursor.number()) }
}

/** One of a set of words. `also` maps other spellings that crosvm reads to the word that is written. */
export function choice<const T extends string>(
  words: readonly T[],
  also: Readonly<Record<string, T>> = {},
): Shape<T> {
  const says = `expected one of ${words.join(', ')}`
  return {
    print: (value) => (words.includes(value) ? value : refuse(`${says}, not ${String(value)}`)),
    read: (cursor) => {
      const word = cursor.identifier()
      const spelled = Object.hasOwn(also, word) ? also[word] : undefined
      return spelled ?? words.find((known) => known === word) ?? refuse(says, cursor.offset)
    },
  }
}

/** How many items a list may have. */
export interface ListRule {
  /** Default 0. */
  readonly least?: number
  /** Default 1024. */
  readonly most?: number
}

/** `[a,b,c]` */
export function list<T>(item: Shape<T>, { least = 0, most = 1024 }: ListRule = {}): Shape<readonly T[]> {
  const check = (values: readonly T[]): readonly T[] => {
    if (!Array.isArray(values)) refuse('expected a list')
    if (values.length < least || values.length > most) refuse(`expected ${least} to ${most} items`)
    return values
  }
  return {
    print: (values) =>
      `[${check(values)
        .map((value) => item.print(value))
        .join(',')}]`,
    read: (cursor) => check(readItems(cursor, item, most)),
  }
}

function readItems<T>(cursor: Cursor, item: Shape<T>, most: number): T[] {
  cursor.expect('[')
  const values: T[] = []
  while (cursor.peek() !== ']') {
    if (values.length === most) cursor.fail(`more than ${most} items`)
    values.push(item.read(cursor))
    cursor.endItem()
  }
  cursor.expect(']')
  return values
}
