import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Machine } from '@spectrum/unit-monitor'
import { describe, expect, it } from 'vitest'
import { openDescriptors, openedSince } from '../../../unix-fd/test/held.js'
import { type CrosvmWorkshop, crosvmWorkshop, findCrosvm } from '../crosvm-context.js'
import { findGuestKernel } from '../echo-guest.js'

const kernel = findGuestKernel()
const crosvm = findCrosvm()
const missing =
  'missing' in crosvm
    ? crosvm.missing
    : 'missing' in kernel
      ? kernel.missing
      : existsSync('/dev/kvm')
        ? undefined
        : 'crosvm needs /dev/kvm, even to make a machine whose guest never boots'

// The kernel need not boot here: a KVM on which it hangs will do.
const title = missing === undefined ? 'a real crosvm' : `a real crosvm (skipped: ${missing})`
describe.skipIf(missing !== undefined)(title, () => {
  const vmlinuz = 'missing' in kernel ? '' : kernel.vmlinuz
  const binary = 'missing' in crosvm ? '' : crosvm.binary

  const within = async (body: (workshop: CrosvmWorkshop) => Promise<void>) => {
    const directory = mkdtempSync('/tmp/unit-monitor-guest-')
    const initramfs = join(directory, 'initramfs')
    writeFileSync(initramfs, Buffer.alloc(4096))
    const workshop = crosvmWorkshop(vmlinuz, initramfs, { binary })
    try {
      await body(workshop)
      // What has ended is reaped by whoever its parent's end has given it to, in their own time.
      await expect.poll(() => workshop.leftovers()).toEqual([])
    } finally {
      await workshop[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true })
    }
  }
  const started = async (workshop: CrosvmWorkshop, changes = {}): Promise<Machine> => {
    const result = await workshop.monitor.start(await workshop.machine(changes))
    if (result.isErr()) throw new Error(result.error.message)
    return result.value
  }

  it('runs each device filtered and without capabilities, its control port without capabilities', () =>
    within(async (workshop) => {
      await using machine = await started(workshop, { pmem: [await workshop.pmem(2 << 20)] })
      const roles = machine.processes.map(({ role }) => role)
      expect(roles[0]).toBe('crosvm')
      expect(roles.at(-1)).toBe('crosvm control port')
      expect(roles.filter((role) => role.startsWith('crosvm pcivirtio-pmem'))).toHaveLength(1)
      for (const { pid, role } of machine.processes) {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8')
        expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
        expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('')
        expect(status).toMatch(/^CapEff:\s+0{16}$/m)
        const unfiltered = role === 'crosvm' || role === 'crosvm control port'
        expect(`${role} ${/^Seccomp:\s+(\d)$/m.exec(status)?.[1]}`).toBe(`${role} ${unfiltered ? 0 : 2}`)
      }
    }))

  it('writes a volume in a filtered process of its own, and has its file locked until it is gone', () =>
    within(async (workshop) => {
      const volume = await workshop.volume('data', 2 << 20)
      const bounds = { timeout: 60_000, killSignal: 'SIGKILL' } as const
      const isLocked = () => spawnSync('flock', ['-n', volume.path, 'true'], bounds).status === 1
      {
        await using machine = await started(workshop, { volumes: [volume] })
        const disks = machine.processes.filter(({ role }) => role.startsWith('crosvm pcivirtio-block'))
        expect(disks).toHaveLength(1)
        const status = readFileSync(`/proc/${disks[0]?.pid}/status`, 'utf8')
        expect(status).toMatch(/^Seccomp:\s+2$/m)
        expect(status).toMatch(/^CapEff:\s+0{16}$/m)
        expect(isLocked()).toBe(true)
        // One that cannot have it alone does not start.
        const refused = await workshop.monitor.start(await workshop.machine({ volumes: [volume] }))
        expect(refused._unsafeUnwrapErr()).toMatchObject({
          kind: 'monitor-died',
          message: expect.stringContaining('lock'),
        })
      }
      expect(isLocked()).toBe(false)
    }))

  it('maps the file of a pmem device shared and read-only in every machine that has it', () =>
    within(async (workshop) => {
      const device = await workshop.pmem(8 << 20)
      await using left = await started(workshop, { name: 'left', pmem: [device] })
      await using right = await started(workshop, { name: 'right', pmem: [device] })
      for (const machine of [left, right]) {
        const maps = readFileSync(`/proc/${machine.processes[0]?.pid}/maps`, 'utf8')
        const mapping = maps.split('\n').filter((line) => line.endsWith(device.path))
        expect(mapping.length).toBeGreaterThan(0)
        for (const line of mapping) expect(line).toMatch(/ r--s /)
      }
    }))

  it('leaves no socket in its directory once it is started', () =>
    within(async (workshop) => {
      const description = await workshop.machine()
      await using _machine = (await workshop.monitor.start(description))._unsafeUnwrap()
      expect(readdirSync(description.directory)).toEqual([])
    }))

  it('takes the press of a power button', () =>
    within(async (workshop) => {
      await using machine = await started(workshop)
      const pressed = await machine.pressPowerButton?.()
      expect(pressed?.isErr() ? pressed.error : 'pressed').toBe('pressed')
    }))

  it('that is killed from outside has not powered off, and takes all its devices with it', () =>
    within(async (workshop) => {
      await using machine = await started(workshop)
      process.kill(machine.processes[0]?.pid ?? Number.NaN, 'SIGKILL')
      // unshare 2.38 cannot pass SIGKILL on and says so with status 1; later ones may do better.
      const exit = await machine.exit
      expect(exit.kind === 'failed' ? exit.reason : exit.kind).toMatch(/^(monitor-failed|signalled)$/)
    }))

  it('that loses a device has failed', () =>
    within(async (workshop) => {
      await using machine = await started(workshop, { pmem: [await workshop.pmem(2 << 20)] })
      const device = machine.processes.find(({ role }) => role.includes('pmem'))
      process.kill(device?.pid ?? Number.NaN, 'SIGKILL')
      expect(await machine.exit).toMatchObject({ kind: 'failed', reason: 'monitor-failed', code: 33 })
    }))

  it('holds as many devices as the driver says', { timeout: 300_000 }, () =>
    within(async (workshop) => {
      const pmem = []
      const { maxPmemDevices } = workshop.monitor.capabilities
      for (let index = 0; index < maxPmemDevices; index++) pmem.push(await workshop.pmem(2 << 20))
      await using machine = await started(workshop, { pmem })
      expect(machine.processes.length).toBeGreaterThan(maxPmemDevices)
    }),
  )

  it('leaves no descriptor behind, start after start', () =>
    within(async (workshop) => {
      const round = async () => await (await started(workshop))[Symbol.asyncDispose]()
      await round()
      const before = openDescriptors()
      for (let count = 0; count < 3; count++) await round()
      await expect.poll(() => openedSince(before)).toEqual([])
    }))
})
