import { formatHash, parseHash } from './hash.js'

/**
 * A SHA-256 in any of Nix's encodings, or bare digits, as 64 lower-case hexadecimal digits. Undefined for
 * anything else, other algorithms included.
 */
export function parseNarHash(text: string): string | undefined {
  return parseHash(text, 'sha256').unwrapOr(undefined)?.hex
}

/** `sha256:BASE32`, the form of `nix-store --query --hash`. */
export function formatNarHash(narHash: string): string {
  return formatHash({ algorithm: 'sha256', hex: narHash }, 'nix32')
}
