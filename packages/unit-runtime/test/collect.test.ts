import type { Agent, ExecOutcome, GuestProcess } from '@spectrum/guest-agent'
import { okAsync } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { collectCommand } from '../src/collect.js'
import { manualClock } from '../src/fake/manual-clock.js'

const bytes = (text: string) => new TextEncoder().encode(text)
const never = new Promise<never>(() => {})

async function* stream(...chunks: readonly string[]) {
  for (const chunk of chunks) yield bytes(chunk)
}

async function* endless() {
  yield bytes('x')
  await never
}

function agentWith(parts: {
  outcome: (signal: AbortSignal | undefined) => Promise<ExecOutcome>
  stdout?: AsyncIterable<Uint8Array>
  stdin?: GuestProcess['stdin']
}): Agent {
  return {
    exec: (_command, options) =>
      okAsync({
        id: 1,
        stdin: parts.stdin,
        stdout: parts.stdout ?? stream(),
        stderr: stream('err'),
        outcome: parts.outcome(options?.signal),
        signal: () => okAsync(undefined),
        resize: () => okAsync(undefined),
        hangUp: () => okAsync(undefined),
      }),
  } as Partial<Agent> as Agent
}

const command = { argv: ['/nix/store/x/bin/x'] }
const defaults = { stdin: undefined, signal: undefined, deadlineMs: 1000, maxBytes: 100 }
const exited: ExecOutcome = { kind: 'exited', code: 3 }

/** Lets everything that is ready to run do so. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('collecting a command', () => {
  it('keeps the bytes of both streams and the outcome', async () => {
    const agent = agentWith({ outcome: async () => exited, stdout: stream('ab', 'c') })
    const done = (await collectCommand(manualClock(), agent, command, defaults))._unsafeUnwrap()
    expect(done).toEqual({ outcome: exited, stdout: bytes('abc'), stderr: bytes('err'), truncated: false })
  })

  it.each([
    [2, 'ab', true],
    [3, 'abc', false],
    [0, '', true],
  ])('keeps %d bytes of "abc" as "%s", truncated: %s', async (maxBytes, kept, truncated) => {
    const agent = agentWith({ outcome: async () => exited, stdout: stream('a', 'bc') })
    const options = { ...defaults, maxBytes }
    const done = (await collectCommand(manualClock(), agent, command, options))._unsafeUnwrap()
    expect(new TextDecoder().decode(done.stdout)).toBe(kept)
    expect(done.truncated).toBe(truncated || maxBytes < 3)
  })

  it('holds the bytes and little more when a unit sends them one by one', async () => {
    const size = 400_000
    const heap = () => process.memoryUsage().heapUsed
    const before = heap()
    let during = 0
    async function* dribble() {
      for (let at = 0; at < size; at += 1) yield Uint8Array.of(at)
      during = heap()
    }
    const agent = agentWith({ outcome: async () => exited, stdout: dribble() })
    const options = { ...defaults, maxBytes: size }
    const done = (await collectCommand(manualClock(), agent, command, options))._unsafeUnwrap()
    expect(done.stdout).toEqual(Uint8Array.from({ length: size }, (_, at) => at))
    expect(during - before).toBeLessThan(30 * 1024 * 1024)
  })

  it('ends with timed-out when the deadline cut it', async () => {
    const clock = manualClock()
    const agent = agentWith({
      outcome: (signal) =>
        new Promise((resolve) => signal?.addEventListener('abort', () => resolve({ kind: 'cancelled' }))),
    })
    const running = collectCommand(clock, agent, command, defaults)
    await settle()
    clock.advance(1000)
    expect((await running)._unsafeUnwrap().outcome).toEqual({ kind: 'timed-out' })
  })

  it('ends with cancelled when the signal cut it, even in a unit that never reports it', async () => {
    const clock = manualClock()
    const controller = new AbortController()
    const agent = agentWith({ outcome: () => never, stdout: endless() })
    const running = collectCommand(clock, agent, command, { ...defaults, signal: controller.signal })
    await settle()
    controller.abort()
    await settle()
    clock.advance(5_000)
    await settle()
    clock.advance(2_000)
    const done = (await running)._unsafeUnwrap()
    expect(done).toMatchObject({ outcome: { kind: 'cancelled' }, stdout: bytes('x'), truncated: true })
  })

  it('does not wait for ever for a stream that a grandchild holds open', async () => {
    const clock = manualClock()
    const running = collectCommand(
      clock,
      agentWith({ outcome: async () => exited, stdout: endless() }),
      command,
      defaults,
    )
    await settle()
    clock.advance(2_000)
    expect((await running)._unsafeUnwrap()).toMatchObject({ outcome: exited, truncated: true })
  })

  it('does not mind a command that closes its input early', async () => {
    const stdin = { write: () => Promise.reject(new Error('closed')), end: async () => {} }
    const agent = agentWith({ outcome: async () => exited, stdin })
    const options = { ...defaults, stdin: bytes('unread') }
    expect((await collectCommand(manualClock(), agent, command, options))._unsafeUnwrap().outcome).toBe(
      exited,
    )
  })

  it('keeps nothing of a stream that goes on after its command, and leaves it', async () => {
    const clock = manualClock()
    let go = () => {}
    let left = false
    let sent = 0
    const stdout = (async function* () {
      try {
        yield bytes('in time')
        for (;;) {
          await new Promise<void>((resolve) => (go = resolve))
          sent += 1
          yield bytes('late')
        }
      } finally {
        left = true
      }
    })()
    const collecting = collectCommand(
      clock,
      agentWith({ outcome: async () => exited, stdout }),
      command,
      defaults,
    )
    await settle()
    clock.advance(2_000)
    const done = (await collecting)._unsafeUnwrap()
    expect(done).toMatchObject({ outcome: exited, stdout: bytes('in time'), truncated: true })
    go()
    await settle()
    expect([sent, left]).toEqual([1, true])
  })
})
