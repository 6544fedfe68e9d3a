import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { closure, compose, defineUnit, type HostError, nixStore, openHost } from '@spectrum/unit-runtime'
import type { Result } from 'neverthrow'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addProgram } from '../guest/real-store.js'

/** Units in one round, and at once: `SPECTRUM_SOAK_UNITS=20 SPECTRUM_SOAK_AT_ONCE=4`. */
const most = Number(process.env['SPECTRUM_SOAK_UNITS'] ?? 100)
const atOnce = Number(process.env['SPECTRUM_SOAK_AT_ONCE'] ?? 6)
const rounds = Number(process.env['SPECTRUM_SOAK_ROUNDS'] ?? 5)
const MIB = 1024 * 1024

let root: string
let tool: string

beforeAll(async () => {
  // Everything that is made temporarily is made here.
  root = await mkdtemp(join(tmpdir(), 'soak-'))
  tool = await addProgram('look-around', ['look-around.c'])
})

afterAll(() => rm(root, { recursive: true, force: true }))

function done<T>(result: Result<T, HostError>): T {
  if (result.isErr()) throw new Error(`${result.error.kind}: ${result.error.message}`)
  return result.value
}

/** The same ones again and again: a host keeps what each name has said last. */
const namesOf = (count: number) => Array.from({ length: count }, (_, index) => `unit-${index}`)
const names = (directory: string): Promise<string[]> => readdir(directory).catch(() => [])
const text = (path: string) => readFile(path, 'utf8').catch(() => '')

/** Every directory below the mounted control groups that names a host of ours. */
async function controlGroups(directory = '/sys/fs/cgroup', depth = 0): Promise<number> {
  let count = 0
  for (const name of await names(directory)) {
    if (name.includes('.') || depth > 5) continue
    const inside = await names(`${directory}/${name}`)
    if (!inside.includes('cgroup.procs')) continue
    count += 1 + (await controlGroups(`${directory}/${name}`, depth + 1))
  }
  return count
}

async function descendants(pid: number): Promise<number> {
  let count = 0
  for (const task of await names(`/proc/${pid}/task`)) {
    const children = (await text(`/proc/${pid}/task/${task}/children`))
      .split(' ')
      .filter((word) => word !== '')
    for (const child of children) count += 1 + (await descendants(Number(child)))
  }
  return count
}

async function everything(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true }).catch(() => [])
  return entries.length
}

/** What this program and the machine hold for it. */
async function counts() {
  const descriptors = await names('/proc/self/fd')
  return {
    processes: await descendants(process.pid),
    mounts: (await text('/proc/self/mountinfo')).split('\n').length,
    sockets: (await text('/proc/net/unix')).split('\n').filter((line) => line.includes(root)).length,
    controlGroups: await controlGroups(),
    files: (await everything(`${root}/state`)) + (await everything(`${root}/cache/unfinished`)),
    leases: await everything(`${root}/cache/blobs/leases`),
    descriptors: descriptors.length,
  }
}

async function residentMib(): Promise<number> {
  globalThis.gc?.()
  return Number(/VmRSS:\s+(\d+)/.exec(await text('/proc/self/status'))?.[1]) / 1024
}

describe(`a host that starts and stops ${most} units, ${atOnce} at a time, ${rounds} times`, () => {
  it(
    'holds as much afterwards as before, and no more memory from round to round',
    async () => {
      const host = done(
        await openHost({
          ...{ store: nixStore(), stateDirectory: `${root}/state`, cacheDirectory: `${root}/cache` },
          concurrentStarts: atOnce,
        }),
      )
      const batch = async (names: readonly string[]) => {
        const units = names.map((name) =>
          defineUnit(name, { store: closure(tool), memoryBytes: 192 * MIB, hotplugSlots: 0 }),
        )
        const graph = compose(Object.fromEntries(units.map((unit) => [unit.name, unit])))._unsafeUnwrap()
        const started = done(await host.start(graph))
        await Promise.all(
          Object.values(started).map(async (unit) => {
            const run = done(await unit.exec([`${tool}/bin/look-around`]))
            expect(run.outcome).toEqual({ kind: 'exited', code: 0 })
            const ended = await unit.stop()
            expect(ended._unsafeUnwrap().graceful).toBe(true)
          }),
        )
      }
      // Caches, native parts and the compiler's own memory are there afterwards.
      await batch(namesOf(atOnce))
      const before = await counts()
      const memory: number[] = []
      for (let round = 0; round < rounds; round++) {
        for (let first = 0; first < most; first += atOnce) {
          const count = Math.min(atOnce, most - first)
          await batch(namesOf(count))
        }
        await expect.poll(counts).toEqual(before)
        memory.push(Math.round(await residentMib()))
        process.stdout.write(
          `round ${round + 1}: ${most} units, resident ${memory.at(-1)} MiB, ${JSON.stringify(before)}\n`,
        )
      }
      expect((await host.stop()).isOk()).toBe(true)
      expect((await host.leftovers())._unsafeUnwrap()).toEqual({
        processes: [],
        sockets: [],
        mounts: [],
        files: [],
      })
      await sleep(100)
      expect(await everything(`${root}/state/hosts`)).toBe(0)
      // The collector takes its time; a leak of what one unit holds would be more than this in every round.
      const growth = memory.at(-1)! - memory[0]!
      expect(growth, `resident memory ${memory.join(', ')} MiB`).toBeLessThan(Math.max(24, memory[0]! * 0.15))
      // A busy machine takes its time, and no unit hangs for ever.
    },
    600_000 + most * rounds * 10_000,
  )
})
