import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { DisplayPowers } from '../transport/unit-display.js'

/**
 * Messages are not made into objects, so what is young dies young in little room. In the room it would take otherwise,
 * a proxy grows by some MiB under its first flood, and is no faster; in less, objects of the protocol outlive it.
 * The little that is left to other threads, compiling what is hot, is as much for one as for four, each of which would
 * keep memory of its own for it: more than a MiB.
 */
const SMALL = ['--max-semi-space-size=2', '--v8-pool-size=1']

/**
 * The command `spectrum-wayland`, to be started by its parts. What is built lies beside this file; a source is run
 * through the TypeScript loader of the workspace.
 */
export function proxyProgram(): DisplayPowers['program'] {
  const file = process.execPath
  const built = new URL('./spectrum-wayland.js', import.meta.url)
  if (existsSync(built)) return { file, argv: [...SMALL, fileURLToPath(built)], environment: {} }
  const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm')).href
  return {
    file,
    argv: [...SMALL, '--import', loader, here('./spectrum-wayland.ts')],
    environment: { TSX_TSCONFIG_PATH: here('../../../../tsconfig.base.json') },
  }
}
