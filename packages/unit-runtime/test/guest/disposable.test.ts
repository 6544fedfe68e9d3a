import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  closure,
  defineUnit,
  type Host,
  type HostError,
  nixStore,
  openHost,
  type Unit,
} from '@spectrum/unit-runtime'
import type { Result } from 'neverthrow'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { directoriesIn } from './directories.js'
import { addProgram } from './real-store.js'
import { findRemains } from './remains.js'

const MIB = 1024 * 1024
/** What the rehearsal leaves, and nobody else. */
const REHEARSED = '/tmp/rehearsed'
let root: string
let host: Host
let look: string
let template: ReturnType<typeof defineUnit>

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'disposable-'))
  look = `${await addProgram('look-around', ['look-around.c'])}/bin/look-around`
  host = (
    await openHost({
      store: nixStore(),
      ...(await directoriesIn(root)),
      disposables: { memoryBytes: 512 * MIB, refills: 2 },
    })
  )._unsafeUnwrap()
  template = defineUnit('viewer', {
    store: closure(look.slice(0, look.indexOf('/bin/'))),
    memoryBytes: 256 * MIB,
  })
})

afterAll(async () => {
  await host?.stop({ graceMs: 0 })
  await rm(root, { recursive: true, force: true })
})

/** What time it is in the unit, 16 random bytes of its kernel, and whether somebody was here before. */
async function lookAround(unit: Unit, ...trace: readonly string[]) {
  const { stdout, outcome } = done(await unit.exec([look, ...trace]))
  expect(outcome).toEqual({ kind: 'exited', code: 0 })
  const [seconds, random, traces] = new TextDecoder().decode(stdout).trim().split(' ')
  return { seconds: Number(seconds), random, traces, pids: unit.processes.map(({ pid }) => pid) }
}

/** What the unit's monitor has used of the processors, in the guest and for itself. */
async function cpuTicks({ processes }: Unit): Promise<number> {
  const stat = await readFile(`/proc/${processes[0]!.pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

const alive = (pids: readonly number[]) =>
  pids.filter((pid) => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  })

function done<T>(result: Result<T, HostError>): T {
  if (result.isErr()) throw new Error(`${result.error.kind}: ${result.error.message}`)
  return result.value
}

describe('disposables in virtual machines', () => {
  it('rehearse, wait still, go on with the host’s time and entropy of their own, serve one use, and are gone', async () => {
    const rehearsal = [[look, REHEARSED]]
    expect(done(await host.prepareDisposables(template, { count: 2, rehearsal }))).toBe(2)
    const waiting = [...host.units.values()]
    // In the order in which they came up, which is the machine's matter.
    expect(waiting.map(({ name, state }) => `${name} ${state}`).sort()).toEqual([
      'viewer-1 paused',
      'viewer-2 paused',
    ])
    // A guest's clock falls behind by as much as it stands still.
    const before = await Promise.all(waiting.map(cpuTicks))
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    const used = (await Promise.all(waiting.map(cpuTicks))).map((ticks, at) => ticks - before[at]!)
    expect(Math.max(...used), 'ticks of 10 ms').toBeLessThan(10)

    const seen = []
    for (let times = 0; times < 2; times++) {
      const use = await host.disposable(template, async (unit) => {
        const began = Date.now() / 1000
        const around = await lookAround(unit)
        // It stood still for 3 s. How long the program took is the machine's matter.
        expect(around.seconds).toBeGreaterThan(began - 2)
        expect(around.seconds).toBeLessThan(Date.now() / 1000 + 1)
        expect((await lookAround(unit, REHEARSED)).traces).toBe('used')
        return { ...around, name: unit.name }
      })
      seen.push(done(use))
      expect(alive(seen.at(-1)!.pids)).toEqual([])
    }
    // Whichever was up first.
    expect(seen.map(({ name }) => name).sort()).toEqual(['viewer-1', 'viewer-2'])
    expect(seen.map(({ traces }) => traces)).toEqual(['fresh', 'fresh'])
    expect(new Set(seen.map(({ random }) => random)).size).toBe(2)

    expect((await host.stop()).isOk()).toBe(true)
    expect(alive(waiting.flatMap(({ processes }) => processes.map(({ pid }) => pid)))).toEqual([])
    const remains = await findRemains(`${root}/state`, `${root}/cache`)
    expect(remains).toEqual({ processes: [], mounts: [], files: [] })
  })
})
