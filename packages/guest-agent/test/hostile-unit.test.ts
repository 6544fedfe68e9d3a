import { type AgentError, type Clock, connectAgent } from '@spectrum/guest-agent'
import { expect, it } from 'vitest'
import { type Frame, limits } from '../src/frames.js'
import { clock } from './support/clock.js'
import { connected, hello, PuppetUnit } from './support/puppet-unit.js'
import { collect } from './support/streams.js'

const output = (offset: number, size: number): Frame<'output'> => ({
  type: 'output',
  command: 1,
  stream: 1,
  offset,
  bytes: new Uint8Array(size),
})
const started: Frame = { type: 'started', command: 1 }
const outputEnd = (stream: number, offset = 0): Frame => ({
  type: 'output-end',
  command: 1,
  stream,
  offset,
  how: 0,
})
const ended: Frame<'ended'> = { type: 'ended', command: 1, how: 0, value: 0, coreDumped: 0 }
const wholeWindow = Array.from({ length: limits.outputWindow / limits.chunkBytes }, (_, i) =>
  output(i * limits.chunkBytes, limits.chunkBytes),
)

async function failure(unit: PuppetUnit, deadlineMs = 2_000): Promise<AgentError> {
  return (await connectAgent(unit.channel, { clock }, { deadlineMs }))._unsafeUnwrapErr()
}

it('gives up on a unit that never says hello, and closes its channel', async () => {
  const unit = new PuppetUnit()
  expect(await failure(unit, 30)).toMatchObject({ kind: 'timed-out' })
  expect(unit.closed).toBe(true)
})

it('gives up at once when the caller aborts', async () => {
  const unit = new PuppetUnit()
  const result = await connectAgent(unit.channel, { clock }, { signal: AbortSignal.abort() })
  expect(result._unsafeUnwrapErr().kind).toBe('aborted')
  expect(unit.closed).toBe(true)
})

it('says that the unit is lost when it ends before its hello', async () => {
  const unit = new PuppetUnit()
  unit.end()
  expect(await failure(unit)).toMatchObject({ kind: 'unit-lost', closed: { kind: 'closed-by-unit' } })
})

it.each([
  [5, 6],
  [0, 3],
])('refuses an agent that speaks versions %d to %d', async (minVersion, maxVersion) => {
  const unit = new PuppetUnit()
  unit.send({ ...hello, minVersion, maxVersion })
  expect(await failure(unit)).toMatchObject({ kind: 'version-mismatch', offered: maxVersion })
  expect(unit.closed).toBe(true)
})

it('settles on the lower version with an agent that speaks more', async () => {
  const unit = new PuppetUnit()
  unit.send({ ...hello, maxVersion: 9 })
  const agent = (await connectAgent(unit.channel, { clock }))._unsafeUnwrap()
  expect(agent.hello.version).toBe(4)
  await expect.poll(() => unit.received).toEqual([{ type: 'welcome', version: 4 }])
})

it('escapes what a unit says about itself', async () => {
  const unit = new PuppetUnit()
  unit.send({ ...hello, release: '6\x1b[2J\u202e' })
  const agent = (await connectAgent(unit.channel, { clock }))._unsafeUnwrap()
  expect(agent.hello.kernelRelease).toBe('6\\x1b[2J\\u{202e}')
})

it.each<[string, (Frame | Uint8Array)[]]>([
  ['a frame before hello', [started]],
  ['a boot id that is none', [{ ...hello, bootId: 'x' }]],
  ['an empty range of versions', [{ ...hello, minVersion: 5, maxVersion: 4 }]],
  ['bytes that are no frame', [Buffer.from('login: ')]],
])('cuts a unit off that begins with %s', async (_, frames) => {
  const unit = new PuppetUnit()
  unit.send(...frames)
  expect(await failure(unit)).toMatchObject({ kind: 'unit-lost', closed: { kind: 'protocol-violation' } })
  expect(unit.closed).toBe(true)
})

it.each<[string, (Frame | Uint8Array)[]]>([
  ['a second hello', [hello]],
  ['an answer to nothing', [{ type: 'powering-off', request: 1 }]],
  ['news of a command that nobody asked for', [{ type: 'started', command: 2 }]],
  ['started twice', [started, started]],
  ['output before it started', [output(0, 1)]],
  ['output out of place', [started, output(1, 1)]],
  ['output again', [started, output(0, 1), output(0, 1)]],
  ['more output than granted', [started, ...wholeWindow, output(limits.outputWindow, 1)]],
  ['output on a third stream', [started, { ...output(0, 1), stream: 3 }]],
  ['output after its end', [started, outputEnd(1), output(0, 1)]],
  ['the end of an output twice', [started, outputEnd(1), outputEnd(1)]],
  ['the end of an output in the wrong place', [started, outputEnd(1, 5)]],
  ['an end before the output ended', [started, outputEnd(1), ended]],
  ['an exit code above 255', [started, outputEnd(1), outputEnd(2), { ...ended, value: 256 }]],
  ['an end by signal 65', [started, outputEnd(1), outputEnd(2), { ...ended, how: 1, value: 65 }]],
  ['an unknown kind of end', [started, outputEnd(1), outputEnd(2), { ...ended, how: 9 }]],
  ['news after the end', [started, outputEnd(1), outputEnd(2), ended, ended]],
  ['an unknown reason', [{ type: 'not-started', command: 1, reason: 99, errno: 0, message: '' }]],
  ['credit for a closed stdin', [started, { type: 'stdin-credit', command: 1, credit: 1 }]],
])('cuts a unit off that sends %s, and settles everything', async (_, frames) => {
  const { unit, agent } = await connected()
  const starting = agent.exec({ argv: ['/x'] })
  unit.send(...frames)
  expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
  expect(unit.closed).toBe(true)
  const result = await starting
  if (result.isOk()) {
    expect((await result.value.outcome).kind).toMatch(/unit-lost|exited/)
    await collect(result.value.stderr)
  } else {
    expect(result.error.kind).toBe('unit-lost')
  }
  expect((await agent.powerOff())._unsafeUnwrapErr().kind).toBe('unit-lost')
})

it('grants more stdin than a unit can hold to nobody', async () => {
  const { unit, agent } = await connected()
  const starting = agent.exec({ argv: ['/x'], stdin: 'open' })
  unit.send(started, { type: 'stdin-credit', command: 1, credit: 1 })
  expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
  await starting
})

it('cuts a unit off that answers a mount with other names', async () => {
  const { unit, agent } = await connected()
  const paths = [`${'a'.repeat(32)}-x`]
  const mounting = agent.mountStore({ image: '0'.repeat(64), devices: [], paths })
  await expect.poll(() => unit.received.length).toBe(3)
  unit.send({ type: 'mounted', request: 1, dax: 1, names: 2, bound: Uint8Array.of(3) })
  expect((await mounting)._unsafeUnwrapErr().kind).toBe('unit-lost')
})

it.each<[string, Frame]>([
  ['other names', { type: 'unbound', request: 1, names: 2, processes: 0, bits: Uint8Array.of(3, 0) }],
  ['too few bits', { type: 'unbound', request: 1, names: 1, processes: 0, bits: Uint8Array.of(1) }],
  ['too many bits', { type: 'unbound', request: 1, names: 1, processes: 0, bits: Uint8Array.of(1, 0, 0) }],
  [
    'a use of what it kept',
    { type: 'unbound', request: 1, names: 1, processes: 1, bits: Uint8Array.of(0, 1) },
  ],
  ['a use by nobody', { type: 'unbound', request: 1, names: 1, processes: 0, bits: Uint8Array.of(1, 1) }],
  ['the answer to a mount', { type: 'mounted', request: 1, dax: 0, names: 1, bound: Uint8Array.of(1) }],
])('cuts a unit off that answers an unbind with %s', async (_, answer) => {
  const { unit, agent } = await connected()
  const unbinding = agent.unbindStore([`${'a'.repeat(32)}-x`])
  await expect.poll(() => unit.received.length).toBe(3)
  unit.send(answer)
  expect((await unbinding)._unsafeUnwrapErr().kind).toBe('unit-lost')
  expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
})

it('believes no answer about taking away to a request for more', async () => {
  const { unit, agent } = await connected()
  const mounting = agent.mountView({ tag: 'view', paths: [`${'a'.repeat(32)}-x`] })
  await expect.poll(() => unit.received.length).toBe(3)
  unit.send({ type: 'unbound', request: 1, names: 1, processes: 0, bits: Uint8Array.of(1, 0) })
  expect((await mounting)._unsafeUnwrapErr().kind).toBe('unit-lost')
})

/** Whoever waits for 5 seconds has waited for long enough. */
const hurried: Clock = { now: clock.now, deadline: (ms) => clock.deadline(ms >= 5_000 ? 20 : ms) }

it('does not wait for ever for a unit that neither binds nor unbinds', async () => {
  const { unit, agent } = await connected(hurried)
  const paths = [`${'a'.repeat(32)}-x`]
  const late = { kind: 'timed-out', outcome: 'unknown' }
  const view = await agent.mountView({ tag: 'view', paths }, { deadlineMs: 30 })
  expect(view._unsafeUnwrapErr()).toMatchObject(late)
  unit.send({ type: 'mounted', request: 1, dax: 0, names: 1, bound: Uint8Array.of(1) })
  expect((await agent.unbindStore(paths, { deadlineMs: 200 }))._unsafeUnwrapErr()).toMatchObject(late)
  expect(unit.received.map(({ type }) => type)).toEqual([
    'welcome',
    ...['mount-view', 'mount-names', 'mount-cancel', 'unbind', 'mount-names', 'mount-cancel'],
  ])
})

it('takes late answers to what the caller no longer waits for', async () => {
  const { unit, agent } = await connected(hurried)
  const mount = { image: '0'.repeat(64), devices: [], paths: [`${'a'.repeat(32)}-x`] }
  expect((await agent.mountStore(mount, { deadlineMs: 20 }))._unsafeUnwrapErr().kind).toBe('timed-out')
  // The unit takes one mount at a time, so the next one waits for the late answer.
  const next = agent.mountStore(mount, { deadlineMs: 2_000 })
  unit.send({ type: 'mounted', request: 1, dax: 1, names: 1, bound: Uint8Array.of(1) })
  await expect.poll(() => unit.received.filter(({ type }) => type === 'mount')).toHaveLength(2)
  unit.send({ type: 'mounted', request: 2, dax: 1, names: 1, bound: Uint8Array.of(0) })
  expect((await next)._unsafeUnwrap()).toEqual({ dax: true, bound: [] })
})

it.each<[string, Frame, object]>([
  [
    'succeeds when the unit had made it by then',
    { type: 'mounted', request: 1, dax: 0, names: 1, bound: Uint8Array.of(1) },
    { value: { dax: false, bound: [`${'a'.repeat(32)}-x`] } },
  ],
  [
    'is given up when the unit says so',
    { type: 'failed', request: 1, kind: 4, errno: 125, feature: '', message: 'cancelled' },
    { error: { kind: 'aborted', message: expect.not.stringContaining('cancelled') } },
  ],
])('a change of the store whose caller gives it up %s', async (_, answer, expected) => {
  const { unit, agent } = await connected()
  const giving = new AbortController()
  const paths = [`${'a'.repeat(32)}-x`]
  const mounting = agent.mountView({ tag: 'view', paths }, { signal: giving.signal })
  await expect.poll(() => unit.received.length).toBe(3)
  giving.abort()
  await expect.poll(() => unit.received.at(-1)?.type).toBe('mount-cancel')
  unit.send(answer)
  const result = await mounting
  expect(result).toMatchObject(expected)
  if (result.isErr()) expect(result.error).not.toHaveProperty('outcome')
})

it('a change of the store that was never asked for is not one of unknown outcome', async () => {
  const { unit, agent } = await connected()
  const paths = [`${'a'.repeat(32)}-x`]
  const error = (await agent.unbindStore(paths, { signal: AbortSignal.abort() }))._unsafeUnwrapErr()
  expect(error).toEqual({ kind: 'aborted', message: expect.any(String) })
  expect(unit.received.length).toBe(1)
})

it.each([Number.POSITIVE_INFINITY, 2 ** 40])(
  'mounts with a deadline of %d ms, which no frame can hold, and takes the next mount',
  async (deadlineMs) => {
    const { unit, agent } = await connected()
    const mount = { image: '0'.repeat(64), devices: [], paths: [`${'a'.repeat(32)}-x`] }
    for (const request of [1, 2]) {
      const mounting = agent.mountStore(mount, { deadlineMs })
      await expect.poll(() => unit.received.filter(({ type }) => type === 'mount')).toHaveLength(request)
      unit.send({ type: 'mounted', request, dax: 1, names: 1, bound: Uint8Array.of(1) })
      expect((await mounting)._unsafeUnwrap().bound).toEqual(mount.paths)
    }
    expect(unit.received.filter(({ type }) => type === 'mount')).toMatchObject([
      { deadlineMs: 600_000 },
      { deadlineMs: 600_000 },
    ])
  },
)

it('joins the parts of a listing, sorts and escapes it', async () => {
  const { unit, agent } = await connected()
  const listing = agent.listStore()
  await expect.poll(() => unit.received.length).toBe(2)
  const part = (last: number, ...names: string[]): Frame => ({ type: 'store-names', request: 1, last, names })
  unit.send(part(0, 'b\u001b'), part(0, 'a'), part(1))
  expect((await listing)._unsafeUnwrap()).toEqual(['a', 'b\\x1b'])
})

it('cuts a unit off that lists nothing without end', async () => {
  const { unit, agent } = await connected()
  const listing = agent.listStore()
  await expect.poll(() => unit.received.length).toBe(2)
  unit.send({ type: 'store-names', request: 1, last: 0, names: [] })
  expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
  expect((await listing)._unsafeUnwrapErr().kind).toBe('unit-lost')
})

it('holds no more of a listing than a real store could have, however it is worded', async () => {
  const { unit, agent } = await connected()
  const listing = agent.listStore()
  await expect.poll(() => unit.received.length).toBe(2)
  const names = Array.from({ length: 250 }, (_, i) => `${i}`.padEnd(255, '\u0001'))
  // 128 of these are eight million control characters, each of which is four characters once it is escaped.
  for (let part = 0; part < 128; part++) unit.send({ type: 'store-names', request: 1, last: 0, names })
  expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
  expect((await listing)._unsafeUnwrapErr().kind).toBe('unit-lost')
})

it('does not wait for ever for a listing', async () => {
  const { agent } = await connected()
  expect((await agent.listStore({ deadlineMs: 30 }))._unsafeUnwrapErr().kind).toBe('timed-out')
})

it('settles the outcome of a command when the unit is lost, and keeps what was received', async () => {
  const { unit, agent } = await connected()
  const starting = agent.exec({ argv: ['/x'] })
  unit.send(started, output(0, 3))
  const process = (await starting)._unsafeUnwrap()
  unit.end()
  expect((await process.outcome).kind).toBe('unit-lost')
  expect(await collect(process.stdout)).toHaveLength(3)
})

it('does not wait for ever for a unit that stops reading', async () => {
  const { unit, agent } = await connected()
  unit.stuck = true
  expect((await agent.exec({ argv: ['/x'] }, { deadlineMs: 30 }))._unsafeUnwrapErr().kind).toBe('timed-out')
  expect((await agent.powerOff({ deadlineMs: 30 }))._unsafeUnwrapErr().kind).toBe('timed-out')
})

it('grants no more than was consumed, in few frames, when a unit sends byte by byte', async () => {
  const { unit, agent } = await connected()
  const starting = agent.exec({ argv: ['/x'] })
  unit.send(started)
  const process = (await starting)._unsafeUnwrap()
  for (let i = 0; i < 20_000; i++) unit.send(output(i, 1))
  unit.send(outputEnd(1, 20_000), outputEnd(2), ended)
  expect(await process.outcome).toEqual({ kind: 'exited', code: 0 })
  const chunks: number[] = []
  for await (const chunk of process.stdout) chunks.push(chunk.length)
  expect(chunks.reduce((sum, size) => sum + size)).toBe(20_000)
  expect(chunks.length).toBeLessThan(10)
  expect(unit.received.filter(({ type }) => type === 'output-credit')).toHaveLength(0)
})

it('lets a stream have one consumer', async () => {
  const { unit, agent } = await connected()
  const starting = agent.exec({ argv: ['/x'] })
  unit.send(started, outputEnd(1), outputEnd(2), ended)
  const process = (await starting)._unsafeUnwrap()
  await collect(process.stdout)
  await expect(collect(process.stdout)).rejects.toThrow(TypeError)
})
