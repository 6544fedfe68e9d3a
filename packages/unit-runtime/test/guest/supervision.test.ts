import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  bytes,
  type CallEvent,
  closure,
  compose,
  defineService,
  defineUnit,
  nixStore,
  openHost,
  type Unit,
} from '../../src/index.js'
import { addProbe, nothing, RealHost } from './real-host.js'

const Pipe = defineService('test.pipe', { request: bytes(), response: bytes() })
const calls: CallEvent[] = []
let probe: string
let real: RealHost
let mail: Unit
let vault: Unit

beforeAll(async () => {
  const { tool, probe: path } = await addProbe()
  probe = path
  const store = closure(tool)
  const server = defineUnit('vault', {
    store,
    start: 'lazy',
    restart: { when: 'on-failure', backoffMs: 50 },
    volumes: { data: { path: '/data', sizeBytes: 16 << 20 } },
    provides: { cat: Pipe.command([probe, 'cat']), wait: Pipe.command([probe, 'wait']) },
  })
  const client = defineUnit('mail', {
    store,
    command: [probe, 'serve', '/tmp/socket'],
    needs: { cat: Pipe, wait: Pipe },
  })
  const graph = compose({ client, server }).wire({ client: server.provides })._unsafeUnwrap()
  real = await RealHost.open('supervision', { callLimits: { providerMs: 180_000 } })
  real.host.events.on('call', (event) => calls.push(event))
  const units = (await real.host.start(graph))._unsafeUnwrap()
  mail = units.client
  vault = units.server
})

afterAll(() => real?.[Symbol.asyncDispose]())

const call = async (need: string, stdin: string) => {
  const ran = await mail.exec([probe, 'call', `/run/spectrum/services/${need}`], { stdin })
  return new TextDecoder().decode(ran._unsafeUnwrap().stdout)
}

it('starts a unit by the first real call of its service, whose caller is answered', async () => {
  expect([vault.state, vault.processes]).toEqual(['dormant', []])
  expect(await call('cat', 'who is there')).toBe('who is there')
  expect(vault.state).toBe('running')
  expect(vault.processes.length).toBeGreaterThan(0)
})

it('has what a unit’s command says in its log, and in bounded files of the host', async () => {
  const said = async () => {
    const lines: string[] = []
    for await (const { source, text } of mail.logs()) lines.push(`${source}: ${text}`)
    return lines
  }
  await expect.poll(said).toContain('stdout: listening')
  expect(await said()).toContain('host: running')
  const { files } = (await real.host.leftovers())._unsafeUnwrap()
  expect(files.some((file) => file.endsWith('/logs/mail/0.log'))).toBe(true)
})

it('ends the open call of a unit whose monitor was killed, and answers the next one by a fresh machine', async () => {
  ;(await vault.start())._unsafeUnwrap()
  const before = vault.boot?.bootId
  ;(await vault.files.put({ path: '/data/note' }, Buffer.from('kept')))._unsafeUnwrap()
  const waiting = call('wait', '')
  await expect
    .poll(() => calls.filter(({ kind }) => kind === 'allowed').map(({ need }) => need))
    .toContain('wait')
  process.kill(vault.processes[0]!.pid, 'SIGKILL')
  // It may have said that it is ready, and nothing else.
  expect(await waiting).toMatch(/^(ready\n)?$/)
  await expect
    .poll(() => calls.find((event) => event.kind === 'ended' && event.need === 'wait'))
    .toMatchObject({ end: { kind: 'provider-failed' } })
  await expect.poll(() => vault.state).not.toBe('running')
  expect(await call('cat', 'and now')).toBe('and now')
  expect(vault.restarts).toBe(1)
  expect(vault.boot?.bootId).not.toBe(before)
  // Its volume has what was written before.
  const { content } = (await vault.files.get({ path: '/data/note' }))._unsafeUnwrap()
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  expect(Buffer.concat(chunks).toString()).toBe('kept')
})

it('does not let another host have the volume of a unit that runs', async () => {
  ;(await vault.start())._unsafeUnwrap()
  await using other = (await openHost({ store: nixStore(), ...real.directories }))._unsafeUnwrap()
  const same = defineUnit('vault', {
    store: closure(probe.slice(0, probe.indexOf('/bin/'))),
    volumes: { data: { path: '/data', sizeBytes: 16 << 20 } },
  })
  const refused = await other.start(compose({ same })._unsafeUnwrap())
  expect(refused._unsafeUnwrapErr()).toMatchObject({ kind: 'volume-failed', reason: 'in-use' })
})

it('leaves nothing', async () => {
  ;(await real.host.stop())._unsafeUnwrap()
  expect(await real.remains()).toEqual(nothing)
})
