/**
 * What every agent keeps: the fake, the C program as a process, and the C program as PID 1 of a machine.
 *
 * @packageDocumentation
 */

import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import type { Agent, GuestCommand, StoreMount } from './agent.js'
import { fileChecks } from './conformance/files.js'
import { machineChecks } from './conformance/machine.js'
import {
  type ConformanceCheck,
  type ConformanceSubject,
  checkOf,
  collect,
  finish,
  firstLine,
  linesOf,
  pattern,
  start,
  withDeadline,
} from './conformance/probe.js'
import { offer, streamChecks } from './conformance/streams.js'
import { terminalChecks } from './conformance/terminals.js'
import { limits, protocolVersion } from './frames.js'

export { type ConformanceCheck, type ConformanceSubject, pattern } from './conformance/probe.js'
export { type VolumeSubject, volumeConformance } from './conformance/volumes.js'

/** A subject that has a store: an image on devices, and a view that the test fills. Nothing of either is bound yet. */
export interface StoreSubject extends ConformanceSubject {
  /** At least two names, none of which holds the probe. */
  readonly mount: StoreMount
  readonly view: {
    /** Its virtio-fs tag. */
    readonly tag: string
    /** The base name of a store path that holds the probe, with its path below that. */
    readonly probeName: string
    /** Where the probe is below that path. */
    readonly probeFile: string
    /** Another name. */
    readonly other: string
    /** From now on these are what the view shows. */
    show(names: readonly string[]): Promise<void>
  }
}

const check = checkOf<ConformanceSubject>()
const storeCheck = checkOf<StoreSubject>()

const floodBytes = 8 * 1024 * 1024

/** What every agent promises, the fake as much as the real one. Each check opens a subject of its own. */
export const agentConformance: readonly ConformanceCheck[] = [
  check('says who it is before anything is asked', async ({ agent }) => {
    assert.equal(agent.hello.version, protocolVersion.max)
    assert.match(agent.hello.bootId, /^[0-9a-f-]{36}$/)
    assert.notEqual(agent.hello.kernelRelease, '')
    assert.notEqual(agent.hello.machine, '')
  }),

  check('passes arguments on byte for byte', async (subject) => {
    const words = ['plain', '', 'two words', '$HOME `id` ; *', 'schön 日本', '-x', 'line\nbreak']
    const { stdout, outcome } = await finish(await start(subject, ['echo', ...words]))
    assert.equal(stdout.toString(), words.map((word) => `${word}\n`).join(''))
    assert.deepEqual(outcome, { kind: 'exited', code: 0 })
  }),

  check('keeps stderr apart from stdout and reports the exit code', async (subject) => {
    const { stdout, stderr, outcome } = await finish(await start(subject, ['fail', '7']))
    assert.equal(stdout.length, 0)
    assert.equal(stderr.toString(), 'failing\n')
    assert.deepEqual(outcome, { kind: 'exited', code: 7 })
  }),

  check('gives a command exactly the environment and the directory of its request', async (subject) => {
    const more = { env: { A: '1', EMPTY: '', 'odd name': 'a=b' }, cwd: '/tmp' }
    const { stdout } = await finish(await start(subject, ['place'], more))
    assert.equal(stdout.toString(), 'cwd=/tmp\nleader=1\nA=1\nEMPTY=\nodd name=a=b\n')
    const bare = await finish(await start(subject, ['place']))
    assert.equal(bare.stdout.toString(), 'cwd=/\nleader=1\n')
  }),

  check('closes stdin unless it was asked for', async (subject) => {
    const process = await start(subject, ['cat'])
    assert.equal(process.stdin, undefined)
    const { stdout, outcome } = await finish(process)
    assert.equal(stdout.length, 0)
    assert.deepEqual(outcome, { kind: 'exited', code: 0 })
  }),

  check('carries stdin through a command and back unchanged', async (subject) => {
    const process = await start(subject, ['cat'], { stdin: 'open' })
    const sent = pattern(1024 * 1024 + 13, 5)
    const write = async () => {
      await process.stdin?.write(sent.subarray(0, 1))
      await process.stdin?.write(sent.subarray(1))
      await process.stdin?.end()
    }
    const [{ stdout, outcome }] = await Promise.all([finish(process), write()])
    assert.ok(stdout.equals(sent))
    assert.deepEqual(outcome, { kind: 'exited', code: 0 })
  }),

  check('refuses writes once the command has closed its stdin, and does not hang', async (subject) => {
    const process = await start(subject, ['close-stdin'], { stdin: 'open' })
    await firstLine(process, 'closed')
    const write = async () => {
      for (let i = 0; i < 64; i++) await process.stdin?.write(pattern(limits.stdinWindow, 1))
    }
    await assert.rejects(write(), /closed its stdin/)
    await process.signal(9)
    assert.equal((await process.outcome).kind, 'signalled')
  }),

  check('says that a missing program is not found', async ({ agent }) => {
    const process = (await agent.exec({ argv: ['/no/such/program'] }))._unsafeUnwrap()
    const { stdout, stderr, outcome } = await finish(process)
    assert.equal(outcome.kind === 'not-started' && outcome.reason, 'not-found')
    assert.match(outcome.kind === 'not-started' ? outcome.message : '', /\/no\/such\/program/)
    assert.equal(stdout.length + stderr.length, 0)
  }),

  check('says that a working directory is bad', async (subject) => {
    const process = await start(subject, ['echo'], { cwd: '/no/such/directory' })
    const outcome = await process.outcome
    assert.equal(outcome.kind === 'not-started' && outcome.reason, 'bad-cwd')
  }),

  check('delivers signals and reports an end by one', async (subject) => {
    const process = await start(subject, ['wait'])
    await firstLine(process, 'ready')
    assert.ok((await process.signal(15)).isOk())
    assert.deepEqual(await process.outcome, { kind: 'signalled', signal: 'SIGTERM', coreDumped: false })
  }),

  check('lets a command handle a signal', async (subject) => {
    const process = await start(subject, ['wait-for-term'])
    const lines = linesOf(process.stdout)
    assert.equal((await lines.next()).value, 'ready')
    assert.ok((await process.signal(15)).isOk())
    assert.equal((await lines.next()).value, 'terminated')
    assert.deepEqual(await process.outcome, { kind: 'exited', code: 0 })
  }),

  check('refuses to signal a command that has ended', async (subject) => {
    const process = await start(subject, ['echo'])
    await finish(process)
    const error = (await process.signal(15))._unsafeUnwrapErr()
    assert.equal(error.kind === 'refused' && error.errno, 'ESRCH')
  }),

  check('cancels a command when its signal aborts', async (subject) => {
    const abort = new AbortController()
    const process = await start(subject, ['wait'], {}, { signal: abort.signal })
    await firstLine(process, 'ready')
    abort.abort()
    assert.deepEqual(await process.outcome, { kind: 'cancelled' })
  }),

  check('ends a command at its deadline, even while its output is not read', async (subject) => {
    const argv = [...subject.probe, 'flood', String(floodBytes)]
    const process = await withDeadline((deadlineMs) => subject.agent.exec({ argv }, { deadlineMs }))
    assert.deepEqual(await process.outcome, { kind: 'timed-out' })
  }),

  check('starts nothing for a caller that has already given up', async ({ agent, probe }) => {
    const result = await agent.exec({ argv: [...probe, 'echo'] }, { signal: AbortSignal.abort() })
    assert.equal(result._unsafeUnwrapErr().kind, 'aborted')
  }),

  check('is byte-exact under a stalled reader, which stops nobody else', async (subject) => {
    const flood = await start(subject, ['flood', String(floodBytes)])
    const readStderr = collect(flood.stderr)
    // Nobody reads stdout; other commands come and go.
    for (let i = 0; i < 3; i++) {
      const other = await finish(await start(subject, ['echo', `${i}`]))
      assert.equal(other.stdout.toString(), `${i}\n`)
    }
    const [stdout, stderr] = await Promise.all([collect(flood.stdout), readStderr])
    assert.ok(stdout.equals(pattern(floodBytes, 1)), 'stdout differs')
    assert.ok(stderr.equals(pattern(floodBytes, 2)), 'stderr differs')
    assert.deepEqual(await flood.outcome, { kind: 'exited', code: 0 })
  }),

  check('lets a command run on when its reader leaves', async (subject) => {
    const flood = await start(subject, ['flood', String(4 * limits.outputWindow)])
    for await (const _ of flood.stdout) break
    for await (const _ of flood.stderr) break
    assert.deepEqual(await flood.outcome, { kind: 'exited', code: 0 })
  }),

  check('bounds the number of running commands', async (subject) => {
    const running = await Promise.all(
      Array.from({ length: limits.runningCommands }, () => start(subject, ['wait'])),
    )
    const outcome = await (await start(subject, ['echo'])).outcome
    assert.equal(outcome.kind === 'not-started' && outcome.reason, 'resources')
    await Promise.all(running.map((process) => firstLine(process, 'ready')))
    await Promise.all(running.map((process) => process.signal(9)))
    await Promise.all(running.map((process) => process.outcome))
    assert.deepEqual(await (await start(subject, ['echo'])).outcome, { kind: 'exited', code: 0 })
  }),

  check('refuses requests that cannot be carried, naming the field', async ({ agent }) => {
    const field = async (command: GuestCommand): Promise<string | false> => {
      const error = (await agent.exec(command))._unsafeUnwrapErr()
      return error.kind === 'invalid-request' && error.field
    }
    assert.equal(await field({ argv: [] }), 'argv')
    assert.equal(await field({ argv: ['relative'] }), 'argv')
    assert.equal(await field({ argv: ['/a', 'nul\0'] }), 'argv')
    assert.equal(await field({ argv: ['/a', 'x'.repeat(limits.frameBytes)] }), 'argv')
    assert.equal(await field({ argv: Array.from({ length: limits.argvCount + 1 }, () => '/a') }), 'argv')
    assert.equal(await field({ argv: ['/a'], env: { 'A=B': '' } }), 'env')
    assert.equal(await field({ argv: ['/a'], cwd: 'relative' }), 'cwd')
  }),

  ...streamChecks,

  ...terminalChecks,

  ...fileChecks,

  ...machineChecks,

  check('acknowledges a power off, and ends what runs', async (subject) => {
    const process = await start(subject, ['wait'])
    assert.ok((await subject.agent.powerOff()).isOk())
    assert.deepEqual(await subject.agent.closed, { kind: 'closed-by-unit' })
    assert.equal((await process.outcome).kind, 'unit-lost')
    assert.equal((await collect(process.stderr)).length, 0)
    const error = (await subject.agent.exec({ argv: ['/a'] }))._unsafeUnwrapErr()
    assert.equal(error.kind, 'unit-lost')
  }),

  check('settles everything when the host closes', async (subject) => {
    const process = await start(subject, ['wait'], { stdin: 'open' })
    const { path, next } = await offer(subject)
    await start(subject, ['call', path], { stdin: 'open' })
    const call = await next()
    await subject.agent[Symbol.asyncDispose]()
    assert.deepEqual(await subject.agent.closed, { kind: 'closed-by-host' })
    assert.equal((await process.outcome).kind, 'unit-lost')
    await assert.rejects(process.stdin!.write(Buffer.from('x')))
    assert.equal((await call.closed).kind, 'unit-lost')
    await call.readerGone
    assert.equal((await collect(call.incoming)).length, 0)
    await assert.rejects(call.write(Buffer.from('x')))
    assert.equal((await subject.agent.connect('/x'))._unsafeUnwrapErr().kind, 'unit-lost')
  }),
]

const missing = `${'0'.repeat(32)}-is-nowhere`

/** What every agent that has a store promises. Each check leaves the store as it was. */
export const storeConformance: readonly ConformanceCheck<StoreSubject>[] = [
  storeCheck('binds what it is asked for, and keeps what is bound', async ({ agent, mount }) => {
    const before = await listed(agent)
    assert.deepEqual((await agent.mountStore(mount))._unsafeUnwrap().bound, mount.paths)
    assert.deepEqual((await agent.mountStore(mount))._unsafeUnwrap().bound, [])
    assert.deepEqual(await listed(agent), [...before, ...mount.paths].sort())
    ;(await agent.unbindStore(mount.paths))._unsafeUnwrap()
    assert.deepEqual(await listed(agent), before)
  }),

  storeCheck('binds nothing of a request that cannot be met whole', async ({ agent, mount }) => {
    const before = await listed(agent)
    const error = (await agent.mountStore({ ...mount, paths: [...mount.paths, missing] }))._unsafeUnwrapErr()
    assert.equal(error.kind === 'refused' && error.errno, 'ENOENT')
    assert.deepEqual(await listed(agent), before)
  }),

  storeCheck(
    'takes away what it is told to, once, and gives it back when asked',
    async ({ agent, mount }) => {
      const before = await listed(agent)
      const [first, ...rest] = mount.paths
      for (let round = 0; round < 2; round++) {
        assert.deepEqual((await agent.mountStore(mount))._unsafeUnwrap().bound, mount.paths)
        const report = (await agent.unbindStore([first!, missing, first!]))._unsafeUnwrap()
        assert.deepEqual(report, { removed: [first], inUse: [], processes: 0 })
        assert.deepEqual(await listed(agent), [...before, ...rest].sort())
        assert.deepEqual((await agent.unbindStore(mount.paths))._unsafeUnwrap().removed, rest)
      }
      assert.deepEqual(await listed(agent), before)
    },
  ),

  storeCheck('binds what the view shows, also what it shows later', async ({ agent, view }) => {
    const before = await listed(agent)
    const { tag, probeName, other } = view
    await view.show([probeName])
    const first = (await agent.mountView({ tag, paths: [probeName] }))._unsafeUnwrap()
    assert.deepEqual(first, { dax: false, bound: [probeName] })
    const error = (await agent.mountView({ tag, paths: [probeName, other] }))._unsafeUnwrapErr()
    assert.equal(error.kind === 'refused' && error.errno, 'ENOENT')
    assert.deepEqual(await listed(agent), [...before, probeName].sort())
    await view.show([probeName, other])
    const second = (await agent.mountView({ tag, paths: [probeName, other] }))._unsafeUnwrap()
    assert.deepEqual(second.bound, [other])
    assert.deepEqual((await agent.unbindStore([other, probeName]))._unsafeUnwrap().removed, [
      other,
      probeName,
    ])
    assert.deepEqual(await listed(agent), before)
  }),

  storeCheck('says which paths are in use, and leaves their programs alone', async ({ agent, view }) => {
    const { tag, probeName, other } = view
    const argv = [`/nix/store/${probeName}/${view.probeFile}`]
    await view.show([probeName, other])
    ;(await agent.mountView({ tag, paths: [probeName, other] }))._unsafeUnwrap()
    const process = (await agent.exec({ argv: [...argv, 'cat'], stdin: 'open' }))._unsafeUnwrap()
    await process.stdin?.write(Buffer.from('before'))
    const report = (await agent.unbindStore([other, probeName]))._unsafeUnwrap()
    assert.deepEqual(report, { removed: [other, probeName], inUse: [probeName], processes: 1 })
    const again = (await agent.exec({ argv: [...argv, 'echo'] }))._unsafeUnwrap()
    const outcome = await again.outcome
    assert.equal(outcome.kind === 'not-started' && outcome.reason, 'not-found')
    await process.stdin?.write(Buffer.from(' and after'))
    await process.stdin?.end()
    const { stdout } = await finish(process)
    assert.equal(stdout.toString(), 'before and after')
  }),

  storeCheck('waits for a view that is not there until the deadline', async ({ agent, view }) => {
    const paths = [view.probeName]
    const error = (await agent.mountView({ tag: 'another', paths }, { deadlineMs: 400 }))._unsafeUnwrapErr()
    // A unit has one view: where it is mounted already, another is refused at once.
    assert.match(error.kind, /^(timed-out|refused)$/)
  }),

  storeCheck('refuses names and tags that cannot be carried, naming the field', async ({ agent }) => {
    const field = async (asked: ReturnType<Agent['mountView'] | Agent['unbindStore']>) => {
      const error = (await asked)._unsafeUnwrapErr()
      return error.kind === 'invalid-request' && error.field
    }
    assert.equal(await field(agent.mountView({ tag: '', paths: [missing] })), 'tag')
    assert.equal(await field(agent.mountView({ tag: 'x'.repeat(37), paths: [missing] })), 'tag')
    assert.equal(await field(agent.mountView({ tag: 'view', paths: [] })), 'paths')
    assert.equal(await field(agent.unbindStore([])), 'paths')
    assert.equal(await field(agent.unbindStore(['../etc'])), 'paths')
    const many = Array.from({ length: limits.mountNames + 1 }, () => missing)
    assert.equal(await field(agent.unbindStore(many)), 'paths')
  }),
]

const listed = async (agent: Agent): Promise<readonly string[]> => (await agent.listStore())._unsafeUnwrap()
