import { Buffer } from 'node:buffer'
import { createPublicKey, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  fingerprint,
  formatPublicKey,
  isSignedBy,
  parseNarHash,
  parsePublicKey,
  parseSecretKey,
  parseSignature,
  SecretKey,
  type SignedPathInfo,
  verifySignature,
} from '../../src/index.js'

// Made by `nix-store --generate-binary-cache-key`, `nix-store --add` and `nix store sign` of Nix 2.8.
const SECRET =
  'alpha-1:Jl6XMAJ/aCiXtROIhgfmMs7qaVNaJfZHbfFc2yuP2HqI1R2UJhTWHWUfPgrOTFMF8K8t/nfrcmmXyTNGoiP6sw=='
const PUBLIC = 'alpha-1:iNUdlCYU1h1lHz4KzkxTBfCvLf5363Jpl8kzRqIj+rM='
const SIGNATURE =
  'alpha-1:TyDUllJel6zqqayzw4X0GM+tPZ5Sqe9stzvWvbUz+N1g5gAXCq9IStAeW0IQS36PUP0q/opBAgEKWDCxox/XBA=='
const info: SignedPathInfo = {
  path: '/nix/store/m2xf4pbrv4xma6a91j8qhbk59gjls9yr-src',
  narHash: parseNarHash('sha256-q/U2K8O8/3aAiRV2pXzP75xbVwQ2/goKrUJ1hUJWtEU=')!,
  narSize: 680,
  references: [],
  selfReference: false,
}
const publicKey = parsePublicKey(PUBLIC)._unsafeUnwrap()
const secretKey = parseSecretKey(SECRET)._unsafeUnwrap()
const signature = parseSignature(SIGNATURE)._unsafeUnwrap()

describe('a signature of a store path', () => {
  it('that Nix made is right', () => {
    expect(isSignedBy(info, signature, publicKey)).toBe(true)
  })

  it('is the one that Nix makes with the same key', () => {
    expect(secretKey.sign(info)).toEqual(signature)
  })

  it.each<[string, Partial<SignedPathInfo>]>([
    ['path', { path: info.path.replace('src', 'srd') }],
    ['hash', { narHash: info.narHash.replace('a', 'b') }],
    ['size', { narSize: 681 }],
    ['references', { references: [`/nix/store/${'0'.repeat(32)}-x`] }],
    ['reference to itself', { selfReference: true }],
  ])('is wrong for another %s', (_, change) => {
    expect(isSignedBy({ ...info, ...change }, signature, publicKey)).toBe(false)
  })

  it('is wrong for another key, and for the right key under another name', () => {
    const other = new SecretKey('alpha-1', Buffer.alloc(32, 1)).publicKey
    expect(isSignedBy(info, signature, other)).toBe(false)
    expect(isSignedBy(info, signature, { ...publicKey, name: 'beta-1' })).toBe(false)
    expect(verifySignature(fingerprint(info), signature, { ...publicKey, name: 'beta-1' })).toBe(true)
  })

  it('is wrong with any bit changed', () => {
    const bytes = Buffer.from(signature.signature, 'base64')
    fc.assert(
      fc.property(fc.nat(511), (bit) => {
        const changed = Buffer.from(bytes)
        changed[bit >> 3]! ^= 1 << (bit & 7)
        const damaged = { ...signature, signature: changed.toString('base64') }
        expect(isSignedBy(info, damaged, publicKey)).toBe(false)
      }),
    )
  })

  it('of another length is read, and is not right', () => {
    const short = parseSignature('alpha-1:AAAA')._unsafeUnwrap()
    expect(isSignedBy(info, short, publicKey)).toBe(false)
  })

  it('covers the full references in their order, the path itself among them', () => {
    const references = [`/nix/store/${'z'.repeat(32)}-z`, `/nix/store/${'0'.repeat(32)}-a`]
    expect(fingerprint({ ...info, references, selfReference: true })).toBe(
      `1;${info.path};sha256:0idlar18axa2ml50mzin0ibmp77grxyaaxhmi607dzxwqcmkdxdb;680;` +
        `/nix/store/${'0'.repeat(32)}-a,${info.path},/nix/store/${'z'.repeat(32)}-z`,
    )
  })

  it.each(['', ':AAAA', 'a', 'a:', 'a b:AAAA', 'a:AA AA', 'a:AAAA\n', 'ä:AAAA', `a:${'A'.repeat(20_000)}`])(
    'is not read from %j',
    (text) => {
      expect(parseSignature(text)._unsafeUnwrapErr().kind).toBe('malformed')
    },
  )
})

describe('a key', () => {
  it('is read from a file and written as Nix writes it', () => {
    expect(parseSecretKey(`${SECRET}\n`)._unsafeUnwrap().reveal()).toBe(SECRET)
    expect(formatPublicKey(secretKey.publicKey)).toBe(PUBLIC)
  })

  it('keeps its secret out of JSON and of messages', () => {
    expect(JSON.stringify(secretKey)).not.toContain(SECRET.slice(10, 20))
    const error = parseSecretKey(SECRET.slice(0, -1))._unsafeUnwrapErr()
    expect(JSON.stringify(error)).not.toContain(SECRET.slice(10, 20))
  })

  it('whose halves do not belong together is refused', () => {
    const other = Buffer.from(SECRET.slice(8), 'base64')
    other[0]! ^= 1
    expect(parseSecretKey(`alpha-1:${other.toString('base64')}`).isErr()).toBe(true)
  })

  it.each([
    '',
    'a',
    'a:',
    `:${PUBLIC.slice(8)}`,
    PUBLIC.slice(0, -1),
    `${PUBLIC}A`,
    SECRET,
    `a b:${PUBLIC.slice(8)}`,
  ])('is not read from %j', (text) => {
    expect(parsePublicKey(text)._unsafeUnwrapErr()).toMatchObject({ kind: 'malformed', format: 'public key' })
  })

  const weak = [
    '00'.repeat(32),
    `${'00'.repeat(31)}80`,
    `01${'00'.repeat(31)}`,
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    `ec${'ff'.repeat(30)}7f`,
  ]
  it.each(weak)('that everybody can sign with is refused: %s', (hex) => {
    const raw = Buffer.from(hex, 'hex')
    // The forgery needs no secret: R is the neutral element and S is zero.
    const forged = Buffer.alloc(64)
    forged[0] = 1
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw])
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    const messages = Array.from({ length: 200 }, (_, index) => Buffer.from(`${index}`))
    expect(messages.some((message) => verify(null, message, key, forged))).toBe(true)
    expect(parsePublicKey(`a:${raw.toString('base64')}`)._unsafeUnwrapErr().reason).toContain('small order')
  })
})
