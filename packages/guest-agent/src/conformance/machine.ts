import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import type { FileContent, HeartbeatState, ShutdownStep } from '../agent.js'
import { limits } from '../frames.js'
import { type ConformanceSubject, checkOf, collect, firstLine, pattern, start } from './probe.js'

const check = checkOf<ConformanceSubject>()
const hourMs = 3_600_000
/** 2040-01-01. */
const someTimeMs = 2_208_988_800_000

/** What every agent promises of its unit as a machine. */
export const machineChecks = [
  check('sets the clock, and says how far it moved', async ({ agent }) => {
    ;(await agent.setClock(someTimeMs))._unsafeUnwrap()
    for (const [to, step] of [
      [someTimeMs + hourMs, hourMs],
      [someTimeMs - hourMs, -2 * hourMs],
    ] as const) {
      const { stepMs } = (await agent.setClock(to))._unsafeUnwrap()
      // The unit's clock goes on between two answers, also on a busy machine.
      assert.ok(stepMs <= step && stepMs > step - hourMs / 2, `${stepMs} ms`)
    }
    for (const epochMs of [0, Number.NaN, Number.POSITIVE_INFINITY, 1_577_836_799_999, 7_258_118_400_001]) {
      const error = (await agent.setClock(epochMs))._unsafeUnwrapErr()
      assert.equal(error.kind === 'invalid-request' && error.field, 'epochMs')
    }
    for (const epochMs of [1_577_836_800_000, 7_258_118_400_000])
      (await agent.setClock(epochMs))._unsafeUnwrap()
    ;(await agent.setClock(someTimeMs))._unsafeUnwrap()
  }),

  check('takes random bytes, in a number that makes sense', async ({ agent }) => {
    for (const size of [limits.entropyFromBytes, limits.entropyBytes]) {
      ;(await agent.addEntropy(pattern(size, 9)))._unsafeUnwrap()
    }
    for (const size of [0, limits.entropyFromBytes - 1, limits.entropyBytes + 1]) {
      const error = (await agent.addEntropy(pattern(size, 9)))._unsafeUnwrapErr()
      assert.equal(error.kind === 'invalid-request' && error.field, 'bytes')
    }
  }),

  check('answers heartbeats while nobody reads what its commands say', async (subject) => {
    const { agent } = subject
    const states: HeartbeatState[] = []
    const flood = await start(subject, ['flood', String(4 * limits.outputWindow)])
    {
      using heartbeat = agent.startHeartbeat({
        intervalMs: 2_000,
        missedBeats: 10,
        onChange: (s) => states.push(s),
      })
      assert.throws(() => agent.startHeartbeat(), TypeError)
      heartbeat.suspend()
      heartbeat.resume()
      assert.equal(heartbeat.state, 'responsive')
      await Promise.all([collect(flood.stdout), collect(flood.stderr), flood.outcome])
    }
    assert.deepEqual(states, ['suspended', 'responsive', 'ended'])
    agent.startHeartbeat()[Symbol.dispose]()
  }),

  check('ends in order: asks, waits, kills, and says how far it came', async (subject) => {
    const { agent } = subject
    const obeys = await start(subject, ['wait-for-term'])
    await firstLine(obeys, 'ready')
    const onTerminal = await start(subject, ['ignore-term'], { pty: { rows: 2, columns: 2 } })
    await firstLine(onTerminal, 'ready\r')
    const ignores = await start(subject, ['ignore-term'])
    await firstLine(ignores, 'ready')
    const putting = agent.putFile({ below: subject.sockets, path: 'half' }, half())
    const steps: ShutdownStep[] = []
    const shuttingDown = agent.shutDown({ graceMs: 1_000, onStep: (step) => steps.push(step) })
    const refused = (await agent.exec({ argv: ['/x'] }))._unsafeUnwrap()
    const outcome = await refused.outcome
    assert.equal(outcome.kind === 'not-started' && outcome.reason, 'resources')
    const report = (await shuttingDown)._unsafeUnwrap()
    // Whoever serves half a file may be counted with the commands.
    assert.ok(report.asked === 3 || report.asked === 4)
    assert.deepEqual([report.notUnmounted, report.synced], [0, true])
    assert.deepEqual(steps, ['asked', 'killed', 'unmounted', 'synced'])
    assert.match((await putting)._unsafeUnwrapErr().kind, /file-failed|unit-lost/)
    // On a busy machine the grace may be over before everybody has had a turn.
    if (report.killed <= 1) {
      assert.deepEqual(await obeys.outcome, { kind: 'exited', code: 0 })
      assert.deepEqual(await onTerminal.outcome, { kind: 'signalled', signal: 'SIGHUP', coreDumped: false })
    }
    assert.ok(report.killed >= 1)
    assert.deepEqual(await ignores.outcome, { kind: 'signalled', signal: 'SIGKILL', coreDumped: false })
    assert.deepEqual(await agent.closed, { kind: 'closed-by-unit' })
    assert.equal((await agent.shutDown())._unsafeUnwrapErr().kind, 'unit-lost')
  }),

  check('has no grace beyond its bound', async ({ agent }) => {
    for (const graceMs of [-1, limits.shutdownGraceMs + 1, Number.NaN]) {
      const error = (await agent.shutDown({ graceMs }))._unsafeUnwrapErr()
      assert.equal(error.kind === 'invalid-request' && error.field, 'graceMs')
    }
  }),
]

/** Content that stalls within. */
function half(): FileContent {
  const content = async function* () {
    yield Buffer.from('x')
    await new Promise(() => {})
  }
  return { size: 2, content: content() }
}
