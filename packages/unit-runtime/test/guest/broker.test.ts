import { pattern } from '@spectrum/guest-agent/conformance'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import {
  absent,
  ask,
  bytes,
  type CallEvent,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  type Unit,
} from '../../src/index.js'
import { addProbe, nothing, RealHost } from './real-host.js'

const Pipe = defineService('test.pipe', { request: bytes(), response: bytes() })
const megabyte = pattern(1024 * 1024, 3)
const floodBytes = 2 * 1024 * 1024
const events: CallEvent[] = []
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
    needs: { cat: Pipe.optional() },
    provides: {
      cat: Pipe.command([probe, 'cat']),
      wait: Pipe.command([probe, 'wait']),
      flood: Pipe.command([probe, 'flood', String(floodBytes)]),
      echo: Pipe.socket('/tmp/echo'),
    },
  })
  const { cat, ...provided } = server.provides
  const client = defineUnit('mail', {
    store,
    needs: {
      cat: Pipe,
      wait: Pipe,
      flood: Pipe,
      echo: Pipe,
      asked: Pipe,
      unwired: Pipe.optional(),
      host: Pipe,
    },
  })
  const graph = compose({ server, client })
    .wire({
      server: { cat: absent },
      client: { ...provided, cat, asked: cat.with(ask()), unwired: absent, host: fromHost(Pipe, 'echo') },
    })
    ._unsafeUnwrap()
  real = await RealHost.open('broker', {
    services: {
      echo: async ({ request, respond }) => {
        for await (const chunk of request) await respond(chunk)
      },
    },
  })
  real.host.events.on('call', (event) => events.push(event))
  const units = (await real.host.start(graph))._unsafeUnwrap()
  mail = units.client
  vault = units.server
})

afterAll(() => real?.[Symbol.asyncDispose]())

/** A program of the unit connects, sends all of stdin, shuts that end, and prints what it is answered. */
const call = async (unit: Unit, need: string, stdin: Uint8Array | string = '') => {
  const ran = await unit.exec([probe, 'call', `/run/spectrum/services/${need}`], { stdin })
  const { stdout, stderr, outcome } = ran._unsafeUnwrap()
  expect(new TextDecoder().decode(stderr)).toBe('')
  expect(outcome).toEqual({ kind: 'exited', code: 0 })
  return Buffer.from(stdout)
}
const told = () => events.map((event) => `${event.unit}.${event.need} ${event.kind}`)

beforeEach(() => {
  events.length = 0
})

it('carries a megabyte each way between two machines: to a command, to a socket, to the host', async () => {
  const server = (await vault.spawn([probe, 'serve', '/tmp/echo']))._unsafeUnwrap()
  for await (const line of server.stdout) {
    expect(new TextDecoder().decode(line)).toBe('listening\n')
    break
  }
  for (const need of ['cat', 'echo', 'host']) {
    expect((await call(mail, need, megabyte)).equals(megabyte), need).toBe(true)
    await expect
      .poll(() => events.at(-1))
      .toMatchObject({
        kind: 'ended',
        need,
        end: { kind: 'completed' },
        requestBytes: megabyte.length,
        responseBytes: megabyte.length,
      })
  }
  expect(told()).toHaveLength(6)
})

it('gives nothing to a unit that was granted nothing, or denied, and there is nothing else to call', async () => {
  for (const [unit, need] of [
    [vault, 'cat'],
    [mail, 'unwired'],
    [mail, 'asked'],
  ] as const)
    expect((await call(unit, need, 'please')).length).toBe(0)
  await expect.poll(told).toEqual(['vault.cat refused', 'mail.unwired refused', 'mail.asked refused'])
  const listed = (await vault.exec([probe, 'list', '/run/spectrum/services']))._unsafeUnwrap()
  expect(new TextDecoder().decode(listed.stdout)).toBe('cat\n')
})

it('lets no reader that stalls stop another call, and loses nothing of its answer', async () => {
  const stalled = (await mail.spawn([probe, 'call', '/run/spectrum/services/flood']))._unsafeUnwrap()
  await expect.poll(told).toEqual(['mail.flood allowed'])
  for (let i = 0; i < 2; i++) expect((await call(mail, 'cat', 'through')).toString()).toBe('through')
  const chunks: Uint8Array[] = []
  for await (const chunk of stalled.stdout) chunks.push(chunk)
  expect(Buffer.concat(chunks).equals(pattern(floodBytes, 1))).toBe(true)
  await expect.poll(() => told().filter((line) => line.endsWith(' ended'))).toHaveLength(3)
})

it('ends a call whose provider is killed, tells why, and refuses the next one', async () => {
  const waiting = (await mail.spawn([probe, 'call', '/run/spectrum/services/wait']))._unsafeUnwrap()
  for await (const line of waiting.stdout) {
    expect(new TextDecoder().decode(line)).toBe('ready\n')
    break
  }
  for (const { pid } of vault.processes) process.kill(pid, 'SIGKILL')
  expect(await waiting.outcome).toEqual({ kind: 'exited', code: 0 })
  await expect.poll(() => events.at(-1)).toMatchObject({ kind: 'ended', end: { kind: 'provider-failed' } })
  expect((await call(mail, 'cat', 'x')).length).toBe(0)
  await expect.poll(() => events.at(-1)).toMatchObject({ kind: 'refused', refusal: 'provider-absent' })
})

it('leaves nothing when the host stops in the middle of calls', async () => {
  const stalled = (await mail.spawn([probe, 'write-for-ever', '/run/spectrum/services/host']))._unsafeUnwrap()
  for await (const _ of stalled.stdout) break
  await expect.poll(() => events.at(-1)).toMatchObject({ kind: 'allowed', need: 'host' })
  ;(await real.host.stop())._unsafeUnwrap()
  await expect.poll(() => events.at(-1)).toMatchObject({ kind: 'ended', need: 'host' })
  expect(await real.remains()).toEqual(nothing)
})
