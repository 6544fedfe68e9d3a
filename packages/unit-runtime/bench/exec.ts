/**
 * How long a command takes, from the call to its outcome and all of its output: in a unit that runs, against the same
 * program started by Node on the host. Interleaved in one run; medians.
 *
 *   npm run bench -- exec [--json] [--rounds N]
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { closure, compose, defineUnit, nixStore, openHost } from '../src/index.js'
import { addProgram } from '../test/guest/real-store.js'
import { median, print } from './report/figure.js'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '30' } },
})
const rounds = Number(values.rounds)

const root = await mkdtemp(join(tmpdir(), 'bench-exec-'))
const tool = await addProgram('look-around', ['look-around.c'])
const program = `${tool}/bin/look-around`
await using host = (
  await openHost({ store: nixStore(), stateDirectory: `${root}/state`, cacheDirectory: `${root}/cache` })
)._unsafeUnwrap()
const graph = compose({ unit: defineUnit('bench', { store: closure(tool) }) })._unsafeUnwrap()
const { unit } = (await host.start(graph))._unsafeUnwrap()

const onHost = promisify(execFile)
const timed = async (work: () => PromiseLike<unknown>) => {
  const began = performance.now()
  await work()
  return performance.now() - began
}
const inUnit = async () => {
  const { outcome } = (await unit.exec([program]))._unsafeUnwrap()
  if (outcome.kind !== 'exited' || outcome.code !== 0) throw new Error(JSON.stringify(outcome))
}

const samples = { unit: [] as number[], host: [] as number[] }
for (let round = -3; round < rounds; round++) {
  const taken = { unit: await timed(inUnit), host: await timed(() => onHost(program)) }
  // The first ones warm up.
  if (round < 0) continue
  samples.unit.push(taken.unit)
  samples.host.push(taken.host)
}
await host.stop({ graceMs: 0 })
await rm(root, { recursive: true })

const { accelerator } = host.monitor
const name = 'exec: a command in a unit, from call to outcome, against the same one on the host'
print(
  { name, ours: median(samples.unit), peer: median(samples.host), unit: 'ms', accelerator },
  values.json,
  1,
)
