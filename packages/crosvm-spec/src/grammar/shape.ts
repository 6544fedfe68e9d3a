import { err, ok, type Result } from 'neverthrow'
import { Cursor, type ReadContext } from './cursor.js'
import { Refusal } from './refusal.js'

/**
 * How values of one type are written and read. Both directions refuse by throwing `Refusal`; `print`
 * checks the value at run time, because a type is no boundary.
 */
export interface Shape<T> {
  /** The text of a value, as crosvm reads it back. */
  print(value: T): string
  /** Reads a value from here on, or fails through the cursor. */
  read(cursor: Cursor): T
  /** What a key without `=` means. Absent: such a key is an error. */
  readonly bare?: () => T
  /** Whether this value is written as the key alone. */
  readonly printsBare?: (value: T) => boolean
  /** A record is written without brackets where it is the whole option. */
  readonly printTop?: (value: T) => string
  /** Reads a value that is an option's whole text, where that is written otherwise than inside another one. */
  readonly readTop?: (cursor: Cursor) => T
}

/** Why an option does not parse, with the place. */
export interface GrammarError {
  /** `unrepresentable` of a value that was to be printed, `malformed` of a text that was read. */
  readonly kind: 'unrepresentable' | 'malformed'
  /** What to change. */
  readonly message: string
  /** Where in the text, in UTF-16 units; only for `malformed`. */
  readonly offset: number | undefined
}

/** The text of one option's value. `unrepresentable`: crosvm has no way to say it, or would misread it. */
export function printValue<T>(shape: Shape<T>, value: T): Result<string, GrammarError> {
  return guarded('unrepresentable', () => printWhole(shape, value))
}

/**
 * The inverse of {@link printValue} for every text that crosvm accepts.
 *
 * @example
 * ```ts
 * import { integer, optional, parseValue, path, printValue, record, required } from '@spectrum/crosvm-spec/grammar'
 *
 * const share = record<{ path: string; size?: number | undefined }>({
 *   path: required('path', path('path')),
 *   size: optional('size', integer(1, 4096)),
 * })
 * printValue(share, { path: '/a b', size: 7 })._unsafeUnwrap() // path=/a b,size=7: quoted only where crosvm would misread it
 * parseValue(share, 'path="/a b",size=7')._unsafeUnwrap() // { path: '/a b', size: 7 }
 * ```
 */
export function parseValue<T>(
  shape: Shape<T>,
  text: string,
  context: ReadContext = {},
): Result<T, GrammarError> {
  return guarded('malformed', () => readWhole(shape, text, context))
}

/** As {@link printValue}, for callers inside the package: throws {@link Refusal}. */
export function printWhole<T>(shape: Shape<T>, value: T): string {
  return (shape.printTop ?? shape.print)(value)
}

export function readWhole<T>(shape: Shape<T>, text: string, context: ReadContext = {}): T {
  const cursor = new Cursor(text, context)
  const value = (shape.readTop ?? shape.read)(cursor)
  cursor.end()
  return value
}

export function guarded<T>(kind: GrammarError['kind'], run: () => T): Result<T, GrammarError> {
  try {
    return ok(run())
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    return err({ kind, message: cause.message, offset: cause.offset })
  }
}
