import { type ContentAddress, contentAddressedPath, formatContentAddress } from '../nix/content-address.js'
import { parseStorePath } from '../nix/store-path.js'
import type { Claim, Remark } from './verdict.js'

/** What recomputing says of a claim: whether its path is the hash of its content. */
export interface ContentProof {
  readonly kind: 'none' | 'proved' | 'weak'
  /** Given when the NAR hash is not enough: this hash of the content must be right too. */
  readonly recheck?: ContentAddress
  readonly remark?: Remark
}

/**
 * The claim's own line is not believed. The path is recomputed from it, because whoever can make another
 * content with the same path has broken SHA-256; and a NAR's hash is tried even when the line is missing.
 */
export function proveContent({ source, info }: Claim): ContentProof {
  const { path, narHash, contentAddress } = info
  const name = parseStorePath(path).match(
    (parsed) => parsed.name,
    () => undefined,
  )
  if (name === undefined) return { kind: 'none' }
  const ofNar: ContentAddress = { method: 'nar', hash: { algorithm: 'sha256', hex: narHash } }
  if (!info.selfReference && contentAddressedPath(name, ofNar, info) === path) return { kind: 'proved' }
  if (contentAddress === undefined) return { kind: 'none' }
  const claimed = formatContentAddress(contentAddress)
  const gives = contentAddressedPath(name, contentAddress, info)
  if (gives !== path || contradictsNarHash(contentAddress, info)) {
    const differs = gives === undefined || gives === path ? {} : { gives }
    return { kind: 'none', remark: { kind: 'content-address-mismatch', source, claimed, ...differs } }
  }
  const { algorithm } = contentAddress.hash
  if (contentAddress.method === 'git' || (algorithm !== 'sha256' && algorithm !== 'sha512')) {
    return { kind: 'weak', remark: { kind: 'weak-content-address', source, claimed } }
  }
  return { kind: 'proved', recheck: contentAddress }
}

function contradictsNarHash(
  { method, hash }: ContentAddress,
  { narHash, selfReference }: Claim['info'],
): boolean {
  return method === 'nar' && hash.algorithm === 'sha256' && !selfReference && hash.hex !== narHash
}
