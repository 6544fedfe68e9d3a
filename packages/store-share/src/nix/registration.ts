import { Buffer } from 'node:buffer'
import { ok, type Result } from 'neverthrow'
import { parseDecimal } from './lines.js'
import { found, type MalformedError, malformed } from './malformed.js'
import { parseNarHash } from './nar-hash.js'
import { allReferences, type NixPathInfo, splitReferences } from './nix-path-info.js'
import { parseStorePath } from './store-path.js'

/** One path of an exported graph of references, which tells neither hash nor size. */
export type ReferencesGraphNode = Pick<NixPathInfo, 'path' | 'references' | 'selfReference' | 'deriver'>

/** What `nix-store --dump-db` tells: everything but signatures and content addresses. */
export type Registration = ReferencesGraphNode & Pick<NixPathInfo, 'narHash' | 'narSize'>

/** The longest line is a store path of 255 characters. */
const MAX_LINE_BYTES = 255
const MAX_REFERENCES = 100_000

/**
 * Reads the text of `nix-store --dump-db`, of `closureInfo`'s file `registration` and what `--load-db` takes, in
 * chunks of any size: for each path its line, hash, size, deriver or nothing, number of references, references.
 *
 * Format: Nix, libstore/store-api.cc (`makeValidityRegistration`, `decodeValidPathInfo`).
 */
export class RegistrationReader<T extends ReferencesGraphNode = Registration> {
  readonly #withHash: boolean
  #cut = ''
  #line = 0
  #entry: string[] = []
  #references: string[] = []
  /** References that still have to come; undefined before their number did. */
  #left: number | undefined
  #refused: Result<never, MalformedError> | undefined

  private constructor(withHash: boolean) {
    this.#withHash = withHash
  }

  static ofRegistration(): RegistrationReader<Registration> {
    return new RegistrationReader<Registration>(true)
  }

  /** The form of `exportReferencesGraph`, without hashes and sizes. */
  static ofReferencesGraph(): RegistrationReader<ReferencesGraphNode> {
    return new RegistrationReader<ReferencesGraphNode>(false)
  }

  /** The paths that are complete with this chunk. After a refusal every push fails with the same. */
  push(chunk: Uint8Array): Result<readonly T[], MalformedError> {
    if (this.#refused !== undefined) return this.#refused
    const lines = (this.#cut + Buffer.from(chunk).toString('latin1')).split('\n')
    this.#cut = lines.pop()!
    const paths: T[] = []
    for (const line of lines) {
      this.#line++
      const taken = this.#take(line)
      if (taken.isErr()) return this.#refuse(taken.error.reason)
      if (taken.value !== undefined) paths.push(taken.value)
    }
    if (this.#cut.length > MAX_LINE_BYTES) {
      this.#line++
      return this.#refuse(`the line is longer than ${MAX_LINE_BYTES} bytes`)
    }
    return ok(paths)
  }

  /** Fails when the last path is not complete. */
  finish(): Result<void, MalformedError> {
    if (this.#refused !== undefined) return this.#refused
    if (this.#entry.length > 0 || this.#cut !== '') {
      this.#line++
      return this.#refuse('it ends in the middle of a path')
    }
    return ok()
  }

  #refuse(reason: string): Result<never, MalformedError> {
    this.#refused = malformed('registration', reason, { line: this.#line })
    return this.#refused
  }

  #take(line: string): Result<T | undefined, MalformedError> {
    const deriverAt = this.#withHash ? 3 : 1
    const index = this.#entry.length
    if (this.#left !== undefined) {
      if (parseStorePath(line).isErr()) return malformed('registration', `${found(line)} is no store path`)
      this.#references.push(line)
      this.#left--
    } else if (index === deriverAt + 1) {
      const references = parseDecimal(line)
      if (references === undefined || references > MAX_REFERENCES) {
        return malformed('registration', `${found(line)} is no number of references`)
      }
      this.#left = references
    } else {
      const problem = whyNot(
        line,
        index === 0 ? 'path' : index === deriverAt ? 'deriver' : index === 1 ? 'hash' : 'size',
      )
      if (problem !== undefined) return malformed('registration', problem)
      this.#entry.push(line)
    }
    return ok(this.#left === 0 ? this.#complete() : undefined)
  }

  #complete(): T {
    const [path = '', ...rest] = this.#entry
    const deriver = rest.at(-1)
    const hashed = this.#withHash ? { narHash: parseNarHash(rest[0]!)!, narSize: Number(rest[1]) } : {}
    const node = {
      path,
      ...hashed,
      ...(deriver === '' ? {} : { deriver }),
      ...splitReferences(path, this.#references),
    }
    this.#entry = []
    this.#references = []
    this.#left = undefined
    return node as unknown as T
  }
}

function whyNot(line: string, field: 'path' | 'deriver' | 'hash' | 'size'): string | undefined {
  switch (field) {
    case 'deriver':
      return line === '' || parseStorePath(line).isOk() ? undefined : `${found(line)} is no deriver`
    case 'path':
      return parseStorePath(line).isOk() ? undefined : `${found(line)} is no store path`
    case 'hash':
      return parseNarHash(line) === undefined ? `${found(line)} is no SHA-256` : undefined
    case 'size':
      return (parseDecimal(line) ?? 0) > 0 ? undefined : `${found(line)} is no size of a NAR`
  }
}

/** A whole text at once. */
export function parseRegistration(
  text: Uint8Array | string,
): Result<readonly Registration[], MalformedError> {
  return readWhole(RegistrationReader.ofRegistration(), text)
}

export function parseReferencesGraph(
  text: Uint8Array | string,
): Result<readonly ReferencesGraphNode[], MalformedError> {
  return readWhole(RegistrationReader.ofReferencesGraph(), text)
}

function readWhole<T extends ReferencesGraphNode>(
  reader: RegistrationReader<T>,
  text: Uint8Array | string,
): Result<readonly T[], MalformedError> {
  return reader
    .push(typeof text === 'string' ? Buffer.from(text) : text)
    .andThen((paths) => reader.finish().map(() => paths))
}

/** What `nix-store --load-db` takes and `--dump-db` prints for these paths, in the order given. */
export function formatRegistration(paths: Iterable<Registration>): string {
  let text = ''
  for (const info of paths) {
    text += `${info.path}\n${info.narHash}\n${info.narSize}\n${formatGraphNode(info)}`
  }
  return text
}

/** The form of `exportReferencesGraph`; a build sees no derivers. */
export function formatReferencesGraph(paths: Iterable<ReferencesGraphNode>): string {
  let text = ''
  for (const info of paths) text += `${info.path}\n${formatGraphNode(info)}`
  return text
}

function formatGraphNode(info: ReferencesGraphNode): string {
  const references = allReferences(info)
  return `${info.deriver ?? ''}\n${references.length}\n${references.map((each) => `${each}\n`).join('')}`
}
