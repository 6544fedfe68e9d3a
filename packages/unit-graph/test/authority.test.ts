import {
  type Attenuator,
  Authority,
  any,
  ask,
  atMost,
  audit,
  bytes,
  choice,
  compose,
  type Decision,
  defineService,
  defineUnit,
  equal,
  every,
  field,
  integer,
  not,
  once,
  oneOf,
  only,
  rate,
  readOnly,
  record,
  revocable,
  startingWith,
  text,
  until,
} from '@spectrum/unit-graph'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { example, store } from './graph-example.js'

const Open = defineService('org.example.open', {
  argument: record({
    path: text({ max: 8 }),
    mode: choice('read', 'write'),
    size: integer({ min: 0, max: 10 }),
  }),
  request: bytes({ max: 10 }),
})
const server = defineUnit('server', { store, provides: { open: Open.command(['/bin/open']) } })
const client = defineUnit('client', { store, needs: { open: Open } })
const argument = { path: '/a', mode: 'read', size: 3 }

const authorityWith = (...attenuators: readonly Attenuator[]) =>
  new Authority(
    compose({ server, client })
      .wire({ client: { open: server.provides.open.with(...attenuators) } })
      ._unsafeUnwrap(),
  )
const call = (now = 0, changes: object = {}) => ({
  unit: 'client',
  need: 'open',
  argument: { ...argument, ...changes },
  now,
})
const kinds = (decisions: readonly Decision[]) => decisions.map(({ kind }) => kind)

describe('a call', () => {
  it('goes along an edge, with the argument as it was decided on', () => {
    const sent = { ...argument }
    const decision = authorityWith().decide({ ...call(), argument: sent })
    sent.path = '/etc'
    expect(decision).toMatchObject({ kind: 'allowed', argument, request: { kind: 'bytes', max: 10 } })
    expect(Object.isFrozen((decision as { argument: object }).argument)).toBe(true)
  })

  it('goes nowhere else', () => {
    const authority = new Authority(example())
    for (const [unit, need] of [
      ['mail', 'log'],
      ['mail', 'uplink'],
      ['net', 'sign'],
      ['vault', 'sign'],
      ['nobody', 'sign'],
      ['__proto__', 'constructor'],
      ['mail","sign', ''],
    ] as const) {
      expect(authority.decide({ unit, need, now: 0 })).toMatchObject({ kind: 'refused', reason: 'no-edge' })
    }
  })

  it.each([
    ['nothing', undefined],
    ['a field too many', { ...argument, more: 1 }],
    ['a field too few', { path: '/a', mode: 'read' }],
    ['a text too long', { ...argument, path: '123456789' }],
    ['a text too long in bytes', { ...argument, path: '€€€' }],
    ['half a character', { ...argument, path: '\ud800' }],
    ['an unknown choice', { ...argument, mode: 'toString' }],
    ['a number too large', { ...argument, size: 11 }],
    ['a fraction', { ...argument, size: 0.5 }],
    ['an inherited field', Object.create(argument)],
    ['a list', [argument]],
  ])('with an argument of another shape is refused: %s', (_, given) => {
    expect(authorityWith().decide({ ...call(), argument: given })).toMatchObject({
      kind: 'refused',
      reason: 'invalid-argument',
    })
  })

  it('that names a field which there is not says so in a log without commanding it', () => {
    const said = (name: string) => {
      const decision = authorityWith().decide(call(0, { [name]: 1 }))
      return decision.kind === 'refused' ? decision.message : decision.kind
    }
    expect(said('\u001b]0;title\u0007\nall is well')).toBe(
      'The argument.\\x1b]0;title\\x07\\x0aall is well of org.example.open is not a field.',
    )
    expect(said('x'.repeat(30_000)).length).toBeLessThan(200)
  })
})

describe('an attenuator', () => {
  it('once lets one call pass', () => {
    const authority = authorityWith(once())
    expect(kinds([authority.decide(call()), authority.decide(call())])).toEqual(['allowed', 'refused'])
  })

  it('rate counts over a sliding window', () => {
    const authority = authorityWith(rate(2, 'second'))
    const moments = [0, 500, 999, 1000, 1400, 1500, 1501]
    expect(kinds(moments.map((now) => authority.decide(call(now))))).toEqual([
      'allowed',
      'allowed',
      'refused',
      'allowed',
      'refused',
      'allowed',
      'refused',
    ])
  })

  it('rate does not forget when the clock is set back', () => {
    const authority = authorityWith(rate(1, 'minute'))
    expect(kinds([authority.decide(call(100_000)), authority.decide(call(0))])).toEqual([
      'allowed',
      'refused',
    ])
  })

  it('until ends at its moment, and says when that was', () => {
    const authority = authorityWith(until(1_000))
    expect(kinds([authority.decide(call(999)), authority.decide(call(1_000))])).toEqual([
      'allowed',
      'refused',
    ])
    expect(authority.decide(call(1_000))).toMatchObject({
      message: expect.stringContaining('1970-01-01 00:00:01 UTC'),
    })
  })

  it('revocable ends when it is revoked, by its own name only', () => {
    const authority = authorityWith(revocable('files'))
    expect(authority.revoke('other')).toBe(0)
    expect(authority.decide(call()).kind).toBe('allowed')
    expect(authority.revoke('files')).toBe(1)
    expect(authority.decide(call()).kind).toBe('refused')
  })

  it('read-only closes the request stream', () => {
    expect(authorityWith(readOnly()).decide(call())).toMatchObject({ kind: 'allowed', request: undefined })
  })

  it('audit names every decision, refusals and questions too', () => {
    const authority = authorityWith(audit('opens'), ask(), once())
    expect(authority.decide(call())).toMatchObject({ kind: 'ask', audit: ['opens'] })
    expect(authority.decide(call(), false)).toMatchObject({ kind: 'refused', audit: ['opens'] })
  })

  it.each([
    [only(field('mode', equal('read'))), { mode: 'read' }, { mode: 'write' }],
    [only(field('path', startingWith('/a'))), { path: '/ab' }, { path: '/b' }],
    [only(field('size', atMost(3))), { size: 3 }, { size: 4 }],
    [only(field('size', oneOf(1, 2))), { size: 2 }, { size: 3 }],
    [only(not(field('size', equal(1)))), { size: 2 }, { size: 1 }],
    [only(every(field('size', atMost(5)), field('mode', equal('read')))), { size: 5 }, { mode: 'write' }],
    [only(any(field('size', equal(9)), field('mode', equal('write')))), { mode: 'write' }, {}],
    [only(not(field('nothing', equal(1)))), {}, undefined],
    [only(any()), undefined, {}],
    [only(every()), {}, undefined],
  ])('%j lets only its arguments pass', (attenuator, passes, fails) => {
    const authority = authorityWith(attenuator)
    if (passes !== undefined) expect(authority.decide(call(0, passes)).kind).toBe('allowed')
    if (fails !== undefined) expect(authority.decide(call(0, fails)).kind).toBe('refused')
  })

  it('ask waits for an answer, each time', () => {
    const authority = authorityWith(ask())
    expect(
      kinds([authority.decide(call()), authority.decide(call(), true), authority.decide(call())]),
    ).toEqual(['ask', 'allowed', 'ask'])
    expect(authority.decide(call(), false)).toMatchObject({ kind: 'refused', reason: 'attenuated' })
  })

  it('ask remembers yes and no for the same argument, if it may', () => {
    const authority = authorityWith(ask({ remember: true }))
    authority.decide(call(), true)
    authority.decide(call(0, { size: 4 }), false)
    expect(authority.decide(call()).kind).toBe('allowed')
    expect(authority.decide(call(0, { size: 4 })).kind).toBe('refused')
    expect(authority.decide(call(0, { size: 5 })).kind).toBe('ask')
  })

  it('ask does not trouble a person about what is refused anyway', () => {
    expect(authorityWith(ask(), until(0)).decide(call(1)).kind).toBe('refused')
  })

  it('is asked again when the answer comes late', () => {
    const authority = authorityWith(ask(), until(1_000))
    expect(authority.decide(call(999)).kind).toBe('ask')
    expect(authority.decide(call(1_000), true).kind).toBe('refused')
  })

  it('counts only calls that every other one lets pass', () => {
    const authority = authorityWith(once(), only(field('size', atMost(3))), ask())
    expect(authority.decide(call(0, { size: 9 })).kind).toBe('refused')
    expect(authority.decide(call(), false).kind).toBe('refused')
    expect(authority.decide(call(), true).kind).toBe('allowed')
  })

  it('tells what each one said, up to the one that refused', () => {
    const { reasons } = authorityWith(audit('a'), until(5), once()).decide(call(5))
    expect(reasons.map(({ attenuator, says }) => [attenuator.kind, says])).toEqual([
      ['audit', 'passes'],
      ['until', 'refuses'],
    ])
  })
})

describe('any chain of attenuators', () => {
  const attenuator = fc.oneof(
    fc.constant(once()),
    fc.constant(readOnly()),
    fc.constant(audit('x')),
    fc.nat(3).map((count) => rate(count + 1, 'second')),
    fc.nat(3_000).map((time) => until(time)),
    fc.nat(10).map((size) => only(field('size', atMost(size)))),
  )
  const calls = fc.array(fc.tuple(fc.nat(3_000), fc.nat(10)), { maxLength: 12 })

  it('never lets pass what the chain without one of them refuses at the first call', () => {
    fc.assert(
      fc.property(
        fc.array(attenuator, { maxLength: 4 }),
        attenuator,
        fc.nat(3_000),
        fc.nat(10),
        (chain, more, now, size) => {
          const weaker = authorityWith(...chain, more).decide(call(now, { size }))
          const stronger = authorityWith(...chain).decide(call(now, { size }))
          if (weaker.kind === 'allowed') expect(stronger.kind).toBe('allowed')
        },
      ),
    )
  })

  it('says beforehand what it then does', () => {
    fc.assert(
      fc.property(fc.array(attenuator, { maxLength: 4 }), calls, (chain, list) => {
        const authority = authorityWith(...chain)
        const edge = authority.edges()[0]!
        for (const [now, size] of list) {
          const value = { ...argument, size }
          const said = authority.judge(edge, now, { value }).outcome
          expect(authority.decide(call(now, { size })).kind).toBe(said)
        }
      }),
    )
  })
})
