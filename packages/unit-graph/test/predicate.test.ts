import {
  any,
  atMost,
  audit,
  compose,
  conditionOf,
  defineService,
  defineUnit,
  equal,
  every,
  field,
  type GraphError,
  not,
  oneOf,
  only,
  type Predicate,
  revocable,
  startingWith,
} from '@spectrum/unit-graph'
import { describe, expect, it } from 'vitest'
import { store } from './graph-example.js'

const Call = defineService('org.example.call', {})
const provider = defineUnit('provider', { store, provides: { call: Call.command(['/bin/call']) } })
const caller = defineUnit('caller', { store, needs: { call: Call } })

/** What is wrong with a graph that asks this of an argument. */
const faultOf = (that: Predicate): GraphError | undefined =>
  compose({ provider, caller })
    .wire({ caller: { call: provider.provides.call.with(only(that)) } })
    .match(
      () => undefined,
      (error) => error,
    )

const many = <Each>(count: number, each: Each): Each[] => Array.from({ length: count }, () => each)
const text = (length: number) => 'x'.repeat(length)
/** `width` lists of `width` lists …, each the very same object. */
const branching = (width: number, depth: number): Predicate =>
  depth === 0 ? equal(1) : every(...many(width, branching(width, depth - 1)))

describe('a predicate', () => {
  it.each<[string, Predicate, boolean]>([
    ['no part', every(), true],
    ['255 parts and itself', any(...many(255, equal(1))), true],
    ['256 parts and itself', any(...many(256, equal(1))), false],
    ['255 texts', oneOf(...many(255, 'x')), true],
    ['256 texts', oneOf(...many(256, 'x')), false],
    ['256 in several lists', every(oneOf(...many(127, 'x')), oneOf(...many(126, 'x'))), true],
    ['257 in several lists', every(oneOf(...many(127, 'x')), oneOf(...many(127, 'x'))), false],
    ['a text of 4,096', equal(text(4096)), true],
    ['a text of 4,097', equal(text(4097)), false],
    ['a beginning of 4,096', startingWith(text(4096)), true],
    ['a beginning of 4,097', startingWith(text(4097)), false],
    ['a choice of 4,097', oneOf('x', text(4097)), false],
    ['a field of 64', field(text(64), equal(1)), true],
    ['a field of 65', field(text(65), equal(1)), false],
    ['a field without a name', field('', equal(1)), false],
    ['a field that no service can have', field('a.b', equal(1)), false],
    ['no number', atMost(Number.NaN), false],
  ])('with %s is taken: %s', (_, predicate, taken) => {
    const fault = faultOf(predicate)
    if (taken) expect(fault).toBeUndefined()
    else expect(fault).toMatchObject({ kind: 'invalid-value', path: expect.arrayContaining(['that']) })
  })

  it('with more parts than can be counted is refused at once', () => {
    expect(faultOf(branching(200, 12))?.kind).toBe('invalid-value')
  })

  it('in words shows nothing but text, whoever made it', () => {
    const hostile = '\u001b[2J\u202e"\\'
    const safe = '\\x1b[2J\\u{202e}'
    for (const [predicate, words] of [
      [equal(hostile), `the argument is "${safe}\\"\\\\"`],
      [oneOf(hostile, 3), `the argument is one of "${safe}\\"\\\\", 3`],
      [not(startingWith('\u2028')), 'not (the argument starts with "\\u{2028}")'],
      [field('a\n', field(hostile, atMost(2))), `a\\x0a.${safe}"\\ is at most 2`],
    ] as const)
      expect(conditionOf(only(predicate))).toBe(`only if ${words}`)
    expect(conditionOf(audit('\u202e'))).toBe('written down as "\\u{202e}"')
    expect(conditionOf(revocable('\u202e'))).toBe('until "\\u{202e}" is revoked')
  })

  it('in words is cut where it is long, and says so', () => {
    expect(conditionOf(only(equal(text(256))))).toBe(`only if the argument is "${text(256)}"`)
    expect(conditionOf(only(equal(text(4096))))).toBe(
      `only if the argument is "${text(256)}" (and 3840 more)`,
    )
    expect(conditionOf(only(field(text(65), equal(1))))).toBe(`only if ${text(64)} is 1`)
  })
})
