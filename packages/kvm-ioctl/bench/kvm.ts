import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { openKvm, probeKvm } from '@spectrum/kvm-ioctl/linux'
import { CODE, exitsThroughLoop, openGuest } from './kvm/guest.js'

// What a request and an exit cost, against a C program that does the same, compiled and measured in the same run:
// interleaved; medians. The accelerator is this machine's /dev/kvm, whatever that is.
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 15)
const CALLS = Number(process.env['BENCH_CALLS'] ?? 200_000)
const EXITS = Number(process.env['BENCH_EXITS'] ?? 20_000)
const json = process.argv.includes('--json')

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'bench-kvm-'))
const binary = join(scratch, 'peer')
const [compiler = 'cc', ...flags] = (process.env['CC'] || 'cc').split(/\s+/).filter(Boolean)
execFileSync(compiler, [...flags, '-O2', '-Wall', '-Wextra', '-Werror', '-o', binary, here('kvm/peer.c')])
const peer = (what: 'ioctl' | 'exit', count: number) =>
  Number(execFileSync(binary, [what, String(count)], { encoding: 'utf8' }))

const accelerator = (await probeKvm()).match(
  (found) => (found.kind === 'runs-code' ? '/dev/kvm' : found.message),
  (failed) => failed.message,
)
const kvm = openKvm()._unsafeUnwrap()
const guest = openGuest(CODE)
const worker = new Worker(new URL('kvm/exits.mjs', import.meta.url), { workerData: { code: CODE } })

function calls(count: number): number {
  let sum = 0
  const start = process.hrtime.bigint()
  for (let call = 0; call < count; call += 1) sum += kvm.checkExtension('KVM_CAP_USER_MEMORY')._unsafeUnwrap()
  const took = Number(process.hrtime.bigint() - start)
  if (sum !== count) throw new Error('KVM answered something else')
  return took / count
}

async function exitsInWorker(count: number): Promise<number> {
  worker.postMessage(count)
  const [nanoseconds] = (await once(worker, 'message')) as [number]
  return nanoseconds
}

const cases = [
  { name: 'request without work', count: CALLS, ours: async (count: number) => calls(count), peer: 'ioctl' },
  { name: 'port exit in a worker', count: EXITS, ours: exitsInWorker, peer: 'exit' },
  {
    name: 'port exit through the loop',
    count: EXITS,
    ours: (count: number) => exitsThroughLoop(guest, count),
    peer: 'exit',
  },
] as const
const taken = cases.map(() => ({ ours: [] as number[], peer: [] as number[] }))

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!

try {
  for (const each of cases) await each.ours(Math.min(each.count, 20_000))
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, each] of cases.entries()) {
      // Who goes first alternates, so that neither always finds the machine as the other left it.
      if (round % 2 === 0) taken[index]!.peer.push(peer(each.peer, each.count))
      taken[index]!.ours.push(await each.ours(each.count))
      if (round % 2 === 1) taken[index]!.peer.push(peer(each.peer, each.count))
    }
  }
  for (const [index, each] of cases.entries()) {
    const [ours, other] = [median(taken[index]!.ours), median(taken[index]!.peer)]
    const ratio = Math.round((ours / other) * 100) / 100
    const figure = {
      name: each.name,
      ours: Math.round(ours),
      peer: Math.round(other),
      ratio,
      unit: 'ns',
      accelerator,
    }
    const line = `${each.name.padEnd(32)} ${figure.ours} ns, C ${figure.peer} ns: ${ratio} times, ${figure.ours - figure.peer} ns more`
    console.log(json ? JSON.stringify(figure) : line)
  }
} finally {
  await worker.terminate()
  guest[Symbol.dispose]()
  kvm.close()
  rmSync(scratch, { recursive: true })
}
