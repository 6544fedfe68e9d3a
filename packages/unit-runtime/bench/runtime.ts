/**
 * What the host costs, in one go: the measurements below, each in a program of its own, one after the other.
 *
 *   npm run bench -- runtime [--json] [--rounds N]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string' } },
})
const flags = [
  ...(values.json ? ['--json'] : []),
  ...(values.rounds === undefined ? [] : ['--rounds', values.rounds]),
]
const MOST_MS = 900_000

for (const name of ['start', 'disposable', 'exec', 'broker', 'graph']) {
  const file = fileURLToPath(new URL(`./${name}.ts`, import.meta.url))
  // With the loader that reads this file.
  const argv = [...process.execArgv, file, ...flags]
  const child = spawn(process.execPath, argv, { stdio: 'inherit', timeout: MOST_MS, killSignal: 'SIGKILL' })
  const [code, signal] = await once(child, 'exit')
  if (code === 0) continue
  process.stderr.write(`The measurement "${name}" ended with ${signal ?? `status ${code}`}.\n`)
  process.exitCode = 1
}
