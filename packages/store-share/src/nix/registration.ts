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

type Line = 'path' | 'hash' | 'size' | 'deriver'

/** The lines before the number of references, and what they make together with the references. */
interface Form<T> {
  readonly lines: readonly Line[]
  readonly assemble: (lines: readonly string[], references: readonly string[]) => T
}

const GRAPH_FORM: Form<ReferencesGraphNode> = {
  lines: ['path', 'deriver'],
  assemble: ([path = '', deriver = ''], references) => ({
    path,
    ...(deriver === '' ? {} : { deriver }),
    ...splitReferences(path, references),
  }),
}

const REGISTRATION_FORM: Form<Registration> = {
  lines: ['path', 'hash', 'size', 'deriver'],
  assemble: ([path = '', hash = '', size = '', deriver = ''], references) => ({
    ...GRAPH_FORM.assemble([path, deriver], references),
    narHash: parseNarHash(hash)!,
    narSize: Number(size),
  }),
}

/**
 * Reads the text of `nix-store --dump-db`, of `closureInfo`'s file `registration` and what `--load-db` takes, in
 * chunks of any size: for each path its line, hash, size, deriver or nothing, number of references, references.
 *
 * Format: Nix, libstore/store-api.cc (`makeValidityRegistration`, `decodeValidPathInfo`).
 */
export class RegistrationReader<T = Registration> {
  readonly #form: Form<T>
  #cut = ''
  #line = 0
  #lines: string[] = []
  #references: string[] = []
  /** References that still have to come; undefined before their number did. */
  #left: number | undefined
  #refused: Result<never, MalformedError> | undefined

  private constructor(form: Form<T>) {
    this.#form = form
  }

  /** Reads what `nix-store --dump-db` writes and `--load-db` takes. */
  static ofRegistration(): RegistrationReader<Registration> {
    return new RegistrationReader(REGISTRATION_FORM)
  }

  /** The form of `exportReferencesGraph`, without hashes and sizes. */
  static ofReferencesGraph(): RegistrationReader<ReferencesGraphNode> {
    return new RegistrationReader(GRAPH_FORM)
  }

  /** The paths that are complete with this chunk. After a refusal every push fails with the same. */
  push(chunk: Uint8Array): Result<readonly T[], MalformedError> {
    if (this.#refused !== undefined) return this.#refused
    const lines = (this.#cut + Buffer.from(chunk).toString('latin1')).split('\n')
    this.#cut = lines.pop()!
    const paths: T[] = []
    for (const line of lines) {
      this.#line++
      const problem = this.#take(line)
      if (problem !== undefined) return this.#refuse(problem)
      if (this.#left === 0) paths.push(this.#complete())
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
    if (this.#lines.length > 0 || this.#cut !== '') {
      this.#line++
      return this.#refuse('it ends in the middle of a path')
    }
    return ok()
  }

  #refuse(reason: string): Result<never, MalformedError> {
    this.#refused = malformed('registration', reason, { line: this.#line })
    return this.#refused
  }

  /** Why the line cannot be what comes next. */
  #take(line: string): string | undefined {
    const expected = this.#form.lines[this.#lines.length]
    if (expected !== undefined) {
      this.#lines.push(line)
      return whyNot(line, expected)
    }
    if (this.#left !== undefined) {
      this.#references.push(line)
      this.#left--
      return whyNot(line, 'path')
    }
    this.#left = parseDecimal(line)
    return this.#left === undefined || this.#left > MAX_REFERENCES
      ? `${found(line)} is no number of references`
      : undefined
  }

  #complete(): T {
    const path = this.#form.assemble(this.#lines, this.#references)
    this.#lines = []
    this.#references = []
    this.#left = undefined
    return path
  }
}

function whyNot(line: string, expected: Line): string | undefined {
  switch (expected) {
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

/** Reads what a build gets by `exportReferencesGraph`. */
export function parseReferencesGraph(
  text: Uint8Array | string,
): Result<readonly ReferencesGraphNode[], MalformedError> {
  return readWhole(RegistrationReader.ofReferencesGraph(), text)
}

function readWhole<T>(
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
