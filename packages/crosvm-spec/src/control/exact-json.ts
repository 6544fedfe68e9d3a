import { err, ok, type Result } from 'neverthrow'

/**
 * JSON whose numbers are whole and exact: crosvm writes 64-bit numbers, which `JSON.parse` rounds. An object
 * is a Map, so that no key of the text reaches a prototype.
 */
export type ExactJson =
  | null
  | boolean
  | string
  | bigint
  | readonly ExactJson[]
  | ReadonlyMap<string, ExactJson>

/**
 * What is no JSON, or more of it than is allowed: `message` says what, `offset` where in the text, in UTF-16
 * units.
 */
export interface JsonError {
  readonly message: string
  readonly offset: number
}

/** Deeper than any reply of crosvm. */
export const DEEPEST = 16

class Fault {
  readonly message: string
  readonly offset: number
  constructor(message: string, offset: number) {
    this.message = message
    this.offset = offset
  }
}

/**
 * One value and nothing after it. Refuses fractions, exponents, numbers of more than 21 characters, a key given
 * twice and what is nested deeper than 16.
 */
export function parseExactJson(text: string): Result<ExactJson, JsonError> {
  const reader = new Reader(text)
  try {
    return ok(reader.whole())
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    return err({ message: cause.message, offset: cause.offset })
  }
}

const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)/y
const STRING = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/uy
const WORD = /true|false|null/y

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): ExactJson {
    const value = this.#value(0)
    this.#match(SPACE)
    if (this.#at < this.#text.length) this.#fail('text after the value')
    return value
  }

  #value(depth: number): ExactJson {
    if (depth > DEEPEST) this.#fail('nested too deep')
    this.#match(SPACE)
    switch (this.#text.charAt(this.#at)) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return this.#string()
    }
    const word = this.#match(WORD)
    if (word !== undefined) return word === 'null' ? null : word === 'true'
    return this.#number()
  }

  #number(): bigint {
    const digits = this.#match(NUMBER) ?? this.#fail('expected a value')
    if (/[.eE0-9]/.test(this.#text.charAt(this.#at))) this.#fail('expected a whole number')
    // No number of crosvm has more than twenty digits; converting longer ones would cost time.
    if (digits.length > 21) this.#fail('a number of more than 64 bits')
    return BigInt(digits)
  }

  #string(): string {
    const quoted = this.#match(STRING) ?? this.#fail('a string that does not end, or holds what it must not')
    return JSON.parse(quoted) as string
  }

  #array(depth: number): ExactJson {
    this.#at += 1
    const items: ExactJson[] = []
    if (this.#take(']')) return items
    do items.push(this.#value(depth + 1))
    while (this.#take(','))
    if (!this.#take(']')) this.#fail("expected ',' or ']'")
    return items
  }

  #object(depth: number): ExactJson {
    this.#at += 1
    const entries = new Map<string, ExactJson>()
    if (this.#take('}')) return entries
    do {
      this.#match(SPACE)
      if (this.#text.charAt(this.#at) !== '"') this.#fail('expected a key')
      const key = this.#string()
      if (entries.has(key)) this.#fail('a key is given twice')
      if (!this.#take(':')) this.#fail("expected ':'")
      entries.set(key, this.#value(depth + 1))
    } while (this.#take(','))
    if (!this.#take('}')) this.#fail("expected ',' or '}'")
    return entries
  }

  #take(character: string): boolean {
    this.#match(SPACE)
    if (this.#text.charAt(this.#at) !== character) return false
    this.#at += 1
    return true
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  #fail(message: string): never {
    throw new Fault(message, this.#at)
  }
}

/** What {@link printExactJson} writes: plain objects, with numbers as numbers or bigints. */
export type PlainJson =
  | null
  | boolean
  | string
  | number
  | bigint
  | readonly PlainJson[]
  | { readonly [key: string]: PlainJson }

/** Prints JSON in which a `bigint` is a plain number, so that a u64 arrives exactly. */
export function printExactJson(value: PlainJson): string {
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(printExactJson).join(',')}]`
  const pairs = Object.entries(value).map(([key, held]) => `${JSON.stringify(key)}:${printExactJson(held)}`)
  return `{${pairs.join(',')}}`
}
