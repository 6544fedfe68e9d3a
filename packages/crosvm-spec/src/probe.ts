import { createHash } from 'node:crypto'
import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import type { AbsentOption } from './errors.js'
import type { Draft } from './machine.js'
import { options } from './options/table.js'
import type { CrosvmSpec } from './spec.js'

/** What `crosvm run --help` of one binary says. */
export interface Help {
  /** Long names without dashes: `block`, `shared-dir`. */
  readonly options: ReadonlySet<string>
}

/** A binary that was asked once. */
export interface ProbedBinary extends Help {
  /** SHA-256 of the binary, in hexadecimal. */
  readonly contentHash: string
}

/** Why a binary did not tell its options. */
export type ProbeError =
  /** The path is not absolute (then without a cause), nothing can be read there, or the caller aborted. */
  | { readonly kind: 'unreadable-binary'; readonly message: string; readonly cause: unknown }
  /** `run --help` could not be run, failed, or was aborted. Not remembered: the next probe asks again. */
  | { readonly kind: 'help-failed'; readonly message: string; readonly cause: unknown }
  /** What it printed is not the help of `crosvm run`. */
  | { readonly kind: 'not-crosvm'; readonly message: string }

/**
 * What the probe needs of the world. Both take an absolute path, and reject where they fail or `signal` aborts.
 */
export interface ProbePowers {
  /** The bytes of the binary. */
  read(path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /**
   * Runs the binary with `run --help` and nothing else; gives what it printed to standard output. What is longer
   * than 1 MiB is cut by the reader.
   */
  help(path: string, signal: AbortSignal): Promise<string>
}

/** Finds out which options a crosvm binary has. */
export interface CrosvmProbe {
  /**
   * Asks the binary at an absolute path for its options, once for each content: a rebuilt binary at the same path
   * is asked again. Errors: `unreadable-binary`, `help-failed`, `not-crosvm`.
   */
  probe(path: string, signal: AbortSignal): ResultAsync<ProbedBinary, ProbeError>
}

/** A probe that remembers its answers for as long as it lives. */
export function createProbe(powers: ProbePowers): CrosvmProbe {
  const known = new Map<string, Promise<Result<Help, ProbeError>>>()
  const ask = (path: string, hash: string, signal: AbortSignal): Promise<Result<Help, ProbeError>> => {
    const before = known.get(hash)
    if (before) return before
    const asked = powers.help(path, signal).then(
      (text) => parseHelp(text),
      (cause: unknown) => {
        const message = `${path} run --help failed: check that it runs on this machine`
        return err({ kind: 'help-failed' as const, message, cause })
      },
    )
    known.set(hash, asked)
    // A failure may be this machine's mood: ask again next time.
    void asked.then((result) => result.isErr() && known.delete(hash))
    return asked
  }
  return {
    probe: (path, signal) => {
      if (!path.startsWith('/')) {
        const message = `${JSON.stringify(path)} is not an absolute path to crosvm: give one`
        return errAsync({ kind: 'unreadable-binary', message, cause: undefined })
      }
      const hashed = ResultAsync.fromPromise(hashOf(powers, path, signal), (cause): ProbeError => {
        return { kind: 'unreadable-binary', message: `${path} cannot be read: install crosvm there`, cause }
      })
      return hashed.andThen((contentHash) =>
        new ResultAsync(ask(path, contentHash, signal)).map((help) => ({ ...help, contentHash })),
      )
    },
  }
}

async function hashOf(powers: ProbePowers, path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of await powers.read(path, signal)) hash.update(chunk)
  return hash.digest('hex')
}

/** More than crosvm prints by a factor of twenty. */
const LONGEST_HELP = 1 << 20

/**
 * Reads the option names from the text of `crosvm run --help`, the first MiB of it. `not-crosvm` when it is
 * something else. Options that a feature or an architecture compiles out are not in it.
 */
export function parseHelp(text: string): Result<Help, ProbeError> {
  const found = new Set<string>()
  for (const line of text.slice(0, LONGEST_HELP).split('\n')) {
    const name = /^ {2}(?:-[a-z], )?--([a-z0-9][a-z0-9-]*)(?:\s|$)/.exec(line)?.[1]
    if (name !== undefined) found.add(name)
  }
  // Every crosvm of the last years has these three.
  if (!['disable-sandbox', 'initrd', 'socket'].every((name) => found.has(name))) {
    return err({
      kind: 'not-crosvm',
      message: 'this is not the help of crosvm run: give the path of a crosvm',
    })
  }
  return ok({ options: found })
}

/**
 * The options that a machine needs and this binary lacks, in the order in which they are printed: none, when the
 * list is empty.
 */
export function absentOptions(spec: CrosvmSpec, help: Help): readonly AbsentOption[] {
  return options
    .filter((option) => !help.options.has(option.name) && option.print(spec as Draft).length > 0)
    .map(({ name, property, features = [] }) => {
      const remedy =
        features.length > 0
          ? `build it with --features ${features.join(',')}, or drop ${property}`
          : `use a crosvm of 2026-08 or later for ${spec.architecture}, or drop ${property}`
      const message = `this crosvm has no --${name}: ${remedy}`
      return { kind: 'absent-option', message, option: name, property, features }
    })
}
