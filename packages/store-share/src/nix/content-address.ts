import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { ok, type Result } from 'neverthrow'
import { formatHash, type NixHash, parseHash } from './hash.js'
import { found, type MalformedError, malformed } from './malformed.js'
import { encodeNix32 } from './nix32.js'
import { MAX_STORE_NAME_LENGTH, STORE_DIRECTORY } from './store-path.js'

/**
 * What a content-addressed path is the hash of: its one file's bytes (`flat`; `text` with references), its NAR
 * (`nar`), or its git tree (`git`).
 */
export interface ContentAddress {
  /** What is hashed: the bytes of its one file (`text`, `flat`), its NAR, or its git tree. */
  readonly method: 'text' | 'flat' | 'nar' | 'git'
  /** Of what the method says. */
  readonly hash: NixHash
}

/** What a path refers to, as far as a content address covers it. */
export interface ContentReferences {
  /** Store paths without the path itself, in any order. */
  readonly references: readonly string[]
  /** Whether the path refers to itself. */
  readonly selfReference: boolean
}

const PREFIXES = { text: 'text:', nar: 'fixed:r:', git: 'fixed:git:', flat: 'fixed:' } as const
const METHODS = ['text', 'nar', 'git', 'flat'] as const

/** `text:sha256:…`, `fixed:sha256:…`, `fixed:r:sha256:…` (Nix: libstore/content-address.cc). */
export function parseContentAddress(text: string): Result<ContentAddress, MalformedError> {
  const method = METHODS.find((each) => text.startsWith(PREFIXES[each]))
  const hash = method === undefined ? undefined : parseHash(text.slice(PREFIXES[method].length))
  if (method === undefined || hash?.isOk() !== true) {
    return malformed('content address', `${found(text)} is not METHOD:ALGORITHM:HASH with a known method`)
  }
  if (text[PREFIXES[method].length + hash.value.algorithm.length] !== ':') {
    return malformed('content address', `${found(text)} has a hash in SRI form`)
  }
  return ok({ method, hash: hash.value })
}

/** The text of a content address, as a narinfo's `CA` has it. */
export function formatContentAddress({ method, hash }: ContentAddress): string {
  return PREFIXES[method] + formatHash(hash, 'nix32')
}

/**
 * The store path that holds this content under this name. Undefined where there is none: only a NAR's SHA-256
 * and a text's may have references, a text is hashed by SHA-256 and does not refer to itself.
 *
 * Source: libstore/store-dir-config.cc, `makeFixedOutputPathFromCA`.
 */
export function contentAddressedPath(
  name: string,
  { method, hash }: ContentAddress,
  { references, selfReference }: ContentReferences = { references: [], selfReference: false },
): string | undefined {
  const refers = [...references].sort().map((path) => `:${path}`)
  if (method === 'text') {
    if (selfReference || hash.algorithm !== 'sha256') return undefined
    return makeStorePath(`text${refers.join('')}`, hash, name)
  }
  if (method === 'nar' && hash.algorithm === 'sha256') {
    return makeStorePath(`source${refers.join('')}${selfReference ? ':self' : ''}`, hash, name)
  }
  if (references.length > 0 || selfReference) return undefined
  if (method === 'git' && hash.algorithm !== 'sha1' && hash.algorithm !== 'sha256') return undefined
  const ingestion = { nar: 'r:', git: 'git:', flat: '' }[method]
  const digest = sha256(`fixed:out:${ingestion}${formatHash(hash, 'hex')}:`)
  return makeStorePath('output:out', { algorithm: 'sha256', hex: digest.toString('hex') }, name)
}

const STORE_DIGEST_BYTES = 20

/**
 * The store path of a fingerprint: a type such as `source`, `text` or `output:out`, a hash and a name. Its digest
 * is the SHA-256 of all this, folded to 20 bytes by XOR. Throws `RangeError` for a name that no store path has.
 */
export function makeStorePath(type: string, hash: NixHash, name: string): string {
  if (!/^(?!\.{1,2}(?:-|$))[0-9a-zA-Z+\-._?=]+$/.test(name) || name.length > MAX_STORE_NAME_LENGTH) {
    throw new RangeError(`no store path has the name ${JSON.stringify(name)}`)
  }
  const digest = sha256(`${type}:${formatHash(hash, 'hex')}:${STORE_DIRECTORY}:${name}`)
  const folded = Buffer.alloc(STORE_DIGEST_BYTES)
  digest.forEach((byte, index) => {
    folded[index % STORE_DIGEST_BYTES]! ^= byte
  })
  return `${STORE_DIRECTORY}/${encodeNix32(folded)}-${name}`
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
