import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Claim,
  contentAddressedPath,
  formatNarHash,
  formatVerdict,
  judge,
  type Outcome,
  type PathVerdict,
  parseContentAddress,
  type TrustPolicy,
} from '../../src/index.js'
import { builder, claim, facts, keyOf, NOW, pathOf, policy } from './claims.js'

function verdictOn(claims: readonly Claim[], change: Partial<TrustPolicy> = {}, paths = [pathOf('x')]) {
  return judge(policy(change), { paths, claims, now: NOW })._unsafeUnwrap()
}

function judged(claims: readonly Claim[], change: Partial<TrustPolicy> = {}): PathVerdict {
  return verdictOn(claims, change).paths[0]!
}

const x = facts('x')
const other = facts('x', { narHash: 'cd'.repeat(32) })

describe('a path is admitted', () => {
  it('when enough builders vouch for the same facts, and the verdict says which', () => {
    const { outcome } = judged([claim('one', x, ['alpha-1']), claim('two', x, ['beta-1'])])
    expect(outcome).toMatchObject({
      kind: 'agreed',
      builders: ['alpha', 'beta'],
      value: { narHash: x.narHash },
    })
  })

  it('when one source carries the signatures of all', () => {
    expect(judged([claim('one', x, ['gamma-1', 'alpha-1'])]).outcome.kind).toBe('agreed')
  })

  it('with the dissent of the others told', () => {
    const { outcome, claimed } = judged([
      claim('one', x, ['alpha-1', 'beta-1']),
      claim('two', other, ['gamma-1']),
    ])
    expect(outcome).toMatchObject({ kind: 'agreed', builders: ['alpha', 'beta'] })
    expect(claimed).toMatchObject([
      { value: { narHash: x.narHash }, builders: ['alpha', 'beta'], sources: ['one'] },
      { value: { narHash: other.narHash }, builders: ['gamma'], sources: ['two'] },
    ])
  })

  it('whatever sources say that nobody vouches for', () => {
    const noise = Array.from({ length: 20 }, (_, index) =>
      claim(`bad-${index}`, facts('x', { narSize: index + 1 }), ['evil-1']),
    )
    expect(judged([...noise, claim('one', x, ['alpha-1', 'beta-1'])]).outcome.kind).toBe('agreed')
  })
})

describe('a path is missing', () => {
  it('when no source has it', () => {
    expect(judged([]).outcome).toEqual({ kind: 'missing', builders: [], need: 2 })
  })

  it('when too few vouch for it, and the verdict says who does', () => {
    const { outcome } = judged([claim('one', x, ['alpha-1'])])
    expect(outcome).toEqual({ kind: 'missing', builders: ['alpha'], need: 2 })
  })

  it('when only keys outside of the policy signed it', () => {
    const { outcome, remarks } = judged([claim('one', x, ['evil-1'])])
    expect(outcome.kind).toBe('missing')
    expect(remarks).toEqual([{ kind: 'untrusted-key', source: 'one', keyName: 'evil-1' }])
  })

  it('when nobody signed it', () => {
    expect(judged([claim('one', x, [])]).remarks).toEqual([{ kind: 'unsigned', source: 'one' }])
  })

  it('when somebody else signed it in the name of a builder', () => {
    const forged = claim('one', x, [keyOf('alpha-1', 'evil'), 'beta-1'])
    const { outcome, remarks } = judged([forged])
    expect(outcome).toEqual({ kind: 'missing', builders: ['beta'], need: 2 })
    expect(remarks).toEqual([{ kind: 'invalid-signature', source: 'one', keyName: 'alpha-1' }])
  })

  it('when a signature is carried over to other facts', () => {
    const signed = claim('one', x, ['alpha-1', 'beta-1'])
    const moved = { ...signed, info: { ...other, signatures: signed.info.signatures } }
    expect(judged([moved]).outcome).toEqual({ kind: 'missing', builders: [], need: 2 })
  })
})

describe('builders are counted by their keys', () => {
  const twice = [builder('alpha'), builder('alias', [keyOf('other-name', 'alpha-1')]), builder('beta')]

  it('so that one key under two names counts once', () => {
    const { outcome, remarks } = judged([claim('one', x, ['alpha-1', keyOf('other-name', 'alpha-1')])], {
      builders: twice,
    })
    expect(outcome).toEqual({ kind: 'missing', builders: ['alpha'], need: 2 })
    expect(remarks).toEqual([
      { kind: 'duplicate-key', builder: 'alias', keyName: 'other-name', countedAs: 'alpha' },
    ])
  })

  it('so that of builders with one key the first in the policy is named, whoever is found first', () => {
    const claims = [claim('one', x, [keyOf('other-name', 'alpha-1')]), claim('two', x, ['beta-1', 'alpha-1'])]
    for (const order of [claims, [...claims].reverse()]) {
      expect(judged(order, { builders: twice }).outcome).toMatchObject({
        kind: 'agreed',
        builders: ['alpha', 'beta'],
      })
    }
  })

  it('so that a policy that needs more distinct keys than there are is refused', () => {
    const error = judge(policy({ builders: twice, need: 3 }), { paths: [], claims: [], now: NOW })
    expect(error._unsafeUnwrapErr().problems).toMatchObject([{ at: 'need' }])
  })

  it('so that a builder with two keys counts once', () => {
    const builders = [builder('alpha', [keyOf('alpha-1'), keyOf('alpha-2')]), builder('beta')]
    const { outcome, remarks } = judged([claim('one', x, ['alpha-1', 'alpha-2'])], { builders })
    expect(outcome).toEqual({ kind: 'missing', builders: ['alpha'], need: 2 })
    expect(remarks).toEqual([{ kind: 'same-builder', builder: 'alpha', keyName: 'alpha-2' }])
  })

  it('so that builders who share keys in a chain are one', () => {
    const keys = [keyOf('k-1'), keyOf('k-2'), keyOf('k-3')]
    const chain = [
      builder('a', [keys[0]!, keys[1]!]),
      builder('b', [keyOf('again', 'k-2'), keys[2]!]),
      builder('c', [keyOf('again-too', 'k-3')]),
    ]
    const error = judge(policy({ builders: chain }), { paths: [], claims: [], now: NOW })._unsafeUnwrapErr()
    expect(error.message).toContain('only 1 with distinct keys')
  })

  it('so that the same signature from many sources counts once', () => {
    const everywhere = ['one', 'two', 'three'].map((source) => claim(source, x, ['alpha-1']))
    expect(judged(everywhere).outcome).toEqual({ kind: 'missing', builders: ['alpha'], need: 2 })
  })

  it('so that two builders may call their keys the same', () => {
    const [one, two] = [keyOf('cache-1', 'one'), keyOf('cache-1', 'two')]
    const builders = [builder('alpha', [one]), builder('beta', [two])]
    expect(judged([claim('a', x, [one]), claim('b', x, [two])], { builders }).outcome).toMatchObject({
      kind: 'agreed',
      builders: ['alpha', 'beta'],
    })
  })
})

describe('builders who vouch for different facts', () => {
  it.each([
    ['hash', { narHash: 'cd'.repeat(32) }],
    ['size', { narSize: 681 }],
    ['references', { references: [pathOf('y')] }],
    ['reference to itself', { selfReference: true }],
  ])('disagree in the %s: it is said who claims what, and not that it is missing', (_, change) => {
    const { outcome } = judged([claim('one', x, ['alpha-1']), claim('two', facts('x', change), ['beta-1'])])
    expect(outcome).toMatchObject({ kind: 'disagreement', need: 2 })
    const { values } = outcome as Outcome & { kind: 'disagreement' }
    expect(
      new Set(values.map(({ builders: [builder], sources: [source] }) => `${builder} ${source}`)),
    ).toEqual(new Set(['alpha one', 'beta two']))
  })

  it('disagree even when each value has enough of them', () => {
    const builders = ['a', 'b', 'c', 'd'].map((name) => builder(name))
    const { outcome } = judged([claim('one', x, ['a-1', 'b-1']), claim('two', other, ['c-1', 'd-1'])], {
      builders,
    })
    expect(outcome).toMatchObject({ kind: 'disagreement', values: [{}, {}] })
  })

  it('disagree with themselves when one signed both', () => {
    const { outcome } = judged([claim('one', x, ['alpha-1']), claim('two', other, ['alpha-1'])], { need: 1 })
    expect(outcome).toMatchObject({
      kind: 'disagreement',
      values: [{ builders: ['alpha'] }, { builders: ['alpha'] }],
    })
  })
})

describe('a key counts', () => {
  const times = { notBefore: NOW - 1000, notAfter: NOW + 1000 }
  const builders = [builder('alpha', [keyOf('alpha-1')], times), builder('beta')]
  const claims = [claim('one', x, ['alpha-1', 'beta-1'])]
  const at = (now: number) =>
    judge(policy({ builders }), { paths: [x.path], claims, now })._unsafeUnwrap().paths[0]!

  it.each([NOW - 1000, NOW, NOW + 1000])('from its first to its last millisecond', (now) => {
    expect(at(now).outcome.kind).toBe('agreed')
  })

  it('not before', () => {
    expect(at(NOW - 1001)).toMatchObject({
      outcome: { kind: 'missing', builders: ['beta'] },
      remarks: [{ kind: 'not-yet-valid', builder: 'alpha', keyName: 'alpha-1', notBefore: NOW - 1000 }],
    })
  })

  it('not after', () => {
    expect(at(NOW + 1001)).toMatchObject({
      outcome: { kind: 'missing', builders: ['beta'] },
      remarks: [{ kind: 'expired', builder: 'alpha', keyName: 'alpha-1', notAfter: NOW + 1000 }],
    })
  })
})

describe('the closure as a whole', () => {
  const both = ['alpha-1', 'beta-1']

  it('is admitted when every path is', () => {
    const verdict = verdictOn(
      [claim('one', facts('x', { references: [pathOf('y')] }), both), claim('one', facts('y'), both)],
      {},
      [pathOf('y'), pathOf('x'), pathOf('y')],
    )
    expect(verdict.admitted).toBe(true)
    expect(verdict.paths.map(({ path }) => path)).toEqual([pathOf('x'), pathOf('y')])
  })

  it('is refused when one path is', () => {
    expect(verdictOn([claim('one', x, both)], {}, [pathOf('x'), pathOf('y')]).admitted).toBe(false)
  })

  it('is refused when a path refers to one outside', () => {
    const verdict = verdictOn([claim('one', facts('x', { references: [pathOf('y')] }), both)])
    expect(verdict.admitted).toBe(false)
    expect(verdict.paths[0]!.outcome).toMatchObject({ kind: 'reference-outside', references: [pathOf('y')] })
  })

  it('may refer to itself', () => {
    expect(verdictOn([claim('one', facts('x', { selfReference: true }), both)]).admitted).toBe(true)
  })
})

describe('a rule for one path', () => {
  const rule = (path: object) => ({ overrides: new Map([[pathOf('x'), path]]) })

  it('may ask fewer builders', () => {
    expect(judged([claim('one', x, ['alpha-1'])], rule({ need: 1 })).outcome.kind).toBe('agreed')
  })

  it('may count only some builders', () => {
    const { outcome, remarks } = judged(
      [claim('one', x, ['alpha-1', 'beta-1', 'gamma-1'])],
      rule({ need: 1, builders: ['gamma'] }),
    )
    expect(outcome).toMatchObject({ kind: 'agreed', builders: ['gamma'] })
    expect(remarks).toContainEqual({ kind: 'not-counted', builder: 'alpha' })
  })

  it('may name the hash, which then needs nobody', () => {
    const pinned = rule({ need: 0, narHash: x.narHash })
    expect(judged([claim('one', x, [])], pinned).outcome).toMatchObject({
      kind: 'pinned',
      value: { narHash: x.narHash },
    })
    const { outcome, remarks } = judged([claim('one', other, ['alpha-1', 'beta-1', 'gamma-1'])], pinned)
    expect(outcome.kind).toBe('missing')
    expect(remarks).toContainEqual({ kind: 'other-than-pinned', source: 'one', narHash: other.narHash })
  })

  it('settles a disagreement by naming the hash', () => {
    const claims = [claim('one', x, ['alpha-1']), claim('two', other, ['beta-1'])]
    expect(judged(claims, rule({ need: 1, narHash: other.narHash })).outcome).toMatchObject({
      kind: 'agreed',
      builders: ['beta'],
    })
  })

  it('says nothing of other paths', () => {
    const claims = [claim('one', facts('y'), ['alpha-1'])]
    expect(verdictOn(claims, rule({ need: 1 }), [pathOf('y')]).admitted).toBe(false)
  })
})

describe('a content-addressed path', () => {
  const content = (text: string, references: string[] = [], selfReference = false) => {
    const contentAddress = parseContentAddress(text)._unsafeUnwrap()
    const path = contentAddressedPath('x', contentAddress, { references, selfReference })!
    return { path, contentAddress, references, selfReference }
  }
  const hex = 'ab'.repeat(32)
  const nar = content(`fixed:r:sha256:${hex}`)
  const flat = content(`fixed:sha256:${'12'.repeat(32)}`)
  const text = content(`text:sha256:${'12'.repeat(32)}`, [pathOf('y')])
  const self = content(`fixed:r:sha256:${'12'.repeat(32)}`, [], true)
  const sha1 = content(`fixed:sha1:${'12'.repeat(20)}`)
  const judgeContent = (
    { contentAddress, ...given }: typeof nar,
    rule: TrustPolicy['contentAddressed'],
    keys: readonly string[] = [],
    bare = false,
  ) => {
    const claims = [claim('one', facts('x', given), keys, bare ? {} : { contentAddress })]
    return judge(policy({ contentAddressed: rule }), { paths: [given.path, pathOf('y')], claims, now: NOW })
      ._unsafeUnwrap()
      .paths.find(({ path }) => path === given.path)!
  }

  it('needs no signature where content is recomputed', () => {
    expect(judgeContent(nar, 'recompute').outcome).toEqual({
      kind: 'content-addressed',
      value: { narHash: hex, narSize: 680, references: [], selfReference: false },
    })
  })

  it('is known without the line that says so', () => {
    expect(judgeContent(nar, 'recompute', [], true).outcome.kind).toBe('content-addressed')
    expect(judgeContent(nar, 'never', ['alpha-1', 'beta-1'], true).outcome.kind).toBe(
      'content-address-refused',
    )
  })

  it.each([
    ['of a file', flat],
    ['of a text with references', text],
    ['that refers to itself', self],
  ])('%s asks for its content to be hashed in this way too', (_, given) => {
    expect(judgeContent(given, 'recompute').outcome).toMatchObject({
      kind: 'content-addressed',
      recheck: given.contentAddress,
    })
  })

  it('needs signatures like any other where the policy says k-of-n', () => {
    expect(judgeContent(nar, 'k-of-n').outcome.kind).toBe('missing')
    expect(judgeContent(nar, 'k-of-n', ['alpha-1', 'beta-1']).outcome.kind).toBe('agreed')
  })

  it('is refused, signed or not, where the policy says never', () => {
    for (const given of [nar, flat, text, self, sha1]) {
      expect(judgeContent(given, 'never', ['alpha-1', 'beta-1']).outcome.kind).toBe('content-address-refused')
    }
  })

  it.each([
    ['SHA-1', sha1],
    ['a git tree, which is not computed here,', content(`fixed:git:sha256:${'12'.repeat(32)}`)],
  ])('by %s proves nothing', (_, given) => {
    const { outcome, remarks } = judgeContent(given, 'recompute')
    expect(outcome.kind).toBe('missing')
    expect(remarks).toContainEqual(expect.objectContaining({ kind: 'weak-content-address' }))
  })

  it.each<[string, Partial<typeof nar>]>([
    [
      'another hash',
      { contentAddress: parseContentAddress(`fixed:r:sha256:${'00'.repeat(32)}`)._unsafeUnwrap() },
    ],
    ['another method', { contentAddress: flat.contentAddress }],
    ['another path', { path: pathOf('x') }],
    ['references that its path does not cover', { references: [pathOf('y')] }],
  ])('that claims %s is not believed', (_, change) => {
    const given = { ...nar, ...change }
    // Without its own hash of the NAR, or the path would be right whatever the line says.
    const info = facts('x', { ...given, narHash: 'ee'.repeat(32) })
    const claims = [claim('one', info, [], { contentAddress: given.contentAddress })]
    const verdict = judge(policy({ contentAddressed: 'recompute' }), {
      paths: [given.path],
      claims,
      now: NOW,
    })
    const [judged] = verdict._unsafeUnwrap().paths
    expect(judged!.outcome.kind).toBe('missing')
    expect(judged!.remarks).toContainEqual(
      expect.objectContaining({ kind: 'content-address-mismatch', source: 'one' }),
    )
  })

  it('whose NAR has another hash than its content address is not believed', () => {
    const info = facts('x', { ...nar, narHash: 'ee'.repeat(32) })
    const claims = [claim('one', info, [], { contentAddress: nar.contentAddress })]
    const verdict = judge(policy({ contentAddressed: 'recompute' }), { paths: [nar.path], claims, now: NOW })
    expect(verdict._unsafeUnwrap().paths[0]).toMatchObject({
      outcome: { kind: 'missing' },
      remarks: [{ kind: 'unsigned' }, { kind: 'content-address-mismatch' }],
    })
  })

  it('of which two sources tell different sizes is for those who vouch to decide, or for nobody', () => {
    const lie = facts('x', { ...nar, narSize: 1 })
    const truth = facts('x', nar)
    const judgeBoth = (keys: readonly string[]) =>
      judge(policy({ contentAddressed: 'recompute' }), {
        paths: [nar.path],
        claims: [claim('liar', lie, []), claim('one', truth, keys)],
        now: NOW,
      })._unsafeUnwrap().paths[0]!.outcome
    expect(judgeBoth([]).kind).toBe('disagreement')
    expect(judgeBoth(['alpha-1'])).toMatchObject({ kind: 'content-addressed', value: { narSize: 680 } })
  })
})

describe('the verdict', () => {
  it('does not depend on the order of claims, signatures or paths', () => {
    const names = ['alpha-1', 'beta-1', 'gamma-1', 'evil-1']
    const one = fc.record({
      source: fc.constantFrom('one', 'two'),
      name: fc.constantFrom('x', 'y'),
      narSize: fc.constantFrom(1, 2),
      keys: fc.subarray(names),
    })
    fc.assert(
      fc.property(fc.array(one, { maxLength: 6 }), (all) => {
        const claims = all.map(({ source, name, narSize, keys }) =>
          claim(source, facts(name, { narSize }), keys),
        )
        const backwards = [...claims].reverse().map((each) => ({
          ...each,
          info: { ...each.info, signatures: [...each.info.signatures].reverse() },
        }))
        const paths = [pathOf('x'), pathOf('y')]
        const strip = ({ path, outcome, claimed }: PathVerdict) => ({ path, outcome, claimed })
        expect(verdictOn(backwards, {}, [...paths].reverse()).paths.map(strip)).toEqual(
          verdictOn(claims, {}, paths).paths.map(strip),
        )
      }),
      { numRuns: 30 },
    )
  })

  it('never admits more because a source says more that is not signed by a builder', () => {
    const noise = fc.array(
      fc.record({ narSize: fc.integer({ min: 1, max: 9 }), keys: fc.subarray(['evil-1']) }),
    )
    fc.assert(
      fc.property(noise, (all) => {
        const claims = all.map(({ narSize, keys }) => claim('evil', facts('x', { narSize }), keys))
        expect(verdictOn([...claims, claim('one', x, ['alpha-1'])]).admitted).toBe(false)
        expect(verdictOn([...claims, claim('one', x, ['alpha-1', 'beta-1'])]).admitted).toBe(true)
      }),
      { numRuns: 20 },
    )
  })
})

describe('the table of a verdict', () => {
  it('says for each path what became of it, and who claims what', () => {
    const verdict = verdictOn(
      [
        claim('one', facts('agreed'), ['alpha-1', 'beta-1']),
        claim('one', facts('disputed'), ['alpha-1']),
        claim('two', facts('disputed', { narHash: 'cd'.repeat(32) }), ['beta-1']),
      ],
      {},
      ['agreed', 'disputed', 'missing'].map(pathOf),
    )
    expect(formatVerdict(verdict)).toBe(`refused: 2 of 3 paths
agreed        ${'0'.repeat(31)}a-agreed: alpha, beta vouch for ${formatNarHash(x.narHash)} (680 bytes, 0 references)
DISAGREEMENT  ${'0'.repeat(31)}a-disputed: builders vouch for 2 different values
    ${formatNarHash(x.narHash)} (680 bytes, 0 references): by alpha, from one
    ${formatNarHash(other.narHash)} (680 bytes, 0 references): by beta, from two
MISSING       ${'0'.repeat(31)}a-missing: nobody vouches for it, 2 builders must
`)
  })

  it('escapes what comes from outside', () => {
    const evil = claim('\u001b[2Jcache\nagreed', x, [])
    const signed = {
      ...evil,
      info: { ...evil.info, signatures: [{ keyName: '\u202ekey', signature: 'AAAA' }] },
    }
    const table = formatVerdict(verdictOn([evil, signed]))
    expect(table).toContain('\\x1b[2Jcache\\x0aagreed')
    expect(table).toContain('\\u{202e}key')
    expect(table.split('\n').filter((line) => /[^\x20-\x7e]/.test(line))).toEqual([])
  })
})
