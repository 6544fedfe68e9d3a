import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { CrosvmMachine } from '../src/index.js'

/** A program of its own that has started a machine: to be killed. */
export async function spawningParent(
  binary: string,
  machine: CrosvmMachine,
): Promise<{ readonly parent: ChildProcess; readonly pid: number }> {
  const source = fileURLToPath(new URL('./spawn-and-wait.mts', import.meta.url))
  const tsconfig = fileURLToPath(new URL('../../../tsconfig.base.json', import.meta.url))
  const argv = ['--import', import.meta.resolve('tsx'), source, binary, JSON.stringify(machine)]
  const parent = spawn(process.execPath, argv, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TSX_TSCONFIG_PATH: tsconfig },
  })
  const [said] = (await once(parent.stdout!, 'data')) as [Buffer]
  return { parent, pid: Number(said.toString()) }
}
