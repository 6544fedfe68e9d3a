import type { StorePathInfo } from '../closure.js'
import { quote } from '../quote.js'
import { type ContentAddress, formatContentAddress, parseContentAddress } from './content-address.js'
import { parseHash } from './hash.js'
import { formatNarHash, parseNarHash } from './nar-hash.js'
import { allReferences, type NixPathInfo, splitReferences } from './nix-path-info.js'
import { parseSignature, type Signature } from './signature.js'
import { parseStorePath, STORE_DIRECTORY } from './store-path.js'

/** A path as `nix path-info` tells it; of a binary cache it also tells where the file is. */
export interface PathInfoEntry extends NixPathInfo {
  /** Bytes of the NARs of the path and of all it refers to, with `--closure-size`. */
  readonly closureSize?: number
  /** Where its NAR is, in a binary cache. */
  readonly url?: string
  /** Bytes of the NAR as it is transferred, from a binary cache. */
  readonly downloadSize?: number
}

/** What `nix path-info --json` answered, whichever version wrote it. */
export type PathInfoAnswer =
  | {
      readonly kind: 'paths'
      readonly paths: readonly PathInfoEntry[]
      /** Paths that the store says it does not have. */
      readonly invalid: readonly string[]
    }
  | { readonly kind: 'malformed'; readonly reason: string }

class Malformed extends Error {}

/**
 * Reads what `nix path-info --json` prints, in all its shapes: a list of objects with `path` (up to 2.18), a
 * map from path to object or null (from 2.19), nulls for what is not known (from 2.23), and
 * `{version, storeDir, info: {BASENAME: …}}` with base names and structured content addresses (from 2.33) and
 * structured signatures (from 2.35). The list is also what `exportReferencesGraph` gives to a build with
 * structured attributes.
 */
export function readPathInfo(output: Uint8Array): PathInfoAnswer {
  try {
    const answer: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(output))
    const paths: PathInfoEntry[] = []
    const invalid: string[] = []
    for (const [path, value] of entriesOf(answer)) {
      const storePath = absolute(path)
      if (value === null || isInvalid(value)) invalid.push(storePath)
      else paths.push(readEntry(storePath, value))
    }
    return { kind: 'paths', paths, invalid }
  } catch (thrown) {
    if (thrown instanceof Malformed || thrown instanceof SyntaxError || thrown instanceof TypeError) {
      return { kind: 'malformed', reason: quote(thrown.message) }
    }
    throw thrown
  }
}

/**
 * The list that `exportReferencesGraph` gives to a build with structured attributes, for paths that are a closure:
 * what they refer to is among them, or it does not count towards `closureSize`.
 */
export function formatReferencesGraphJson(paths: readonly NixPathInfo[]): string {
  const known = new Map(paths.map((info) => [info.path, info]))
  const list = paths.map((info) => ({
    closureSize: closureSize(info, known),
    narHash: formatNarHash(info.narHash),
    narSize: info.narSize,
    path: info.path,
    references: allReferences(info),
    ...(info.contentAddress === undefined ? {} : { ca: formatContentAddress(info.contentAddress) }),
  }))
  return JSON.stringify(list)
}

function closureSize(root: StorePathInfo, known: ReadonlyMap<string, StorePathInfo>): number {
  const reached = new Set([root])
  let size = 0
  for (const info of reached) {
    size += info.narSize
    for (const reference of info.references) {
      const next = known.get(reference)
      if (next !== undefined) reached.add(next)
    }
  }
  return size
}

function entriesOf(answer: unknown): [string, unknown][] {
  if (Array.isArray(answer)) {
    return answer.map((value: unknown): [string, unknown] => {
      const { path } = isRecord(value) ? value : {}
      if (typeof path !== 'string') throw new Malformed('an entry has no path')
      return [path, value]
    })
  }
  if (!isRecord(answer)) throw new Malformed('neither a list nor an object')
  const { info, storeDir } = answer
  if (info === undefined) return Object.entries(answer)
  if (!isRecord(info)) throw new Malformed('`info` is no object')
  checkStoreDirectory(storeDir)
  return Object.entries(info)
}

function checkStoreDirectory(storeDir: unknown): void {
  if (storeDir !== undefined && storeDir !== STORE_DIRECTORY) {
    throw new Malformed(`the store directory is not ${STORE_DIRECTORY}`)
  }
}

function readEntry(path: string, value: unknown): PathInfoEntry {
  if (!isRecord(value)) throw new Malformed(`the entry of ${path} is no object`)
  const { narHash, narSize, references, deriver, ca, signatures, url } = value
  checkStoreDirectory(value['storeDir'])
  const hash = typeof narHash === 'string' ? parseNarHash(narHash) : undefined
  if (hash === undefined) throw new Malformed(`the narHash of ${path} is no SHA-256`)
  if (typeof narSize !== 'number' || !Number.isSafeInteger(narSize) || narSize <= 0) {
    throw new Malformed(`the narSize of ${path} is no positive integer`)
  }
  if (!Array.isArray(references)) throw new Malformed(`the references of ${path} are no list`)
  const all = references.map((reference: unknown) => absolute(reference))
  const registrationTime = readCount(value, 'registrationTime', path)
  const closureSize = readCount(value, 'closureSize', path)
  const downloadSize = readCount(value, 'downloadSize', path)
  return {
    path,
    narHash: hash,
    narSize,
    ...splitReferences(path, all),
    signatures: readSignatures(signatures ?? [], path),
    ...(isNothing(deriver) ? {} : { deriver: absolute(deriver) }),
    ...(isNothing(ca) || ca === '' ? {} : { contentAddress: readContentAddress(ca, path) }),
    ...(value['ultimate'] === true ? { ultimate: true } : {}),
    ...(registrationTime === undefined ? {} : { registrationTime }),
    ...(closureSize === undefined ? {} : { closureSize }),
    ...(typeof url === 'string' ? { url } : {}),
    ...(downloadSize === undefined ? {} : { downloadSize }),
  }
}

function readCount(value: Record<string, unknown>, field: string, path: string): number | undefined {
  const count = value[field]
  if (isNothing(count)) return undefined
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count
  throw new Malformed(`the ${field} of ${path} is no number`)
}

function readSignatures(signatures: unknown, path: string): Signature[] {
  if (!Array.isArray(signatures)) throw new Malformed(`the signatures of ${path} are no list`)
  return signatures.map((each: unknown) => {
    const { keyName, sig } = isRecord(each) ? each : {}
    const structured = typeof keyName === 'string' && typeof sig === 'string' ? `${keyName}:${sig}` : ''
    const parsed = parseSignature(typeof each === 'string' ? each : structured)
    if (parsed.isErr()) throw new Malformed(`a signature of ${path}: ${parsed.error.reason}`)
    return parsed.value
  })
}

const METHODS: readonly unknown[] = ['text', 'flat', 'nar', 'git'] satisfies ContentAddress['method'][]

function readContentAddress(ca: unknown, path: string): ContentAddress {
  const { method, hash } = isRecord(ca) ? ca : {}
  const parsed =
    typeof ca === 'string'
      ? parseContentAddress(ca)
      : parseHash(typeof hash === 'string' ? hash : '').map((parsedHash) => ({
          method: method as ContentAddress['method'],
          hash: parsedHash,
        }))
  if (parsed.isErr() || !METHODS.includes(parsed.value.method)) {
    throw new Malformed(`the content address of ${path} is none`)
  }
  return parsed.value
}

function absolute(path: unknown): string {
  if (typeof path !== 'string') throw new Malformed('a path is no string')
  const text = path.startsWith('/') ? path : `${STORE_DIRECTORY}/${path}`
  return parseStorePath(text).match(
    (parsed) => parsed.path,
    (error) => {
      throw new Malformed(error.message)
    },
  )
}

/** How a list marks a path that the store does not have. */
function isInvalid(value: unknown): boolean {
  const { valid } = isRecord(value) ? value : {}
  return valid === false
}

function isNothing(value: unknown): value is null | undefined {
  return value === null || value === undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
