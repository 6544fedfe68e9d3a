import { Buffer } from 'node:buffer'
import { ok, type Result } from 'neverthrow'
import { found, type MalformedError, malformed } from './malformed.js'
import { decodeNix32, encodeNix32, nix32Length } from './nix32.js'

/** `blake3` is read and written; nothing here computes it. */
export type HashAlgorithm = 'blake3' | 'md5' | 'sha1' | 'sha256' | 'sha512'

/** A hash with its algorithm, its digits in hexadecimal. */
export interface NixHash {
  readonly algorithm: HashAlgorithm
  /** Lower-case hexadecimal digits, as many as the algorithm has. */
  readonly hex: string
}

/** How a hash is written: `sha256:0mdq…`, `sha256:e3b0…`, `sha256:47DE…=`, `sha256-47DE…=`. */
export type HashEncoding = 'nix32' | 'hex' | 'base64' | 'sri'

export const HASH_BYTES: Readonly<Record<HashAlgorithm, number>> = {
  blake3: 32,
  md5: 16,
  sha1: 20,
  sha256: 32,
  sha512: 64,
}

const LONGEST_HASH = 'sha512:'.length + 2 * HASH_BYTES.sha512

/**
 * Reads a hash in any of Nix's encodings, which its length tells apart (libutil/hash.cc, `Hash::parseAny`).
 * Without a prefix it is one of `assumed`. Stricter than Nix: one text only for each value and encoding, so no
 * upper-case digits and no spare bits. Fails with `malformed`.
 */
export function parseHash(text: string, assumed?: HashAlgorithm): Result<NixHash, MalformedError> {
  if (text.length > LONGEST_HASH) return malformed('hash', 'it is longer than any hash')
  const [, prefix, separator, rest = ''] = /^(?:([a-z0-9]+)([:-]))?(.*)$/s.exec(text) ?? []
  const algorithm = prefix ?? assumed
  if (algorithm === undefined || !isAlgorithm(algorithm)) {
    return malformed('hash', `${found(text)} does not begin with a known algorithm`)
  }
  if (assumed !== undefined && algorithm !== assumed) {
    return malformed('hash', `${found(text)} is not a ${assumed}`)
  }
  const hex = toHex(rest, HASH_BYTES[algorithm], separator === '-')
  if (hex === undefined) return malformed('hash', `${found(text)} is no ${algorithm} in any encoding`)
  return ok({ algorithm, hex })
}

/** The text of a hash, in the encoding that is asked for. */
export function formatHash({ algorithm, hex }: NixHash, encoding: HashEncoding): string {
  const bytes = Buffer.from(hex, 'hex')
  switch (encoding) {
    case 'nix32':
      return `${algorithm}:${encodeNix32(bytes)}`
    case 'hex':
      return `${algorithm}:${hex}`
    case 'base64':
      return `${algorithm}:${bytes.toString('base64')}`
    case 'sri':
      return `${algorithm}-${bytes.toString('base64')}`
  }
}

function isAlgorithm(text: string): text is HashAlgorithm {
  return Object.hasOwn(HASH_BYTES, text)
}

function toHex(text: string, byteLength: number, sri: boolean): string | undefined {
  if (!sri && text.length === 2 * byteLength) return /^[0-9a-f]+$/.test(text) ? text : undefined
  if (!sri && text.length === nix32Length(byteLength)) {
    const bytes = decodeNix32(text, byteLength)
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex')
  }
  return decodeBase64(text, byteLength)?.toString('hex')
}

/** Undefined unless `text` is the one base 64 of `byteLength` bytes: Node's decoder is lenient. */
export function decodeBase64(text: string, byteLength: number): Buffer | undefined {
  if (text.length !== 4 * Math.ceil(byteLength / 3)) return undefined
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === byteLength && bytes.toString('base64') === text ? bytes : undefined
}
