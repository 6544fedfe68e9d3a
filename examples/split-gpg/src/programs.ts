import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const LOADER = 'ld-linux-x86-64.so.2'

/** Programs in one store path, with all that they are linked with: a closure of its own. */
export interface Programs {
  /** The store path. */
  readonly path: string
  /** The argument vector that runs one of them. */
  argv(program: string, ...words: readonly string[]): readonly [string, ...string[]]
}

/** Programs that this machine has, as Debian installed them, run by the loader that comes along. */
export async function machinePrograms(name: string, programs: readonly string[]): Promise<Programs> {
  const path = await addToStore(name, async (tree) => {
    await Promise.all(['bin', 'lib'].map((directory) => mkdir(join(tree, directory), { recursive: true })))
    const libraries = new Set<string>()
    for (const program of programs) {
      await cp(await realpath(program), join(tree, 'bin', basename(program)))
      const { stdout } = await run('ldd', [program])
      for (const [library] of stdout.matchAll(/\/\S+/g)) libraries.add(library)
    }
    for (const library of libraries) await cp(await realpath(library), join(tree, 'lib', basename(library)))
  })
  const loader = [join(path, 'lib', LOADER), '--library-path', join(path, 'lib')] as const
  return { path, argv: (program, ...words) => [...loader, join(path, 'bin', program), ...words] }
}

/** `call.c`, which connects a program's input and output to a service. */
export async function callProgram(): Promise<Programs> {
  const source = fileURLToPath(new URL('./call.c', import.meta.url))
  const path = await addToStore('call', async (tree) => {
    await mkdir(join(tree, 'bin'), { recursive: true })
    await run('cc', ['-O2', '-Wall', '-Wextra', '-Werror', '-static', '-s', '-o', `${tree}/bin/call`, source])
  })
  return { path, argv: (program, ...words) => [join(path, 'bin', program), ...words] }
}

/** Adds a tree to this machine's store, and returns its path: the same for the same content. */
async function addToStore(name: string, write: (tree: string) => Promise<void>): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'split-gpg-'))
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
