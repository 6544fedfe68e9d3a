import { execFile } from 'node:child_process'
import { cp, mkdir, realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { addToStore } from './real-store.js'

const run = promisify(execFile)
const KEYBOARDS = '/usr/share/X11/xkb'
const LOADER = 'ld-linux-x86-64.so.2'

/** Programs of this machine with all the libraries that they are linked with, as one store path. */
export async function addMachinePrograms(name: string, programs: readonly string[]) {
  const path = await addToStore(name, async (tree) => {
    await mkdir(join(tree, 'bin'), { recursive: true })
    await mkdir(join(tree, 'lib'))
    const libraries = new Set<string>()
    for (const program of programs) {
      await cp(await realpath(program), join(tree, 'bin', basename(program)))
      const { stdout } = await run('ldd', [program], { timeout: 60_000, killSignal: 'SIGKILL' })
      for (const [library] of stdout.matchAll(/\/\S+/g)) libraries.add(library)
    }
    for (const library of libraries) await cp(await realpath(library), join(tree, 'lib', basename(library)))
    // Whoever has a window wants to know what keys are called.
    await cp(KEYBOARDS, join(tree, 'share', 'xkb'), { recursive: true })
  })
  return {
    path,
    /** What they need to find it all. */
    env: { XKB_CONFIG_ROOT: join(path, 'share', 'xkb') },
    /** How to run one of them: by the loader that came along. */
    argv: (program: string) => [
      join(path, 'lib', LOADER),
      '--library-path',
      join(path, 'lib'),
      join(path, 'bin', program),
    ],
  }
}
