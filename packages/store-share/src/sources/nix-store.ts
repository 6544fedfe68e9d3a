import type { ResultAsync } from 'neverthrow'
import { toByteString } from '../byte-string.js'
import type { Closure, StoreOptions, StorePathInfo, StoreSource } from '../closure.js'
import type { StoreError } from '../errors.js'
import { asResult, doing, fail, throwIfAborted, withDeadline } from '../failure.js'
import { readPathInfo } from '../nix/path-info.js'
import { parseStorePath } from '../nix/store-path.js'
import type { Clock, RunCommand, TreeReader } from '../powers.js'
import { quote, quoteOutput } from '../quote.js'
import { limitConcurrency } from '../tree.js'

/** What asking a Nix store needs of the world. */
export interface NixStorePowers {
  /** Deadlines in milliseconds. */
  readonly clock: Clock
  /** Runs the `nix` command. */
  readonly run: RunCommand
  /** Looks whether a path's data is there. */
  readonly tree: Pick<TreeReader, 'kindOf'>
}

/** Which store is asked. */
export interface NixStoreOptions {
  /** A store whose `/nix/store` lies below this directory (`nix --store ROOT`). Default: this machine's. */
  readonly root?: string | undefined
  /** Where Nix keeps its database, if not in `/nix/var/nix` (`NIX_STATE_DIR`). */
  readonly stateDir?: string | undefined
  /** The `nix` command: a name on the search path or an absolute path. Default `nix`. */
  readonly nix?: string | undefined
}

const DEFAULT_DEADLINE_MS = 60_000
const MAX_OUTPUT_BYTES = 64 << 20
const CONCURRENT_CHECKS = 16

/** Without these a stock Debian `nix` refuses the command, or would ask the network for a missing path. */
const NIX_CONFIG = ['experimental-features = nix-command', 'build-users-group =', 'substituters ='].join('\n')

/**
 * Store paths through the `nix` command (2.8 and newer). Nothing is built, fetched or written.
 *
 * Its operations fail with `not-a-store-path`, `missing-path`, `missing-reference`, `store-command` (nix is
 * absent or failed; the end of its standard error is in the message), `timed-out` and `aborted`.
 */
export function nixStore(powers: NixStorePowers, options: NixStoreOptions = {}): StoreSource {
  const locate = (storePath: string) => `${options.root?.replace(/\/+$/, '') ?? ''}${storePath}`
  return {
    locate,
    closure: (roots, { signal, deadlineMs = DEFAULT_DEADLINE_MS }: StoreOptions = {}) =>
      closureOf(powers, options, locate, roots, deadlineMs, signal),
  }
}

function closureOf(
  powers: NixStorePowers,
  options: NixStoreOptions,
  locate: (storePath: string) => string,
  requested: readonly string[],
  deadlineMs: number,
  callerSignal: AbortSignal | undefined,
): ResultAsync<Closure, StoreError> {
  return asResult(() =>
    withDeadline(powers.clock, 'Finding the closure', deadlineMs, callerSignal, async (signal) => {
      const roots = [...new Set(requested)].sort()
      for (const root of roots) {
        const parsed = parseStorePath(root)
        if (parsed.isErr()) fail(parsed.error)
      }
      if (roots.length === 0) return { roots, paths: [] }
      const output = await runPathInfo(powers.run, options, roots, signal)
      const paths = checkClosed(roots, readPathInfo(output))
      await checkPresent(powers.tree, locate, paths, signal)
      return { roots, paths }
    }),
  )
}

async function runPathInfo(
  run: RunCommand,
  options: NixStoreOptions,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<Uint8Array> {
  const file = options.nix ?? 'nix'
  const outcome = await doing(
    `Running ${quote(file)} failed`,
    run({
      file,
      argv: [
        'path-info',
        '--json',
        '--recursive',
        ...(options.root ? ['--store', options.root] : []),
        ...roots,
      ],
      environment: { NIX_CONFIG, ...(options.stateDir ? { NIX_STATE_DIR: options.stateDir } : {}) },
      signal,
      maxOutputBytes: MAX_OUTPUT_BYTES,
    }),
  )
  throwIfAborted(signal)
  switch (outcome.kind) {
    case 'not-found':
      return fail({
        kind: 'store-command',
        stderr: '',
        message: `The command \`${quote(file)}\` was not found; install Nix (Debian: nix-bin), or pass its path as the option \`nix\`.`,
      })
    case 'killed':
    case 'output-too-long': {
      const why = outcome.kind === 'killed' ? 'was killed' : `printed more than ${MAX_OUTPUT_BYTES} bytes`
      const stderr = quoteOutput(outcome.stderr)
      return fail({ kind: 'store-command', stderr, message: `\`nix path-info\` ${why}. ${stderr}` })
    }
    case 'exited':
      if (outcome.code === 0) return outcome.stdout
      return failCommand(roots, outcome.code, quoteOutput(outcome.stderr))
  }
}

/** Nix says which path is not valid in its message only. */
function failCommand(roots: readonly string[], code: number, stderr: string): never {
  const invalid = /path '([^']+)' (?:is not valid|does not exist)/.exec(stderr)?.[1]
  if (invalid !== undefined) failInvalid(roots, invalid)
  return fail({
    kind: 'store-command',
    stderr,
    message: `\`nix path-info\` exited with ${code}: ${stderr === '' ? 'it said nothing' : stderr}`,
  })
}

function failInvalid(roots: readonly string[], path: string, referrer?: string): never {
  if (roots.includes(path)) {
    fail({
      kind: 'missing-path',
      path,
      message: `${quote(path)} is not valid in this store; build or copy it first (nix-build, nix copy).`,
    })
  }
  return fail({
    kind: 'missing-reference',
    path,
    ...(referrer === undefined ? {} : { referrer }),
    message: `${quote(path)} is referenced${referrer === undefined ? '' : ` by ${quote(referrer)}`} but not valid in this store; repair it with nix-store --repair-path or copy the closure again.`,
  })
}

/** A closure is closed: the command's answer is checked, not believed. */
function checkClosed(
  roots: readonly string[],
  answer: ReturnType<typeof readPathInfo>,
): readonly StorePathInfo[] {
  if (answer.kind === 'malformed') {
    return fail({
      kind: 'store-command',
      stderr: '',
      message: `\`nix path-info\` answered in a form this version does not read: ${answer.reason}`,
    })
  }
  const paths = new Map(answer.paths.map((info) => [info.path, info]))
  const [invalid] = answer.invalid
  if (invalid !== undefined) failInvalid(roots, invalid)
  for (const root of roots) {
    if (!paths.has(root)) failInvalid(roots, root)
  }
  for (const info of paths.values()) {
    const missing = info.references.find((reference) => !paths.has(reference))
    if (missing !== undefined) failInvalid([], missing, info.path)
  }
  return [...paths.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

async function checkPresent(
  tree: Pick<TreeReader, 'kindOf'>,
  locate: (storePath: string) => string,
  paths: readonly StorePathInfo[],
  signal: AbortSignal,
): Promise<void> {
  const limit = limitConcurrency(CONCURRENT_CHECKS)
  const checks = await Promise.allSettled(
    paths.map(({ path }) =>
      limit(async () => {
        throwIfAborted(signal)
        const kind = await doing(`Reading ${quote(path)} failed`, tree.kindOf(toByteString(locate(path))))
        if (kind === undefined) failGone(path, locate(path), paths)
      }),
    ),
  )
  for (const check of checks) {
    if (check.status === 'rejected') throw check.reason
  }
}

function failGone(path: string, location: string, paths: readonly StorePathInfo[]): never {
  const referrer = paths.find((info) => info.references.includes(path))?.path
  return fail({
    kind: 'missing-reference',
    path,
    ...(referrer === undefined ? {} : { referrer }),
    message: `${quote(path)} is registered but its data is gone (nothing at ${quote(location)}); repair it with nix-store --repair-path or copy it again.`,
  })
}
