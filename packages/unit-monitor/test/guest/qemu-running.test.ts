import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { chooseMonitor, type Machine, qemuArguments, qemuMonitor } from '@spectrum/unit-monitor'
import { linuxKvmProbe } from '@spectrum/unit-monitor/linux'
import { afterAll, describe, expect, it } from 'vitest'
import { openDescriptors, openedSince } from '../../../unix-fd/test/held.js'
import { buildEchoInitramfs, findGuestKernel } from '../echo-guest.js'
import { ACCELERATOR, qemuWorkshop, type Workshop } from '../qemu-context.js'

const kernel = findGuestKernel()

describe.skipIf('missing' in kernel)('a real QEMU (skipped where there is no guest kernel)', () => {
  if ('missing' in kernel) return
  const directory = mkdtempSync('/tmp/unit-monitor-guest-')
  const initramfs = buildEchoInitramfs(kernel, directory)
  afterAll(() => rmSync(directory, { recursive: true }))

  const within = async (body: (workshop: Workshop) => Promise<void>) => {
    const workshop = qemuWorkshop(kernel.vmlinuz, initramfs)
    try {
      await body(workshop)
      expect(await workshop.leftovers()).toEqual([])
    } finally {
      await workshop[Symbol.asyncDispose]()
    }
  }

  it('that is killed from outside ends the control channel and tells the signal', () =>
    within(async (workshop) => {
      const machine = (await workshop.monitor.start(await workshop.machine()))._unsafeUnwrap()
      await firstBytes(machine)
      process.kill(machine.processes[0]?.pid ?? Number.NaN, 'SIGKILL')
      expect(await machine.exit).toMatchObject({ kind: 'signalled', signal: 'SIGKILL' })
      await expect(machine.control.write(Buffer.alloc(1))).rejects.toThrow('closed')
      await machine[Symbol.asyncDispose]()
    }))

  it('that is asked to end from outside has failed as such', () =>
    within(async (workshop) => {
      await using machine = (await workshop.monitor.start(await workshop.machine()))._unsafeUnwrap()
      process.kill(machine.processes[0]?.pid ?? Number.NaN, 'SIGTERM')
      expect(await machine.exit).toMatchObject({ kind: 'failed', reason: 'stopped-from-outside' })
    }))

  it('leaves no descriptor and no process handle behind, start after start', () =>
    within(async (workshop) => {
      const handles = () => process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length
      const before = { open: openDescriptors(), handles: handles() }
      for (let round = 0; round < 5; round++) {
        const machine = (
          await workshop.monitor.start(await workshop.machine({ hotplugSlots: 1 }))
        )._unsafeUnwrap()
        const added = await machine.addPmem(await workshop.pmem(2 << 20))
        expect(added.isOk()).toBe(true)
        await machine[Symbol.asyncDispose]()
      }
      await expect.poll(() => [openedSince(before.open), handles()]).toEqual([[], before.handles])
    }))

  it('runs filtered, without privileges to gain, with nothing in its environment', () =>
    within(async (workshop) => {
      await using machine = (await workshop.monitor.start(await workshop.machine()))._unsafeUnwrap()
      const pid = machine.processes[0]?.pid
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      expect(status).toMatch(/^Seccomp:\s+2$/m)
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
      for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        expect(status).toMatch(new RegExp(`^${set}:\\s+0{16}$`, 'm'))
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('')
    }))

  it('ends by itself when there is no host to connect to', () =>
    within(async (workshop) => {
      const description = await workshop.machine()
      const socket = (name: string) => `${description.directory}/${name}`
      const sockets = { console: socket('a'), control: socket('b'), qmp: socket('c') }
      const argv = qemuArguments(description, { accelerator: ACCELERATOR, sockets })._unsafeUnwrap()
      const bounds = { timeout: 60_000, killSignal: 'SIGKILL', encoding: 'utf8' } as const
      const { status, stderr } = spawnSync('qemu-system-x86_64', argv, bounds)
      expect(status).toBe(1)
      expect(stderr).toContain('No such file or directory')
    }))

  it('maps the file of a pmem device shared and read-only in every machine that has it', () =>
    within(async (workshop) => {
      const device = await workshop.pmem(8 << 20)
      const start = async (name: string) =>
        (await workshop.monitor.start(await workshop.machine({ name, pmem: [device] })))._unsafeUnwrap()
      await using left = await start('left')
      await using right = await start('right')
      for (const machine of [left, right]) {
        const maps = readFileSync(`/proc/${machine.processes[0]?.pid}/maps`, 'utf8')
        const mapping = maps.split('\n').find((line) => line.endsWith(device.path))
        expect(mapping).toMatch(/ r--s /)
      }
    }))

  it('boots with as many devices as a unit gets by default and fills its reserved slots', () =>
    within(async (workshop) => {
      const pmem = []
      for (let index = 0; index < 24; index++) pmem.push(await workshop.pmem(2 << 20))
      await using machine = (
        await workshop.monitor.start(await workshop.machine({ pmem, hotplugSlots: 8 }))
      )._unsafeUnwrap()
      await firstBytes(machine)
      for (let index = 0; index < 8; index++) {
        const added = await machine.addPmem(await workshop.pmem(2 << 20))
        expect(added.isErr() ? added.error : 'added').toBe('added')
      }
    }))

  it('is chosen by booting it, after a KVM on which the kernel does not boot was given up', () =>
    within(async (workshop) => {
      const { powers } = workshop
      const candidates = (['kvm', 'emulation'] as const).map((accelerator) => ({
        monitor: qemuMonitor(powers, { accelerator }),
      }))
      const trial = {
        machine: async () => ({
          description: await workshop.machine({ name: 'trial' }),
          async [Symbol.asyncDispose]() {},
        }),
      }
      const before = performance.now()
      const chosen = (await chooseMonitor(powers, candidates, trial, { kvm: linuxKvmProbe }))._unsafeUnwrap()
      if (chosen.monitor.accelerator === 'emulation') {
        expect(chosen.considered[0]).toMatchObject({ accelerator: 'kvm', verdict: 'refused' })
        expect(chosen.considered[0]?.reason.length).toBeGreaterThan(20)
      }
      expect(chosen.considered.at(-1)?.verdict).toBe('works')
      expect(performance.now() - before).toBeLessThan(90_000)
      if (!existsSync('/dev/kvm')) expect(chosen.monitor.accelerator).toBe('emulation')
    }))
})

async function firstBytes(machine: Machine): Promise<void> {
  for await (const bytes of machine.control.incoming) {
    expect(Buffer.from(bytes).toString()).toBe('ready\n')
    return
  }
  throw new Error(machine.lastLines().join('\n'))
}
