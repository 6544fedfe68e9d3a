import { ok, Result, safeTry } from 'neverthrow'
import { type ContentAddress, formatContentAddress, parseContentAddress } from './content-address.js'
import { formatHash, type NixHash, parseHash } from './hash.js'
import { type Field, parseDecimal, parseFields } from './lines.js'
import { found, type MalformedError, malformed } from './malformed.js'
import { formatNarHash } from './nar-hash.js'
import { allReferences, type NixPathInfo, splitReferences } from './nix-path-info.js'
import { formatSignature, parseSignature, type Signature } from './signature.js'
import { baseNameOf, parseStorePath, STORE_DIRECTORY } from './store-path.js'

/** What a binary cache says of one store path. All of it is a claim; signatures cover a part of it. */
export interface NarInfo extends NixPathInfo {
  /** Where the NAR is, relative to the cache or absolute. Chosen by the cache: check it before use. */
  readonly url: string
  /** `none`, `xz`, `bzip2`, `gzip`, `zstd`, `br`, or what the future brings. `bzip2` where the file is silent. */
  readonly compression: string
  /** Of the file as it is transferred. */
  readonly fileHash?: NixHash
  /** Bytes of it. */
  readonly fileSize?: number
}

/** Bounds for what a cache may send. A path of nixpkgs has a few dozen references; some environments thousands. */
export const NARINFO_LIMITS = {
  /** Of the whole text. */
  bytes: 4 << 20,
  /** How many of them. */
  references: 20_000,
  /** How many of them. */
  signatures: 100,
  /** Of `URL`. */
  urlCharacters: 4096,
} as const

/**
 * Reads a narinfo file. With `digest`, the 32 characters that were asked for, an answer for another path is
 * refused. Keys it does not know are skipped, as Nix does; known keys other than `Sig` come once.
 *
 * Format: Nix, libstore/nar-info.cc. Fails with `malformed` and the line.
 *
 * @example
 * ```ts
 * import { isSignedBy, parseNarInfo, parsePublicKey } from '@spectrum/store-share'
 *
 * export function isTrusted(text: string, key: string): boolean {
 *   const info = parseNarInfo(text)
 *   if (info.isErr()) throw new Error(info.error.message) // with the line
 *   const trusted = parsePublicKey(key)._unsafeUnwrap()
 *   return info.value.signatures.some((signature) => isSignedBy(info.value, signature, trusted))
 * }
 * ```
 */
export function parseNarInfo(
  input: Uint8Array | string,
  options: { readonly digest?: string | undefined } = {},
): Result<NarInfo, MalformedError> {
  return safeTry(function* () {
    const fields = yield* indexFields(yield* parseFields('narinfo', input, NARINFO_LIMITS.bytes))
    const path = yield* readPath(fields.require('StorePath'), options.digest)
    const narHash = yield* readHash(fields.require('NarHash'))
    if (narHash.algorithm !== 'sha256') return refuse(fields.require('NarHash'), 'NarHash is no SHA-256')
    const narSize = yield* readNumber(fields.require('NarSize'))
    if (narSize === 0) return refuse(fields.require('NarSize'), 'NarSize is zero')
    const url = yield* readUrl(fields.require('URL'))
    const compression = yield* readCompression(unlessBlank(fields.get('Compression')))
    const deriver = unlessBlank(fields.get('Deriver'), 'unknown-deriver')
    const contentAddress = unlessBlank(fields.get('CA'))
    const fileHash = fields.get('FileHash')
    const fileSize = fields.get('FileSize')
    return ok({
      path,
      narHash: narHash.hex,
      narSize,
      ...splitReferences(path, yield* readReferences(fields.get('References'))),
      ...(deriver === undefined ? {} : { deriver: yield* readBaseName(deriver, deriver.value) }),
      signatures: fields.signatures,
      ...(contentAddress === undefined ? {} : { contentAddress: yield* readContentAddress(contentAddress) }),
      url,
      compression,
      ...(fileHash === undefined ? {} : { fileHash: yield* readHash(fileHash) }),
      ...(fileSize === undefined ? {} : { fileSize: yield* readNumber(fileSize) }),
    })
  })
}

/** The text that Nix writes for it; what it reads back as is the same. */
export function formatNarInfo(info: NarInfo): string {
  const { fileHash, fileSize, deriver, contentAddress } = info
  const lines = [
    `StorePath: ${info.path}`,
    `URL: ${info.url}`,
    `Compression: ${info.compression}`,
    ...(fileHash === undefined ? [] : [`FileHash: ${formatHash(fileHash, 'nix32')}`]),
    ...(fileSize === undefined ? [] : [`FileSize: ${fileSize}`]),
    `NarHash: ${formatNarHash(info.narHash)}`,
    `NarSize: ${info.narSize}`,
    `References: ${allReferences(info).map(baseNameOf).join(' ')}`,
    ...(deriver === undefined ? [] : [`Deriver: ${baseNameOf(deriver)}`]),
    ...info.signatures.map((signature) => `Sig: ${formatSignature(signature)}`),
    ...(contentAddress === undefined ? [] : [`CA: ${formatContentAddress(contentAddress)}`]),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

const REQUIRED = ['StorePath', 'URL', 'NarHash', 'NarSize'] as const
const OPTIONAL = ['Compression', 'FileHash', 'FileSize', 'References', 'Deriver', 'CA'] as const
const KEYS: readonly string[] = [...REQUIRED, ...OPTIONAL]

interface Fields {
  readonly signatures: readonly Signature[]
  require(key: (typeof REQUIRED)[number]): Field
  get(key: (typeof OPTIONAL)[number]): Field | undefined
}

function indexFields(all: readonly Field[]): Result<Fields, MalformedError> {
  const fields = new Map<string, Field>()
  const signatures: Signature[] = []
  for (const field of all) {
    if (field.key === 'Sig') {
      const signature = parseSignature(field.value)
      if (signature.isErr()) return refuse(field, signature.error.reason)
      signatures.push(signature.value)
    } else if (KEYS.includes(field.key)) {
      if (fields.has(field.key)) return refuse(field, `${field.key} comes twice`)
      fields.set(field.key, field)
    }
  }
  if (signatures.length > NARINFO_LIMITS.signatures) {
    return malformed('narinfo', `it has more than ${NARINFO_LIMITS.signatures} signatures`)
  }
  const missing = REQUIRED.find((key) => !fields.has(key))
  if (missing !== undefined) return malformed('narinfo', `${missing} is missing`)
  return ok({ signatures, require: (key) => fields.get(key)!, get: (key) => fields.get(key) })
}

function refuse({ line }: Field, reason: string): Result<never, MalformedError> {
  return malformed('narinfo', reason, { line })
}

/** Nix takes an empty value for none. */
function unlessBlank(field: Field | undefined, blank = ''): Field | undefined {
  return field?.value === '' || field?.value === blank ? undefined : field
}

function readPath(field: Field, digest: string | undefined): Result<string, MalformedError> {
  const parsed = parseStorePath(field.value)
  if (parsed.isErr()) return refuse(field, parsed.error.message)
  if (digest !== undefined && parsed.value.digest !== digest) {
    return refuse(field, `it is about ${parsed.value.path}, which was not asked for`)
  }
  return ok(parsed.value.path)
}

function readBaseName(field: Field, name: string): Result<string, MalformedError> {
  const parsed = parseStorePath(`${STORE_DIRECTORY}/${name}`)
  return parsed.isOk() ? ok(parsed.value.path) : refuse(field, parsed.error.message)
}

function readReferences(field: Field | undefined): Result<readonly string[], MalformedError> {
  if (field === undefined) return ok([])
  const names = field.value.split(' ').filter((name) => name !== '')
  if (names.length > NARINFO_LIMITS.references) {
    return refuse(field, `it has more than ${NARINFO_LIMITS.references} references`)
  }
  return Result.combine(names.map((name) => readBaseName(field, name)))
}

function readHash(field: Field): Result<NixHash, MalformedError> {
  return parseHash(field.value).orElse((error) => refuse(field, `${field.key}: ${error.reason}`))
}

function readNumber(field: Field): Result<number, MalformedError> {
  const value = parseDecimal(field.value)
  return value === undefined ? refuse(field, `${field.key} is no number: ${found(field.value)}`) : ok(value)
}

function readContentAddress(field: Field): Result<ContentAddress, MalformedError> {
  return parseContentAddress(field.value).orElse((error) => refuse(field, error.reason))
}

function readUrl(field: Field): Result<string, MalformedError> {
  const fits = field.value.length <= NARINFO_LIMITS.urlCharacters && /^[^ ]+$/.test(field.value)
  return fits ? ok(field.value) : refuse(field, 'the URL is empty, too long or has a space')
}

function readCompression(field: Field | undefined): Result<string, MalformedError> {
  if (field === undefined) return ok('bzip2')
  return /^[a-z0-9-]{1,32}$/.test(field.value)
    ? ok(field.value)
    : refuse(field, `the compression ${found(field.value)} is no name`)
}
