import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { runCommand } from '../src/linux/command.js'

const { signal } = new AbortController()
const shell = (script: string, ending = signal, maxOutputBytes = 1000) =>
  runCommand({ file: '/bin/sh', argv: ['-c', script], environment: {}, signal: ending, maxOutputBytes })

/** Whether a process runs whose arguments hold this text. */
const runs = (text: string) =>
  readdirSync('/proc').some((pid) => {
    const file = `/proc/${pid}/cmdline`
    return /^\d+$/.test(pid) && existsSync(file) && readFileSync(file, 'latin1').includes(text)
  })

let marked = 0
/** So many seconds that no other process sleeps as long: this one's number, and a count. */
const mark = () => `${process.pid}0${++marked}98760`

describe('a command', () => {
  it('answers with its status and both streams', async () => {
    const outcome = await shell('echo out; echo err >&2; exit 3')
    expect(outcome).toMatchObject({ kind: 'exited', code: 3 })
    expect(outcome).toEqual({ ...outcome, stdout: Buffer.from('out\n'), stderr: Buffer.from('err\n') })
  })

  it('is not there', async () => {
    const request = { file: '/no/such', argv: [], environment: {}, signal, maxOutputBytes: 1 }
    expect(await runCommand(request)).toEqual({ kind: 'not-found' })
  })

  it('that is aborted ends with what it started, which holds its output open', async () => {
    const ending = AbortSignal.timeout(100)
    const seconds = mark()
    expect((await shell(`sleep ${seconds} & wait`, ending)).kind).toBe('killed')
    await expect.poll(() => runs(seconds)).toBe(false)
  })

  it('dies with the program that runs it, however that dies', async () => {
    const script = fileURLToPath(new URL('command-host.mts', import.meta.url))
    const seconds = mark()
    const host = spawn(process.execPath, ['--import', 'tsx', script, seconds], { stdio: 'inherit' })
    await expect.poll(() => runs(`sleep\0${seconds}`), { timeout: 50_000 }).toBe(true)
    host.kill('SIGKILL')
    await expect.poll(() => runs(`sleep\0${seconds}`)).toBe(false)
  })

  it('that says too much ends with what it started', async () => {
    const seconds = mark()
    const outcome = await shell(`sleep ${seconds} & head -c 2000 /dev/zero; wait`)
    expect(outcome.kind).toBe('output-too-long')
    await expect.poll(() => runs(seconds)).toBe(false)
  })

  it('that left something behind with its output open is waited for until the abort, no longer', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'command-'))
    const file = join(folder, 'numbers')
    const numbers = () => (existsSync(file) ? /^(\d+) (\d+)\n$/.exec(readFileSync(file, 'utf8')) : null)
    const ending = new AbortController()
    let over = false
    const outcome = shell(`sleep 600 & echo $$ $! > '${file}'; exit 0`, ending.signal).finally(() => {
      over = true
    })
    await expect.poll(numbers).not.toBeNull()
    const [, command, left] = numbers()!.map(Number)
    try {
      await expect.poll(() => existsSync(`/proc/${command}`)).toBe(false)
      expect(over).toBe(false)
      ending.abort()
      expect((await outcome).kind).toBe('exited')
    } finally {
      process.kill(left!, 'SIGKILL')
      rmSync(folder, { recursive: true })
    }
  })
})
