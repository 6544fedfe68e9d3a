import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { runInForeground } from './child.mjs'
import { root } from './places.mjs'

/** Runs a TypeScript program of this checkout, its imports of `@spectrum/…` resolved to the sources. */
export function runTypeScript(file, argv, { cwd } = {}) {
  const program = typeScriptProgram(file, argv)
  return runInForeground(process.execPath, program.argv, { env: program.env, cwd })
}

/** What Node is told to do so. */
export function typeScriptProgram(file, argv) {
  const tsx = pathToFileURL(join(root, 'node_modules', 'tsx', 'dist', 'loader.mjs')).href
  return {
    argv: ['--import', tsx, file, ...argv],
    env: { TSX_TSCONFIG_PATH: join(root, 'tsconfig.base.json') },
  }
}
