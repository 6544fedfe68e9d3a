import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

/** Programs in one store path, with all that they are linked with: a closure of its own. */
export interface Programs {
  /** The store path. */
  readonly path: string
  /** What they need to find what came along. */
  readonly env: Readonly<Record<string, string>>
  /** The argument vector that runs one of them. */
  argv(program: string, ...words: readonly string[]): readonly [string, ...string[]]
}

const LOADER = 'ld-linux-x86-64.so.2'
/** What keys are called. */
const KEYBOARDS = '/usr/share/X11/xkb'

/** Programs with windows, as this machine has them, run by the loader that comes along. */
export async function windowPrograms(programs: readonly string[]): Promise<Programs> {
  const path = await addToStore('windows', async (tree) => {
    await Promise.all(['bin', 'lib'].map((directory) => mkdir(join(tree, directory), { recursive: true })))
    const libraries = new Set<string>()
    for (const program of programs) {
      await cp(await realpath(program), join(tree, 'bin', basename(program)))
      const { stdout } = await run('ldd', [program])
      for (const [library] of stdout.matchAll(/\/\S+/g)) libraries.add(library)
    }
    for (const library of libraries) await cp(await realpath(library), join(tree, 'lib', basename(library)))
    await cp(KEYBOARDS, join(tree, 'share', 'xkb'), { recursive: true })
  })
  const loader = [join(path, 'lib', LOADER), '--library-path', join(path, 'lib')] as const
  return {
    path,
    env: { XKB_CONFIG_ROOT: join(path, 'share', 'xkb') },
    argv: (program, ...words) => [...loader, join(path, 'bin', program), ...words],
  }
}

/** Adds a tree to this machine's store, and returns its path: the same for the same content. */
async function addToStore(name: string, write: (tree: string) => Promise<void>): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'windows-'))
  try {
    await write(join(scratch, name))
    const { stdout } = await run('nix-store', ['--add', join(scratch, name)])
    return stdout.trim()
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function run(file: string, argv: readonly string[]) {
  // A single-user store without network: what Debian's nix-bin gives to root.
  const NIX_CONFIG = 'build-users-group =\nsandbox = false\nsubstituters ='
  return promisify(execFile)(file, argv, { env: { ...process.env, NIX_CONFIG }, timeout: 100_000 })
}
