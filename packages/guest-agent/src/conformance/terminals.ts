import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { limits } from '../frames.js'
import {
  type ConformanceSubject,
  checkOf,
  collect,
  finish,
  linesOf,
  pattern,
  start,
  withDeadline,
} from './probe.js'

const check = checkOf<ConformanceSubject>()
const pty = { rows: 24, columns: 80 }
const rawBytes = 1024 * 1024 + 7

/** What every agent promises of terminals and users. */
export const terminalChecks = [
  check('gives a command a terminal of its own, of the size that was asked for', async (subject) => {
    const { stdout, stderr, outcome } = await finish(await start(subject, ['terminal'], { pty }))
    assert.equal(stdout.toString(), 'terminals=3 controlling=1 size=24x80\r\n')
    assert.equal(stderr.length, 0)
    assert.deepEqual(outcome, { kind: 'exited', code: 0 })
    const without = await finish(await start(subject, ['terminal']))
    assert.equal(without.stdout.toString(), 'terminals=0 controlling=0 size=0x0\n')
  }),

  check('shows what a command says on either stream on its terminal', async (subject) => {
    const { stdout, stderr, outcome } = await finish(await start(subject, ['fail', '7'], { pty }))
    assert.equal(stdout.toString(), 'failing\r\n')
    assert.equal(stderr.length, 0)
    assert.deepEqual(outcome, { kind: 'exited', code: 7 })
  }),

  check(
    'types what it is sent, and the end of it, at the start of a line and within one',
    async (subject) => {
      for (const [typed, shown] of [
        ['', ''],
        ['a line\n', 'a line\r\na line\r\n'],
        ['half', 'halfhalf'],
      ] as const) {
        const process = await start(subject, ['cat'], { pty, stdin: 'open' })
        if (typed !== '') await process.stdin?.write(Buffer.from(typed))
        await process.stdin?.end()
        const { stdout, outcome } = await finish(process)
        assert.equal(stdout.toString(), shown)
        assert.deepEqual(outcome, { kind: 'exited', code: 0 })
      }
    },
  ),

  check('shows a command that nobody types to the end at once', async (subject) => {
    const process = await start(subject, ['cat'], { pty })
    assert.equal(process.stdin, undefined)
    const { stdout, outcome } = await finish(process)
    assert.equal(stdout.length, 0)
    assert.deepEqual(outcome, { kind: 'exited', code: 0 })
  }),

  check('lets the terminal interrupt a command', async (subject) => {
    const process = await start(subject, ['wait'], { pty, stdin: 'open' })
    const lines = linesOf(process.stdout)
    assert.equal((await lines.next()).value, 'ready\r')
    await process.stdin?.write(Uint8Array.of(3))
    assert.deepEqual(await process.outcome, { kind: 'signalled', signal: 'SIGINT', coreDumped: false })
  }),

  check('tells a command that its terminal has another size', async (subject) => {
    const process = await start(subject, ['watch-size'], { pty })
    const lines = linesOf(process.stdout)
    assert.equal((await lines.next()).value, '24x80\r')
    assert.ok((await process.resize({ rows: 1, columns: 65_535 })).isOk())
    assert.equal((await lines.next()).value, '1x65535\r')
    assert.ok((await process.signal(9)).isOk())
    await process.outcome
    const late = (await process.resize(pty))._unsafeUnwrapErr()
    assert.equal(late.kind === 'refused' && late.errno, 'ESRCH')
  }),

  check('hangs a terminal up', async (subject) => {
    const process = await start(subject, ['wait'], { pty, stdin: 'open' })
    const lines = linesOf(process.stdout)
    assert.equal((await lines.next()).value, 'ready\r')
    assert.ok((await process.hangUp()).isOk())
    assert.equal((await lines.next()).done, true)
    assert.deepEqual(await process.outcome, { kind: 'signalled', signal: 'SIGHUP', coreDumped: false })
    await assert.rejects(process.stdin!.write(Buffer.from('x')))
  }),

  check(
    'carries a raw terminal unchanged while its reader stalls, and other commands run',
    async (subject) => {
      const process = await start(subject, ['raw-flood', String(rawBytes)], { pty })
      for (let i = 0; i < 2; i++) await finish(await start(subject, ['echo', 'x'], { pty }))
      assert.ok((await collect(process.stdout)).equals(pattern(rawBytes, 1)))
      assert.deepEqual(await process.outcome, { kind: 'exited', code: 0 })
    },
  ),

  check('cancels a command on a terminal that nobody reads', async (subject) => {
    const argv = [...subject.probe, 'raw-flood', String(8 * rawBytes)]
    const process = await withDeadline((deadlineMs) => subject.agent.exec({ argv, pty }, { deadlineMs }))
    assert.deepEqual(await process.outcome, { kind: 'timed-out' })
  }),

  check(
    'has nothing to resize or hang up where there is no terminal, and none without a size',
    async (subject) => {
      const process = await start(subject, ['wait'])
      for (const result of [await process.resize(pty), await process.hangUp()]) {
        const error = result._unsafeUnwrapErr()
        assert.equal(error.kind === 'refused' && error.errno, 'ENOTTY')
      }
      await process.signal(9)
      await process.outcome
      for (const size of [
        { rows: 0, columns: 80 },
        { rows: 24, columns: 65_536 },
        { rows: 1.5, columns: 1 },
      ]) {
        const error = (await subject.agent.exec({ argv: ['/x'], pty: size }))._unsafeUnwrapErr()
        assert.equal(error.kind === 'invalid-request' && error.field, 'pty')
      }
    },
  ),

  check('runs a command as the user that was asked for, or says that it may not', async (subject) => {
    const self = (await finish(await start(subject, ['who']))).stdout.toString()
    const process = await start(subject, ['who'], { user: { uid: 12_345, gid: 54_321 } })
    const { stdout, outcome } = await finish(process)
    if (self.startsWith('uid=0 ')) {
      assert.equal(stdout.toString(), 'uid=12345 gid=54321 groups=0\n')
      const { stdout: shown } = await finish(
        await start(subject, ['who'], { user: { uid: 12_345, gid: 54_321 }, pty }),
      )
      assert.equal(shown.toString(), 'uid=12345 gid=54321 groups=0\r\n')
    } else {
      assert.equal(outcome.kind === 'not-started' && outcome.reason, 'bad-user')
    }
  }),

  check('knows no user but by two numbers that the kernel has', async ({ agent }) => {
    for (const user of [
      { uid: -1, gid: 0 },
      { uid: 0, gid: 0xffffffff },
      { uid: 1.5, gid: 0 },
    ]) {
      const error = (await agent.exec({ argv: ['/x'], user }))._unsafeUnwrapErr()
      assert.equal(error.kind === 'invalid-request' && error.field, 'user')
    }
  }),

  check('takes no more typed input than a window, and goes on when it is read', async (subject) => {
    const process = await start(subject, ['raw-count', String(4 * limits.stdinWindow)], {
      pty,
      stdin: 'open',
    })
    const lines = linesOf(process.stdout)
    assert.equal((await lines.next()).value, 'ready')
    await process.stdin?.write(pattern(4 * limits.stdinWindow, 1))
    assert.equal((await lines.next()).value, 'counted')
    assert.deepEqual(await process.outcome, { kind: 'exited', code: 0 })
  }),
]
