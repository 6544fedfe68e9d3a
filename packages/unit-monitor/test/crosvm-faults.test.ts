import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { printArgv } from '@spectrum/crosvm-spec'
import type { PacketSocket, PacketSockets } from '@spectrum/crosvm-spec/control'
import type { HostInspection } from '@spectrum/crosvm-spec/spawn'
import {
  type CrosvmPowers,
  crosvmMachineSpec,
  crosvmMonitor,
  type Machine,
  type MonitorError,
} from '@spectrum/unit-monitor'
import { linuxCrosvmPowers } from '@spectrum/unit-monitor/linux'
import type { Received, UnixFdError } from '@spectrum/unix-fd'
import { err, errAsync, ok, okAsync, ResultAsync } from 'neverthrow'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDescriptors, openedSince } from '../../unix-fd/test/held.js'
import { qemuWorkshop, type Workshop } from './qemu-context.js'
import { stubCrosvm } from './stub-crosvm.js'

/** In the order in which a control socket that answers at once may be believed: the driver removes sockets then. */
const CONNECT = 'const port = await meet(), guest = await console_(); port.on("error", () => {});'
/** What a host must have for crosvm that this one may lack. */
const FURNISHED = { '/dev/kvm': 'device', '/var/empty': 'directory' } as const
const SOCKETS = { console: '/c', control: '/a', port: '/p', vm: '/v' }
const READY = '{"VcpuPidTidResponse":{"pid_tid_map":{"0":[7,8]}}}'

describe('the crosvm driver, when crosvm misbehaves', { timeout: 60_000 }, () => {
  let workshop: Workshop
  let descriptorsBefore: readonly string[]

  beforeEach(() => {
    descriptorsBefore = openDescriptors()
    workshop = qemuWorkshop('/bin/true', '/bin/true')
  })
  afterEach(async () => {
    expect(await workshop.leftovers()).toEqual([])
    await workshop[Symbol.asyncDispose]()
    await expect.poll(() => openedSince(descriptorsBefore)).toEqual([])
  })

  /** This machine's powers on a host that has everything, with a crosvm that answers its control socket so. */
  const powers = (answer: string | undefined): CrosvmPowers => {
    const { probe: _, ...real } = linuxCrosvmPowers(workshop.powers)._unsafeUnwrap()
    const inspect: HostInspection['inspect'] = async (path) =>
      path in FURNISHED
        ? { kind: FURNISHED[path as keyof typeof FURNISHED], readable: true, writable: true }
        : await real.host.inspect(path)
    return { ...real, packets: answering(answer), host: { ...real.host, inspect } }
  }
  const start = async (
    run: string,
    {
      answer,
      deadlineMs = 30_000,
      port,
    }: { answer?: string | undefined; deadlineMs?: number; port?: string } = {
      answer: READY,
    },
  ) => {
    const binary = stubCrosvm(workshop.directory, run, port)
    return crosvmMonitor(powers(answer), { binary }).start(await workshop.machine(), { deadlineMs })
  }
  const failure = async (...given: Parameters<typeof start>): Promise<MonitorError> =>
    (await start(...given))._unsafeUnwrapErr()
  const running = async (run: string, port?: string): Promise<Machine> =>
    (await start(CONNECT + run, { answer: READY, ...(port === undefined ? {} : { port }) }))._unsafeUnwrap()

  /** Lets a stub do something when the test has come as far as that, however long it takes. */
  const signpost = () => {
    const path = join(workshop.directory, 'signpost')
    return {
      condition: (then: string) =>
        `setInterval(() => require('node:fs').existsSync('${path}') && ${then}, 10);`,
      fulfil: () => writeFileSync(path, ''),
    }
  }

  it('says which binary is missing', async () => {
    const monitor = crosvmMonitor(powers(READY), { binary: 'crosvm-of-nobody' })
    const error = (await monitor.start(await workshop.machine()))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'monitor-missing', binary: 'crosvm-of-nobody' })
  })

  it('gives the last lines and the status of one that exits before it connects', async () => {
    const error = await failure(`console.error('no such \\x1b[31moption'); process.exit(35)`)
    expect(error).toMatchObject({
      kind: 'monitor-died',
      status: 'exited with 35',
      lastLines: ['no such \\x1b[31moption'],
    })
  })

  it('gives the status of one that exits after it has connected', async () => {
    const late = `${CONNECT} console.error('late'); setTimeout(() => process.exit(1), 100)`
    expect(await failure(late, { answer: undefined })).toMatchObject({
      kind: 'monitor-died',
      status: 'exited with 1',
      lastLines: ['late'],
    })
  })

  it('waits for one that never connects until the deadline, then kills it', async () => {
    expect(await failure(`console.error('thinking')`, { answer: READY, deadlineMs: 2_000 })).toMatchObject({
      kind: 'timed-out',
      lastLines: ['thinking'],
    })
  })

  it('waits for a control socket that never answers until the deadline', async () => {
    expect((await failure(CONNECT, { answer: undefined, deadlineMs: 1_500 })).kind).toBe('timed-out')
  })

  it.each(['hello', '{}', '[]', '"\\u001b"', '{"VcpuPidTidResponse":{}}'])(
    'refuses a control socket that answers %s',
    async (answer) => {
      const error = await failure(CONNECT, { answer })
      expect(error.kind).toBe('monitor-protocol')
      expect(error.message).not.toMatch(/\p{Cc}/u)
    },
  )

  it.each([
    [0, { kind: 'powered-off' }],
    [1, { kind: 'failed', reason: 'monitor-failed', code: 1 }],
    [32, { kind: 'failed', reason: 'guest-reset', code: 32 }],
    [33, { kind: 'failed', reason: 'monitor-failed', code: 33 }],
    [34, { kind: 'failed', reason: 'guest-panicked', code: 34 }],
    [36, { kind: 'failed', reason: 'monitor-failed', code: 36 }],
  ])('tells from status %i how a machine ended', async (status, exit) => {
    const { condition, fulfil } = signpost()
    await using machine = await running(
      `guest.on('error', () => {}); ${condition(`process.exit(${status})`)}`,
    )
    fulfil()
    expect(await machine.exit).toMatchObject(exit)
  })

  it('ends a machine whose control port has died', async () => {
    const { condition, fulfil } = signpost()
    const dying = `net.createServer().listen(value('--socket-path')); await control(); ${condition('process.exit(3)')}`
    await using machine = await running('', dying)
    fulfil()
    expect(await machine.exit).toMatchObject({ kind: 'signalled', signal: 'SIGKILL' })
  })

  it('kills what crosvm has started, even what has left its process group', async () => {
    const marker = `spectrum-test-${process.pid}`
    const child = `require('node:child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)', '${marker}'], { detached: true, stdio: 'ignore' })`
    const machine = await running(`${child}; guest.write('started\\n')`)
    await expect.poll(() => machine.lastLines().includes('started')).toBe(true)
    await expect.poll(() => processesWith(marker).length).toBeGreaterThan(0)
    await machine[Symbol.asyncDispose]()
    expect(await machine.exit).toEqual({ kind: 'killed' })
    await expect.poll(() => processesWith(marker)).toEqual([])
  })

  it('lists crosvm first and its control port last', async () => {
    await using machine = await running('')
    expect(machine.processes.map(({ role }) => role)).toEqual(['crosvm', 'crosvm control port'])
    for (const { pid } of machine.processes) expect(existsSync(`/proc/${pid}`)).toBe(true)
  })

  it('refuses to extend a running machine, and says what to do instead', async () => {
    await using machine = await running('')
    const error = (await machine.addPmem(await workshop.pmem(2 << 20)))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'unsupported', capability: 'pmemHotplug' })
    expect(error.message).toContain('at the start')
  })

  it('starts nothing where something is in the way of its own socket, and leaves that alone', async () => {
    const description = await workshop.machine()
    const path = join(description.directory, 'vm.sock')
    writeFileSync(path, 'of somebody else')
    const binary = stubCrosvm(workshop.directory, CONNECT)
    const error = (await crosvmMonitor(powers(READY), { binary }).start(description))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'system', code: 'EEXIST' })
    expect(error.message).toContain(path)
    expect(workshop.spawned).toEqual([])
    expect(readdirSync(description.directory)).toEqual(['vm.sock'])
    rmSync(path)
  })

  it.each<[string, string, string, (host: HostInspection) => Partial<HostInspection>]>([
    [
      'an empty directory for the jails',
      '/var/empty',
      'mkdir -p',
      ({ inspect }) => ({ inspect: async (path) => (path === '/var/empty' ? undefined : inspect(path)) }),
    ],
    [
      'user namespaces',
      'user-namespaces',
      'switched off',
      () => ({ whyNoNamespaces: async () => 'they are switched off' }),
    ],
  ])('refuses a host without %s, and says what is missing', async (_, capability, remedy, lacking) => {
    const having = powers(READY)
    const host = { ...having.host, ...lacking(having.host) }
    const monitor = crosvmMonitor({ ...having, host }, { binary: '/bin/true' })
    const error = (await monitor.start(await workshop.machine()))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'unsupported', capability })
    expect(error.message).toContain(remedy)
    expect(workshop.spawned).toEqual([])
  })

  it('refuses a binary that lacks an option before it is started', async () => {
    const lean = { contentHash: '', options: new Set(['initrd', 'socket', 'disable-sandbox']) }
    const probe = { probe: () => okAsync(lean) }
    const monitor = crosvmMonitor({ ...powers(READY), probe }, { binary: '/bin/true' })
    const error = (await monitor.start(await workshop.machine()))._unsafeUnwrapErr()
    expect(error.kind).toBe('unsupported')
    expect(workshop.spawned).toEqual([])
  })

  it('refuses a display that its binary was built without, and one whose socket is not there', async () => {
    const socket = join(workshop.directory, 'w')
    const machine = await workshop.machine({ display: { socket } })
    const absent = await crosvmMonitor(powers(READY), { binary: '/bin/true' }).start(machine)
    expect(absent._unsafeUnwrapErr()).toMatchObject({ kind: 'invalid-description', field: 'display.socket' })
    const server = createServer().listen(socket)
    await once(server, 'listening')
    // All that a machine without a display takes.
    const spec = crosvmMachineSpec(await workshop.machine(), { sockets: SOCKETS })._unsafeUnwrap()
    const options = new Set(printArgv(spec).flatMap((word) => /^--([a-z-]+)/.exec(word)?.[1] ?? []))
    const probe = { probe: () => okAsync({ contentHash: '', options }) }
    const monitor = crosvmMonitor({ ...powers(READY), probe }, { binary: '/bin/true' })
    const error = (await monitor.start(machine))._unsafeUnwrapErr()
    expect(error.kind).toBe('unsupported')
    expect(error.message).toContain('gpu')
    expect(workshop.spawned).toEqual([])
    server.close()
  })

  it('refuses a binary that is no crosvm before it is started', async () => {
    const probe = { probe: () => errAsync({ kind: 'not-crosvm', message: 'give a crosvm' } as const) }
    const monitor = crosvmMonitor({ ...powers(READY), probe }, { binary: '/bin/true' })
    const error = (await monitor.start(await workshop.machine()))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'monitor-missing', binary: '/bin/true' })
    expect(workshop.spawned).toEqual([])
  })
})

/** A control socket that answers everything alike; or nothing, ever. */
function answering(answer: string | undefined): PacketSockets {
  const socket: PacketSocket = {
    send: () => okAsync(undefined),
    receive: ({ signal }) =>
      answer === undefined
        ? new ResultAsync<Received, UnixFdError>(
            new Promise((resolve) => {
              const end = () => resolve(err({ kind: 'aborted', message: 'aborted', sentBytes: 0 }))
              signal.addEventListener('abort', end, { once: true })
            }),
          )
        : okAsync({ kind: 'data', bytes: new TextEncoder().encode(answer), fds: [] }),
    close: () => {},
  }
  return { connect: () => ok(socket) }
}

function processesWith(argument: string): readonly string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^[0-9]+$/.test(name)) return false
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(argument)
    } catch {
      return false
    }
  })
}
