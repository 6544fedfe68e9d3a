import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildDemoClosures } from '../../../../examples/demo/src/closures.js'
import { bundle, programFolder } from '../../../kvm-ioctl/test/guest/lab/run-in-lab.js'
import { nixStore, openHost } from '../../src/index.js'
import { findRemains } from './remains.js'

const nothing = { processes: [], mounts: [], files: [] }

let root: string
let programs: string
let dyingHost: string
let closures: Awaited<ReturnType<typeof buildDemoClosures>>

beforeAll(async () => {
  root = await mkdtemp(`${tmpdir()}/sigkill-`)
  programs = programFolder()
  // Loading its sources takes Node longer than most of these hosts live.
  dyingHost = await bundle(fileURLToPath(new URL('./dying-host.ts', import.meta.url)), programs)
  closures = await buildDemoClosures()
})
afterAll(async () => {
  await rm(root, { recursive: true })
  await rm(programs, { recursive: true })
})

/** Two machines boot at a time, one for each processor; neither test sees what the other's host does. */
interface Place {
  readonly stateDirectory: string
  readonly cacheDirectory: string
}

const open = async (place: Place) => (await openHost({ store: nixStore(), ...place }))._unsafeUnwrap()

/** Hosts of these places know which monitor boots here: finding out takes as long as a test. */
const idle: Place[] = []

async function inPlace(body: (own: Place) => Promise<void>): Promise<void> {
  const own = idle.pop() ?? (await freshPlace())
  if (!existsSync(own.cacheDirectory)) await (await open(own)).stop()
  await body(own)
  await expectNoOrphan(own)
  // Where a test has failed, no other one comes.
  idle.push(own)
}

async function freshPlace(): Promise<Place> {
  const path = await mkdtemp(`${root}/place-`)
  return { stateDirectory: `${path}/state`, cacheDirectory: `${path}/cache` }
}

interface Moment {
  readonly dieAt: string
  readonly injection?: 'view'
  readonly supervised?: 'restart' | 'lazy'
  readonly nth?: number
}

function startDying(place: Place, orders: Moment) {
  const { left, debugger: tool } = closures
  const argument = JSON.stringify({ ...place, program: left, tool, ...orders })
  return spawn(process.execPath, [dyingHost, argument], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function dieAt(place: Place, orders: Moment): Promise<void> {
  const child = startDying(place, orders)
  let said = ''
  child.stdout.on('data', (bytes) => {
    said += bytes
  })
  const [code, signal] = await once(child, 'exit')
  expect({ code, signal, said }).toEqual({ code: null, signal: 'SIGKILL', said: '' })
}

/** Opening a host again cleans up after the dead one; stopping it leaves nothing of either. */
async function expectNoOrphan({ stateDirectory, cacheDirectory }: Place): Promise<void> {
  await findRemains(stateDirectory, cacheDirectory)
  const host = await open({ stateDirectory, cacheDirectory })
  expect(host.reconciled.flatMap((dead) => dead.failures)).toEqual([])
  const alive = await findRemains(stateDirectory, cacheDirectory)
  expect(alive.processes).toEqual([])
  expect(alive.files.filter((file) => !file.includes(`/${process.pid}-`))).toEqual([])
  await host.stop()
  expect(await findRemains(stateDirectory, cacheDirectory)).toEqual(nothing)
}

// It has no verdict about the monitors yet, so this one dies while it boots a machine to find out.
test.concurrent('a host killed while it tries a monitor leaves no orphan', async () => {
  const fresh = await freshPlace()
  await dieAt(fresh, { dieAt: 'record:process-started' })
  await expectNoOrphan(fresh)
  idle.push(fresh)
})

test.concurrent('a host killed while its unit runs leaves a machine at first, and none once a host was opened', () =>
  inPlace(async (own) => {
    const child = startDying(own, { dieAt: 'running' })
    await once(child.stdout, 'data')
    const running = await findRemains(own.stateDirectory, own.cacheDirectory)
    expect(running.processes.some((line) => line.includes('qemu'))).toBe(true)
    expect(running.files.length).toBeGreaterThan(0)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }))

test.concurrent.each([
  ['record:host'],
  ['record:path-intended'],
  ['closure-known'],
  ['attached'],
  ['record:process-intended'],
  ['record:process-started'],
  ['machine-started'],
  ['agent-answered'],
  ['store-mounted'],
  ['inject-begun'],
  ['inject-plugged'],
  ['inject-mounted'],
  ['stop-begun'],
  ['machine-ended'],
  ['record:path-removed'],
])('a host killed at "%s" leaves no orphan', (moment) => inPlace((own) => dieAt(own, { dieAt: moment })))

// Its server is a process more, in a directory of its own.
test.concurrent.each(['view-served', 'inject-granted', 'revoke-hidden'])(
  'a host whose unit has a view, killed at "%s", leaves no orphan',
  (moment) => inPlace((own) => dieAt(own, { dieAt: moment, injection: 'view' })),
)

test.concurrent.each<Moment>([
  { supervised: 'restart', dieAt: 'machine-started', nth: 2 },
  { supervised: 'lazy', dieAt: 'machine-started' },
])('a host killed during a $supervised start, at "$dieAt", leaves no orphan', (moment) =>
  inPlace((own) => dieAt(own, moment)),
)

test.concurrent('a living host is left alone when another one opens on the same directory', () =>
  inPlace(async (own) => {
    const child = startDying(own, { dieAt: 'running' })
    await once(child.stdout, 'data')
    const before = await findRemains(own.stateDirectory, own.cacheDirectory)
    const other = await open(own)
    expect(other.reconciled).toEqual([])
    await other.stop()
    const after = await findRemains(own.stateDirectory, own.cacheDirectory)
    expect(after.processes).toEqual(before.processes)
    expect(after.files).toEqual(before.files)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }))
