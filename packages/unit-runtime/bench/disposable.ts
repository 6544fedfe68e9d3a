/**
 * How long it takes from asking for a disposable to the first byte that a program in it says: one that waited in the pool,
 * against one that is started then. Interleaved in one run; medians. The pool's includes going on, the time and the entropy.
 *
 *   npm run bench -- disposable [--json] [--rounds N]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { closure, defineUnit, nixStore, openHost, type Unit } from '../src/index.js'
import { addProgram } from '../test/guest/real-store.js'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '7' } },
})
const rounds = Number(values.rounds)
const median = (samples: readonly number[]) => [...samples].sort((a, b) => a - b)[samples.length >> 1]!

const root = await mkdtemp(join(tmpdir(), 'bench-disposable-'))
const tool = await addProgram('look-around', ['look-around.c'])
await using host = (
  await openHost({ store: nixStore(), stateDirectory: `${root}/state`, cacheDirectory: `${root}/cache` })
)._unsafeUnwrap()
const template = defineUnit('bench', { store: closure(tool) })

async function firstOutput(unit: Unit): Promise<number> {
  const program = (await unit.spawn([`${tool}/bin/look-around`]))._unsafeUnwrap()
  for await (const _ of program.stdout) return performance.now()
  throw new Error('the program said nothing')
}

async function once(): Promise<{ readonly toUnit: number; readonly toOutput: number }> {
  const began = performance.now()
  let got = began
  const said = await host.disposable(template, (unit) => {
    got = performance.now()
    return firstOutput(unit)
  })
  return { toUnit: got - began, toOutput: said._unsafeUnwrap() - began }
}

const cold: number[] = []
const pooled: number[] = []
const resumed: number[] = []
for (let round = 0; round <= rounds; round++) {
  const fresh = await once()
  // One waits, for one use; the next round begins with none.
  ;(await host.prepareDisposables(template, { count: 1 }))._unsafeUnwrap()
  // What has just been held still is settled.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const waited = once()
  void host.prepareDisposables(template, { count: 0 })
  const { toUnit, toOutput } = await waited
  // The first round warms the caches.
  if (round === 0) continue
  cold.push(fresh.toOutput)
  pooled.push(toOutput)
  resumed.push(toUnit)
}
await host.stop({ graceMs: 0 })
await rm(root, { recursive: true })

const { accelerator } = host.monitor
for (const [name, own] of [
  ['disposable: from the pool to first output, against a new one', pooled],
  ['disposable: from the pool to the unit in hand, against a new one’s first output', resumed],
] as const) {
  const ours = Math.round(median(own) * 10) / 10
  const peer = Math.round(median(cold))
  const ratio = Math.round((ours / peer) * 10_000) / 10_000
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ name, ours, peer, ratio, unit: 'ms', accelerator })}\n`
      : `${name}: ${ours} ms, ${peer} ms, ratio ${ratio} (${accelerator})\n`,
  )
}
