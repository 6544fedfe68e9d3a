import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createConnection, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAgent, type GuestCall } from '@spectrum/guest-agent'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeFrame, FrameDecoder } from '../src/codec.js'
import { type Frame, limits, protocolVersion } from '../src/frames.js'
import { type AgentProcess, agentProcessSubject, startAgentProcess } from './support/agent-process.js'
import { buildTestPrograms } from './support/built.js'
import { clock } from './support/clock.js'
import { socketChannel } from './support/socket-channel.js'
import { collect } from './support/streams.js'

let built: ReturnType<typeof buildTestPrograms>
let directory: string
beforeAll(() => {
  built = buildTestPrograms()
  directory = mkdtempSync(join(tmpdir(), 'agent-'))
}, 120_000)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('the agent in C', () => {
  it('does not wait for ever for a process that a command left behind', async () => {
    await using subject = await agentProcessSubject(built.agentAsan, built.probe)
    const begin = Date.now()
    const command = (await subject.agent.exec({ argv: [built.probe, 'daemon', '30'] }))._unsafeUnwrap()
    const [stdout, outcome] = await Promise.all([collect(command.stdout), command.outcome])
    expect(stdout.toString()).toBe('before\n')
    expect(outcome).toEqual({ kind: 'exited', code: 0 })
    const took = Date.now() - begin
    expect(took).toBeGreaterThanOrEqual(450)
    expect(took).toBeLessThan(25_000)
  })

  it('touches no mount of a machine that is not its own', async () => {
    await using subject = await agentProcessSubject(built.agentAsan, built.probe)
    const mounts = () =>
      readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .filter((line) => /\/nix\/store|\/run\/spectrum/.test(line))
    const before = mounts()
    const paths = [`${'a'.repeat(32)}-x`, `${'b'.repeat(32)}-y`]
    for (const asked of [
      await subject.agent.mountView({ tag: 'view', paths }),
      await subject.agent.unbindStore(paths),
    ])
      expect(asked._unsafeUnwrapErr()).toMatchObject({ kind: 'refused', errno: 'ENOTSUP' })
    expect(mounts()).toEqual(before)
  })

  it('names the interpreter that a script lacks', async () => {
    await using subject = await agentProcessSubject(built.agentAsan, built.probe)
    const script = join(directory, 'script')
    writeFileSync(script, '#!/no/such/interpreter\n')
    chmodSync(script, 0o755)
    const command = (await subject.agent.exec({ argv: [script] }))._unsafeUnwrap()
    expect(await command.outcome).toMatchObject({
      kind: 'not-started',
      reason: 'not-executable',
      message: expect.stringContaining('/no/such/interpreter'),
    })
  })

  it('survives programs whose headers lie', async () => {
    await using subject = await agentProcessSubject(built.agentAsan, built.probe)
    const honest = readFileSync('/bin/true')
    for (const [offset, value] of [
      [32, 0xfffffffffffffff0n],
      [32, 4090n],
      [56, 0xffffffffffffffffn],
      [64 + 56 + 8, 0xffffffffffffff00n],
      [64 + 56 + 32, 0xffffffffffffff00n],
    ] as const) {
      const lying = Buffer.from(honest)
      lying.writeBigUInt64LE(value, offset)
      // Its interpreter does not exist, so the agent itself reads the headers to say which.
      const at = lying.indexOf('/lib64/ld-linux')
      lying.write('/gone', at)
      const path = join(directory, `lying-${offset}-${value}`)
      writeFileSync(path, lying)
      chmodSync(path, 0o755)
      const command = (await subject.agent.exec({ argv: [path] }))._unsafeUnwrap()
      await Promise.all([collect(command.stdout), collect(command.stderr)])
      expect((await command.outcome).kind).toMatch(/not-started|signalled|exited/)
    }
  })

  it('says that a file without the execute bit, or a directory, is no program', async () => {
    await using subject = await agentProcessSubject(built.agentAsan, built.probe)
    const plain = join(directory, 'plain')
    copyFileSync(built.probe, plain)
    chmodSync(plain, 0o644)
    for (const path of [plain, directory]) {
      const command = (await subject.agent.exec({ argv: [path] }))._unsafeUnwrap()
      expect(await command.outcome).toMatchObject({ kind: 'not-started', reason: 'not-executable' })
    }
  })

  it('leaks no descriptor and no process over many commands', async () => {
    const agentProcess = startAgentProcess(built.agentPlain)
    const agent = (await connectAgent(socketChannel(agentProcess.socket), { clock }))._unsafeUnwrap()
    const descriptors = () => readdirSync(`/proc/${agentProcess.pid}/fd`).length
    const children = () =>
      readFileSync(`/proc/${agentProcess.pid}/task/${agentProcess.pid}/children`, 'utf8').trim()
    const before = descriptors()
    for (const argv of [[built.probe, 'echo', 'x'], ['/missing'], [built.probe, 'cat']]) {
      for (let i = 0; i < 30; i++) {
        const command = (await agent.exec({ argv, stdin: 'open' }))._unsafeUnwrap()
        await command.stdin?.end()
        await Promise.all([collect(command.stdout), collect(command.stderr), command.outcome])
      }
    }
    await expect.poll(children).toBe('')
    expect(descriptors()).toBe(before)
    await agent[Symbol.asyncDispose]()
    expect((await agentProcess.end).code).toBe(0)
  })

  it('leaks no descriptor and no process over terminals and files', async () => {
    const agentProcess = startAgentProcess(built.agentPlain)
    const agent = (await connectAgent(socketChannel(agentProcess.socket), { clock }))._unsafeUnwrap()
    const descriptors = () => readdirSync(`/proc/${agentProcess.pid}/fd`).length
    const children = () =>
      readFileSync(`/proc/${agentProcess.pid}/task/${agentProcess.pid}/children`, 'utf8').trim()
    const before = descriptors()
    const pty = { rows: 24, columns: 80 }
    for (let i = 0; i < 20; i++) {
      const argv = i % 5 === 0 ? ['/missing'] : [built.probe, 'cat']
      const command = (
        await agent.exec({ argv, pty, stdin: i % 2 === 0 ? 'open' : 'closed' })
      )._unsafeUnwrap()
      if (i % 4 === 0) await command.hangUp()
      else await command.stdin?.end()
      await Promise.all([collect(command.stdout), command.outcome])
      const place = { below: directory, path: `leak-${i % 3}` }
      const size = i % 4 === 3 ? 2 : 1
      await agent.putFile(place, {
        size,
        content: (async function* () {
          yield Buffer.from('x')
        })(),
      })
      const file = await agent.getFile(place)
      if (file.isOk()) i % 2 === 0 ? file.value.cancel() : await collect(file.value.content)
    }
    await expect.poll(children).toBe('')
    await expect.poll(descriptors).toBe(before)
    await agent[Symbol.asyncDispose]()
    expect((await agentProcess.end).code).toBe(0)
  })

  it('starts nobody as another user where it is not root itself', async (context) => {
    if (process.getuid?.() !== 0) context.skip('only root can become somebody who is not')
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--']
    const agentProcess = startAgentProcess(built.agentPlain, nobody)
    const agent = (await connectAgent(socketChannel(agentProcess.socket), { clock }))._unsafeUnwrap()
    const user = { uid: 0, gid: 0 }
    const command = (await agent.exec({ argv: ['/bin/true'], user }))._unsafeUnwrap()
    expect(await command.outcome).toMatchObject({ kind: 'not-started', reason: 'bad-user' })
    await agent[Symbol.asyncDispose]()
    expect((await agentProcess.end).code).toBe(0)
  })

  it('leaves a command none of its own groups when it becomes another user', async (context) => {
    if (process.getuid?.() !== 0) context.skip('only root can become somebody who is not')
    const inGroups = ['setpriv', '--groups=4,5', '--']
    await using subject = await agentProcessSubject(built.agentPlain, built.probe, inGroups)
    const say = async (user?: { uid: number; gid: number }) => {
      const command = (await subject.agent.exec({ argv: [built.probe, 'who'], user }))._unsafeUnwrap()
      return String(await collect(command.stdout))
    }
    expect(await say()).toBe('uid=0 gid=0 groups=2\n')
    expect(await say({ uid: 0, gid: 7 })).toBe('uid=0 gid=7 groups=0\n')
  })

  it('waits for no grace that nobody needs', async () => {
    await using subject = await agentProcessSubject(built.agentAsan, built.probe)
    const command = (await subject.agent.exec({ argv: [built.probe, 'wait'] }))._unsafeUnwrap()
    const report = (await subject.agent.shutDown({ graceMs: 600_000 }))._unsafeUnwrap()
    expect(report).toEqual({ asked: 1, killed: 0, unmounted: 0, notUnmounted: 0, synced: true })
    expect(await command.outcome).toMatchObject({ kind: 'signalled', signal: 'SIGTERM' })
  })

  it('answers a volume whose disk never comes, and one that is given up', async () => {
    await using subject = await agentProcessSubject(built.agentAsan, built.probe)
    const volume = { device: 'absent', fileSystem: 'ext4', path: '/data' } as const
    const late = (await subject.agent.mountVolume(volume, { deadlineMs: 300 }))._unsafeUnwrapErr()
    // A machine may have disks that its kernel does not drive.
    expect(late.kind).toMatch(/timed-out|kernel-lacks/)
    expect((await subject.agent.mountVolume(volume, { signal: AbortSignal.timeout(50) })).isErr()).toBe(true)
  })

  it('leaks no descriptor over many calls, and lets everybody call', async () => {
    const agentProcess = startAgentProcess(built.agentPlain)
    const agent = (await connectAgent(socketChannel(agentProcess.socket), { clock }))._unsafeUnwrap()
    ;(
      await agent.offerServices(['echo'], async (call) => {
        if (call.id % 4 === 1) call.reset()
        for await (const chunk of call.incoming) await call.write(chunk).catch(() => {})
        await call.end()
      })
    )._unsafeUnwrap()
    const path = `${agentProcess.services}/echo`
    expect(statSync(path).mode & 0o777).toBe(0o666)
    const descriptors = () => readdirSync(`/proc/${agentProcess.pid}/fd`).length
    const before = descriptors()
    for (let i = 0; i < 40; i++) {
      const socket = createConnection(path).on('error', () => {})
      // Half of them leave without reading what they are answered.
      if (i % 8 < 4) socket.end('x'.repeat(i * 100))
      else socket.destroy()
      await new Promise((resolve) => socket.resume().on('close', resolve))
    }
    await expect.poll(descriptors).toBe(before)
    await agent[Symbol.asyncDispose]()
    expect((await agentProcess.end).code).toBe(0)
  })

  it('does not spin over a caller that went away before anybody read what it sent', async () => {
    const agentProcess = startAgentProcess(built.agentPlain)
    const agent = (await connectAgent(socketChannel(agentProcess.socket), { clock }))._unsafeUnwrap()
    const calls: GuestCall[] = []
    ;(await agent.offerServices(['sink'], (call) => calls.push(call)))._unsafeUnwrap()
    const socket = createConnection(`${agentProcess.services}/sink`)
    socket.end('x'.repeat(1_000))
    await expect.poll(() => calls.length).toBe(1)
    socket.destroy()
    await calls[0]!.readerGone
    /** Clock ticks, of which a second has a hundred. */
    const used = () => {
      const [, , user, system] = /\) (.*)/
        .exec(readFileSync(`/proc/${agentProcess.pid}/stat`, 'utf8'))![1]!
        .split(' ')
        .slice(9)
      return Number(user) + Number(system)
    }
    const before = used()
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(used() - before).toBeLessThan(10)
    expect((await collect(calls[0]!.incoming)).length).toBe(1_000)
    expect(await calls[0]!.closed).toEqual({ kind: 'finished' })
    await agent[Symbol.asyncDispose]()
    expect((await agentProcess.end).code).toBe(0)
  })

  it('answers a mount whose devices never come, and takes the next one', async () => {
    await using subject = await agentProcessSubject(built.agentAsan, built.probe)
    const mount = { image: '0'.repeat(64), devices: ['1'.repeat(64)], paths: [`${'a'.repeat(32)}-x`] }
    const driven = existsSync('/sys/bus/virtio/drivers/virtio_pmem')
    for (let i = 0; i < 2; i++) {
      const error = (await subject.agent.mountStore(mount, { deadlineMs: 1_000 }))._unsafeUnwrapErr()
      expect(error.kind).toBe(driven ? 'timed-out' : 'kernel-lacks')
      expect(error.message).toContain(driven ? mount.image : 'virtio-pmem')
    }
  })

  // The list of processes, the one process of its namespace, what that one has open.
  it.each([
    [0, 'EMFILE'],
    [1, 'EMFILE'],
    [2, 'EMFILE'],
    [3, 'used by 0'],
  ])('with %i files more to open finds of the users of a path: %s', (more, found) => {
    const alone = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc', '--kill-child=KILL', '--']
    const said = execFileSync('unshare', [...alone, built.findUsers, String(more)], {
      timeout: 60_000,
      killSignal: 'SIGKILL',
    })
    expect(said.toString()).toBe(`${found}\n`)
  })
})

describe('a host that breaks the protocol', () => {
  const welcome: Frame = { type: 'welcome', version: protocolVersion.max }
  const exec: Frame<'exec'> = {
    type: 'exec',
    command: 5,
    stdinOpen: 1,
    stdoutCredit: 0,
    stderrCredit: 0,
    rows: 0,
    columns: 0,
    uid: 0xffffffff,
    gid: 0xffffffff,
    cwd: '/',
    // Reads nothing and outlives the test: frames for a command that has ended would be ignored.
    argv: ['/bin/sleep', '60'],
    env: [],
  }
  const bytes = (size: number) => new Uint8Array(size)
  const stdin = (offset: number, size: number): Frame => ({
    type: 'stdin',
    command: 5,
    offset,
    bytes: bytes(size),
  })
  const mount: Frame<'mount'> = {
    type: 'mount',
    request: 9,
    deadlineMs: 1_000,
    image: '0'.repeat(64),
    devices: [],
    names: 2,
  }
  const resize: Frame<'resize'> = { type: 'resize', request: 6, command: 5, rows: 1, columns: 1 }
  const volume: Frame<'mount-volume'> = {
    type: 'mount-volume',
    request: 9,
    deadlineMs: 60_000,
    readOnly: 0,
    serial: 'data',
    fileSystem: 'ext4',
    path: '/data',
  }
  const clockFrame: Frame<'set-clock'> = { type: 'set-clock', request: 9, microseconds: 0 }
  const shutDown: Frame<'shut-down'> = {
    type: 'shut-down',
    request: 9,
    graceMs: 60_000,
    deadlineMs: 60_000,
  }
  const put: Frame<'put-file'> = {
    type: 'put-file',
    stream: 2,
    size: 1,
    mode: 0o644,
    uid: 0xffffffff,
    gid: 0xffffffff,
    below: '/no/such/directory',
    path: 'x',
  }
  const names = (...list: string[]): Frame => ({ type: 'mount-names', request: 9, names: list })
  const store = `${'a'.repeat(32)}-x`
  const offer = (...list: string[]): Frame => ({ type: 'offer-services', request: 9, names: list })
  const toNobody: Frame<'connect'> = { type: 'connect', stream: 2, path: '/nobody/listens' }
  /** Stands for a connect to the server of the test, which accepts and does nothing. */
  const connected = 'connected' as const
  const send = (offset: number, size: number): Frame => ({
    type: 'send',
    stream: 2,
    offset,
    bytes: bytes(size),
  })
  const wholeStreamWindow = Array.from({ length: 40 }, (_, i) =>
    send(i * limits.chunkBytes, limits.chunkBytes),
  )
  const sendEnd = (offset: number): Frame => ({ type: 'send-end', stream: 2, offset })
  const credit = (amount: number): Frame => ({ type: 'receive-credit', stream: 2, credit: amount })
  const stop: Frame = { type: 'receive-stop', stream: 2 }
  let server: Server
  beforeAll(async () => {
    server = createServer((socket) => socket.on('error', () => {}).pause())
    server.listen(join(directory, 'server'))
    await once(server, 'listening')
  })
  afterAll(() => server.close())
  const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

  it.each<[string, (Frame | Buffer | 'connected')[]]>([
    ['asks before the version is settled', [exec]],
    ['settles it twice', [welcome, welcome]],
    ['settles a version that was not offered', [{ type: 'welcome', version: 2 }]],
    ['uses an id again', [welcome, exec, exec]],
    ['uses an id below the last', [welcome, exec, { ...exec, command: 4 }]],
    ['grants credit to no command', [welcome, { type: 'output-credit', command: 5, stream: 1, credit: 1 }]],
    ['kills no command', [welcome, { type: 'kill', command: 5 }]],
    ['grants no stream', [welcome, exec, { type: 'output-credit', command: 5, stream: 3, credit: 1 }]],
    ['grants nothing', [welcome, exec, { type: 'output-credit', command: 5, stream: 1, credit: 0 }]],
    [
      'grants too much',
      [welcome, exec, { type: 'output-credit', command: 5, stream: 1, credit: limits.maxCredit + 1 }],
    ],
    ['skips an offset', [welcome, exec, stdin(1, 1)]],
    // More than the window and a pipe hold together, so it is too much whenever the agent looks.
    ['overruns stdin', [welcome, exec, ...[0, 1, 2, 3, 4].map((at) => stdin(at * 32_768, 32_768))]],
    ['lies about the end', [welcome, exec, { type: 'stdin-end', command: 5, offset: 1 }]],
    ['writes to a closed stdin', [welcome, { ...exec, stdinOpen: 0 }, stdin(0, 1)]],
    ['opens stdin by 2', [welcome, { ...exec, stdinOpen: 2 }]],
    ['sends signal 0', [welcome, exec, { type: 'signal', request: 6, command: 5, signal: 0 }]],
    ['sends signal 65', [welcome, exec, { type: 'signal', request: 6, command: 5, signal: 65 }]],
    ['runs a relative path', [welcome, { ...exec, argv: ['x'] }]],
    ['runs nothing', [welcome, { ...exec, argv: [] }]],
    ['offers no service', [welcome, hex('07000000 a7 09000000 0000')]],
    ['offers a service twice', [welcome, offer('sign', 'sign')]],
    ['offers what is no name', [welcome, offer('../sign')]],
    ['offers an empty name', [welcome, offer('')]],
    ['connects by an id of the unit', [welcome, { ...toNobody, stream: 1 }]],
    ['connects by an id again', [welcome, toNobody, toNobody]],
    ['connects to a relative path', [welcome, { ...toNobody, path: 'x' }]],
    ['connects to no path', [welcome, { ...toNobody, path: '' }]],
    ['sends to no stream', [welcome, send(0, 1)]],
    ['sends to a call that never came', [welcome, { ...send(0, 1), stream: 1 } as Frame]],
    ['sends to stream 0', [welcome, { ...send(0, 1), stream: 0 } as Frame]],
    ['resets no stream', [welcome, { type: 'reset', stream: 2 }]],
    ['skips an offset of a stream', [welcome, connected, send(1, 1)]],
    ['overruns a stream', [welcome, connected, ...wholeStreamWindow, send(limits.streamWindow, 1)]],
    ['sends after the end', [welcome, connected, sendEnd(0), send(0, 1)]],
    ['ends a stream twice', [welcome, connected, sendEnd(0), sendEnd(0)]],
    ['lies about the end of a stream', [welcome, connected, sendEnd(1)]],
    ['grants a stream nothing', [welcome, connected, credit(0)]],
    ['grants a stream too much', [welcome, connected, credit(limits.streamWindow), credit(1)]],
    ['stops a stream twice', [welcome, connected, stop, stop]],
    ['grants what it has stopped', [welcome, connected, stop, credit(1)]],
    ['starts half a terminal', [welcome, { ...exec, rows: 24 }]],
    ['starts half a user', [welcome, { ...exec, uid: 0 }]],
    ['resizes no command', [welcome, resize]],
    ['resizes to nothing', [welcome, exec, { ...resize, rows: 0 }]],
    ['hangs up no command', [welcome, { type: 'hang-up', request: 6, command: 5 }]],
    ['mounts two volumes at once', [welcome, volume, { ...volume, request: 10 }]],
    ['mounts a volume without a serial number', [welcome, { ...volume, serial: '' }]],
    ['mounts a volume by a path', [welcome, { ...volume, serial: '../x' }]],
    ['mounts what is no volume', [welcome, { ...volume, fileSystem: 'proc' }]],
    ['mounts a volume half read-only', [welcome, { ...volume, readOnly: 2 }]],
    ...['/', '/run', '/nix/store', '/a/../nix', '/a/', 'relative', ''].map((path): [string, Frame[]] => [
      `mounts a volume at "${path}"`,
      [welcome, { ...volume, path }],
    ]),
    ['sets the clock to 2019', [welcome, { ...clockFrame, microseconds: limits.clockFromMicroseconds - 1 }]],
    ['sets the clock to 2201', [welcome, { ...clockFrame, microseconds: limits.clockToMicroseconds + 1 }]],
    ['adds 31 bytes of entropy', [welcome, { type: 'add-entropy', request: 9, bytes: bytes(31) }]],
    ['adds no entropy', [welcome, hex('05000000 aa 09000000')]],
    [
      'shuts down after a year',
      [welcome, { ...shutDown, graceMs: limits.shutdownGraceMs + 1, deadlineMs: limits.shutdownDeadlineMs }],
    ],
    ['is off after a year', [welcome, { ...shutDown, deadlineMs: limits.shutdownDeadlineMs + 1 }]],
    ['is off before the grace is over', [welcome, { ...shutDown, deadlineMs: 59_999 }]],
    ['shuts down twice', [welcome, exec, shutDown, { ...shutDown, request: 10 }]],
    ['puts a file by an id of the unit', [welcome, { ...put, stream: 1 }]],
    ['puts a file by an id again', [welcome, put, put]],
    ['puts more than a file holds', [welcome, { ...put, size: limits.fileBytes + 1 }]],
    ['puts a file with a type', [welcome, { ...put, mode: 0o10000 }]],
    ['puts a file of half a user', [welcome, { ...put, gid: 1 }]],
    ['puts a file below no directory', [welcome, { ...put, below: 'relative' }]],
    ['puts an absolute path below a directory', [welcome, { ...put, path: '/x' }]],
    ['gets no file', [welcome, { type: 'get-file', stream: 2, below: '/', path: '' }]],
    ['sends an empty chunk', [welcome, connected, hex('0d000000 b1 02000000 0000000000000000')]],
    ['mounts twice at once', [welcome, mount, mount]],
    ['names more than it announced', [welcome, mount, names(store, store, store)]],
    ['names a path outside the store', [welcome, mount, names(`../${store}`)]],
    ['names what is no store path', [welcome, mount, names('a'.repeat(40))]],
    ['sends a frame of no length', [welcome, hex('00000000')]],
    ['sends a frame that is too long', [welcome, hex('fdff0000')]],
    ['sends a frame of the unit', [welcome, encodeFrame({ type: 'started', command: 1 })]],
    ['sends a byte too many', [welcome, hex('06000000 95 05000000 00')]],
    ['sends a byte too few', [welcome, hex('04000000 95 050000')]],
  ])('is left alone with the unit off when it %s', async (_, frames) => {
    await using agent = startAgentProcess(built.agentAsan)
    // It leaves without reading the rest, and what was on its way comes back as a reset.
    agent.socket.on('error', () => {})
    agent.socket.on('data', () => {})
    for (const each of frames) {
      const frame = each === 'connected' ? { ...toNobody, path: join(directory, 'server') } : each
      agent.socket.write(Buffer.isBuffer(frame) ? frame : encodeFrame(frame))
    }
    const { code, said } = await agent.end
    expect(said).toContain('the host broke the protocol')
    expect(code).toBe(3)
  })

  it('may take back a file that it has sent to the last byte, and it was never there', async () => {
    await using agent = startAgentProcess(built.agentAsan)
    const seen = frameTypes(agent)
    const place = { below: directory, path: 'taken-back' }
    for (const frame of [welcome, { ...put, ...place }, send(0, 1)]) agent.socket.write(encodeFrame(frame))
    await expect
      .poll(() => readdirSync(directory).some((name) => name.startsWith('.spectrum-put-')))
      .toBe(true)
    agent.socket.write(encodeFrame({ type: 'reset', stream: 2 }))
    await expect.poll(() => seen.list).toContain('closed')
    await expect.poll(() => readdirSync(directory).filter((name) => name.includes('put-'))).toEqual([])
    expect(existsSync(join(directory, place.path))).toBe(false)
    agent.socket.write(encodeFrame({ type: 'power-off', request: 7 }))
    expect((await agent.end).code).toBe(0)
  })

  it('may send frames for a command that has just ended', async () => {
    await using agent = startAgentProcess(built.agentAsan)
    const late: Frame[] = [
      stdin(0, 1),
      { type: 'stdin-end', command: 5, offset: 1 },
      { type: 'output-credit', command: 5, stream: 1, credit: 1 },
      { type: 'kill', command: 5 },
      { type: 'signal', request: 6, command: 5, signal: 1 },
      { ...resize, request: 7 },
      { type: 'hang-up', request: 8, command: 5 },
      { type: 'power-off', request: 9 },
    ]
    for (const frame of [welcome, { ...exec, argv: ['/missing'] }]) agent.socket.write(encodeFrame(frame))
    const seen = frameTypes(agent)
    await expect.poll(() => seen.list).toContain('not-started')
    for (const frame of late) agent.socket.write(encodeFrame(frame))
    expect((await agent.end).code).toBe(0)
    expect(seen.list).toEqual(['hello', 'not-started', 'signalled', 'failed', 'failed', 'powering-off'])
  })
})

function frameTypes(agent: AgentProcess): { list: string[] } {
  const seen = { list: [] as string[] }
  const decoder = new FrameDecoder('unit')
  agent.socket.on('data', (chunk: Buffer) => {
    for (const frame of decoder.push(chunk)) seen.list.push(frame.type)
  })
  return seen
}
