import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  closure,
  compose,
  defineUnit,
  type Host,
  type HostEvents,
  nixStore,
  openHost,
  type Unit,
} from '../../src/index.js'
import { addProgram } from './real-store.js'
import { findRemains } from './remains.js'

const run = promisify(execFile)
const states: Parameters<HostEvents['unit-state']>[0][] = []
const beat = { intervalMs: 500, missedBeats: 6 }
let root: string
let tool: string
let host: Host
let writer: Unit
let quiet: Unit
let wedged: Unit

beforeAll(async () => {
  root = await mkdtemp(`${tmpdir()}/endings-`)
  tool = await addProgram('last-word', ['last-word.c'])
  const store = closure(tool)
  const graph = compose({
    writer: defineUnit('writer', {
      store,
      volumes: { data: { path: '/data', sizeBytes: 16 << 20 } },
    }),
    quiet: defineUnit('quiet', { store }),
    wedged: defineUnit('wedged', { store, restart: { when: 'on-failure', backoffMs: 50 } }),
  })._unsafeUnwrap()
  const directories = { stateDirectory: `${root}/state`, cacheDirectory: `${root}/cache` }
  const heartbeat = { units: { wedged: beat } }
  host = (await openHost({ store: nixStore(), ...directories, heartbeat }))._unsafeUnwrap()
  host.events.on('unit-state', (event) => states.push(event))
  ;({ writer, quiet, wedged } = (await host.start(graph))._unsafeUnwrap())
})

afterAll(async () => {
  await host?.stop()
  if (root) await rm(root, { recursive: true })
})

it('ends a unit’s programs before its power, and leaves its volume clean with all that they wrote', async () => {
  const program = (await writer.spawn([`${tool}/bin/last-word`, '/data/word']))._unsafeUnwrap()
  const said = read(program.stdout)
  await expect.poll(said).toBe('ready\n')
  // A busy machine needs more than the default.
  expect((await writer.stop({ graceMs: 60_000 }))._unsafeUnwrap()).toMatchObject({ graceful: true })
  await expect.poll(said).toBe('ready\nsaved\n')
  expect(await program.outcome).toEqual({ kind: 'exited', code: 0 })
  const volume = `${root}/state/volumes/writer/data.ext4`
  const asked = async (...argv: string[]) => (await run('debugfs', ['-R', argv.join(' '), volume])).stdout
  expect(await asked('cat', '/word')).toBe('farewell')
  const facts = await asked('stats', '-h')
  expect(facts).toMatch(/^Filesystem state: +clean$/m)
  // Its journal has nothing that is not in its place.
  expect(facts).not.toContain('needs_recovery')
  await expect(run('e2fsck', ['-f', '-n', volume])).resolves.toBeDefined()
})

it('ends a unit in order that runs nothing', async () => {
  expect((await quiet.stop({ graceMs: 60_000 }))._unsafeUnwrap()).toMatchObject({ graceful: true })
})

it('ends a unit whose machine stands still, says so, and starts it again', async () => {
  await expect.poll(() => wedged.state).toBe('running')
  const before = wedged.boot?.bootId
  const restarts = wedged.restarts
  for (const { pid } of wedged.processes) process.kill(pid, 'SIGSTOP')
  await expect
    .poll(() => states.findLast(({ unit, state }) => unit === 'wedged' && state === 'backing-off'))
    .toMatchObject({ failure: { kind: 'unit-unresponsive', silentMs: beat.intervalMs * beat.missedBeats } })
  ;(await wedged.start())._unsafeUnwrap()
  expect(wedged.restarts).toBeGreaterThan(restarts)
  expect(wedged.boot?.bootId).not.toBe(before)
})

it('leaves nothing', async () => {
  ;(await host.stop())._unsafeUnwrap()
  expect(await findRemains(`${root}/state`, `${root}/cache`)).toEqual({
    processes: [],
    mounts: [],
    files: [],
  })
})

/** What a stream has given so far. */
function read(stream: AsyncIterable<Uint8Array>): () => string {
  let text = ''
  const follow = async () => {
    for await (const chunk of stream) text += Buffer.from(chunk).toString()
  }
  void follow()
  return () => text
}
