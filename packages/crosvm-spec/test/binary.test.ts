import { describe, expect, test } from 'vitest'
import {
  absentOptions,
  createProbe,
  crosvmSpec,
  decodeExit,
  type LogLine,
  parseHelp,
  parseLog,
  parseLogLine,
} from '../src/index.js'
import { linuxProbe } from '../src/linux.js'
import { findCrosvm } from './crosvm-binary.js'

const HELP = `Usage: crosvm run <options> KERNEL

Options:
  -b, --block       parameters
  --disable-sandbox disable
  -i, --initrd      path
  -s, --socket      path
                    --not-an-option in prose
  --help            display usage information
`
const live = () => AbortSignal.timeout(10_000)
const bytes = (text: string) =>
  (async function* () {
    yield Buffer.from(text)
  })()

describe('the probe of a binary', () => {
  test('asks once for each content, and again when the content changes', async () => {
    let content = 'one'
    let asked = 0
    const probe = createProbe({
      read: async () => bytes(content),
      help: async () => {
        asked += 1
        return HELP
      },
    })
    const first = (await probe.probe('/crosvm', live()))._unsafeUnwrap()
    await probe.probe('/elsewhere/crosvm', live())
    expect(asked).toBe(1)
    expect(first.options).toEqual(new Set(['block', 'disable-sandbox', 'initrd', 'socket', 'help']))
    content = 'two'
    const second = (await probe.probe('/crosvm', live()))._unsafeUnwrap()
    expect(asked).toBe(2)
    expect(second.contentHash).not.toBe(first.contentHash)
  })

  test('forgets a failure, and says by kind what was wrong', async () => {
    const answers = [() => Promise.reject(new Error('boom')), async () => 'Usage: ls', async () => HELP]
    const probe = createProbe({ read: async () => bytes('x'), help: () => answers.shift()!() })
    expect((await probe.probe('/c', live()))._unsafeUnwrapErr().kind).toBe('help-failed')
    expect((await probe.probe('/c', live()))._unsafeUnwrapErr().kind).toBe('not-crosvm')
    expect((await probe.probe('/c', live())).isOk()).toBe(true)
    expect((await probe.probe('crosvm', live()))._unsafeUnwrapErr().kind).toBe('unreadable-binary')
  })

  test('of a file that is no program fails within its time', async () => {
    expect((await linuxProbe().probe('/etc/hostname', live()))._unsafeUnwrapErr().kind).toBe('help-failed')
    expect((await linuxProbe().probe('/nonexistent', live()))._unsafeUnwrapErr().kind).toBe(
      'unreadable-binary',
    )
  })

  const crosvm = findCrosvm()
  if (crosvm === undefined) {
    console.warn('skipped "the probe of the real crosvm finds its options": no crosvm in CROSVM or on PATH')
  }
  test.skipIf(crosvm === undefined)(
    'of the real crosvm finds its options (skipped where no crosvm is in CROSVM or on PATH)',
    async () => {
      const { options } = (await linuxProbe().probe(crosvm!, live()))._unsafeUnwrap()
      expect(options.has('pmem') && options.has('shared-dir') && options.has('mem')).toBe(true)
      expect(options.size).toBeGreaterThan(100)
    },
  )

  test('tells which option is absent and which feature brings it', () => {
    const help = parseHelp(HELP)._unsafeUnwrap()
    const spec = crosvmSpec({
      architecture: 'x86_64',
      boot: { kind: 'kernel', path: '/k' },
      block: [{ path: '/d' }],
      gpu: {},
      s2idle: true,
    })._unsafeUnwrap()
    expect(absentOptions(spec, help)).toMatchObject([
      { kind: 'absent-option', option: 'gpu', features: ['gpu'], property: 'gpu' },
      { kind: 'absent-option', option: 's2idle', features: [] },
    ])
  })
})

describe('the end of crosvm', () => {
  test.each([
    [0, 'stopped'],
    [1, 'failed'],
    [32, 'guest-reset'],
    [33, 'crashed'],
    [34, 'guest-panicked'],
    [35, 'arguments-refused'],
    [36, 'watchdog'],
    [37, 'unknown-status'],
    [101, 'unknown-status'],
  ])('with status %i is %s', (code, kind) => {
    expect(decodeExit({ kind: 'exited', code }).kind).toBe(kind)
  })

  test('by a signal says what that means', () => {
    expect(decodeExit({ kind: 'signalled', signal: 'SIGSYS' })).toMatchObject({
      meaning: expect.stringContaining('seccomp'),
    })
    expect(decodeExit({ kind: 'signalled', signal: 'SIGUSR1' }).kind).toBe('signalled')
  })
})

describe('the log of crosvm', () => {
  test('has a time, a level, a module and a message', () => {
    const line = '[2026-08-21T10:30:06.643720580+00:00 ERROR crosvm::sys] exiting with error 1: failed'
    expect(parseLogLine(line)).toEqual({
      kind: 'record',
      time: '2026-08-21T10:30:06.643720580+00:00',
      level: 'error',
      module: 'crosvm::sys',
      message: 'exiting with error 1: failed',
    })
    expect(parseLogLine('Caused by:')).toEqual({ kind: 'text', message: 'Caused by:' })
  })

  test('is cut into lines whatever the chunks, and escaped; a line that never ends is given in parts', async () => {
    const chunks = ['[2026-08-21T10:30:06+00:00 WARN ', 'x] a\u001b[31m\nb', 'x'.repeat(20_000), '\nlast']
    const lines: LogLine[] = []
    const stream = async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk)
    }
    for await (const line of parseLog(stream())) lines.push(line)
    expect(lines[0]).toMatchObject({ level: 'warn', message: 'a\\x1b[31m' })
    expect(lines.every((line) => line.message.length < 8300)).toBe(true)
    expect(lines.at(-1)).toEqual({ kind: 'text', message: 'last' })
  })
})
