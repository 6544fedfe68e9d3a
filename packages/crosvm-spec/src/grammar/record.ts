import type { Cursor } from './cursor.js'
import { Refusal, refuse } from './refusal.js'
import type { Shape } from './shape.js'

/** One key of a record: its name in crosvm, the names it also answers to, and whether it must be there. */
export interface Field<T> {
  /** As it is written: `block-size`. */
  readonly key: string
  /** Other names that are read and never printed. */
  readonly aliases: readonly string[]
  /** Whether a text without it is refused, unless `missing` stands for it. */
  readonly required: boolean
  /** What a missing key means, for a property that is never absent. */
  readonly missing?: T
  /** How its value is written. */
  readonly shape: Shape<T>
}

/** A key that an option cannot do without. */
export function required<T>(key: string, shape: Shape<T>): Field<T> {
  return { key, aliases: [], required: true, shape }
}

/** A property that is always there and always written; a text may leave it out. */
export function defaulted<T>(key: string, shape: Shape<T>, missing: T): Field<T> {
  return { key, aliases: [], required: true, missing, shape }
}

/** A key that may be left out; `aliases` are read and never printed. */
export function optional<T>(key: string, shape: Shape<T>, ...aliases: string[]): Field<T> {
  return { key, aliases, required: false, shape }
}

/** A field for every property of T, in the order in which crosvm declares them. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> }

/** What a record allows beyond what its fields do. */
export interface RecordRule<T> {
  /** Refuses, with a sentence, what each field allows alone but crosvm does not allow together. */
  readonly check?: (value: T) => string | undefined
  /** As `check`, for what crosvm's own parser takes, and what then fails later or does something else. */
  readonly sound?: (value: T) => string | undefined
  /** crosvm reads the first field's key as given when it is missing, except where the record is flattened. */
  readonly implicitFirst?: boolean
  /** The first key where it depends on the architecture. */
  readonly firstKey?: (architecture: string | undefined) => string
  /** The few records of crosvm that pass over keys they do not know. */
  readonly ignoresUnknown?: true
}

/** `a=1,b=two` as a whole option, `[a=1,b=two]` inside another. The first key is always written. */
export function record<T extends object>(fields: Fields<T>, rule: RecordRule<T> = {}): Shape<T> {
  const entries = Object.entries(fields) as [keyof T & string, Field<unknown>][]
  const names = entries.flatMap(([, field]) => [field.key, ...field.aliases])
  const byName = new Map(
    entries.flatMap(([property, field]) =>
      [field.key, ...field.aliases].map((name) => [name, { property, field }] as const),
    ),
  )
  const first = entries[0]![1]
  const firstKey = (cursor: Cursor) => rule.firstKey?.(cursor.context.architecture) ?? first.key
  const allOptional = entries.every(([, field]) => !field.required)

  const printTop = (value: T): string => {
    checkProperties(value, fields)
    const pairs: string[] = []
    for (const [property, field] of entries) {
      const held = value[property]
      if (held === undefined) {
        if (field.required) refuse(`${property} is missing`)
        continue
      }
      pairs.push(printPair(property, field, held))
    }
    const complaint = rule.check?.(value) ?? rule.sound?.(value)
    if (complaint !== undefined) refuse(complaint)
    return pairs.join(',')
  }

  const readPairs = (cursor: Cursor, implicitFirst: boolean): T => {
    const draft: Partial<Record<string, unknown>> = {}
    let implicit = implicitFirst && startsWithoutKey(cursor, names)
    while (cursor.peek() !== '' && cursor.peek() !== ']') {
      const name = implicit ? firstKey(cursor) : cursor.identifier()
      const known = byName.get(name)
      if (!known && rule.ignoresUnknown) {
        if (cursor.peek() === '=') {
          cursor.offset += 1
          cursor.skipValue()
        }
        cursor.endItem()
        continue
      }
      if (!known) cursor.fail(`unknown key '${name}' before this`)
      if (Object.hasOwn(draft, known.property))
        cursor.fail(`'${name}' is given twice, the second time before this`)
      draft[known.property] = readHeld(cursor, name, known.field, implicit)
      implicit = false
      cursor.endItem()
    }
    for (const [property, field] of entries) {
      if (!field.required || draft[property] !== undefined) continue
      if (field.missing === undefined) cursor.fail(`'${field.key}' is missing`)
      draft[property] = field.missing
    }
    const complaint = rule.check?.(draft as T)
    if (complaint !== undefined) cursor.fail(complaint)
    const unsoundness = rule.sound?.(draft as T)
    if (unsoundness !== undefined) cursor.unsound(unsoundness)
    return draft as T
  }

  return {
    print: (value) => {
      const inner = printTop(value)
      // `[]` makes crosvm take the next key of the enclosing record for this record's first: never write it.
      return inner === '' ? refuse('give at least one property, or leave the whole record out') : `[${inner}]`
    },
    read: (cursor) => {
      cursor.expect('[')
      if (cursor.peek() === ']') cursor.fail('an empty [] makes crosvm misread the next key')
      const value = readPairs(cursor, rule.implicitFirst ?? true)
      cursor.expect(']')
      return value
    },
    printTop,
    readTop: (cursor) => readPairs(cursor, rule.implicitFirst ?? true),
    ...(allOptional ? { bare: () => ({}) as T, printsBare: (value: T) => printTop(value) === '' } : {}),
  }
}

function printPair(property: string, field: Field<unknown>, held: unknown): string {
  try {
    if (field.shape.printsBare?.(held)) return field.key
    return `${field.key}=${field.shape.print(held)}`
  } catch (cause) {
    if (cause instanceof Refusal) refuse(`${property}: ${cause.message}`)
    throw cause
  }
}

function readHeld(cursor: Cursor, name: string, field: Field<unknown>, implicit: boolean): unknown {
  if (!implicit && cursor.peek() !== '=') {
    if (!cursor.atSeparator()) cursor.fail("expected '='")
    return field.shape.bare ? field.shape.bare() : cursor.fail(`'${name}' needs a value`)
  }
  if (!implicit) cursor.expect('=')
  return field.shape.read(cursor)
}

/** crosvm's own guess: no `=` after a first word that is no known key means that it is the first value. */
function startsWithoutKey(cursor: Cursor, names: readonly string[]): boolean {
  const word = cursor.peekIdentifier()
  if (word === undefined) return true
  return cursor.text.charAt(cursor.offset + word.length) !== '=' && !names.includes(word)
}

export function checkProperties(value: unknown, fields: object): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuse(`expected an object with ${Object.keys(fields).join(', ')}`)
  }
  for (const property of Object.keys(value)) {
    if (!Object.hasOwn(fields, property)) {
      refuse(`unknown property '${property}': known are ${Object.keys(fields).join(', ')}`)
    }
  }
}

/**
 * `kind[a=1,b=two]`: an enum of crosvm whose variants hold records. In TypeScript the variant is the property
 * `kind`. Inside the brackets every key must be named.
 */
export function tagged<T extends { readonly kind: string }>(
  variants: {
    readonly [K in T['kind']]: Shape<Omit<Extract<T, { kind: K }>, 'kind'>>
  },
): Shape<T> {
  const table = new Map<string, Shape<object>>(Object.entries(variants))
  return {
    print: (value) => {
      const { kind, ...rest } = value
      const shape = table.get(kind) ?? refuse(`kind must be one of ${[...table.keys()].join(', ')}`)
      const inner = shape.printTop!(rest)
      return inner === '' ? kind : `${kind}[${inner}]`
    },
    read: (cursor) => {
      const kind = cursor.identifier()
      const shape =
        table.get(kind) ?? cursor.fail(`expected one of ${[...table.keys()].join(', ')} before this`)
      if (cursor.peek() !== '[') {
        const bare = shape.bare ?? (() => cursor.fail(`'${kind}' needs its values in brackets`))
        return { kind, ...bare() } as unknown as T
      }
      cursor.expect('[')
      const rest = shape.readTop!(cursor)
      cursor.expect(']')
      return { kind, ...rest } as unknown as T
    },
  }
}

/** The record of one variant of {@link tagged}. */
export function variant<T extends object>(fields: Fields<T>, rule: RecordRule<T> = {}): Shape<T> {
  return record(fields, { ...rule, implicitFirst: false })
}

/** A variant without values, nor brackets. */
export function unit(): Shape<object> {
  return {
    print: () => '',
    read: () => ({}),
    printTop: (value) => {
      checkProperties(value, {})
      return ''
    },
    readTop: (cursor) => cursor.fail('this variant holds nothing: leave the brackets out, before this'),
    bare: () => ({}),
  }
}
