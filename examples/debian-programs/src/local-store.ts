import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface BuildOptions {
  /** Of the expression's function, which are strings all. */
  readonly arguments?: Readonly<Record<string, string>>
  /** Which of the expression's values; the expression itself by default. */
  readonly attributes?: readonly string[]
  readonly signal?: AbortSignal | undefined
}

/**
 * The store paths that an expression builds in this machine's store. They have no garbage-collector root:
 * `nix-store --gc` removes them. Rejects when Nix fails.
 */
export async function nixBuild(expression: string, options: BuildOptions = {}): Promise<readonly string[]> {
  const argv = Object.entries(options.arguments ?? {}).flatMap(([name, value]) => ['--argstr', name, value])
  for (const attribute of options.attributes ?? []) argv.push('-A', attribute)
  return run('nix-build', [expression, ...argv, '--no-out-link'], options.signal)
}

/** Adds the tree that `write` makes to this machine's store: always the same path for the same content. */
export async function addToStore(name: string, write: (tree: string) => Promise<void>): Promise<string> {
  return inScratch(async (scratch) => {
    const tree = join(scratch, name)
    await write(tree)
    const [path] = await run('nix-store', ['--add', tree])
    return path!
  })
}

/** Hands a new directory to `work`, and removes it afterwards. */
export async function inScratch<T>(work: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = await mkdtemp(join(tmpdir(), 'store-path-'))
  try {
    return await work(scratch)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function run(
  program: string,
  argv: readonly string[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  // A single-user store without network: what Debian's nix-bin gives to root.
  const single = 'build-users-group =\nsandbox = false\nsubstituters ='
  const { stdout } = await promisify(execFile)(program, argv, {
    env: { ...process.env, NIX_CONFIG: `${single}\n${process.env['NIX_CONFIG'] ?? ''}` },
    timeout: 300_000,
    ...(signal ? { signal } : {}),
  })
  return stdout.trim().split('\n')
}
