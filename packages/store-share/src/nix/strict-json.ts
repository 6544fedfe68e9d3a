import { Buffer } from 'node:buffer'
import { err, ok, type Result } from 'neverthrow'
import { found } from './malformed.js'

/** A JSON value that knows the line it begins in, so that a complaint about it can name the place. */
export type JsonNode = { readonly line: number } & (
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonNode> }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }
)

export interface JsonError {
  readonly line: number
  readonly reason: string
}

export interface JsonLimits {
  readonly bytes: number
  readonly depth: number
}

/**
 * RFC 8259 with what `JSON.parse` leaves open closed: UTF-8 only, no member twice, no lone surrogates, bounded
 * length and depth.
 */
export function parseStrictJson(input: Uint8Array | string, limits: JsonLimits): Result<JsonNode, JsonError> {
  if (input.length > limits.bytes) return err({ line: 1, reason: `it is longer than ${limits.bytes} bytes` })
  const text = typeof input === 'string' ? input : decodeUtf8(input)
  if (text === undefined) return err({ line: 1, reason: 'it is not UTF-8' })
  const parser = new Parser(text, limits.depth)
  try {
    return ok(parser.parse())
  } catch (thrown) {
    if (thrown instanceof Refusal) return err({ line: parser.line, reason: thrown.message })
    throw thrown
  }
}

export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
  // Node replaces what is not UTF-8; then the way back is another one.
  return Buffer.byteLength(text) === bytes.length && Buffer.from(text).equals(bytes) ? text : undefined
}

class Refusal extends Error {}

const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const WORD = /true|false|null/y

class Parser {
  #at = 0
  /** Lines are counted as far as this position. */
  #counted = 0
  line = 1

  constructor(
    readonly text: string,
    readonly maxDepth: number,
  ) {}

  parse(): JsonNode {
    const node = this.#value(0)
    this.#space()
    if (this.#at < this.text.length) this.#fail('the end')
    return node
  }

  #value(depth: number): JsonNode {
    this.#space()
    const { line } = this
    const next = this.text[this.#at]
    if (next === '{' || next === '[') {
      if (depth >= this.maxDepth) throw new Refusal(`it is nested deeper than ${this.maxDepth} levels`)
      this.#at++
      return next === '{'
        ? { kind: 'object', line, members: this.#members(depth + 1) }
        : { kind: 'array', line, items: this.#items(depth + 1) }
    }
    if (next === '"') return { kind: 'string', line, value: this.#string() }
    const word = this.#match(WORD)
    if (word === 'null') return { kind: 'null', line }
    if (word !== undefined) return { kind: 'boolean', line, value: word === 'true' }
    const number = this.#match(NUMBER)
    if (number === undefined) this.#fail('a value')
    return { kind: 'number', line, value: Number(number) }
  }

  #members(depth: number): Map<string, JsonNode> {
    const members = new Map<string, JsonNode>()
    this.#list('}', () => {
      if (this.text[this.#at] !== '"') this.#fail('a name in quotes')
      const name = this.#string()
      if (members.has(name)) throw new Refusal(`${found(name)} comes twice in one object`)
      this.#space()
      if (this.text[this.#at] !== ':') this.#fail('a colon')
      this.#at++
      members.set(name, this.#value(depth))
    })
    return members
  }

  #items(depth: number): JsonNode[] {
    const items: JsonNode[] = []
    this.#list(']', () => items.push(this.#value(depth)))
    return items
  }

  #list(end: '}' | ']', takeOne: () => void): void {
    this.#space()
    if (this.text[this.#at] === end) {
      this.#at++
      return
    }
    for (;;) {
      this.#space()
      takeOne()
      this.#space()
      const next = this.text[this.#at]
      if (next !== ',' && next !== end) this.#fail(`a comma or ${end}`)
      this.#at++
      if (next === end) return
    }
  }

  #string(): string {
    let end = this.#at + 1
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1
    const value = parseString(this.text.slice(this.#at, end + 1))
    if (value === undefined)
      throw new Refusal('a string does not end or has a character that must be escaped')
    if (LONE_SURROGATE.test(value)) throw new Refusal('a string holds half of a surrogate pair')
    this.#at = end + 1
    return value
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const matched = pattern.exec(this.text)?.[0]
    this.#at += matched?.length ?? 0
    return matched
  }

  #space(): void {
    this.#match(SPACE)
    for (; this.#counted < this.#at; this.#counted++) {
      if (this.text.charCodeAt(this.#counted) === 0x0a) this.line++
    }
  }

  #fail(expected: string): never {
    const rest = this.text.slice(this.#at, this.#at + 20)
    throw new Refusal(`${expected} should come, not ${rest === '' ? 'the end' : found(rest)}`)
  }
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

function parseString(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string
  } catch {
    return undefined
  }
}
