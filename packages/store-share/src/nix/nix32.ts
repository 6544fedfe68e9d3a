/**
 * Nix's base 32: no `e`, `o`, `t`, `u`; the bytes are read as one little-endian number and written with the
 * most significant digit first. Source: libutil/hash.cc (`printHash32`, `Hash::Hash`).
 */
const ALPHABET = '0123456789abcdfghijklmnpqrsvwxyz'

const DIGITS = new Map([...ALPHABET].map((character, value) => [character, value]))

/** How many characters encode this many bytes: 52 for SHA-256, 32 for a store path's 20 bytes. */
export function nix32Length(byteLength: number): number {
  return Math.ceil((byteLength * 8) / 5)
}

/** Nix's base 32: its alphabet lacks e, o, t and u, and the last bits come first (Nix's `libutil/hash.cc`). */
export function encodeNix32(bytes: Uint8Array): string {
  let text = ''
  for (let index = nix32Length(bytes.length) - 1; index >= 0; index--) {
    const bit = index * 5
    const byte = bit >> 3
    const pair = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8)
    text += ALPHABET[(pair >> (bit & 7)) & 31]
  }
  return text
}

/** Undefined unless `text` is the one encoding of `byteLength` bytes: the spare top bits must be zero. */
export function decodeNix32(text: string, byteLength: number): Uint8Array | undefined {
  const length = nix32Length(byteLength)
  if (text.length !== length) return undefined
  const bytes = new Uint8Array(byteLength)
  for (let index = 0; index < length; index++) {
    const digit = DIGITS.get(text[length - 1 - index] ?? '')
    if (digit === undefined) return undefined
    const bit = index * 5
    const byte = bit >> 3
    const shifted = digit << (bit & 7)
    bytes[byte] = (bytes[byte] ?? 0) | (shifted & 0xff)
    const carry = shifted >> 8
    if (carry === 0) continue
    if (byte + 1 >= byteLength) return undefined
    bytes[byte + 1] = carry
  }
  return bytes
}
