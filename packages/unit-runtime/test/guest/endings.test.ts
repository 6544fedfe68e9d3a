import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { closure, compose, defineUnit, type HostEvents, type Unit } from '../../src/index.js'
import { nothing, RealHost } from './real-host.js'
import { addProgram } from './real-store.js'

const run = promisify(execFile)
const states: Parameters<HostEvents['unit-state']>[0][] = []
const beat = { intervalMs: 500, missedBeats: 6 }
let tool: string
let real: RealHost
let writer: Unit
let wedged: Unit

beforeAll(async () => {
  tool = await addProgram('last-word', ['last-word.c'])
  const store = closure(tool)
  const graph = compose({
    writer: defineUnit('writer', {
      store,
      volumes: { data: { path: '/data', sizeBytes: 16 << 20 } },
    }),
    wedged: defineUnit('wedged', { store, restart: { when: 'on-failure', backoffMs: 50 } }),
  })._unsafeUnwrap()
  // Which one it is makes no difference here, and to try the other takes its time.
  const options = { heartbeat: { units: { wedged: beat } }, accelerator: 'emulation' } as const
  real = await RealHost.open('endings', options)
  real.host.events.on('unit-state', (event) => states.push(event))
  ;({ writer, wedged } = (await real.host.start(graph))._unsafeUnwrap())
})

afterAll(() => real?.[Symbol.asyncDispose]())

it('ends a unit’s programs before its power, and leaves its volume clean with all that they wrote', async () => {
  const program = (await writer.spawn([`${tool}/bin/last-word`, '/data/word']))._unsafeUnwrap()
  const said = read(program.stdout)
  await expect.poll(said).toBe('ready\n')
  // A busy machine needs more than the default.
  expect((await writer.stop({ graceMs: 60_000 }))._unsafeUnwrap()).toMatchObject({ graceful: true })
  await expect.poll(said).toBe('ready\nsaved\n')
  expect(await program.outcome).toEqual({ kind: 'exited', code: 0 })
  const volume = `${real.directories.stateDirectory}/volumes/writer/data.ext4`
  const bounds = {
    env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    timeout: 60_000,
    killSignal: 'SIGKILL',
  } as const
  const asked = async (...argv: string[]) =>
    (await run('debugfs', ['-R', argv.join(' '), volume], bounds)).stdout
  expect(await asked('cat', '/word')).toBe('farewell')
  const facts = await asked('stats', '-h')
  expect(facts).toMatch(/^Filesystem state: +clean$/m)
  // Its journal has nothing that is not in its place.
  expect(facts).not.toContain('needs_recovery')
  await expect(run('e2fsck', ['-f', '-n', volume], bounds)).resolves.toBeDefined()
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

it('ends a unit in order that runs nothing', async () => {
  expect((await wedged.stop({ graceMs: 60_000 }))._unsafeUnwrap()).toMatchObject({ graceful: true })
})

it('leaves nothing', async () => {
  ;(await real.host.stop())._unsafeUnwrap()
  expect(await real.remains()).toEqual(nothing)
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
