import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Programs } from '../../debian-programs/src/debian-programs.js'
import { addToStore } from '../../debian-programs/src/local-store.js'

/** `call.c`, which connects a program's input and output to a service. */
export async function callProgram(): Promise<Programs> {
  const source = fileURLToPath(new URL('./call.c', import.meta.url))
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-static', '-s']
  const path = await addToStore('call', async (tree) => {
    await mkdir(join(tree, 'bin'), { recursive: true })
    await promisify(execFile)('cc', [...flags, '-o', join(tree, 'bin', 'call'), source], { timeout: 100_000 })
  })
  return { path, argv: (program, ...words) => [join(path, 'bin', program), ...words] }
}
