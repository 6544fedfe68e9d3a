import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

// A single-user store without network: what Debian's nix-bin gives to root.
const env = { ...process.env, NIX_CONFIG: 'build-users-group =\nsandbox = false\nsubstituters =' }

/**
 * Adds the tree that `write` makes to the machine's real store and returns its store path. Adding the same
 * content again gives the same path.
 */
export async function addToStore(name: string, write: (path: string) => Promise<void>): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'spectrum-store-'))
  try {
    await write(join(scratch, name))
    const { stdout } = await run('nix-store', ['--add', join(scratch, name)], { env })
    return stdout.trim()
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/**
 * Compiles a program of `programs/` statically, as a store path that references nothing. `compiler` may be that of
 * another architecture.
 */
export function addProgram(name: string, sources: readonly string[], compiler = 'cc'): Promise<string> {
  return addToStore(name, async (path) => {
    await mkdir(join(path, 'bin'), { recursive: true })
    const files = sources.map((file) => fileURLToPath(new URL(`./programs/${file}`, import.meta.url)))
    const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', '-static', '-s']
    await run(compiler, [...flags, '-o', join(path, 'bin', name), ...files])
  })
}
