import type { Agent, AgentError, Clock, HeartbeatState } from '@spectrum/guest-agent'
import type { ResultAsync } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { codes, type Frame, limits } from '../src/frames.js'
import { clock } from './support/clock.js'
import { connected, type PuppetUnit } from './support/puppet-unit.js'
import { collect } from './support/streams.js'

const started: Frame = { type: 'started', command: 1 }
const pty = { rows: 24, columns: 80 }
const done = (request = 1): Frame => ({ type: 'done', request })
const step = (number: number, count = 0, left = 0): Frame => ({
  type: 'shutdown-step',
  request: 1,
  step: number,
  count,
  left,
})
const poweringOff: Frame = { type: 'powering-off', request: 1 }
const clockSet: Frame = { type: 'clock-set', request: 1, before: 0 }
const volume = { device: 'data', fileSystem: 'ext4', path: '/data' } as const

type Asking = (agent: Agent) => ResultAsync<unknown, AgentError>
const asks = {
  volume: (agent) => agent.mountVolume(volume),
  clock: (agent) => agent.setClock(1_800_000_000_000),
  entropy: (agent) => agent.addEntropy(new Uint8Array(32)),
  shutdown: (agent) => agent.shutDown(),
} satisfies Record<string, Asking>

describe('a unit as a machine', () => {
  it.each<[string, keyof typeof asks, Frame[]]>([
    ['a volume by a set clock', 'volume', [clockSet]],
    [
      'a volume by a mounted store',
      'volume',
      [{ type: 'mounted', request: 1, dax: 0, names: 1, bound: Uint8Array.of(1) }],
    ],
    ['a volume twice', 'volume', [done(), done()]],
    [
      'a volume by a failure of no kind',
      'volume',
      [{ type: 'failed', request: 1, kind: 9, errno: 0, feature: '', message: '' }],
    ],
    ['a clock by being done', 'clock', [done()]],
    ['a clock twice', 'clock', [clockSet, clockSet]],
    ['entropy by a set clock', 'entropy', [clockSet]],
    ['what nobody asked', 'entropy', [done(2)]],
    ['an end by its second step', 'shutdown', [step(2)]],
    ['an end by a step again', 'shutdown', [step(1), step(1)]],
    ['an end by a step of no name', 'shutdown', [step(1), step(2), step(3), step(4), step(5)]],
    ['an end by step 0', 'shutdown', [step(0)]],
    ['an end before its steps', 'shutdown', [poweringOff]],
    ['an end before its last step', 'shutdown', [step(1), step(2), step(3), poweringOff]],
    ['an end with more volumes left than there were', 'shutdown', [step(1), step(2), step(3, 1, 2)]],
    ['an end by being done', 'shutdown', [done()]],
  ])('is cut off when it answers %s', async (_, asked, frames) => {
    const { unit, agent } = await connected()
    const asking = asks[asked](agent)
    await expect.poll(() => unit.received.length).toBe(2)
    unit.send(...frames)
    expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
    await asking
    expect((await agent.powerOff())._unsafeUnwrapErr().kind).toBe('unit-lost')
  })

  it('says how far it came with its end, when it came no further', async () => {
    const { unit, agent } = await connected()
    const shuttingDown = agent.shutDown({ graceMs: 10, deadlineMs: 60 })
    await expect.poll(() => unit.received.length).toBe(2)
    unit.send(step(1, 3, 1), step(2, 1, 0))
    expect((await shuttingDown)._unsafeUnwrapErr()).toMatchObject({ kind: 'timed-out', reached: 'killed' })
  })

  it('is off when its last step was heard, though its last words were not', async () => {
    const { unit, agent } = await connected()
    const shuttingDown = agent.shutDown()
    await expect.poll(() => unit.received.length).toBe(2)
    unit.send(step(1, 3, 1), step(2, 1, 0), step(3, 2, 1), step(4))
    unit.end()
    expect((await shuttingDown)._unsafeUnwrap()).toEqual({
      asked: 3,
      killed: 1,
      unmounted: 1,
      notUnmounted: 1,
      synced: true,
    })
  })

  it('says what was not written, and tells the unit to give up before it does so itself', async () => {
    const { unit, agent } = await connected()
    const shuttingDown = agent.shutDown({ graceMs: 1_000, deadlineMs: 5_000 })
    await expect
      .poll(() => unit.received.at(-1))
      .toMatchObject({ type: 'shut-down', graceMs: 1_000, deadlineMs: 4_000 })
    unit.send(step(1), step(2), step(3, 2, 1), step(4, 0, 1), poweringOff)
    expect((await shuttingDown)._unsafeUnwrap()).toMatchObject({ notUnmounted: 1, synced: false })
  })

  it('does not hold up the next volume when it answers none', async () => {
    const hurried: Clock = { now: clock.now, deadline: (ms) => clock.deadline(ms >= 5_000 ? 20 : ms) }
    const { unit, agent } = await connected(hurried)
    const late = (await agent.mountVolume(volume, { deadlineMs: 30 }))._unsafeUnwrapErr()
    expect(late).toMatchObject({ kind: 'timed-out', outcome: 'unknown' })
    unit.send(done())
    const next = agent.mountVolume(volume, { deadlineMs: 4_000 })
    await expect.poll(() => unit.received.at(-1)).toMatchObject({ type: 'mount-volume', request: 2 })
    unit.send(done(2))
    expect((await next).isOk()).toBe(true)
  })
})

describe('a unit with a terminal', () => {
  const output = (stream: number, offset = 0, size = 1): Frame => ({
    type: 'output',
    command: 1,
    stream,
    offset,
    bytes: new Uint8Array(size),
  })
  const outputEnd = (stream: number): Frame => ({ type: 'output-end', command: 1, stream, offset: 0, how: 0 })

  it.each<[string, Frame[]]>([
    ['says something on stderr', [started, output(2)]],
    ['ends a stderr that it has not', [started, outputEnd(2)]],
    ['ends before its terminal', [started, { type: 'ended', command: 1, how: 0, value: 0, coreDumped: 0 }]],
    ['answers a resize that nobody asked for', [started, done(9)]],
    ['signals instead of resizing', [started, { type: 'signalled', request: 2, errno: 0 }]],
  ])('is cut off when it %s', async (_, frames) => {
    const { unit, agent } = await connected()
    const starting = agent.exec({ argv: ['/x'], pty })
    unit.send(frames[0]!)
    const process = (await starting)._unsafeUnwrap()
    expect((await collect(process.stderr)).length).toBe(0)
    const resizing = process.resize(pty)
    await expect.poll(() => unit.received.at(-1)).toMatchObject({ type: 'resize', rows: 24 })
    unit.send(...frames.slice(1))
    expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
    expect((await resizing)._unsafeUnwrapErr().kind).toBe('unit-lost')
    expect((await process.outcome).kind).toBe('unit-lost')
  })
})

describe('a unit with files', () => {
  const connectedAs = (stream: number): Frame => ({ type: 'connected', stream, errno: 0 })
  const closing = (offset: number): Frame[] => [
    { type: 'received-end', stream: 2, offset },
    { type: 'send-closed', stream: 2 },
    { type: 'closed', stream: 2 },
  ]
  function result(status: number, { errno = 0, size = 0, mode = 0 } = {}): Buffer {
    const bytes = Buffer.alloc(limits.fileResultBytes)
    bytes.writeUInt8(status, 0)
    bytes.writeUInt32LE(errno, 1)
    bytes.writeBigUInt64LE(BigInt(size), 5)
    bytes.writeUInt16LE(mode, 13)
    return bytes
  }
  const said = (bytes: Uint8Array): Frame => ({ type: 'received', stream: 2, offset: 0, bytes })
  const { done: isDone, failed } = codes.file

  async function opened(
    ask: Asking,
  ): Promise<{ unit: PuppetUnit; agent: Agent; asking: ResultAsync<unknown, AgentError> }> {
    const { unit, agent } = await connected()
    const asking = ask(agent)
    await expect.poll(() => unit.received.length).toBe(2)
    unit.send(connectedAs(2))
    await expect.poll(() => unit.received.map(({ type }) => type)).toContain('receive-credit')
    return { unit, agent, asking }
  }
  const put: Asking = (agent) => agent.putFile({ path: 'x' }, Buffer.from('abc'))
  const get: Asking = (agent) => agent.getFile({ path: 'x' })

  it.each<[string, Asking, Buffer]>([
    ['puts by a result of no kind', put, result(5)],
    ['puts by a failure without a reason', put, result(failed)],
    ['puts by a success with a reason', put, result(isDone, { errno: 2, size: 3 })],
    ['puts another size than it was sent', put, result(isDone, { size: 4 })],
    ['puts by more than a result', put, Buffer.concat([result(isDone, { size: 3 }), Buffer.from('x')])],
    ['puts by less than a result', put, result(isDone).subarray(1)],
    ['gets by a result of no kind', get, result(5)],
    ['gets by a mode that is none', get, result(isDone, { mode: 0o10000 })],
    ['gets more than a file holds', get, result(isDone, { size: limits.fileBytes + 1 })],
    ['gets by less than a result', get, result(isDone).subarray(1)],
  ])('is cut off when it %s', async (_, ask, bytes) => {
    const { unit, agent, asking } = await opened(ask)
    if (ask === put) await expect.poll(() => unit.received.map(({ type }) => type)).toContain('send-end')
    unit.send(said(bytes), ...closing(bytes.length))
    expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
    expect((await asking) as { error?: unknown }).toHaveProperty('error')
  })

  it('is cut off when it has put a file before it was all there', async () => {
    const content = (async function* () {
      yield Buffer.from('a')
      await new Promise(() => {})
    })()
    const { unit, agent, asking } = await opened((each) => each.putFile({ path: 'x' }, { size: 3, content }))
    unit.send(said(result(isDone, { size: 3 })), ...closing(limits.fileResultBytes))
    expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
    await asking
  })

  it('is cut off when a file has more bytes than it said, which nobody gets', async () => {
    const { unit, agent, asking } = await opened(get)
    unit.send(said(Buffer.concat([result(isDone, { size: 1 }), Buffer.from('ab')])), ...closing(17))
    const file = ((await asking) as Awaited<ReturnType<Agent['getFile']>>)._unsafeUnwrap()
    expect((await collect(file.content)).length).toBe(0)
    expect((await file.ended).isErr()).toBe(true)
    expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
  })

  it('says with its size that a file has become shorter', async () => {
    const { unit, asking } = await opened(get)
    unit.send(said(Buffer.concat([result(isDone, { size: 3 }), Buffer.from('ab')])), ...closing(17))
    const file = ((await asking) as Awaited<ReturnType<Agent['getFile']>>)._unsafeUnwrap()
    expect((await collect(file.content)).toString()).toBe('ab')
    expect((await file.ended)._unsafeUnwrapErr()).toMatchObject({ kind: 'file-failed', reason: 'wrong-size' })
  })

  it('is not waited for without end', async () => {
    const { agent } = await connected()
    const place = { path: 'x' }
    for (const error of [
      (await agent.putFile(place, Buffer.from('abc'), { deadlineMs: 30 }))._unsafeUnwrapErr(),
      (await agent.getFile(place, { deadlineMs: 30 }))._unsafeUnwrapErr(),
    ]) {
      expect(error.kind).toBe('timed-out')
    }
  })

  it('does not say what became of a file that was all sent, and then given up', async () => {
    const abort = new AbortController()
    const { unit, asking } = await opened((agent) =>
      agent.putFile({ path: 'x' }, Buffer.from('abc'), { signal: abort.signal }),
    )
    await expect.poll(() => unit.received.map(({ type }) => type)).toContain('send-end')
    abort.abort()
    expect(((await asking) as Awaited<ReturnType<Agent['putFile']>>)._unsafeUnwrapErr()).toMatchObject({
      kind: 'aborted',
      outcome: 'unknown',
    })
  })
})

describe('the heartbeat', () => {
  /** Time that the test moves. */
  function manual() {
    const timers = new Set<{ at: number; controller: AbortController }>()
    let now = 0
    const time: Clock = {
      now: () => now,
      deadline(ms) {
        const timer = { at: now + ms, controller: new AbortController() }
        timers.add(timer)
        return { signal: timer.controller.signal, [Symbol.dispose]: () => timers.delete(timer) }
      },
    }
    const advance = (ms: number) => {
      for (const end = now + ms; ; ) {
        const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
        now = next?.at ?? end
        if (next === undefined) return
        timers.delete(next)
        next.controller.abort()
      }
    }
    return { time, advance, timers }
  }

  async function beating(options: { missedBeats?: number } = {}) {
    const { time, advance, timers } = manual()
    const { unit, agent } = await connected(time)
    const states: HeartbeatState[] = []
    const before = timers.size
    const heartbeat = agent.startHeartbeat({
      intervalMs: 100,
      ...options,
      onChange: (state) => states.push(state),
    })
    const pings = () => unit.received.flatMap((frame) => (frame.type === 'ping' ? [frame.nonce] : []))
    const answer = async (nonce: number) => {
      await expect.poll(pings).toContain(nonce)
      unit.send({ type: 'pong', nonce })
      // What is sent is heard in a later turn.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { unit, agent, heartbeat, states, advance, pings, answer, leftOver: () => timers.size - before }
  }

  it('asks once for each interval, as long as it is answered', async () => {
    const { heartbeat, advance, pings, answer } = await beating()
    for (const nonce of [1, 2, 3]) {
      await answer(nonce)
      advance(100)
    }
    await expect.poll(pings).toEqual([1, 2, 3, 4])
    expect(heartbeat.state).toBe('responsive')
  })

  it('calls a unit unresponsive after so many intervals, asks it no more, and sees it recover', async () => {
    const { heartbeat, states, advance, pings, answer } = await beating({ missedBeats: 3 })
    advance(299)
    expect(heartbeat.state).toBe('responsive')
    advance(1)
    expect(states).toEqual(['unresponsive'])
    advance(10_000)
    expect(pings()).toEqual([1])
    await answer(1)
    expect(states).toEqual(['unresponsive', 'responsive'])
    advance(100)
    await expect.poll(pings).toEqual([1, 2])
  })

  it('counts no time in which the unit was paused', async () => {
    const { heartbeat, states, advance, answer } = await beating({ missedBeats: 2 })
    advance(150)
    heartbeat.suspend()
    advance(100_000)
    heartbeat.resume()
    advance(199)
    expect(states).toEqual(['suspended', 'responsive'])
    await answer(1)
    advance(100)
    expect(heartbeat.state).toBe('responsive')
  })

  it('ends with the channel or when it is disposed, and leaves no timer', async () => {
    for (const end of [
      (heartbeat: Disposable) => heartbeat[Symbol.dispose](),
      (_: Disposable, agent: Agent) => agent[Symbol.asyncDispose](),
    ]) {
      const { agent, heartbeat, states, leftOver } = await beating()
      await end(heartbeat, agent)
      await expect.poll(() => heartbeat.state).toBe('ended')
      heartbeat.resume()
      heartbeat.suspend()
      expect(states).toEqual(['ended'])
      expect(leftOver()).toBe(0)
    }
  })

  it.each<[string, number[]]>([
    ['before it was asked', [0]],
    ['with another number', [2]],
    ['twice', [1, 1]],
  ])('cuts a unit off that answers %s', async (_, nonces) => {
    const { unit, agent } = await beating()
    for (const nonce of nonces) unit.send({ type: 'pong', nonce })
    expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
  })
})
