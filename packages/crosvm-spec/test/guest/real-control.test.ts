/**
 * The control client against a real crosvm: its vCPUs stay suspended, so that nothing depends on what this
 * machine's KVM can run. Needs a crosvm (CROSVM or PATH), a KVM that makes virtual machines, and any bzImage
 * (SPECTRUM_KERNEL, or the guest kernel of the set-up).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { liveFds } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import type { Result } from 'neverthrow'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ControlError, CrosvmControl } from '../../src/control.js'
import {
  absentOptions,
  type CrosvmMachine,
  crosvmSpec,
  decodeExit,
  explain,
  parseLogLine,
  printArgv,
} from '../../src/index.js'
import { linuxControlPowers, linuxProbe } from '../../src/linux.js'
import { findCrosvm } from '../crosvm-binary.js'
import { spawningParent } from '../spawning-parent.js'

const crosvm = findCrosvm()
const kernel = findKernel()
const kvm = usable('/dev/kvm')
const missing = [
  ...(crosvm === undefined ? ['a crosvm in CROSVM or on PATH'] : []),
  ...(kernel === undefined ? ['a kernel in SPECTRUM_KERNEL'] : []),
  ...(kvm ? [] : ['/dev/kvm']),
]

function usable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

function findKernel(): string | undefined {
  const named = process.env['SPECTRUM_KERNEL']
  if (named) return named
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const boot = join(cache, 'spectrum/guest-kernel/current/boot')
  const [found] = existsSync(boot) ? readdirSync(boot).filter((name) => name.startsWith('vmlinuz')) : []
  return found === undefined ? undefined : join(boot, found)
}

const powers = linuxControlPowers()._unsafeUnwrap()
const sockets = unixFd()._unsafeUnwrap()
let directory: string
let child: ChildProcess | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'crosvm-real-'))
})

afterEach(async () => {
  if (child && child.exitCode === null && child.signalCode === null) {
    // Its own group: jailed children are not tied to their parent.
    process.kill(-child.pid!, 'SIGKILL')
    await once(child, 'exit')
  }
  rmSync(directory, { recursive: true })
  expect(liveFds()).toBe(0)
})

/** The processes of a group, the leader first, with what confines each. */
function groupOf(leader: number) {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        // A zombie has ended; it only waits to be counted by its parent.
        if (Number(fields[2]) !== leader || fields[0] === 'Z') return []
        const seccomp = /^Seccomp:\s*([0-9])/m.exec(readFileSync(`/proc/${name}/status`, 'latin1'))?.[1]
        return [
          {
            pid: Number(name),
            seccomp,
            name: readFileSync(`/proc/${name}/comm`, 'latin1').trim(),
            userNamespace: readlinkSync(`/proc/${name}/ns/user`),
          },
        ]
      } catch {
        // It ended meanwhile.
        return []
      }
    })
    .sort((a, b) => a.pid - b.pid)
}

/** Shows the error where there is one. */
function done(result: Result<void, ControlError>): void {
  expect(result.isErr() ? result.error : undefined).toBeUndefined()
}

const title =
  missing.length > 0 ? `a real crosvm (skipped: it needs ${missing.join(', and ')})` : 'a real crosvm'
describe.skipIf(missing.length > 0)(title, () => {
  test.each(['jailed', 'disabled'] as const)(
    'with the sandbox %s is started from a machine, answers every request that fits, and exits',
    async (kind) => {
      const disk = join(directory, 'disk')
      const blob = join(directory, 'blob')
      const empty = join(directory, 'empty')
      writeFileSync(disk, Buffer.alloc(1 << 20))
      writeFileSync(blob, Buffer.alloc(2 << 20))
      mkdirSync(empty)
      const machine: CrosvmMachine = {
        architecture: 'x86_64',
        boot: { kind: 'kernel', path: kernel! },
        socket: join(directory, 'control'),
        memoryMib: 128,
        cpus: { count: 2 },
        usb: false,
        block: [{ path: disk }],
        pmem: [{ path: blob, readOnly: true }],
        serial: [{ type: 'sink', console: true }],
        start: { kind: 'suspended-vcpus' },
        sandbox: kind === 'jailed' ? { kind, pivotRoot: empty } : { kind },
      }
      const spec = crosvmSpec(machine)._unsafeUnwrap()
      const help = (await linuxProbe().probe(crosvm!, AbortSignal.timeout(20_000)))._unsafeUnwrap()
      expect(absentOptions(spec, help)).toEqual([])
      child = spawn(crosvm!, printArgv(spec), {
        detached: true,
        env: {},
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let stderr = ''
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        stderr += text
      })
      const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>

      using control = new CrosvmControl(powers, { spec })
      const gone = new AbortController()
      void ended.then(() => gone.abort())
      const threads = await control.ready({ timeoutMs: 20_000, signal: gone.signal })
      expect(threads.isErr() ? stderr : '').toBe('')
      expect(threads._unsafeUnwrap().map(({ vcpu, pid }) => ({ vcpu, pid }))).toEqual([
        { vcpu: 0, pid: child.pid },
        { vcpu: 1, pid: child.pid },
      ])
      // No guest runs, so no balloon driver is there to answer.
      expect((await control.balloonStats())._unsafeUnwrapErr()).toMatchObject({
        kind: 'refused',
        code: 'ENOTCONN',
      })
      done(await control.pressPowerButton())
      done(await control.throttle(0, 1))
      done(await control.suspend())
      const snapshot = join(directory, 'snapshot')
      done(await control.takeSnapshot(snapshot))
      expect(existsSync(snapshot)).toBe(true)
      done(await control.resume())

      const vm = (await control.vmDescriptor())._unsafeUnwrap()
      expect(vm.hypervisor).toBe('Kvm')
      vm.fd.close()
      using memory = sockets.createMemfd('shared')._unsafeUnwrap()
      memory.write(Buffer.alloc(4096))._unsafeUnwrap()
      const start = 1n << 36n
      const region = await control.registerMemory(memory.fd, { offset: 0n, start, end: start + 4096n })
      done(await control.unregisterMemory(region._unsafeUnwrap()))
      const again = (await control.unregisterMemory(region._unsafeUnwrap()))._unsafeUnwrapErr()
      expect(again.kind).toBe('refused')

      done(await control.exit())
      const [code, signal] = await ended
      expect({
        signal,
        end: decodeExit({ kind: 'exited', code: code! }),
        stderr: code === 0 ? '' : stderr,
      }).toEqual({
        signal: null,
        end: { kind: 'stopped' },
        stderr: '',
      })
      const records = stderr.split('\n').map(parseLogLine)
      expect(records.some((line) => line.kind === 'record' && line.level === 'info')).toBe(true)
    },
  )

  test.each(['jailed', 'disabled'] as const)(
    'with the sandbox %s runs exactly the processes that the explanation names, each confined as it says',
    async (kind) => {
      const file = (name: string, bytes: number) => {
        writeFileSync(join(directory, name), Buffer.alloc(bytes))
        return join(directory, name)
      }
      const made = (name: string) => {
        mkdirSync(join(directory, name))
        return join(directory, name)
      }
      const spec = crosvmSpec({
        architecture: 'x86_64',
        boot: { kind: 'kernel', path: kernel! },
        socket: join(directory, 'control'),
        block: [{ path: file('disk', 1 << 20) }],
        scsi: [{ path: file('scsi', 1 << 20) }],
        pmemExt2: [{ path: made('tree') }],
        sharedDirectories: [
          { type: 'fs', path: made('fs'), tag: 'a,b' },
          { type: 'p9', path: made('p9'), tag: 'nine' },
        ],
        serial: [
          { type: 'sink', console: true },
          { type: 'sink', hardware: 'virtio-console', num: 1, name: 'control' },
        ],
        battery: 'goldfish',
        fwCfg: [{ name: 'opt/x', string: 'y' }],
        start: { kind: 'suspended-vcpus' },
        sandbox: kind === 'jailed' ? { kind, pivotRoot: made('empty') } : { kind },
      })._unsafeUnwrap()
      child = spawn(crosvm!, printArgv(spec), {
        detached: true,
        env: {},
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      let stderr = ''
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        stderr += text
      })
      const gone = new AbortController()
      child.once('close', () => gone.abort())
      using control = new CrosvmControl(powers, { spec })
      const ready = await control.ready({ timeoutMs: 20_000, signal: gone.signal })
      expect(ready.isErr() ? stderr : '').toBe('')

      // What builds the ext2 image ends about now.
      await expect.poll(() => groupOf(child!.pid!).filter(({ name }) => name === 'mkfs process')).toEqual([])
      const [main, ...devices] = groupOf(child.pid!)
      const explained = explain(spec).devices.filter((device) => !device.device.endsWith('builder'))
      const own = explained.filter((device) => device.process === 'own')
      const names = {
        explained: own.map((device) => device.device),
        running: devices.map((device) => device.name),
      }
      expect({ count: devices.length, names }).toEqual({ count: own.length, names })
      expect(devices.every((device) => device.seccomp === (kind === 'jailed' ? '2' : '0'))).toBe(true)
      const isolated = devices.filter((device) => device.userNamespace !== main!.userNamespace).length
      expect(isolated).toBe(own.filter((device) => device.jail?.userNamespace).length)

      expect((await control.listUsb())._unsafeUnwrap()).toEqual([])
      expect((await control.detachUsb(3))._unsafeUnwrapErr().kind).toBe('refused')
      done(await control.exit())
    },
  )

  test('dies with the program that started it, its jailed devices too', async () => {
    const empty = join(directory, 'empty')
    mkdirSync(empty)
    const { parent, pid } = await spawningParent(crosvm!, {
      architecture: 'x86_64',
      boot: { kind: 'kernel', path: kernel! },
      socket: join(directory, 'control'),
      start: { kind: 'suspended-vcpus' },
      sandbox: { kind: 'jailed', pivotRoot: empty },
    })
    expect(groupOf(pid).length).toBeGreaterThan(4)
    parent.kill('SIGKILL')
    await expect.poll(() => groupOf(pid)).toEqual([])
  })
})
