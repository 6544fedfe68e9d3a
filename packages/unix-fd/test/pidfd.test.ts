import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { liveFds } from '../src/index.js'
import { openPidfd } from '../src/linux.js'
import { expectNothingKept, held } from './held.js'

const SIGKILL = 9
const sleeper = () => spawn('/bin/sleep', ['60'], { stdio: 'ignore' })

describe('a pidfd', () => {
  test('kills the process it stands for and tells when it has ended', async () => {
    const child = sleeper()
    const ended = once(child, 'exit')
    using pidfd = openPidfd(child.pid!)._unsafeUnwrap()
    const exited = pidfd.exited(AbortSignal.timeout(50_000))
    expect(pidfd.sendSignal(SIGKILL).isOk()).toBe(true)
    expect((await exited).isOk()).toBe(true)
    expect((await ended)[1]).toBe('SIGKILL')
  })

  test('does not resolve while the process runs, and the wait ends with its deadline', async () => {
    const child = sleeper()
    try {
      using pidfd = openPidfd(child.pid!)._unsafeUnwrap()
      const late = await pidfd.exited(AbortSignal.timeout(50))
      expect(late._unsafeUnwrapErr().kind).toBe('timed-out')
      const aborted = await pidfd.exited(AbortSignal.abort())
      expect(aborted._unsafeUnwrapErr().kind).toBe('aborted')
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })

  test('of a process that has been reaped is a typed error, before and after opening', async () => {
    const child = sleeper()
    const ended = once(child, 'exit')
    using pidfd = openPidfd(child.pid!)._unsafeUnwrap()
    pidfd.sendSignal(SIGKILL)._unsafeUnwrap()
    await ended
    expect(pidfd.sendSignal(SIGKILL)._unsafeUnwrapErr().kind).toBe('no-such-process')
    expect(openPidfd(child.pid!)._unsafeUnwrapErr().kind).toBe('no-such-process')
    expect((await pidfd.exited(AbortSignal.timeout(50_000))).isOk()).toBe(true)
  })

  test('tells a process from another that has the same number but started at another time', () => {
    using self = openPidfd(process.pid)._unsafeUnwrap()
    using same = openPidfd(process.pid, { startTime: self.startTime })._unsafeUnwrap()
    expect(same.pid).toBe(process.pid)
    const other = openPidfd(process.pid, { startTime: self.startTime + 1n })
    expect(other._unsafeUnwrapErr().kind).toBe('reused-process-id')
  })

  test('refuses numbers that are no process and no signal', () => {
    for (const pid of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
      expect(openPidfd(pid)._unsafeUnwrapErr().kind).toBe('invalid-argument')
    }
    using self = openPidfd(process.pid)._unsafeUnwrap()
    for (const signal of [-1, 65, 1.5]) {
      expect(self.sendSignal(signal)._unsafeUnwrapErr().kind).toBe('invalid-argument')
    }
    expect(self.sendSignal(0).isOk()).toBe(true)
  })

  test('closed while somebody waits ends the wait as closed and leaves nothing', async () => {
    const before = held()
    const pidfd = openPidfd(process.pid)._unsafeUnwrap()
    expect(liveFds()).toBe(before.live + 1)
    const waiting = pidfd.exited(AbortSignal.timeout(50_000))
    pidfd.close()
    pidfd.close()
    expect((await waiting)._unsafeUnwrapErr().kind).toBe('closed')
    expect(pidfd.sendSignal(0)._unsafeUnwrapErr().kind).toBe('closed')
    expectNothingKept(before)
  })

  /** Runs `script` as a shell's background job, then a program of Node in the shell's place, whose child it is. */
  async function waitForChild(script: string, reap: boolean): Promise<unknown> {
    const shell = `${script} & exec "$0" --import "$1" "$2" "$!" "$3"`
    const argv = [
      '-c',
      shell,
      process.execPath,
      createRequire(import.meta.url).resolve('tsx'),
      program,
      `${reap}`,
    ]
    const { stdout, stderr } = spawnSync('/bin/sh', argv, {
      encoding: 'utf8',
      timeout: 100_000,
      killSignal: 'SIGKILL',
    })
    try {
      return JSON.parse(stdout)
    } catch {
      throw new Error(stderr)
    }
  }
  const program = fileURLToPath(new URL('programs/wait-for-child.ts', import.meta.url))

  test('tells how a child ended, and leaves the reaping to whoever asks for it', async () => {
    const exited = { kind: 'exited', code: 7 }
    expect(await waitForChild('sh -c "exit 7"', false)).toEqual([exited, exited])
    const killed = { kind: 'killed', signal: SIGKILL, coreDumped: false }
    expect(await waitForChild('sh -c "sleep 0.3; kill -9 \\$\\$"', true)).toEqual([killed, 'not-a-child'])
  })

  test("does not claim to know how somebody else's child ended", async () => {
    const child = spawn('/bin/sh', ['-c', 'sleep 60 & echo $!; wait'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const ended = once(child, 'exit')
    const [line] = (await once(child.stdout!, 'data')) as [Buffer]
    using grandchild = openPidfd(Number(line.toString()))._unsafeUnwrap()
    using parent = openPidfd(child.pid!)._unsafeUnwrap()
    expect((await grandchild.wait(AbortSignal.timeout(20)))._unsafeUnwrapErr().kind).toBe('timed-out')
    const waiting = grandchild.wait(AbortSignal.timeout(50_000))
    grandchild.sendSignal(SIGKILL)._unsafeUnwrap()
    expect((await waiting)._unsafeUnwrapErr().kind).toBe('not-a-child')
    parent.sendSignal(SIGKILL)._unsafeUnwrap()
    await ended
    grandchild.close()
    expect((await grandchild.wait(AbortSignal.timeout(20)))._unsafeUnwrapErr().kind).toBe('closed')
  })
})
