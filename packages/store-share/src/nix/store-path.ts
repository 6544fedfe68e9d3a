import { err, ok, type Result } from 'neverthrow'
import type { StoreError } from '../errors.js'
import { quote } from '../quote.js'
import { decodeNix32 } from './nix32.js'

/** Where store paths lie, in units and in nearly every store. */
export const STORE_DIRECTORY = '/nix/store'

/** `/nix/store/DIGEST-NAME`, taken apart. */
export interface StorePath {
  /** The whole: `/nix/store/HASH-NAME`. */
  readonly path: string
  /** 32 characters of Nix's base 32. */
  readonly digest: string
  /** 1 to 211 characters of `[0-9a-zA-Z+-._?=]`. */
  readonly name: string
}

export const MAX_STORE_NAME_LENGTH = 211

const DIGEST_LENGTH = 32

/**
 * Reads a store path strictly. Fails with `not-a-store-path`; for a path inside a store path the message
 * names the store path, because that is what can be granted.
 *
 * Grammar: Nix, libstore/path.cc (`checkName`): a name may not begin with a dash-separated part that is `.`
 * or `..`.
 */
export function parseStorePath(text: string): Result<StorePath, StoreError> {
  const refuse = (reason: string): Result<StorePath, StoreError> =>
    err({
      kind: 'not-a-store-path',
      path: text,
      message: `\`${quote(text)}\` is not a store path: ${reason}`,
    })

  if (!text.startsWith(`${STORE_DIRECTORY}/`)) {
    return refuse(`it does not lie in ${STORE_DIRECTORY}; grant a path of the form /nix/store/DIGEST-NAME`)
  }
  const rest = text.slice(STORE_DIRECTORY.length + 1)
  const slash = rest.indexOf('/')
  const base = slash === -1 ? rest : rest.slice(0, slash)
  const parsed = parseBaseName(base)
  if (typeof parsed === 'string') return refuse(parsed)
  if (slash !== -1) {
    return refuse(`it lies inside the store path ${parsed.path}; grant that store path as a whole`)
  }
  return ok(parsed)
}

function parseBaseName(base: string): StorePath | string {
  const digest = base.slice(0, DIGEST_LENGTH)
  if (decodeNix32(digest, 20) === undefined) {
    return `its name must begin with ${DIGEST_LENGTH} characters of Nix's base 32`
  }
  if (base[DIGEST_LENGTH] !== '-') return 'a dash and a name must follow the digest'
  const name = base.slice(DIGEST_LENGTH + 1)
  if (name.length === 0) return 'the name after the digest is empty'
  if (name.length > MAX_STORE_NAME_LENGTH)
    return `the name is longer than ${MAX_STORE_NAME_LENGTH} characters`
  if (!/^[0-9a-zA-Z+\-._?=]+$/.test(name)) return 'the name has a character outside of [0-9a-zA-Z+-._?=]'
  if (/^\.{1,2}(-|$)/.test(name)) return 'the name begins with the reserved part "." or ".."'
  return { path: `${STORE_DIRECTORY}/${base}`, digest, name }
}

/** `DIGEST-NAME`: what the store path is called in the directory of a unit's store. */
export function baseNameOf(storePath: string): string {
  return storePath.slice(STORE_DIRECTORY.length + 1)
}
