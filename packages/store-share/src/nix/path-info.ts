import type { StorePathInfo } from '../closure.js'
import { quote } from '../quote.js'
import { parseNarHash } from './nar-hash.js'
import { parseStorePath, STORE_DIRECTORY } from './store-path.js'

export type PathInfoAnswer =
  | {
      readonly kind: 'paths'
      readonly paths: readonly StorePathInfo[]
      /** Paths that the store says it does not have. */
      readonly invalid: readonly string[]
    }
  | { readonly kind: 'malformed'; readonly reason: string }

class Malformed extends Error {}

/**
 * Reads what `nix path-info --json` prints, in all its shapes: a list of objects with `path` (up to 2.18), a
 * map from path to object or null (from 2.19), and `{version, storeDir, info: {BASENAME: …}}` with base names
 * as references (from 2.33).
 */
export function readPathInfo(output: Uint8Array): PathInfoAnswer {
  try {
    const answer: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(output))
    const paths: StorePathInfo[] = []
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
  if (storeDir !== undefined && storeDir !== STORE_DIRECTORY) {
    throw new Malformed(`the store directory is not ${STORE_DIRECTORY}`)
  }
  return Object.entries(info)
}

function readEntry(path: string, value: unknown): StorePathInfo {
  if (!isRecord(value)) throw new Malformed(`the entry of ${path} is no object`)
  const { narHash, narSize, references } = value
  const hash = typeof narHash === 'string' ? parseNarHash(narHash) : undefined
  if (hash === undefined) throw new Malformed(`the narHash of ${path} is no SHA-256`)
  if (typeof narSize !== 'number' || !Number.isSafeInteger(narSize) || narSize <= 0) {
    throw new Malformed(`the narSize of ${path} is no positive integer`)
  }
  if (!Array.isArray(references)) throw new Malformed(`the references of ${path} are no list`)
  const others = new Set(references.map((reference: unknown) => absolute(reference)))
  others.delete(path)
  return { path, narHash: hash, narSize, references: [...others].sort() }
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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
