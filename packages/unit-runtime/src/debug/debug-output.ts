import type { Closure, StoreError, StoreSource } from '@spectrum/store-share'
import { escapeAndCut } from '@spectrum/unit-monitor'
import { err, ok, type Result } from 'neverthrow'
import { type HostError, stateFailed, storeFailed } from '../errors.js'
import type { StoreFiles } from '../powers.js'
import { orAborted, type Wait } from '../wait.js'
import { readBuildId } from './elf-build-id.js'

/** What is to be debugged: a build by its id, or a program or library of the unit by its path in there. */
export type DebugTarget =
  | {
      /** 4 to 128 hexadecimal digits, in either case: the ELF note `NT_GNU_BUILD_ID`. */
      readonly buildId: string
    }
  | {
      /** Absolute path of a file below a `/nix/store/HASH-NAME` that the unit holds. */
      readonly program: string
    }

/** A store path that holds debug information of one build. */
export interface DebugOutput {
  /** Lower-case hexadecimal digits. */
  readonly buildId: string
  /** `/nix/store/HASH-NAME-debug`, which the injection has added. */
  readonly storePath: string
  /**
   * Absolute path of the very file, as the unit will see it: `lib/debug/.build-id/XX/REST.debug` below the store path.
   */
  readonly file: string
  /** Absolute path, for `set debug-file-directory` of gdb: `lib/debug` below the store path. */
  readonly directory: string
}

/** What nixpkgs' `separateDebugInfo` makes: an output of this name, and files by build id in it. */
const OUTPUT = /^[0-9a-df-np-sv-z]{32}-[0-9a-zA-Z+._?=-]{1,205}-debug$/
const MOST_NAMES = 4_000_000
const BUILD_ID = /^(?:[0-9a-f]{2}){2,64}$/

interface Powers {
  readonly store: StoreSource
  readonly files: StoreFiles
}

/** Which build a target is. Fails with `invalid-request`, `state` where its file cannot be read, or `aborted`. */
export function buildIdOf(
  powers: Powers,
  unit: { readonly name: string; readonly closure: Closure },
  target: DebugTarget,
  wait: Wait,
): Promise<Result<string, HostError>> {
  return reading(powers, () => findBuildId(powers, unit, target, wait))
}

async function findBuildId(
  { store, files }: Powers,
  unit: { readonly name: string; readonly closure: Closure },
  target: DebugTarget,
  wait: Wait,
): Promise<Result<string, HostError>> {
  if ('buildId' in target) {
    const id = target.buildId.toLowerCase()
    if (BUILD_ID.test(id)) return ok(id)
    const message = `${JSON.stringify(escapeAndCut(target.buildId, 80))} is no build id: 4 to 128 hexadecimal digits.`
    return err({ kind: 'invalid-request', message, field: 'buildId' })
  }
  const { program } = target
  const [, , , name = '', ...rest] = program.split('/')
  const storePath = `/nix/store/${name}`
  if (rest.length === 0 || rest.some((part) => part === '' || part === '.' || part === '..'))
    return err(invalidProgram('it must be the whole path of a file below /nix/store'))
  if (!unit.closure.paths.some(({ path }) => path === storePath))
    return err(invalidProgram(`unit "${unit.name}" does not hold ${escapeAndCut(storePath, 240)}`))
  await using file = await files.open(store.locate(storePath), rest.join('/'))
  if (file === undefined) return err(invalidProgram('there is no such file'))
  const id = await readBuildId(file, wait.signal)
  return id.mapErr(({ kind, message }) =>
    kind === 'aborted' ? searchAborted(unit.name) : invalidProgram(message),
  )
}

/**
 * The store path with debug information of a build, by the file that bears its id in name and content. Looks at
 * `-debug` outputs of the local store alone, and of several that fit, takes the first by name that is whole. Fails with
 * `no-debug-output`, with `state` or `store-failed` where it could not look or ask, `timed-out` or `aborted`.
 */
export function findDebugOutput(
  powers: Powers,
  unit: string,
  buildId: string,
  wait: Wait,
): Promise<Result<DebugOutput, HostError>> {
  return reading(powers, () => lookForOutput(powers, unit, buildId, wait))
}

async function lookForOutput(
  { store, files }: Powers,
  unit: string,
  buildId: string,
  wait: Wait,
): Promise<Result<DebugOutput, HostError>> {
  const below = `lib/debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`
  const names = await orAborted(files.list(store.locate('/nix/store')), wait.signal)
  if (names === undefined) return err(searchAborted(unit))
  let passed = 0
  for (const name of names
    .slice(0, MOST_NAMES)
    .filter((each) => OUTPUT.test(each))
    .sort()) {
    if (wait.signal.aborted) return err(searchAborted(unit))
    const storePath = `/nix/store/${name}`
    await using file = await files.open(store.locate(storePath), below)
    if (file === undefined) continue
    passed += 1
    const found = await readBuildId(file, wait.signal)
    if (found.isErr() && found.error.kind === 'aborted') return err(searchAborted(unit))
    if (found.isErr() || found.value !== buildId) continue
    const known = await store.closure([storePath], { signal: wait.signal, deadlineMs: wait.leftMs() })
    // What the store does not know as valid nobody may be given; whether it does may not be known itself.
    if (known.isErr() && saysInvalid(known.error)) continue
    if (known.isErr()) return err(storeFailed(unit, known.error))
    return ok({
      buildId,
      storePath,
      file: `${storePath}/${below}`,
      directory: `${storePath}/lib/debug`,
    })
  }
  const others =
    passed === 0 ? '' : ` (${passed} files of that name hold something else, or are in no valid path)`
  const message =
    `No store path has debug information for build ${buildId}${others}: build or fetch the "debug" output of what it ` +
    'belongs to (separateDebugInfo in nixpkgs).'
  return err({ kind: 'no-debug-output', message, unit })
}

/** What the store's files fail with is no fault of whoever asks. */
async function reading<T>(
  { store }: Powers,
  work: () => Promise<Result<T, HostError>>,
): Promise<Result<T, HostError>> {
  try {
    return await work()
  } catch (cause) {
    return err(stateFailed(store.locate('/nix/store'), 'look into', cause))
  }
}

const saysInvalid = ({ kind }: StoreError): boolean => kind === 'missing-path' || kind === 'missing-reference'

function searchAborted(unit: string): HostError {
  return { kind: 'aborted', message: 'The search for debug information was aborted.', unit }
}

function invalidProgram(why: string): HostError {
  return {
    kind: 'invalid-request',
    message: `The program’s build id is not known: ${why}.`,
    field: 'program',
  }
}
