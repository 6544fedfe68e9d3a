import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { linuxPowers } from '@spectrum/unit-monitor/linux'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  closure,
  compose,
  defineUnit,
  type HostEvents,
  type Unit,
  type UnitDefinition,
} from '../../src/index.js'
import { linuxVolumes } from '../../src/linux/volumes.js'
import { HostVolumes } from '../../src/volumes/host-volumes.js'
import { openWait } from '../../src/wait.js'
import { nothing, RealHost } from './real-host.js'
import { addProgram } from './real-store.js'

const run = promisify(execFile)
const states: Parameters<HostEvents['unit-state']>[0][] = []
const bounds = {
  env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
  timeout: 60_000,
  killSignal: 'SIGKILL',
} as const
const beat = { intervalMs: 500, missedBeats: 6 }
let tool: string
let real: RealHost
let writer: Unit
let wedged: Unit
let hostile: Unit
let definition: UnitDefinition<'hostile'>
let asRoot: string

beforeAll(async () => {
  tool = await addProgram('last-word', ['last-word.c'])
  asRoot = await addProgram('as-root', ['as-root.c'])
  const store = closure(tool)
  const volume = (path: string) => ({ path, sizeBytes: 16 << 20 })
  definition = defineUnit('hostile', {
    store: closure(asRoot),
    volumes: {
      busy: volume('/busy'),
      frozen: volume('/frozen'),
      good: volume('/good'),
      silent: volume('/silent'),
    },
  })
  const graph = compose({
    writer: defineUnit('writer', {
      store,
      volumes: { data: volume('/data') },
    }),
    hostile: definition,
    wedged: defineUnit('wedged', { store, restart: { when: 'on-failure', backoffMs: 50 } }),
  })._unsafeUnwrap()
  // Which one it is makes no difference here, and to try the other takes its time.
  const options = { heartbeat: { units: { wedged: beat } }, accelerator: 'emulation' } as const
  real = await RealHost.open('endings', options)
  real.host.events.on('unit-state', (event) => states.push(event))
  ;({ writer, wedged, hostile } = (await real.host.start(graph))._unsafeUnwrap())
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
  await expectClean('writer/data', '/word', 'farewell')
})

it('ends in time a unit whose root keeps its volumes from it, and unmounts what can be', async () => {
  const volumes = ['busy', 'frozen', 'good', 'silent'] as const
  for (const name of volumes)
    (await hostile.files.put({ path: `/${name}/note` }, Buffer.from(name)))._unsafeUnwrap()
  for (const argv of [
    ['mount', 'tmpfs', 'none', '/busy/within', ''],
    // It is unmounted with what is mounted over it.
    ['mount', 'tmpfs', 'none', '/good', ''],
    ['freeze', '/frozen'],
    ['silence', 'silent'],
  ]) {
    const ran = (await hostile.exec([`${asRoot}/bin/as-root`, ...argv]))._unsafeUnwrap()
    expect([argv, ran.outcome, `${Buffer.from(ran.stdout)}`]).toEqual([argv, { kind: 'exited', code: 0 }, ''])
  }
  const graceMs = 8_000
  const end = (await hostile.stop({ graceMs }))._unsafeUnwrap()
  expect(end).toMatchObject({ state: 'stopped', graceful: false })
  // A busy machine may not even come to power off within the grace.
  const left = { kind: 'volumes-left', synced: false }
  const { disorder } = end
  expect(disorder).toMatchObject(
    disorder?.kind === 'given-up' ? { graceMs, reached: expect.any(String) } : left,
  )
  const said: string[] = []
  for await (const { text } of hostile.logs()) said.push(text)
  expect(said.join('\n')).toMatch(/of its volumes could not be unmounted|was not off within 8000 ms/)
  if (disorder?.kind === 'volumes-left')
    expect(said.join('\n')).toContain('the volume at /silent stays mounted: its disk does not answer')
  await expectClean('hostile/good', '/note', 'good')
  // All of them are free again, and nobody else has noticed.
  const { clock, processes } = linuxPowers()
  using wait = openWait(clock, 60_000)
  const { stateDirectory } = real.directories
  const taken = await new HostVolumes(linuxVolumes, processes, stateDirectory).take(definition, '/none', wait)
  await taken._unsafeUnwrap()[Symbol.asyncDispose]()
  expect((await wedged.exec([`${tool}/bin/last-word`]))._unsafeUnwrap().outcome.kind).toBe('exited')
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

/** A volume's file system needs no mending, its journal has nothing that is not in its place, and a file says this. */
async function expectClean(name: string, file: string, content: string): Promise<void> {
  const volume = `${real.directories.stateDirectory}/volumes/${name}.ext4`
  const asked = async (...argv: string[]) =>
    (await run('debugfs', ['-R', argv.join(' '), volume], bounds)).stdout
  expect(await asked('cat', file)).toBe(content)
  const facts = await asked('stats', '-h')
  expect(facts).toMatch(/^Filesystem state: +clean$/m)
  expect(facts).not.toContain('needs_recovery')
  await expect(run('e2fsck', ['-f', '-n', volume], bounds)).resolves.toBeDefined()
}

/** What a stream has given so far. */
function read(stream: AsyncIterable<Uint8Array>): () => string {
  let text = ''
  const follow = async () => {
    for await (const chunk of stream) text += Buffer.from(chunk).toString()
  }
  void follow()
  return () => text
}
