import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Writes the fake as a program file that this very Node runs: crosvm is started without an environment, so
 * nothing may have to be found on a search path. Returns its path.
 */
export function writeFakeProgram(directory: string): string {
  const file = join(directory, 'crosvm.mjs')
  const source = new URL('./fake-crosvm.mjs', import.meta.url).href
  writeFileSync(file, `#!${process.execPath}\nawait import(${JSON.stringify(source)})\n`, { mode: 0o755 })
  return file
}
