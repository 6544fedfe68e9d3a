import type { StorePathInfo } from '../closure.js'
import type { ContentAddress } from './content-address.js'
import type { Signature } from './signature.js'

/** Everything that Nix records of a valid store path. */
export interface NixPathInfo extends StorePathInfo {
  /** Whether the path refers to itself, which `references` leave out and a signature covers. */
  readonly selfReference: boolean
  /** The derivation that built it: a store path. */
  readonly deriver?: string
  /** In the order they were found; unchecked. */
  readonly signatures: readonly Signature[]
  /** A claim like everything else; no signature covers it. */
  readonly contentAddress?: ContentAddress
  /** Built here, so that the store itself vouches for it. */
  readonly ultimate?: boolean
  /** Seconds since 1970. */
  readonly registrationTime?: number
}

/** The references of a path as this package keeps them: sorted, each once, the path itself apart. */
export function splitReferences(
  path: string,
  all: Iterable<string>,
): { readonly references: readonly string[]; readonly selfReference: boolean } {
  const others = new Set(all)
  const selfReference = others.delete(path)
  return { references: [...others].sort(), selfReference }
}

/** All references, the path itself included, sorted. */
export function allReferences(info: Pick<NixPathInfo, 'path' | 'references' | 'selfReference'>): string[] {
  return (info.selfReference ? [...info.references, info.path] : [...info.references]).sort()
}
