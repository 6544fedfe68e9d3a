/**
 * How long it takes from asking for a disposable to the first byte that a program in it says: one that waited in the pool,
 * against one that is started then. Interleaved in one run; medians. The pool's includes going on, the time and the entropy;
 * with and without the program having been run once before the unit was held still.
 *
 *   npm run bench -- disposable [--json] [--rounds N]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { closure, defineUnit, nixStore, openHost, type Rehearsal, type Unit } from '../src/index.js'
import { addProgram } from '../test/guest/real-store.js'
import { median, print } from './report/figure.js'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '7' } },
})
const rounds = Number(values.rounds)

const root = await mkdtemp(join(tmpdir(), 'bench-disposable-'))
const tool = await addProgram('look-around', ['look-around.c'])
await using host = (
  await openHost({ store: nixStore(), stateDirectory: `${root}/state`, cacheDirectory: `${root}/cache` })
)._unsafeUnwrap()
const template = defineUnit('bench', { store: closure(tool) })

/** When there was something, by `performance.now()`. */
async function use(unit: Unit): Promise<Record<'unit' | 'program' | 'output', number>> {
  const got = performance.now()
  const program = (await unit.spawn([`${tool}/bin/look-around`]))._unsafeUnwrap()
  const started = performance.now()
  for await (const _ of program.stdout) return { unit: got, program: started, output: performance.now() }
  throw new Error('the program said nothing')
}

/** Milliseconds from the call to each of them. */
async function once(): Promise<Record<'unit' | 'program' | 'output', number>> {
  const began = performance.now()
  const { unit, program, output } = (await host.disposable(template, use))._unsafeUnwrap()
  return { unit: unit - began, program: program - began, output: output - began }
}

/** One that waited, with this rehearsal behind it. The next one begins with none. */
async function onceFromPool(rehearsal: Rehearsal): Promise<Record<'unit' | 'program' | 'output', number>> {
  ;(await host.prepareDisposables(template, { count: 1, rehearsal }))._unsafeUnwrap()
  // What has just been held still is settled.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  const waited = once()
  void host.prepareDisposables(template, { count: 0 })
  return waited
}

const samples = () => ({ unit: [] as number[], program: [] as number[], output: [] as number[] })
const cold = samples()
const pooled = samples()
const rehearsed = samples()
for (let round = 0; round <= rounds; round++) {
  for (const [taken, into] of [
    [await once(), cold],
    [await onceFromPool([]), pooled],
    [await onceFromPool([[`${tool}/bin/look-around`]]), rehearsed],
  ] as const) {
    // The first round warms the caches.
    if (round === 0) continue
    for (const what of ['unit', 'program', 'output'] as const) into[what].push(taken[what])
  }
}
await host.stop({ graceMs: 0 })
await rm(root, { recursive: true })

const { accelerator } = host.monitor
const peer = median(cold.output)
for (const [how, own] of [
  ['from the pool', pooled],
  ['from the pool, its program rehearsed', rehearsed],
] as const) {
  for (const [what, taken] of [
    ['to first output', own.output],
    ['of that, until the unit is in hand', own.unit],
    ['of that, until its program has started', own.program],
  ] as const) {
    const name = `disposable: ${how}: ${what}, against a new one’s first output`
    print({ name, ours: median(taken), peer, unit: 'ms', accelerator }, values.json, 1)
  }
}
