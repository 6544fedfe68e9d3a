import { refuse, unsound } from './refusal.js'

/** What a value may need to know about where the text came from. */
export interface ReadContext {
  /** Relative paths are taken from here; without it they are refused. */
  readonly workingDirectory?: string | undefined
  /** Some records have another first key on another one. */
  readonly architecture?: string | undefined
}

/** A place in the text of one option, and the tokens of crosvm's key-value grammar. */
export class Cursor {
  /** The whole text of the option's value. */
  readonly text: string
  /** Where the text came from. */
  readonly context: ReadContext
  /** Where the next character is, in UTF-16 units. */
  offset = 0

  constructor(text: string, context: ReadContext = {}) {
    this.text = text
    this.context = context
  }

  /** What was not read yet. */
  get rest(): string {
    return this.text.slice(this.offset)
  }

  /** The next character, or an empty string at the end. */
  peek(): string {
    return this.text.charAt(this.offset)
  }

  /** Whether the next character ends a value. */
  atSeparator(): boolean {
    const next = this.peek()
    return next === '' || next === ',' || next === ']'
  }

  /** Reads exactly this character, or fails. */
  expect(character: string): void {
    if (this.peek() !== character) this.fail(`expected '${character}'`)
    this.offset += 1
  }

  /** Skips a comma between two items; the end of a list or of the text also ends an item. */
  endItem(): void {
    if (!this.atSeparator()) this.fail("expected ','")
    if (this.peek() === ',') this.offset += 1
  }

  /** Fails unless all was read. */
  end(): void {
    if (this.offset < this.text.length) this.fail('text after the end of the value')
  }

  /** A key or the name of an enum variant: a letter, digit or `_`, then also `-`. */
  identifier(): string {
    const found = this.#match(IDENTIFIER)
    if (found === undefined) this.fail('expected an identifier')
    return found
  }

  /** What `identifier()` would give, without taking it. */
  peekIdentifier(): string | undefined {
    IDENTIFIER.lastIndex = this.offset
    return IDENTIFIER.exec(this.text)?.[0]
  }

  /** A number with an optional `-` and an optional `0x`, `0o` or `0b`, followed by a separator. */
  number(): bigint {
    const start = this.offset
    const found = this.#match(NUMBER)
    const value = found !== undefined && this.atSeparator() ? numberOf(found) : undefined
    if (value === undefined) {
      this.offset = start
      this.fail('expected a number without a unit, such as 4096 or 0x1000')
    }
    return value
  }

  /** Reads `true` or `false`. */
  boolean(): boolean {
    for (const value of [true, false]) {
      if (this.text.startsWith(String(value), this.offset)) {
        this.offset += String(value).length
        return value
      }
    }
    return this.fail('expected true or false')
  }

  /** Reads a text, quoted or not, and says how it was quoted. */
  string(): { readonly text: string; readonly quotes: 'none' | 'single' | 'double' } {
    const start = this.offset
    const quotes = this.peek() === '"' ? 'double' : this.peek() === "'" ? 'single' : 'none'
    const found = this.#match(quotes === 'double' ? DOUBLE : quotes === 'single' ? SINGLE : BARE)
    if (found === undefined) this.fail('expected a string: quote it, and close the quote')
    if (!this.atSeparator()) {
      this.offset = start
      this.fail('quotes and brackets can only be used in a quoted string')
    }
    const inner = quotes === 'none' ? found : found.slice(1, -1)
    return { text: quotes === 'double' ? inner.replace(/\\(["\\])/g, '$1') : inner, quotes }
  }

  /** Takes a value of a key that crosvm does not know and ignores: a word or a list of words. */
  skipValue(): void {
    if (this.atSeparator()) return
    if (this.peek() !== '[') {
      const { text, quotes } = this.string()
      if (quotes === 'none' && /^(true|false)./.test(text)) this.fail('text after a boolean, before this')
      return
    }
    this.offset += 1
    while (this.peek() !== ']') {
      if (this.peek() === '') this.fail("expected ']'")
      this.skipValue()
      this.endItem()
    }
    this.offset += 1
  }

  /** As {@link fail}, for what crosvm's own parser would take. */
  unsound(message: string): never {
    return unsound(`${message} at character ${this.offset}`, this.offset)
  }

  /** Ends the reading with a reason and the place. */
  fail(message: string): never {
    return refuse(`${message} at character ${this.offset}`, this.offset)
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.offset
    const found = pattern.exec(this.text)?.[0]
    if (found !== undefined) this.offset += found.length
    return found
  }
}

// Sticky patterns: each matches at lastIndex or not at all, and in time linear in the text.
const IDENTIFIER = /[A-Za-z0-9_][A-Za-z0-9_-]*/y
const NUMBER = /-?[0-9A-Za-z]+/y
const BARE = /[^,"'[\]]+/y
const SINGLE = /'[^']*'/y
const DOUBLE = /"(?:[^"\\]|\\["\\])*"/y

const DIGITS: Readonly<Record<string, RegExp>> = {
  '0x': /^[0-9A-Fa-f]+$/,
  '0o': /^[0-7]+$/,
  '0b': /^[01]+$/,
}

/** `undefined` when the text is no number in crosvm's grammar. */
export function numberOf(text: string): bigint | undefined {
  const negative = text.startsWith('-')
  const unsigned = negative ? text.slice(1) : text
  const prefix = unsigned.slice(0, 2)
  const digits = DIGITS[prefix]
  const valid = digits ? digits.test(unsigned.slice(2)) : /^[0-9]+$/.test(unsigned)
  // A number of hundreds of digits fits no field: refuse it before it is computed.
  if (!valid || unsigned.length > 80) return undefined
  return negative ? -BigInt(unsigned) : BigInt(unsigned)
}
