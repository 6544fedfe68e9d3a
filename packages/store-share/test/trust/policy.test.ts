import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkPolicy, formatPolicy, parsePolicy, type TrustPolicy } from '../../src/index.js'
import { formatInstant, parseInstant } from '../../src/trust/time.js'
import { builder, keyOf, NOW, pathOf, policy } from './claims.js'

const whole = policy({
  builders: [builder('alpha', [keyOf('alpha-1')], { notBefore: 0, notAfter: NOW }), builder('beta')],
  overrides: new Map([
    [pathOf('x'), { need: 0, narHash: 'ab'.repeat(32) }],
    [pathOf('y'), { need: 1, builders: ['beta'], contentAddressed: 'never' }],
  ]),
})
const TEXT = formatPolicy(whole)

describe('a policy in JSON', () => {
  it('is read back as it was written', () => {
    expect(parsePolicy(TEXT)._unsafeUnwrap()).toEqual(whole)
    expect(TEXT).toContain('"notAfter": "2026-11-22T00:00:00Z"')
  })

  it.each<[string, RegExp, string, string, number, RegExp]>([
    ['a field that is not known', /"need": 2/, '"need": 2, "neeed": 1', '', 3, /`neeed` is not known/],
    ['a field twice', /"need": 2/, '"need": 2, "need": 1', '', 3, /`need` comes twice/],
    ['a field missing', /"need": 2,/, '', '', 1, /need is missing/],
    ['a key missing', /"publicKey": "alpha[^"]*",/, '', 'builders[0].keys[0]', 9, /publicKey is missing/],
    ['another version', /"version": 1/, '"version": 2', 'version', 2, /version 1 only/],
    ['a need in quotes', /"need": 2/, '"need": "2"', 'need', 3, /no number/],
    ['a need of zero', /"need": 2/, '"need": 0', 'need', 3, /from 1 on/],
    ['a need of a half', /"need": 2/, '"need": 0.5', 'need', 3, /whole/],
    ['a need above the builders', /"need": 2/, '"need": 3', 'need', 3, /only 2 with distinct keys/],
    ['a rule that is none', /"k-of-n"/, '"always"', 'contentAddressed', 4, /never, recompute or k-of-n/],
    ['a builder without keys', /"keys": \[[^\]]*\]/, '"keys": []', 'builders[0].keys', 8, /never vouch/],
    ['two builders of one name', /"beta"/, '"alpha"', 'builders[1].name', 17, /twice/],
    [
      'a key that is none',
      /"alpha-1:[^"]*"/,
      '"alpha-1:AAAA"',
      'builders[0].keys[0].publicKey',
      10,
      /32 bytes/,
    ],
    [
      'a placeholder for a key',
      /"alpha-1:[^"]*"/,
      `"alpha-1:${'A'.repeat(43)}="`,
      'builders[0].keys[0].publicKey',
      10,
      /small order/,
    ],
    [
      'a day that does not exist',
      /2026-11-22/,
      '2026-02-29',
      'builders[0].keys[0].notAfter',
      12,
      /looks like/,
    ],
    ['a time without a zone', /00:00Z/, '00:00', 'builders[0].keys[0].notBefore', 11, /looks like/],
    [
      'a key that ends before it begins',
      /1970-01-01/,
      '2027-01-01',
      'builders[0].keys[0].notAfter',
      12,
      /never counts/,
    ],
    [
      'an override of no store path',
      /nix\/store\/0{31}a-x/,
      'nix/store/x',
      'overrides[`/nix/store/x`]',
      26,
      /not a store path/,
    ],
    [
      'an override that asks for nobody',
      /"need": 1/,
      '"need": 0',
      `overrides[\`${pathOf('y')}\`].need`,
      31,
      /from 1 on/,
    ],
    [
      'an override with an unknown builder',
      /"beta"\n/,
      '"delta"\n',
      `overrides[\`${pathOf('y')}\`].builders`,
      32,
      /no builder `delta`/,
    ],
    [
      'an override with no hash',
      /"sha256:[^"]*"/,
      '"abc"',
      `overrides[\`${pathOf('x')}\`].narHash`,
      28,
      /no SHA-256/,
    ],
  ])('with %s is refused, with the place and the line', (_, pattern, by, at, line, problem) => {
    const text = TEXT.replace(pattern, by)
    expect(text).not.toBe(TEXT)
    const error = parsePolicy(text)._unsafeUnwrapErr()
    expect(error.kind).toBe('invalid-policy')
    expect(error.problems).toContainEqual({ at, line, problem: expect.stringMatching(problem) })
    expect(error.message).toContain(`line ${line}`)
  })

  it.each([
    ['nothing', ''],
    ['no object', '[]'],
    ['something after it', `${TEXT}{}`],
    ['a comment', `// no\n${TEXT}`],
    ['a trailing comma', TEXT.replace('"need": 2,', '"need": 2,,')],
    ['a control character', TEXT.replace('alpha"', 'al\u0001pha"')],
    ['half of a surrogate pair', TEXT.replace('"alpha"', '"\\ud800"')],
    ['a number with a zero in front', TEXT.replace('"need": 2', '"need": 02')],
  ])('that is %s is refused', (_, text) => {
    expect(parsePolicy(text)._unsafeUnwrapErr().kind).toBe('invalid-policy')
  })

  it('that is not UTF-8 is refused', () => {
    const bytes = Buffer.from(TEXT)
    bytes[bytes.indexOf('alpha')] = 0xff
    expect(parsePolicy(bytes)._unsafeUnwrapErr().message).toContain('UTF-8')
  })

  it('nested without end is refused', () => {
    expect(parsePolicy('['.repeat(1_000_000))._unsafeUnwrapErr().message).toContain('nested deeper')
  })

  it('damaged anyhow is refused or read, and what is read is a policy that holds', () => {
    const damage = fc.tuple(fc.nat(TEXT.length), fc.nat(5), fc.string({ maxLength: 5 }))
    fc.assert(
      fc.property(damage, ([at, drop, insert]) => {
        const parsed = parsePolicy(TEXT.slice(0, at) + insert + TEXT.slice(at + drop))
        if (parsed.isErr()) return
        expect(checkPolicy(parsed.value).isOk()).toBe(true)
        expect(parsePolicy(formatPolicy(parsed.value))._unsafeUnwrap()).toEqual(parsed.value)
      }),
    )
  })
})

describe('a policy as a value', () => {
  it.each<[string, Partial<TrustPolicy>]>([
    ['no builders', { builders: [] }],
    ['a need that is no number', { need: Number.NaN }],
    ['a name that misleads', { builders: [builder('\u202ealpha', [keyOf('a-1')])], need: 1 }],
    [
      'a time that is no number',
      { builders: [builder('a', [keyOf('a-1')], { notAfter: Number.NaN })], need: 1 },
    ],
    ['300 builders', { builders: Array.from({ length: 300 }, (_, index) => builder(`b${index}`)) }],
  ])('with %s is refused', (_, change) => {
    expect(checkPolicy(policy(change))._unsafeUnwrapErr().kind).toBe('invalid-policy')
  })

  it('tells all that is wrong with it', () => {
    const error = checkPolicy(policy({ need: 9, builders: [builder('a', []), builder('a', [])] }))
    expect(error._unsafeUnwrapErr().problems.map(({ at }) => at)).toEqual([
      'builders[0].keys',
      'builders[1].name',
      'builders[1].keys',
      'need',
    ])
  })
})

describe('an instant', () => {
  it('is the one that Date knows, to the millisecond', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date(0), max: new Date(253_402_300_799_999), noInvalidDate: true }),
        (date) => {
          const text = date.toISOString().replace('.000Z', 'Z')
          expect(formatInstant(date.getTime())).toBe(text)
          expect(parseInstant(text)).toBe(date.getTime())
        },
      ),
    )
  })

  it.each([
    '2026-11-22',
    '2026-11-22T24:00:00Z',
    '2026-11-31T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2016-12-31T23:59:60Z',
    '2026-11-22T00:00:00+00:00',
    '2026-11-22T00:00:00.000Z',
  ])('is not read from %s', (text) => {
    expect(parseInstant(text)).toBeUndefined()
  })
})
