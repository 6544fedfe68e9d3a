/**
 * A real crosvm under a KVM that works, controlled by every method of its control socket. On any x86-64 machine:
 *
 *     npm run lab -- x86_64 --timeout 1500 --env CROSVM=/path/to/crosvm -- \
 *       node node_modules/vitest/vitest.mjs run --config .vitest.config.ts --project long packages/crosvm-spec
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Fd, liveFds } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import type { Result } from 'neverthrow'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ControlError, type CrosvmControl, FsAllowList } from '../../src/control.js'
import { type CrosvmMachine, crosvmSpec, explain, type LogLine } from '../../src/index.js'
import { linuxSpawnPowers } from '../../src/linux.js'
import { type RunningCrosvm, spawnCrosvm } from '../../src/spawn.js'
import { findCrosvm } from '../crosvm-binary.js'
import { capability, openFiles, pciDevices, processesOf, securityKey } from './lab-host.js'
import { buildObedientInitramfs, Guest } from './obedient-guest.js'

const crosvm = findCrosvm()
const { SPECTRUM_LAB: lab, SPECTRUM_KERNEL: image, SPECTRUM_KERNEL_MODULES: modules } = process.env
const missing = [
  ...(crosvm === undefined ? ['a crosvm in CROSVM or on PATH'] : []),
  // What it does to the machine (taps, input devices, modules) only a lab forgives.
  ...(lab === 'x86_64' && image && modules ? [] : ['the x86-64 lab']),
]
const title = `a real crosvm in the lab${missing.length > 0 ? ` (skipped: it needs ${missing.join(', and ')})` : ''}`

/** A guest under an emulated KVM takes its time, and everything else does too. */
const PATIENCE_MS = 120_000

describe.skipIf(missing.length > 0)(title, () => {
  const powers = missing.length > 0 ? undefined! : linuxSpawnPowers()._unsafeUnwrap()
  const sockets = missing.length > 0 ? undefined! : unixFd()._unsafeUnwrap()
  let prepared = ''
  let directory = ''
  let initramfs = ''
  const open: { close(): Promise<unknown> | unknown }[] = []

  beforeAll(() => {
    prepared = mkdtempSync(join(tmpdir(), 'crosvm-lab-'))
    initramfs = buildObedientInitramfs({ image: image!, modules: modules! }, prepared)
  })
  afterAll(() => rmSync(prepared, { recursive: true, force: true }))
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'crosvm-lab-'))
    mkdirSync(join(directory, 'empty'))
  })
  afterEach(async () => {
    for (const item of open.splice(0).reverse()) await item.close()
    rmSync(directory, { recursive: true, force: true })
    expect(liveFds()).toBe(0)
  })

  const file = (name: string, bytes: number) => {
    writeFileSync(join(directory, name), Buffer.alloc(bytes))
    return join(directory, name)
  }

  /** Only what the guest needs: no random numbers, no keyboard controller, no clock, and no balloon unasked. */
  function describeMachine(rest: Partial<CrosvmMachine>): CrosvmMachine {
    return {
      architecture: 'x86_64',
      boot: { kind: 'kernel', path: image! },
      initrd: initramfs,
      params: ['quiet', 'panic=-1', 'mitigations=off', 'nowatchdog', 'cryptomgr.notests'],
      memoryMib: 256,
      usb: false,
      rng: false,
      i8042: false,
      rtc: false,
      balloon: { kind: 'absent' },
      serial: [
        { type: 'file', path: file('console', 0), console: true },
        {
          type: 'unix-stream',
          path: join(directory, 'guest'),
          hardware: 'virtio-console',
          inputUnixStream: true,
        },
      ],
      sandbox: { kind: 'jailed', pivotRoot: join(directory, 'empty') },
      socket: join(directory, 'control'),
      ...rest,
    }
  }

  interface Unit {
    readonly machine: RunningCrosvm
    readonly control: CrosvmControl
    readonly guest: Guest
    readonly spec: ReturnType<typeof spec>
    readonly log: LogLine[]
  }
  const spec = (machine: CrosvmMachine) => crosvmSpec(machine)._unsafeUnwrap()

  async function boot(rest: Partial<CrosvmMachine>, resumes = false): Promise<Unit> {
    const guest = new Guest(join(directory, 'guest'))
    open.push({ close: () => guest[Symbol.dispose]() })
    const made = spec(describeMachine(rest))
    const log: LogLine[] = []
    const spawned = await spawnCrosvm(made, powers, {
      binary: crosvm!,
      onLog: (line) => log.push(line),
      timeoutMs: PATIENCE_MS,
    })
    if (spawned.isErr())
      throw new Error(`${spawned.error.message}\n${log.map((line) => line.message).join('\n')}`)
    const machine = spawned.value
    open.push({ close: () => machine.kill() })
    if (!resumes) {
      const console = () => readFileSync(join(directory, 'console'), 'latin1').slice(-2000)
      await within(
        guest.ready(),
        () =>
          `the guest was not ready; its console said:\n${console()}\nand crosvm:\n${log.map((line) => line.message).join('\n')}`,
      )
    }
    return { machine, control: machine.control!, guest, spec: made, log }
  }

  async function within<T>(promise: Promise<T>, why: () => string): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(why())), PATIENCE_MS)
    })
    return Promise.race([promise, late]).finally(() => clearTimeout(timer))
  }

  const done = (result: Result<unknown, ControlError>) =>
    expect(result.isErr() ? result.error : undefined).toBeUndefined()
  const value = <T>(result: Result<T, ControlError>): T =>
    result.match(
      (held) => held,
      (error) => {
        throw new Error(error.message)
      },
    )
  const refusal = (result: Result<unknown, ControlError>) => result._unsafeUnwrapErr().kind
  const patient = { timeoutMs: PATIENCE_MS }
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  const eventually = (value: () => unknown) => expect.poll(value, { timeout: PATIENCE_MS, interval: 100 })

  /** `     2  EN     enabled      unmasked`: how often a fixed event of ACPI was seen. */
  const acpiCount = async (guest: Guest, event: string) =>
    Number.parseInt(await guest.text(`/sys/firmware/acpi/interrupts/${event}`), 10)

  test('boots sandboxed with only the devices it needs, each in the process and jail that the explanation names', async () => {
    const { machine, guest, spec } = await boot({ block: [{ path: file('disk', 1 << 20) }] })
    expect(await guest.text('/proc/1/comm')).toBe('init')
    expect((await guest.ask('list /sys/block')).split(' ')).toContain('vda')
    const own = explain(spec).devices.filter((device) => device.process === 'own')
    const jailed = processesOf(machine.pid).filter((one) => one.pid !== machine.pid)
    expect(jailed.map((one) => one.name).sort()).toHaveLength(own.length)
    for (const { pid } of jailed) {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1')
      expect(status).toMatch(/^Seccomp:\s+2$/m)
      expect(status).toMatch(/^CapEff:\s+0{16}$/m)
      expect(readlinkSync(`/proc/${pid}/ns/user`)).not.toBe(readlinkSync('/proc/self/ns/user'))
    }
    // Of the host's files it holds what the explanation names, and nothing else of this directory.
    const held = new Set(jailed.concat(processesOf(machine.pid)).flatMap(({ pid }) => openFiles(pid)))
    const explained = [...explain(spec).hostPaths, ...explain(spec).hostSockets]
    for (const path of held) if (path.startsWith(directory)) expect(explained).toContain(path)
    expect([...held]).toContain(join(directory, 'disk'))
    expect((await machine.stop()).exit.kind).toBe('stopped')
    expect(existsSync(join(directory, 'control'))).toBe(false)
    expect(processesOf(machine.pid)).toEqual([])
  })

  test('suspends and resumes its vCPUs', async () => {
    const { control, guest } = await boot({ block: [{ path: file('disk', 1 << 20) }] })
    expect(await guest.ask('count')).toBe('1')
    done(await control.suspendVcpus(patient))
    let answered = false
    const asked = guest.ask('count').then((count) => {
      answered = true
      return count
    })
    await pause(2_000)
    expect(answered).toBe(false)
    done(await control.resumeVcpus(patient))
    expect(await within(asked, () => 'the guest did not go on')).toBe('2')
  })

  test('suspends and resumes its devices, too, and the guest does not notice the time', async () => {
    const { control, guest } = await boot({ block: [{ path: file('disk', 1 << 20) }] })
    const asleepMs = 20_000
    const before = Number(await guest.ask('time'))
    done(await control.suspend(patient))
    await pause(asleepMs)
    done(await control.resume(patient))
    const after = Number(await within(guest.ask('time'), () => 'the guest did not go on'))
    expect(after).toBeGreaterThan(before)
    expect(after - before).toBeLessThan(asleepMs / 1000)
  })

  test('does not let vCPUs run while the devices sleep', async () => {
    const { control, guest } = await boot({})
    done(await control.suspend(patient))
    const early = (await control.resumeVcpus(patient))._unsafeUnwrapErr()
    expect(early).toMatchObject({ kind: 'refused', code: 'EINVAL' })
    done(await control.resume(patient))
    expect(await guest.ask('count')).toBe('1')
  })

  test('presses buttons and raises events of ACPI, which the guest counts', async () => {
    const { control, guest } = await boot({ pciHotplugSlots: 1 })
    for (const [press, event] of [
      [() => control.pressPowerButton(), 'ff_pwr_btn'],
      [() => control.pressSleepButton(), 'ff_slp_btn'],
    ] as const) {
      const before = await acpiCount(guest, event)
      done(await press())
      await eventually(() => acpiCount(guest, event)).toBe(before + 1)
    }
    // The registers themselves, where no driver of the guest takes the event. FADT: X_PM1a at 56, GPE0 at 80.
    const fadt = Buffer.from(await guest.ask('read /sys/firmware/acpi/tables/FACP 0 276'), 'hex')
    const pm1 = fadt.readUInt32LE(56)
    const gpe0 = fadt.readUInt32LE(80)
    const status = async () => (Number(await guest.ask(`in ${gpe0}`)) >> 3) & 1
    const clear = () => guest.ask(`out ${gpe0} 8`)
    expect(await status()).toBe(0)
    done(await control.raiseGpe(3))
    expect(await status()).toBe(1)
    await clear()
    expect(await status()).toBe(0)

    const touch = async () => {
      // The guest switches an event on or off: crosvm then looks at what is still pending.
      await guest.ask(`out ${gpe0 + fadt.readUInt8(92) / 2} 1`)
      await guest.ask(`out ${gpe0 + fadt.readUInt8(92) / 2} 0`)
    }
    using gpeCleared = sockets.createEventFd()._unsafeUnwrap()
    done(await control.raiseGpe(3, gpeCleared.fd))
    await clear()
    await touch()
    // Still asserted, until its owner says that the cause is gone.
    expect(await status()).toBe(1)
    gpeCleared.signal()
    await clear()
    await touch()
    expect(await status()).toBe(0)

    using rtcCleared = sockets.createEventFd()._unsafeUnwrap()
    const rtc = async () => (Number(await guest.ask(`in16 ${pm1}`)) >> 10) & 1
    rtcCleared.signal()
    await guest.ask(`out16 ${pm1} 0x400`)
    done(await control.raiseRtc(rtcCleared.fd))
    expect(await rtc()).toBe(1)

    // The root port of the empty slot notes who asked.
    const ports = (await pciDevices(guest)).filter(({ config }) => config.readUInt8(0x0e) === 1)
    const requester = (ports[0]!.config.readUInt8(0x19) << 8) | 0x08
    const noted = async () =>
      (await pciDevices(guest)).map(({ config }) => {
        const express = capability(config, 0x10)
        return express > 0 ? config.readUInt32LE(express + 0x20) & 0xffff : 0
      })
    done(await control.raisePciPme(requester))
    await eventually(noted).toContain(requester)
  })

  test('moves its balloon, and tells what the guest has', async () => {
    const { control, guest } = await boot({ memoryMib: 512, balloon: { kind: 'present' } })
    // MemTotal stays: crosvm offers deflation on demand, so Linux counts the balloon as memory in use.
    const freeKib = async () => Number(/^MemFree:\s+(\d+) kB/m.exec(await guest.text('/proc/meminfo'))![1])
    await eventually(async () => (await control.balloonStats(patient)).isOk()).toBe(true)
    const before = await freeKib()
    const idle = (await control.balloonStats(patient))._unsafeUnwrap()
    expect(idle.balloonBytes).toBe(0n)
    expect(Number(idle.stats.free_memory) / 1024).toBeGreaterThan(before * 0.9)
    expect(Number(idle.stats.total_memory)).toBeGreaterThan(400 << 20)
    done(await control.adjustBalloon(64n << 20n, { ...patient, wait: true }))
    const inflated = (await control.balloonStats(patient))._unsafeUnwrap()
    expect(inflated.balloonBytes).toBe(64n << 20n)
    expect(before - (await freeKib())).toBeGreaterThan(56 * 1024)
    done(await control.adjustBalloon(0n, patient))
    await eventually(freeKib).toBeGreaterThan(before - 8 * 1024)
    expect(refusal(await control.balloonWorkingSet())).toBe('unsupported')
    // More than the guest can give back is never reached, and never answered.
    expect(refusal(await control.adjustBalloon(512n << 20n, { wait: true, timeoutMs: 5_000 }))).toBe(
      'no-reply',
    )
    done(await control.adjustBalloon(0n, patient))
    await eventually(freeKib).toBeGreaterThan(before - 8 * 1024)
  })

  test('resizes a disk under the driver of the guest', async () => {
    const disk = file('disk', 1 << 20)
    const { control, guest } = await boot({ block: [{ path: disk }] })
    expect(await guest.text('/sys/block/vda/size')).toBe('2048')
    truncateSync(disk, 4 << 20)
    done(await control.resizeDisk(0, 4n << 20n, patient))
    await eventually(() => guest.text('/sys/block/vda/size')).toBe('8192')
    expect(refusal(await control.resizeDisk(1, 1n))).toBe('invalid-argument')
  })

  test('shares memory with the guest at an address of its own choice, both ways', async () => {
    const { control, guest } = await boot({})
    using memory = sockets.createMemfd('shared', { size: 8192 })._unsafeUnwrap()
    const page = Buffer.alloc(8192)
    page.write('from the host', 4096)
    memory.write(page)._unsafeUnwrap()
    const start = 1n << 36n
    const range = { offset: 4096n, start, end: start + 4096n }
    const region = (await control.registerMemory(memory.fd, range, patient))._unsafeUnwrap()
    const seen = Buffer.from(await guest.ask(`peek ${start} 16`), 'hex')
    expect(seen.toString('latin1', 0, 13)).toBe('from the host')
    await guest.ask(`poke ${start + 64n} 0x21646e61`)
    const back = Buffer.alloc(4)
    const copy = openSync(`/proc/self/fd/${memory.fd.number}`, 'r')
    readSync(copy, back, 0, 4, 4096 + 64)
    closeSync(copy)
    expect(back.toString()).toBe('and!')
    done(await control.unregisterMemory(region, patient))
    // Nothing is there any more: crosvm answers reads of nothing with zeros.
    expect(await guest.ask(`peek ${start} 4`)).toBe('00000000')
    expect(refusal(await control.unregisterMemory(region))).toBe('refused')
  })

  test('hands out its VM, names its vCPU threads, throttles one and makes it real-time', async () => {
    const { machine, control, guest, log } = await boot({
      cpus: { count: 2 },
      rtCpus: [[0, 1]],
      delayRt: true,
    })
    const threads = (await control.vcpuThreads())._unsafeUnwrap()
    expect(threads.map(({ vcpu, pid }) => [vcpu, pid])).toEqual([
      [0, machine.pid],
      [1, machine.pid],
    ])
    for (const { tid } of threads)
      expect(readFileSync(`/proc/${machine.pid}/task/${tid}/comm`, 'latin1')).toMatch(/^crosvm_vcpu/)
    const vm = (await control.vmDescriptor())._unsafeUnwrap()
    expect(vm.hypervisor).toBe('Kvm')
    expect(readlinkSync(`/proc/self/fd/${vm.fd.number}`)).toBe('anon_inode:kvm-vm')
    vm.fd.close()

    const usedTicks = (tid: number) => {
      const stat = readFileSync(`/proc/${machine.pid}/task/${tid}/stat`, 'latin1')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[11])
    }
    // A throttled vCPU spins on the host's time and the guest stands still: user time that an idle guest never uses.
    const second = threads[1]!
    const before = usedTicks(second.tid)
    done(await control.throttle(1, 2_000_000))
    await eventually(() => usedTicks(second.tid) - before).toBeGreaterThan(100)
    await guest.ask('count')

    done(await control.makeRealTime())
    await eventually(() => log.filter((line) => /Making vcpu \d RT/.test(line.message)).length).toBe(2)
    const policy = ({ tid }: { tid: number }) => {
      const stat = readFileSync(`/proc/${machine.pid}/task/${tid}/stat`, 'latin1')
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38]
    }
    const failed = log.some((line) => line.message.includes('Failed to set vcpu to real time'))
    // 2 is SCHED_RR. Sandboxed, crosvm has dropped what it takes, unless its limit was raised before.
    expect(threads.map(policy)).toEqual(failed ? ['0', '0'] : ['2', '2'])
  })

  test('plugs a tap in and out, and goes on', async () => {
    execFileSync('modprobe', ['tun'])
    execFileSync('ip', ['tuntap', 'add', 'dev', 'lab0', 'mode', 'tap', 'user', 'root', 'vnet_hdr'])
    open.push({ close: () => execFileSync('ip', ['tuntap', 'del', 'dev', 'lab0', 'mode', 'tap']) })
    const { control, guest, machine, log } = await boot({ pciHotplugSlots: 1 })
    const devices = async () => (await guest.ask('list /sys/bus/pci/devices')).split(' ').length
    const before = await devices()
    const bus = value(await control.addTap('lab0', patient))
    await eventually(devices).toBe(before + 1)
    expect(processesOf(machine.pid).filter(({ name }) => name.includes('net'))).toHaveLength(1)
    done(await control.removeTap(bus, patient))
    await eventually(devices).toBe(before)
    await pause(5_000)
    const goesOn = await control.vcpuThreads(patient)
    expect(goesOn.isErr() ? log.map((line) => line.message).slice(-8) : []).toEqual([])
  })

  test('says no to a bus and a VFIO device that are not there, and goes on', async () => {
    const { control, log } = await boot({ pciHotplugSlots: 1 })
    const device = '/sys/bus/pci/devices/0000:ff:1f.7'
    const asked = [
      ['plug', () => control.plugVfio(device, patient)],
      ['unplug', () => control.unplugVfio(device, patient)],
      ['remove', () => control.removeTap(99, patient)],
      ['vcpus', () => control.vcpuThreads(patient)],
    ] as const
    for (const [name, ask] of asked) {
      const answer = await ask()
      const why = answer.isErr() ? answer.error.kind : 'ok'
      const expected = name === 'vcpus' ? 'ok' : 'refused'
      const said = why === expected ? [] : log.map((line) => line.message).slice(-8)
      expect({ name, why, said }).toEqual({ name, why: expected, said: [] })
    }
  })

  test('loses a machine that is told to plug a tap that is not there, and says what died', async () => {
    const { control, machine, log } = await boot({ pciHotplugSlots: 1 })
    const plugged = await control.addTap('nosuch', patient)
    expect(['refused', 'disconnected']).toContain(refusal(plugged))
    // The process that would have jailed the new device has ended, and crosvm with it.
    const end = await within(machine.ended, () => log.map((line) => line.message).join('\n'))
    expect(end).toMatchObject({ exit: { kind: 'crashed' }, deadChild: { signal: undefined, status: 0 } })
  })

  test('takes the descriptors of USB devices and security keys, and says what it makes of them', async () => {
    using key = await securityKey()
    const { control } = await boot({ usb: undefined })
    expect((await control.listUsb(patient))._unsafeUnwrap()).toEqual([])
    expect((await control.detachUsb(3, patient))._unsafeUnwrapErr()).toMatchObject({ kind: 'refused' })
    using device = openFd(key.path, 'r+')
    // crosvm takes the key for one, and has no port for it: this guest's kernel drives no USB controller.
    const attached = (await control.attachSecurityKey(device, patient))._unsafeUnwrapErr()
    expect(attached).toMatchObject({ kind: 'refused', message: expect.stringContaining('NoAvailablePort') })
    // And still it is listed, and cannot be taken out.
    const [listed] = (await control.listUsb(patient))._unsafeUnwrap()
    expect(listed).toMatchObject({ port: 1, vendorId: 0x18d1 })
    const detached = (await control.detachUsb(1, patient))._unsafeUnwrapErr()
    expect(detached).toMatchObject({ kind: 'refused', message: expect.stringContaining('NoSuchDevice') })
    using noDevice = sockets.createMemfd('no device')._unsafeUnwrap()
    const noKey = (await control.attachSecurityKey(noDevice.fd, patient))._unsafeUnwrapErr()
    expect(noKey).toMatchObject({ kind: 'refused', message: expect.stringContaining('NoSuchDevice') })
    expect(refusal(await control.attachUsb(noDevice.fd, patient))).toBe('refused')
    expect(refusal(await control.suspend())).toBe('unsupported')
  })

  test('changes the battery that the guest reads', async () => {
    const { control, guest } = await boot({ battery: 'goldfish' })
    const dsdt = Buffer.from(await guestBytes(guest, '/sys/firmware/acpi/tables/DSDT'))
    // Memory32Fixed, read-write, right after the name of the device.
    const descriptor = dsdt.indexOf(Buffer.from([0x86, 9, 0, 1]), dsdt.indexOf('GFBY'))
    const base = dsdt.readUInt32LE(descriptor + 4)
    const register = async (offset: number) =>
      Buffer.from(await guest.ask(`peek ${base + offset} 4`), 'hex').readUInt32LE()
    // Before a driver has switched its interrupts on, nobody answers: this is what that driver does.
    await guest.ask(`poke ${base + 4} 3`)
    for (const [change, offset, value] of [
      [{ kind: 'capacity', percent: 37 }, 0x18, 37],
      [{ kind: 'status', status: 'DisCharging' }, 0x0c, 2],
      [{ kind: 'health', health: 'Overheat' }, 0x10, 2],
      [{ kind: 'present', present: false }, 0x14, 0],
      [{ kind: 'ac-online', online: false }, 0x08, 0],
      [{ kind: 'fake-capacity', percent: 20 }, 0x18, 20],
      [{ kind: 'cancel-fake' }, 0x18, 37],
    ] as const) {
      done(await control.changeBattery(change, patient))
      expect({ change, value: await register(offset) }).toEqual({ change, value })
    }
  })

  test('takes a snapshot, from which another machine goes on', async () => {
    const rest = { block: [{ path: file('disk', 1 << 20) }] }
    const snapshot = join(directory, 'snapshot')
    const first = await boot(rest)
    const counted = Number(await first.guest.ask('count'))
    done(await first.control.takeSnapshot(snapshot, patient))
    expect(readdirSync(snapshot).length).toBeGreaterThan(0)
    expect(Number(await first.guest.ask('count'))).toBe(counted + 1)
    // Nothing is overwritten.
    expect(refusal(await first.control.takeSnapshot(snapshot, patient))).toBe('refused')
    expect((await first.machine.stop()).exit.kind).toBe('stopped')
    first.guest[Symbol.dispose]()
    const second = await boot({ ...rest, restore: snapshot }, true)
    expect(Number(await within(second.guest.ask('count'), () => 'the restored guest is silent'))).toBe(
      counted + 1,
    )
  })

  test('grants a running guest a directory of a file server, and takes it back', async () => {
    const path = (name: string) => join(directory, name)
    for (const name of ['kept', 'other']) {
      mkdirSync(path(`share/${name}`), { recursive: true })
      writeFileSync(path(`share/${name}/file`), 'granted')
    }
    const sockets = [`--socket-path=${path('fs')}`, `--allowlist-socket-path=${path('allow')}`]
    const share = [`--shared-dir=${path('share')}`, '--tag=t', '--cfg=timeout=0', '--disable-sandbox']
    const server = spawn(crosvm!, ['device', 'fs', ...sockets, ...share], { stdio: 'ignore', env: {} })
    open.push({ close: () => server.kill('SIGKILL') })
    await eventually(() => existsSync(path('fs')) && existsSync(path('allow'))).toBe(true)
    const { guest } = await boot({ vhostUser: [{ type: 'fs', socket: path('fs') }] })
    using list = new FsAllowList(powers, { path: path('allow'), timeoutMs: PATIENCE_MS })
    await guest.ask('mount t')
    const seen = (name: string) =>
      guest.ask(`read /share/${name}/file 0 100`).then(
        (hex) => Buffer.from(hex, 'hex').toString(),
        () => 'refused',
      )
    expect([await seen('kept'), await seen('other')]).toEqual(['refused', 'refused'])
    done(await list.add(['/kept']))
    expect([await seen('kept'), await seen('other')]).toEqual(['granted', 'refused'])
    done(await list.remove(['/kept']))
    expect(await seen('kept')).toBe('refused')
  })

  test('refuses beforehand what would do nothing here', async () => {
    const { control } = await boot({})
    const refused = await Promise.all([
      control.listUsb(),
      control.balloonStats(),
      control.adjustBalloon(1n),
      control.configureWorkingSet({ bins: [1], refreshThreshold: 1, reportThreshold: 1 }),
      control.addTap('lab0'),
      control.addDisplays([{ windowed: [640, 480] }]),
      control.listDisplays(),
      control.removeDisplays([0]),
      control.setMouseMode(0, 'touchscreen'),
      control.changeBattery({ kind: 'cancel-fake' }),
      control.muteSound(true),
      control.enableSwap(),
      control.trimSwap(),
      control.swapOut(),
      control.disableSwap(),
      control.swapStatus(),
      control.makeRealTime(),
      control.registerListener('/l', 'VirtioBalloonResize'),
      control.unregisterListener('/l', 'VirtioBalloonResize'),
      control.unregister('/l'),
    ])
    for (const result of refused) expect(refusal(result)).toBe('unsupported')
  })

  test.each([
    ['off', 'stopped'],
    ['reset', 'guest-reset'],
    ['panic', 'crashed'],
  ] as const)('ends as the guest does: %s', async (command, kind) => {
    const { machine, guest } = await boot({})
    guest.tell(command)
    const end = await within(machine.ended, () => 'crosvm runs on')
    // A panic without pvpanic's driver in the guest is a reset, by panic=-1.
    expect(command === 'panic' ? ['guest-reset', 'guest-panicked'] : [kind]).toContain(end.exit.kind)
  })

  test('ends when a device dies, and says which; and takes the others along when it is killed', async () => {
    const { machine } = await boot({ block: [{ path: file('disk', 1 << 20) }] })
    const device = processesOf(machine.pid).find((one) => one.name.includes('block'))!
    process.kill(device.pid, 'SIGKILL')
    const end = await within(machine.ended, () => 'crosvm runs on')
    expect(end.exit.kind).toBe('crashed')
    expect(end.deadChild).toEqual({
      device: expect.stringContaining('block'),
      pid: device.pid,
      signal: 9,
      status: undefined,
    })
  })

  function openFd(path: string, flags: string): Fd {
    return sockets.adopt(openSync(path, flags))
  }

  async function guestBytes(guest: Guest, path: string): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let offset = 0; ; offset += 4000) {
      const part = Buffer.from(await guest.ask(`read ${path} ${offset} 4000`), 'hex')
      parts.push(part)
      if (part.length < 4000) return Buffer.concat(parts)
    }
  }
})
