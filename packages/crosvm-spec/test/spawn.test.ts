/** Starting crosvm, with the fake in its place, told to misbehave in every way it knows. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { liveFds } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import { errAsync, okAsync } from 'neverthrow'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fakeHost, fakeProcesses } from '../src/fake.js'
import { type CrosvmMachine, crosvmSpec, deadChild, type LogLine, parseLogLine } from '../src/index.js'
import { linuxSpawnPowers } from '../src/linux.js'
import { missingPrerequisites, type SpawnOptions, type SpawnPowers, spawnCrosvm } from '../src/spawn.js'
import { writeFakeProgram } from './fake-program.js'
import { spawningParent } from './spawning-parent.js'

const real = linuxSpawnPowers()._unsafeUnwrap()
const sockets = unixFd()._unsafeUnwrap()
const fakes = fakeProcesses({ ...real, sockets, architecture: 'x86_64' })

let directory: string
let lines: LogLine[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'crosvm-spawn-'))
  lines = []
})
afterEach(() => {
  rmSync(directory, { recursive: true })
  expect(liveFds()).toBe(0)
})

const describeMachine = (params: readonly string[] = [], rest: Partial<CrosvmMachine> = {}) =>
  crosvmSpec({
    architecture: 'x86_64',
    boot: { kind: 'kernel', path: '/k' },
    socket: join(directory, 'control'),
    params: params.map((param) => `fake-crosvm.${param}`),
    ...rest,
  })._unsafeUnwrap()

/** Starts a fake inside this program. */
const started = (
  params: readonly string[] = [],
  options: Partial<SpawnOptions> = {},
  rest: Partial<CrosvmMachine> = {},
  powers: Partial<SpawnPowers> = {},
) => {
  const spec = describeMachine(params, rest)
  const all = { ...real, probe: undefined, processes: fakes, host: fakeHost(spec), ...powers }
  const told = { binary: '/crosvm', onLog: (line: LogLine) => lines.push(line), ...options }
  return spawnCrosvm(spec, all, told)
}

/** Starts the fake's executable, as a crosvm is started. */
const startedAsProcess: typeof started = (params, options, rest) => {
  const binary = writeFakeProgram(directory)
  return started(params, { binary, timeoutMs: 50_000, ...options }, rest, { processes: real.processes })
}

const alive = (pid: number) => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(statusOf(pid))
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return ''
  }
}

describe('a crosvm that is started', () => {
  test('answers, leads a group of its own without a terminal, an environment or a descriptor too many, and stops', async () => {
    using kept = sockets.createMemfd('kept')._unsafeUnwrap()
    using shared = sockets.createMemfd('shared')._unsafeUnwrap()
    const pmem = [{ path: '/proc/self/fd/7', readOnly: true }]
    const descriptors = new Map([[7, shared.fd]])
    await using machine = (
      await startedAsProcess(['late-socket=50'], { descriptors }, { pmem })
    )._unsafeUnwrap()
    const { pid } = machine
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [, , group, session, terminal] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    expect([group, session, terminal]).toEqual([String(pid), String(pid), '0'])
    expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).toBe('')
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/')
    expect(readlinkSync(`/proc/${pid}/fd/7`)).toBe('/memfd:shared (deleted)')
    const held = readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`)
      } catch {
        return ''
      }
    })
    expect(held).not.toContain('/memfd:kept (deleted)')
    expect(kept.fd.closed).toBe(false)
    expect((await machine.control!.vcpuThreads()).isOk()).toBe(true)
    const end = await machine.stop()
    expect(end).toMatchObject({ exit: { kind: 'stopped' }, deadChild: undefined })
    expect(await machine.ended).toEqual(end)
    expect(alive(pid)).toBe(false)
    expect(existsSync(join(directory, 'control'))).toBe(false)
  })

  test('is killed where it does not stop, and leaves no socket behind', async () => {
    const machine = (await started(['no-reply=Exit']))._unsafeUnwrap()
    expect((await machine.stop({ timeoutMs: 50 })).exit).toMatchObject({
      kind: 'signalled',
      signal: 'SIGKILL',
    })
    expect(existsSync(join(directory, 'control'))).toBe(false)
  })

  test('without a control socket is handed out as soon as it runs, and ends by being killed', async () => {
    const machine = (await started([], {}, { socket: undefined }))._unsafeUnwrap()
    expect(machine.control).toBeUndefined()
    expect((await machine.stop()).exit).toMatchObject({ kind: 'signalled', signal: 'SIGKILL' })
  })

  test.each([
    ['exit=32@50', 'guest-reset'],
    ['exit=33@50', 'crashed'],
    ['exit=34@50', 'guest-panicked'],
    ['exit=36@50', 'watchdog'],
    ['exit=101@50', 'unknown-status'],
    ['signal=SIGABRT@50', 'signalled'],
  ])('told to %s ends as %s, while it runs or before it answered', async (behaviour, kind) => {
    const machine = (await started([behaviour])).match(
      (running) => running.ended,
      (error) => {
        if (error.kind !== 'ended') throw new Error(error.message)
        return Promise.resolve(error.end)
      },
    )
    expect((await machine).exit.kind).toBe(kind)
  })
})

describe('a start', () => {
  test.each([
    ['no-reply=VcpuPidTid', 'no-reply'],
    ['slow-start=60000', 'no-reply'],
    ['late-socket=60000', 'no-reply'],
    ['disconnect=VcpuPidTid', 'no-reply'],
    ['malformed=VcpuPidTid', 'malformed-reply'],
    ['wrong=VcpuPidTid', 'malformed-reply'],
    ['extra-descriptor=VcpuPidTid', 'malformed-reply'],
    ['error=VcpuPidTid', 'refused'],
  ])('fails when crosvm is told to %s, and ends it', async (behaviour, cause) => {
    // Only who gets no reply waits for its deadline.
    const timeoutMs = cause === 'no-reply' ? 300 : 20_000
    const failure = (await started([behaviour], { timeoutMs }))._unsafeUnwrapErr()
    expect(failure).toMatchObject({ kind: 'not-ready', cause: { kind: cause } })
    if (cause === 'no-reply') expect(failure.message).toContain('300 ms')
    expect(existsSync(join(directory, 'control'))).toBe(false)
  })

  test('that its caller aborts ends what was started, or starts nothing', async () => {
    expect((await started([], { signal: AbortSignal.abort() }))._unsafeUnwrapErr().kind).toBe('aborted')
    const later = new AbortController()
    const start = started(['slow-start=60000'], { signal: later.signal })
    await expect.poll(() => existsSync(join(directory, 'control'))).toBe(true)
    later.abort()
    expect((await start)._unsafeUnwrapErr().kind).toBe('aborted')
    expect(existsSync(join(directory, 'control'))).toBe(false)
  })

  test('of what ends at once says what it said', async () => {
    const binary = join(directory, 'crosvm.sh')
    const line = '[2026-08-21T10:30:06+00:00 ERROR crosvm] exiting with error 1: no \u202ekernel'
    writeFileSync(binary, `#!/bin/sh\necho '${line}' >&2\nexit 1\n`, { mode: 0o755 })
    const failure = (await started([], { binary }, {}, { processes: real.processes }))._unsafeUnwrapErr()
    expect(failure).toMatchObject({
      kind: 'ended',
      message: 'crosvm ended before it answered (failed): exiting with error 1: no \\u{202e}kernel',
      end: { exit: { kind: 'failed' }, lastLines: [{ level: 'error' }] },
    })
    expect(lines).toHaveLength(1)
  })

  test('of what ends by itself says so, however long its processes take to go', async () => {
    const slow = {
      async spawn(request: Parameters<typeof fakes.spawn>[0]) {
        const process = await fakes.spawn(request)
        const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 300))
        return { ...process, groupGone: (signal: AbortSignal) => process.groupGone(signal).then(pause) }
      },
    }
    const failure = (
      await started(['slow-start=60000', 'exit=33@50'], {}, {}, { processes: slow })
    )._unsafeUnwrapErr()
    expect(failure).toMatchObject({
      kind: 'ended',
      end: { exit: { kind: 'crashed' }, status: { kind: 'exited', code: 33 } },
    })
  })

  test('of no program, or of one that lacks options, starts nothing', async () => {
    const nothing = await started([], { binary: '/nonexistent' }, {}, { processes: real.processes })
    expect(nothing._unsafeUnwrapErr().kind).toBe('not-executed')
    const unreadable = { kind: 'unreadable-binary', message: 'no', cause: undefined } as const
    const failed = await started([], {}, {}, { probe: { probe: () => errAsync(unreadable) } })
    expect(failed._unsafeUnwrapErr()).toMatchObject({ kind: 'probe-failed', message: 'no' })
    const help = { options: new Set(['params']), contentHash: '' }
    const lacking = await started([], {}, {}, { probe: { probe: () => okAsync(help) } })
    expect(lacking._unsafeUnwrapErr()).toMatchObject({
      kind: 'absent-options',
      options: [{ option: 'socket' }],
    })
  })

  test('is given exactly the descriptors that the machine names', async () => {
    using memory = sockets.createMemfd('m')._unsafeUnwrap()
    const pmem = [{ path: '/proc/self/fd/9', readOnly: true }]
    const missing = (await started([], {}, { pmem }))._unsafeUnwrapErr()
    expect(missing).toMatchObject({ kind: 'wrong-descriptors', numbers: [9] })
    const unnamed = (await started([], { descriptors: new Map([[5, memory.fd]]) }))._unsafeUnwrapErr()
    expect(unnamed).toMatchObject({ kind: 'wrong-descriptors', numbers: [5] })
    const low = { pmem: [{ path: '/proc/self/fd/2', readOnly: true }] }
    const taken = (await started([], { descriptors: new Map([[2, memory.fd]]) }, low))._unsafeUnwrapErr()
    expect(taken).toMatchObject({ kind: 'wrong-descriptors', numbers: [2] })
    const net = [{ backend: { kind: 'tap-fd', tapFd: 8 } }] as const
    expect((await started([], {}, { net }))._unsafeUnwrapErr()).toMatchObject({ numbers: [8] })
  })

  test('does not wait for a host that does not answer', async () => {
    const host = { ...real.host, inspect: () => new Promise<undefined>(() => {}) }
    const failure = (await started([], { timeoutMs: 200 }, {}, { host }))._unsafeUnwrapErr()
    expect(failure).toMatchObject({ kind: 'aborted', message: expect.stringContaining('took all the time') })
  })

  test('is refused with the remedy where the host lacks something, and nothing is started', async () => {
    const failure = (await started([], {}, {}, { host: real.host }))._unsafeUnwrapErr()
    expect(failure).toMatchObject({ kind: 'prerequisites', message: expect.stringContaining('/k') })
  })
})

describe('what a host lacks', () => {
  const lacks = async (rest: Partial<CrosvmMachine>, host: Partial<SpawnPowers['host']> = {}) => {
    const found = await missingPrerequisites(describeMachine([], rest), { ...real.host, ...host })
    return found.map(({ prerequisite, message }) => ({ kind: prerequisite.kind, message }))
  }

  test('is found by looking, with what there is instead', async () => {
    writeFileSync(join(directory, 'a.img'), '')
    mkdirSync(join(directory, 'empty'))
    mkdirSync(join(directory, 'tree'))
    execFileSync('mkfifo', [join(directory, 'tree', 'fifo')], {
      timeout: 50_000,
      killSignal: 'SIGKILL',
    })
    const sandbox = { kind: 'jailed', pivotRoot: join(directory, 'empty') } as const
    const boot = { kind: 'kernel', path: join(directory, 'a.img') } as const
    const hypervisor = { kind: 'kvm', device: '/dev/null' } as const
    const sound = { boot, sandbox, hypervisor }
    expect(await lacks(sound)).toEqual([])
    expect(await lacks({ ...sound, block: [{ path: join(directory, 'tree') }] })).toMatchObject([
      { kind: 'file', message: expect.stringContaining('it is a directory') },
    ])
    expect(await lacks({ ...sound, pmemExt2: [{ path: join(directory, 'tree') }] })).toMatchObject([
      { kind: 'plain-tree', message: expect.stringContaining('fifo is no file') },
    ])
    const two = async function* (path: string) {
      const kind = 'file' as const
      if (path === directory) yield* [1, 2].map((n) => ({ path: `/${n}`, kind }))
    }
    const crowded = { tree: two }
    expect(
      await lacks({ ...sound, pmemExt2: [{ path: directory, inodesPerGroup: 12 }] }, crowded),
    ).toMatchObject([{ kind: 'plain-tree', message: expect.stringContaining('raise inodesPerGroup') }])
    expect(await lacks({ ...sound, vhostUser: [{ type: 'fs', socket: boot.path }] })).toMatchObject([
      { kind: 'socket', message: expect.stringContaining('it is a file') },
    ])
    writeFileSync(join(directory, 'empty', 'something'), '')
    expect(await lacks(sound)).toMatchObject([
      { kind: 'empty-directory', message: expect.stringContaining('mkdir -p') },
    ])
    writeFileSync(join(directory, 'control'), '')
    expect((await lacks(sound)).map(({ kind }) => kind)).toEqual(['empty-directory', 'absent'])
  })

  test('includes privileges', async () => {
    const net = [
      { backend: { kind: 'host-ip', hostIp: '10.0.0.1', netmask: '255.0.0.0', mac: '02:00:00:00:00:01' } },
    ] as const
    const host = { whyNoNamespaces: async () => 'max_user_namespaces is 0', hasCapability: async () => false }
    const found = await lacks({ net }, host)
    expect(found.filter(({ kind }) => kind === 'privilege')).toMatchObject([
      { message: expect.stringContaining('max_user_namespaces is 0') },
      { message: expect.stringContaining('lacks CAP_NET_ADMIN') },
    ])
  })
})

test('a crosvm dies with the program that started it, however that ends', async () => {
  const { architecture, boot, socket } = describeMachine()
  const { parent, pid } = await spawningParent(writeFakeProgram(directory), { architecture, boot, socket })
  expect(alive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  await expect.poll(() => alive(pid)).toBe(false)
})

describe('the death of a device', () => {
  const line = (message: string) =>
    deadChild(parseLogLine(`[2026-08-21T10:30:06+00:00 ERROR crosvm::sys::linux] ${message}`))

  test('is read from what crosvm says of it', () => {
    expect(line('child pcivirtio-block (pid 77) killed by signal 31 (SIGSYS)')).toEqual({
      device: 'pcivirtio-block',
      pid: 77,
      signal: 31,
      status: undefined,
    })
    expect(line('child pid 78 exited: signo 17, status 101, code 1')).toEqual({
      device: undefined,
      pid: 78,
      signal: undefined,
      status: 101,
    })
    expect(line('a guest that says: child pid 78 killed by signal 9')).toBeUndefined()
  })
})
