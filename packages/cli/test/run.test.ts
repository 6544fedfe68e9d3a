import { type CommandPowers, spectrum } from '@spectrum/cli'
import type { ExecOutcome } from '@spectrum/unit-runtime'
import { describe, expect, it } from 'vitest'
import { HeldClock, KeptSink, powersWith, type ScriptedCommand, ScriptedHost } from './fakes.js'

const words = ['run', '--closure', '/nix/store/abc-x', '--', '/bin/x', 'y']
const tick = () => new Promise((resolve) => setImmediate(resolve))

async function runScript(command: ScriptedCommand, ...options: string[]) {
  const { powers, host } = powersWith({ host: new ScriptedHost(command) })
  const status = await spectrum([...words.slice(0, 3), ...options, ...words.slice(3)], powers)
  return { status, host, stdout: powers.stdout as KeptSink, stderr: powers.stderr as KeptSink }
}

describe('spectrum run', () => {
  it.each<[ExecOutcome, number]>([
    [{ kind: 'exited', code: 0 }, 0],
    [{ kind: 'exited', code: 42 }, 42],
    [{ kind: 'exited', code: 255 }, 255],
    [{ kind: 'signalled', signal: 'SIGTERM', coreDumped: false }, 143],
    [{ kind: 'signalled', signal: 'SIGSEGV', coreDumped: true }, 139],
    [{ kind: 'oom' }, 137],
    [{ kind: 'timed-out' }, 124],
    [{ kind: 'not-started', reason: 'not-found', message: 'no such file' }, 127],
    [{ kind: 'not-started', reason: 'not-executable', message: 'not a program' }, 126],
    [{ kind: 'not-started', reason: 'permission', message: 'forbidden' }, 126],
    [{ kind: 'not-started', reason: 'bad-cwd', message: 'no such directory' }, 125],
    [{ kind: 'not-started', reason: 'resources', message: 'no memory' }, 125],
    [{ kind: 'unit-lost', message: 'gone' }, 125],
  ])('turns %j into exit status %i', async (outcome, expected) => {
    const { status, host } = await runScript({ outcome })
    expect(status).toBe(expected)
    expect(host.stopped).toBe(1)
  })

  it('asks for exactly what was granted', async () => {
    const { host } = await runScript(
      { outcome: { kind: 'exited', code: 0 } },
      ...['--closure', '/nix/store/def-z', '--memory', '128', '--env', 'A=1'],
    )
    expect(host.asked).toEqual({
      closure: ['/nix/store/abc-x', '/nix/store/def-z'],
      memoryBytes: 128 * 1024 * 1024,
      argv: ['/bin/x', 'y'],
      env: { A: '1' },
    })
  })

  it('passes both streams on byte by byte, and says nothing of its own', async () => {
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const { stdout, stderr } = await runScript({
      stdout: [every, '\x1b[31m', every],
      stderr: ['error\n'],
      outcome: { kind: 'exited', code: 3 },
    })
    expect(stdout.bytes).toEqual(Buffer.concat([every, Buffer.from('\x1b[31m'), every]))
    expect(stderr.text).toBe('error\n')
  })

  const hostile = [
    'a\r',
    '\nb\t\x1b]52;c;',
    'cm0=\x07',
    Buffer.from([0xe2, 0x82]),
    Buffer.from([0xac]),
    '\u202e\rc\r',
  ]
  it('lets a program command no terminal, unless told to', async () => {
    for (const [words_, shown] of [
      [words, 'a\nb\t\\x1b]52;c;cm0=\\x07€\\u{202e}\\x0dc\\x0d'],
      [
        ['run', '--raw', ...words.slice(1)],
        Buffer.concat(hostile.map((each) => Buffer.from(each))).toString(),
      ],
    ] as const) {
      const host = new ScriptedHost({ stdout: hostile, outcome: { kind: 'exited', code: 0 } })
      const { powers } = powersWith({ host, stdout: new KeptSink(true) })
      expect(await spectrum(words_, powers)).toBe(0)
      expect((powers.stdout as KeptSink).text).toBe(shown)
    }
  })

  it('escapes what a guest has a hand in before it reaches the terminal in our own words', async () => {
    const { stderr } = await runScript({
      outcome: { kind: 'unit-lost', message: 'bye\x1b]0;owned\x07\u202e' },
    })
    expect(stderr.text).toBe('spectrum: the unit was lost: bye\\x1b]0;owned\\x07\\u{202e}\n')
  })

  it('gives standard input only when asked to', async () => {
    const input = async function* () {
      yield Buffer.from('one ')
      yield Buffer.from('two')
    }
    for (const [options, expected] of [[[], ''] as const, [['-i'], 'one two'] as const]) {
      let opened = 0
      const openStdin = () => {
        opened++
        return input()
      }
      const host = new ScriptedHost({
        stdout: (async function* () {
          for (let turn = 0; turn < 5; turn++) await tick()
          yield Buffer.alloc(0)
        })(),
        outcome: { kind: 'exited', code: 0 },
      })
      const { powers } = powersWith({ host, openStdin })
      await spectrum([...words.slice(0, 3), ...options, ...words.slice(3)], powers)
      expect(Buffer.concat(host.stdin).toString()).toBe(expected)
      expect(host.stdinEnded).toBe(options.length > 0)
      expect(opened).toBe(options.length)
    }
  })

  it.each(['openFailure', 'startFailure', 'spawnFailure'] as const)(
    'answers 125 with the reason on standard error after %s, and leaves nothing',
    async (which) => {
      const host = new ScriptedHost()
      host[which] = { kind: 'system', message: 'the disk is full: free some' }
      const { powers } = powersWith({ host })
      expect(await spectrum(words, powers)).toBe(125)
      expect((powers.stderr as KeptSink).text).toBe('spectrum: the disk is full: free some\n')
      expect((powers.stdout as KeptSink).text).toBe('')
      expect(host.stopped).toBe(which === 'openFailure' ? 0 : 1)
    },
  )

  it('keeps the exit status of the command when cleaning up fails, but says so', async () => {
    const host = new ScriptedHost({ outcome: { kind: 'exited', code: 7 } })
    host.stopFailure = { kind: 'state', message: 'could not remove /x' }
    const { powers } = powersWith({ host })
    expect(await spectrum(words, powers)).toBe(7)
    expect((powers.stderr as KeptSink).text).toContain('could not remove /x')
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])('after %s ends the command, stops the host and answers %i', async (name, expected) => {
    const { powers, interrupt, host } = powersWith({ host: new ScriptedHost({}) })
    const status = spectrum(words, powers)
    await tick()
    interrupt(name)
    expect(await status).toBe(expected)
    expect(host.stopped).toBe(1)
  })

  it('is interrupted while it still opens', async () => {
    const host = new ScriptedHost()
    host.openFailure = { kind: 'aborted', message: 'aborted' }
    const { powers, interrupt } = powersWith({ host })
    host.onOpen = () => interrupt('SIGINT')
    expect(await spectrum(words, powers)).toBe(130)
    expect((powers.stderr as KeptSink).text).toBe('')
  })

  it('does not wait for a command that ignores its end', async () => {
    const clock = new HeldClock()
    const { powers, interrupt, host } = powersWith({ host: new ScriptedHost({ stubborn: true }), clock })
    const status = spectrum(words, powers)
    await tick()
    interrupt('SIGINT')
    await tick()
    expect(host.stopped).toBe(0)
    clock.advance(3_000)
    expect(await status).toBe(130)
    expect(host.stopped).toBe(1)
  })

  it('ends a command that runs longer than its --timeout, and answers 124', async () => {
    const clock = new HeldClock()
    const { powers, host } = powersWith({ host: new ScriptedHost({}), clock })
    const status = spectrum([...words.slice(0, 3), '--timeout', '2', ...words.slice(3)], powers)
    await tick()
    clock.advance(1_999)
    await tick()
    expect(host.stopped).toBe(0)
    clock.advance(1)
    expect(await status).toBe(124)
    expect((powers.stderr as KeptSink).text).toContain('--timeout')
    expect(clock.pending).toBe(0)
  })

  it('ends the command when nobody reads its output any more, as a pipe would', async () => {
    const stdout = new KeptSink()
    stdout.breakAfter = 3
    const { powers, host } = powersWith({ host: new ScriptedHost({ stdout: ['abc', 'def'] }), stdout })
    expect(await spectrum(words, powers)).toBe(141)
    expect(host.stopped).toBe(1)
  })

  it('waits for a reader that stalls, however long', async () => {
    const clock = new HeldClock()
    const stdout = new KeptSink()
    let read = () => {}
    stdout.gate = new Promise((resolve) => {
      read = resolve
    })
    const host = new ScriptedHost({ stdout: ['abc'], outcome: { kind: 'exited', code: 0 } })
    const { powers } = powersWith({ host, clock, stdout })
    const status = spectrum(words, powers)
    for (let round = 0; round < 5; round++) {
      await tick()
      clock.advance(60_000)
    }
    await tick()
    expect(host.stopped).toBe(0)
    read()
    expect(await status).toBe(0)
    expect(stdout.text).toBe('abc')
  })

  it('does not wait for a stream that something left behind holds open', async () => {
    const clock = new HeldClock()
    const stdout = (async function* () {
      yield Buffer.from('abc')
      await new Promise(() => {})
    })()
    const { powers } = powersWith({
      host: new ScriptedHost({ stdout, outcome: { kind: 'exited', code: 4 } }),
      clock,
    })
    const status = spectrum(words, powers)
    for (let round = 0; round < 3; round++) {
      await tick()
      clock.advance(2_000)
    }
    expect(await status).toBe(4)
    expect((powers.stdout as KeptSink).text).toBe('abc')
  })

  it('shows progress on a terminal and takes it back; in a pipe it is quiet', async () => {
    for (const isTerminal of [true, false]) {
      const stderr = new KeptSink(isTerminal)
      const { powers } = powersWith({ stderr } satisfies Partial<CommandPowers>)
      await spectrum(words, powers)
      if (isTerminal) {
        expect(stderr.text).toMatch(/choosing a monitor.*starting the unit/s)
        expect(stderr.text.endsWith('\r\x1b[K')).toBe(true)
      } else expect(stderr.text).toBe('')
    }
  })
})

describe('spectrum', () => {
  it('answers 2 to what it does not understand, names it and says where help is', async () => {
    const { powers, host } = powersWith()
    expect(await spectrum(['run', '--closur=/nix/store/x'], powers)).toBe(2)
    expect((powers.stderr as KeptSink).text).toMatch(/^spectrum: .*--closur.*\nTry: spectrum run --help\n$/)
    expect((powers.stdout as KeptSink).text).toBe('')
    expect(host.stopped).toBe(0)
  })

  it('escapes the words it repeats', async () => {
    const { powers } = powersWith()
    await spectrum(['\x1b[2J'], powers)
    expect((powers.stderr as KeptSink).text).not.toContain('\x1b')
  })

  it('prints its help and its version on standard output', async () => {
    const { powers } = powersWith()
    expect(await spectrum(['--version'], powers)).toBe(0)
    expect(await spectrum(['run', '--help'], powers)).toBe(0)
    expect((powers.stdout as KeptSink).text).toMatch(/^spectrum 9\.8\.7\nUsage: spectrum run/)
  })
})
