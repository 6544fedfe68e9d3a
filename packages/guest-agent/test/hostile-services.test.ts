import type { GuestCall } from '@spectrum/guest-agent'
import { describe, expect, it } from 'vitest'
import { type Frame, limits } from '../src/frames.js'
import { connected as connectedUnit } from './support/puppet-unit.js'
import { collect } from './support/streams.js'

describe('a unit with services', () => {
  const call = (stream: number, service = 'sign'): Frame => ({ type: 'call', stream, service })
  const received = (offset: number, size: number, stream = 1): Frame => ({
    type: 'received',
    stream,
    offset,
    bytes: new Uint8Array(size),
  })
  const receivedEnd = (offset: number, stream = 1): Frame => ({ type: 'received-end', stream, offset })
  const sendClosed: Frame = { type: 'send-closed', stream: 1 }
  const closed: Frame = { type: 'closed', stream: 1 }
  const sendCredit = (credit: number): Frame => ({ type: 'send-credit', stream: 1, credit })
  const connected = (errno: number): Frame => ({ type: 'connected', stream: 2, errno })
  const window = Array.from({ length: limits.streamWindow / limits.chunkBytes }, (_, i) =>
    received(i * limits.chunkBytes, limits.chunkBytes),
  )

  async function offering(onCall: (call: GuestCall) => void = () => {}) {
    const { unit, agent } = await connectedUnit()
    const offered = agent.offerServices(['sign'], onCall)
    await expect.poll(() => unit.received.length).toBe(2)
    unit.send({ type: 'offered', request: 1 })
    ;(await offered)._unsafeUnwrap()
    return { unit, agent }
  }

  it.each<[string, Frame[]]>([
    ['calls what was not offered', [call(1, 'other')]],
    ['calls by an id of the host', [call(2)]],
    ['calls by id 0', [call(0)]],
    ['calls by an id again', [call(1), call(1)]],
    ['calls by an id below the last', [call(3), call(1)]],
    ['has more open calls than there may be', Array.from({ length: 65 }, (_, i) => call(2 * i + 1))],
    ['sends to no stream', [received(0, 1)]],
    ['sends without credit', [call(1), received(0, 1)]],
    ['ends in the wrong place', [call(1), receivedEnd(1)]],
    ['ends twice', [call(1), receivedEnd(0), receivedEnd(0)]],
    ['sends after its end', [call(1), receivedEnd(0), received(0, 1)]],
    ['grants more than it can hold', [call(1), sendCredit(1)]],
    ['grants nothing', [call(1), sendCredit(0)]],
    ['closes what flows', [call(1), closed]],
    ['closes what flows in one direction', [call(1), receivedEnd(0), closed]],
    ['closes what flows in the other direction', [call(1), sendClosed, closed]],
    ['closes twice', [call(1), receivedEnd(0), sendClosed, closed, closed]],
    ['reads no more twice', [call(1), sendClosed, sendClosed]],
    ['grants although it reads no more', [call(1), sendClosed, sendCredit(1)]],
    ['answers a connect that nobody asked for', [connected(0)]],
    ['answers a call as if it was a connect', [call(1), { type: 'connected', stream: 1, errno: 0 }]],
    ['says that it listens, twice', [{ type: 'offered', request: 1 }]],
  ])('is cut off when it %s, and its streams are settled', async (_, frames) => {
    const calls: GuestCall[] = []
    const { unit, agent } = await offering((each) => calls.push(each))
    unit.send(...frames)
    expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
    for (const each of calls) {
      expect((await each.closed).kind).toMatch(/unit-lost|finished/)
      await each.readerGone
      await collect(each.incoming)
    }
    expect((await agent.connect('/x'))._unsafeUnwrapErr().kind).toBe('unit-lost')
  })

  it.each<[string, Frame[]]>([
    ['twice', [connected(0), connected(0)]],
    ['after it was refused', [connected(111), connected(0)]],
    ['by sending before it', [received(0, 1, 2)]],
    ['by closing before it', [{ type: 'closed', stream: 2 }]],
  ])('is cut off when it answers a connect %s', async (_, frames) => {
    const { unit, agent } = await offering()
    const connecting = agent.connect('/x')
    unit.send(...frames)
    expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
    await connecting
  })

  it('is held to the credit of whoever reads', async () => {
    const calls: GuestCall[] = []
    const { unit, agent } = await offering((each) => calls.push(each))
    unit.send(call(1))
    await expect.poll(() => calls.length).toBe(1)
    const reading = collect(calls[0]!.incoming)
    await expect
      .poll(() => unit.received.at(-1))
      .toEqual({
        type: 'receive-credit',
        stream: 1,
        credit: limits.streamWindow,
      })
    unit.send(...window, received(limits.streamWindow, 1))
    // What was read by then was granted again; a window beyond that is not.
    for (let at = limits.streamWindow + 1; at < 4 * limits.streamWindow; at += limits.chunkBytes)
      unit.send(received(at, limits.chunkBytes))
    unit.send(received(0, 1))
    expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
    await reading
  })

  it('may send what crosses a reset, and nothing after its closed', async () => {
    const { unit, agent } = await offering((each) => each.reset())
    unit.send(call(1), sendClosed, receivedEnd(0), closed, call(3))
    await expect.poll(() => unit.received.filter(({ type }) => type === 'reset')).toHaveLength(2)
    unit.send(sendClosed)
    expect(await agent.closed).toMatchObject({ kind: 'protocol-violation' })
  })

  it('is not waited for without end when it does not answer a connect', async () => {
    const { unit, agent } = await offering()
    expect((await agent.connect('/x', { deadlineMs: 30 }))._unsafeUnwrapErr().kind).toBe('timed-out')
    unit.send(connected(0), { type: 'closed', stream: 2 })
    const next = agent.connect('/y')
    await expect.poll(() => unit.received.at(-1)).toMatchObject({ type: 'connect', stream: 4 })
    unit.send({ type: 'connected', stream: 4, errno: 0 })
    expect((await next).isOk()).toBe(true)
  })

  it('cannot make the host hold what it does not read', async () => {
    const calls: GuestCall[] = []
    const { unit, agent } = await offering((each) => calls.push(each))
    unit.send(...Array.from({ length: limits.openCalls }, (_, i) => call(2 * i + 1)))
    await expect.poll(() => calls.length).toBe(limits.openCalls)
    unit.stuck = true
    let written = 0
    for (const each of calls) {
      void (async () => {
        for (;;) {
          await each.write(new Uint8Array(limits.chunkBytes))
          written += limits.chunkBytes
        }
      })().catch(() => {})
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(written).toBeLessThan(4 * 1024 * 1024)
    await agent[Symbol.asyncDispose]()
    expect(await agent.closed).toEqual({ kind: 'closed-by-host' })
  })
})
