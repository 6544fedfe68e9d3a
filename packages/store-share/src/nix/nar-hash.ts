import { Buffer } from 'node:buffer'
import { decodeNix32, encodeNix32 } from './nix32.js'

const SHA256_BYTES = 32

/**
 * A SHA-256 as Nix writes it, in 64 lower-case hexadecimal digits: `sha256-BASE64` (SRI), `sha256:BASE32`,
 * `sha256:HEX`, or bare digits. Undefined for anything else, other algorithms included.
 */
export function parseNarHash(text: string): string | undefined {
  if (text.startsWith('sha256-')) return fromBase64(text.slice('sha256-'.length))
  const digits = text.startsWith('sha256:') ? text.slice('sha256:'.length) : text
  if (/^[0-9a-f]{64}$/.test(digits)) return digits
  const bytes = decodeNix32(digits, SHA256_BYTES)
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex')
}

/** `sha256:BASE32`, the form of `nix-store --query --hash`. */
export function formatNarHash(narHash: string): string {
  return `sha256:${encodeNix32(Buffer.from(narHash, 'hex'))}`
}

function fromBase64(text: string): string | undefined {
  const bytes = Buffer.from(text, 'base64')
  // Node's decoder is lenient; only the canonical text survives the way back.
  return bytes.length === SHA256_BYTES && bytes.toString('base64') === text
    ? bytes.toString('hex')
    : undefined
}
