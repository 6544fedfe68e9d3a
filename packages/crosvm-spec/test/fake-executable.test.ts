import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CrosvmControl } from '../src/control.js'
import {
  absentOptions,
  type CrosvmSpec,
  crosvmSpec,
  decodeExit,
  parseLogLine,
  printArgv,
} from '../src/index.js'
import { linuxControlPowers, linuxProbe } from '../src/linux.js'
import { writeFakeProgram } from './fake-program.js'

const executable = fileURLToPath(new URL('./fake-crosvm.mjs', import.meta.url))
const powers = linuxControlPowers()._unsafeUnwrap()
let directory: string
let child: ChildProcess | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fake-crosvm-'))
})

afterEach(async () => {
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  rmSync(directory, { recursive: true })
})

const machine = (...params: string[]): CrosvmSpec =>
  crosvmSpec({
    architecture: 'x86_64',
    boot: { kind: 'kernel', path: '/k' },
    socket: join(directory, 's'),
    params,
  })._unsafeUnwrap()

async function run(argv: readonly string[]) {
  child = spawn(process.execPath, [executable, ...argv], { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  const end = signal ? decodeExit({ kind: 'signalled', signal }) : decodeExit({ kind: 'exited', code: code! })
  return { end, lines: stderr.trimEnd().split('\n').map(parseLogLine) }
}

describe('the executable of the fake', () => {
  test.each([
    [32, 'guest-reset'],
    [33, 'crashed'],
    [34, 'guest-panicked'],
    [36, 'watchdog'],
  ])('ends with status %i when told to: %s', async (status, kind) => {
    const { end } = await run(printArgv(machine(`fake-crosvm.exit=${status}@10`)))
    expect(end.kind).toBe(kind)
  })

  test('hides its status without --extended-status, like the real one', async () => {
    const { end } = await run(printArgv(machine('fake-crosvm.exit=34@10')).slice(1))
    expect(end.kind).toBe('stopped')
  })

  test('ends by a signal when told to', async () => {
    const { end } = await run(printArgv(machine('fake-crosvm.signal=SIGABRT@10')))
    expect(end).toMatchObject({ kind: 'signalled', signal: 'SIGABRT' })
  })

  test('refuses arguments with status 35 and a combination with 1, each with a line in its log', async () => {
    const parse = await run(['--extended-status', 'run', '--mem=2G', '/k'])
    expect(parse.end.kind).toBe('arguments-refused')
    expect(parse.lines[0]).toMatchObject({ kind: 'record', level: 'error' })
    expect((await run(['--extended-status', 'run', '--gdb=1', '--cpus=2', '/k'])).end.kind).toBe('failed')
  })

  test('is probed, controlled and stopped like the real one', async () => {
    const spec = machine('fake-crosvm.slow-start=50')
    const help = (
      await linuxProbe().probe(writeFakeProgram(directory), AbortSignal.timeout(10_000))
    )._unsafeUnwrap()
    expect(absentOptions(spec, help)).toEqual([])
    const ended = run(printArgv(spec))
    using control = new CrosvmControl(powers, { spec })
    expect((await control.ready({ timeoutMs: 20_000 })).isOk()).toBe(true)
    expect((await control.exit()).isOk()).toBe(true)
    expect((await ended).end.kind).toBe('stopped')
  })
})
