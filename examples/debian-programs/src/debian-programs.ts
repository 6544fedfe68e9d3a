import { execFile } from 'node:child_process'
import { cp, mkdir, realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { inScratch, nixBuild } from './local-store.js'

const expression = fileURLToPath(new URL('../programs.nix', import.meta.url))

/** Programs in one store path, with all that they are linked with: a closure of its own. */
export interface Programs {
  /** The store path. */
  readonly path: string
  /** The argument vector that runs one of them. */
  argv(program: string, ...words: readonly string[]): readonly [string, ...string[]]
}

/** What comes along with programs, because `ldd` does not know of it. */
export interface Besides {
  /** Libraries that they open while they run; absolute paths. */
  readonly libraries?: readonly string[]
  /** What they read. */
  readonly data?: readonly Data[]
}

export interface Data {
  /** Absolute path of a file or a directory of this machine. */
  readonly from: string
  /** Where it goes, below the store path. */
  readonly to: string
  /** Absolute paths in `from` that stay here. */
  readonly except?: RegExp
}

/** Programs of this machine (absolute paths), as Debian installed them, as a store path. Needs patchelf. */
export async function debianPrograms(
  name: string,
  programs: readonly string[],
  { libraries = [], data = [] }: Besides = {},
): Promise<Programs> {
  const path = await inScratch(async (scratch) => {
    const tree = join(scratch, name)
    await Promise.all(['bin', 'lib'].map((directory) => mkdir(join(tree, directory), { recursive: true })))
    for (const { from, to, except } of data) {
      const filter = (source: string) => !except?.test(source)
      await cp(from, join(tree, to), { recursive: true, dereference: true, filter })
    }
    for (const program of programs) await cp(await realpath(program), join(tree, 'bin', basename(program)))
    for (const library of new Set([...libraries, ...(await linkedWith([...programs, ...libraries]))]))
      await cp(await realpath(library), join(tree, 'lib', basename(library)))
    const names = programs.map((program) => basename(program)).join(' ')
    const [built] = await nixBuild(expression, { arguments: { name, tree, programs: names } })
    return built!
  })
  return { path, argv: (program, ...words) => [join(path, 'bin', program), ...words] }
}

/** Absolute paths of all libraries that files are linked with, and of the loader. */
async function linkedWith(files: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>()
  for (const file of files) {
    const { stdout } = await promisify(execFile)('ldd', [file], { timeout: 60_000 })
    for (const [library] of stdout.matchAll(/\/\S+/g)) found.add(library)
  }
  return [...found]
}
