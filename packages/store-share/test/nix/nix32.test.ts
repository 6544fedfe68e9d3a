import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeNix32, encodeNix32, formatNarHash, nix32Length, parseNarHash } from '../../src/index.js'

const empty = createHash('sha256').digest()

describe("Nix's base 32", () => {
  it('writes the hash of nothing as Nix does', () => {
    expect(encodeNix32(empty)).toBe('0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73')
    expect(nix32Length(32)).toBe(52)
    expect(nix32Length(20)).toBe(32)
  })

  it('reads back what it writes, for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        expect(decodeNix32(encodeNix32(bytes), bytes.length)).toEqual(bytes)
      }),
    )
  })

  it('accepts one text only for each value', () => {
    const alphabet = '0123456789abcdfghijklmnpqrsvwxyz'
    const text = fc.array(fc.constantFrom(...alphabet), { minLength: 52, maxLength: 52 })
    fc.assert(
      fc.property(text, (characters) => {
        const bytes = decodeNix32(characters.join(''), 32)
        const spareBitsZero = characters[0] === '0' || characters[0] === '1'
        expect(bytes !== undefined).toBe(spareBitsZero)
        if (bytes) expect(encodeNix32(bytes)).toBe(characters.join(''))
      }),
    )
  })

  it.each(['e', 'o', 't', 'u', 'A', ' ', 'é'])('refuses the character %s', (character) => {
    expect(decodeNix32(character.padStart(32, '0'), 20)).toBeUndefined()
  })

  it('refuses a wrong length', () => {
    expect(decodeNix32('0'.repeat(51), 32)).toBeUndefined()
    expect(decodeNix32('0'.repeat(53), 32)).toBeUndefined()
  })
})

describe('a NAR hash', () => {
  const hex = empty.toString('hex')

  it.each([hex, `sha256:${hex}`, `sha256-${empty.toString('base64')}`, formatNarHash(hex)])(
    'reads %s',
    (text) => {
      expect(parseNarHash(text)).toBe(hex)
    },
  )

  it.each([
    '',
    'sha256-',
    'sha512:00',
    hex.toUpperCase(),
    `sha256-${empty.toString('base64').replace('=', '')}`,
    `sha256-${empty.toString('base64')} `,
    hex.slice(1),
  ])('refuses %j', (text) => {
    expect(parseNarHash(text)).toBeUndefined()
  })
})
