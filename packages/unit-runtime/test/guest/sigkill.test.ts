import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildDemoClosures } from '../../../../examples/demo/src/closures.js'
import { nixStore, openHost } from '../../src/index.js'
import { findRemains } from './remains.js'

const program = fileURLToPath(new URL('./dying-host.ts', import.meta.url))
const tsconfig = fileURLToPath(new URL('../../../../tsconfig.base.json', import.meta.url))
const nothing = { processes: [], mounts: [], files: [] }

let root: string
let stateDirectory: string
let cacheDirectory: string
let closures: Awaited<ReturnType<typeof buildDemoClosures>>

const open = async () =>
  (await openHost({ store: nixStore(), stateDirectory, cacheDirectory }))._unsafeUnwrap()

beforeAll(async () => {
  root = await mkdtemp(`${tmpdir()}/sigkill-`)
  stateDirectory = `${root}/state`
  cacheDirectory = `${root}/cache`
  closures = await buildDemoClosures()
})
afterAll(() => rm(root, { recursive: true }))

interface Moment {
  readonly dieAt: string
  readonly injection?: 'view'
  readonly supervised?: 'restart' | 'lazy'
  readonly nth?: number
}

function startDying(orders: Moment) {
  const { left, debugger: tool } = closures
  const argument = JSON.stringify({ stateDirectory, cacheDirectory, program: left, tool, ...orders })
  return spawn(process.execPath, ['--import', 'tsx', program, argument], {
    env: { ...process.env, TSX_TSCONFIG_PATH: tsconfig },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

async function dieAt(orders: Moment): Promise<void> {
  const child = startDying(orders)
  let said = ''
  child.stdout.on('data', (bytes) => {
    said += bytes
  })
  const [code, signal] = await once(child, 'exit')
  expect({ code, signal, said }).toEqual({ code: null, signal: 'SIGKILL', said: '' })
}

/** Opening a host again cleans up after the dead one; stopping it leaves nothing of either. */
async function expectNoOrphan(): Promise<void> {
  await findRemains(stateDirectory, cacheDirectory)
  const host = await open()
  expect(host.reconciled.flatMap((dead) => dead.failures)).toEqual([])
  const alive = await findRemains(stateDirectory, cacheDirectory)
  expect(alive.processes).toEqual([])
  expect(alive.files.filter((file) => !file.includes(`/${process.pid}-`))).toEqual([])
  await host.stop()
  expect(await findRemains(stateDirectory, cacheDirectory)).toEqual(nothing)
}

// The first run has no verdict about the monitors yet, so this one dies while it boots a machine to find out.
test('a host killed while it tries a monitor leaves no orphan', async () => {
  await dieAt({ dieAt: 'record:process-started' })
  await expectNoOrphan()
})

test('a host killed while its unit runs leaves a machine at first, and none once a host was opened', async () => {
  const child = startDying({ dieAt: 'running' })
  await once(child.stdout, 'data')
  const running = await findRemains(stateDirectory, cacheDirectory)
  expect(running.processes.some((line) => line.includes('qemu'))).toBe(true)
  expect(running.files.length).toBeGreaterThan(0)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await expectNoOrphan()
})

test.each([
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
])('a host killed at "%s" leaves no orphan', async (moment) => {
  await dieAt({ dieAt: moment })
  await expectNoOrphan()
})

// Its server is a process more, in a directory of its own.
test.each(['view-served', 'inject-granted', 'revoke-hidden'])(
  'a host whose unit has a view, killed at "%s", leaves no orphan',
  async (moment) => {
    await dieAt({ dieAt: moment, injection: 'view' })
    await expectNoOrphan()
  },
)

test.each<Moment>([
  { supervised: 'restart', dieAt: 'machine-started', nth: 2 },
  { supervised: 'lazy', dieAt: 'machine-started' },
])('a host killed during a $supervised start, at "$dieAt", leaves no orphan', async (moment) => {
  await dieAt(moment)
  await expectNoOrphan()
})

test('a living host is left alone when another one opens on the same directory', async () => {
  const child = startDying({ dieAt: 'running' })
  await once(child.stdout, 'data')
  const before = await findRemains(stateDirectory, cacheDirectory)
  const other = await open()
  expect(other.reconciled).toEqual([])
  await other.stop()
  const after = await findRemains(stateDirectory, cacheDirectory)
  expect(after.processes).toEqual(before.processes)
  expect(after.files).toEqual(before.files)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await expectNoOrphan()
})
