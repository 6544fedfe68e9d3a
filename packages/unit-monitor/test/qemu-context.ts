import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { MachineDescription, MonitorPowers, PmemDevice } from '@spectrum/unit-monitor'
import { qemuMonitor } from '@spectrum/unit-monitor'
import type { ConformanceContext } from '@spectrum/unit-monitor/conformance'
import { linuxPowers } from '@spectrum/unit-monitor/linux'

import { QEMU_VIEW_SERVER, serveView } from './served-view.js'

const MIB = 1024 * 1024

export const ACCELERATOR = process.env['SPECTRUM_ACCELERATOR'] === 'kvm' ? 'kvm' : 'emulation'

/** A folder, descriptions in it, and powers that remember what they have started. */
export interface Workshop extends ConformanceContext {
  readonly directory: string
  readonly powers: Required<MonitorPowers>
  readonly spawned: readonly number[]
}

export function qemuWorkshop(kernel: string, initramfs: string): Workshop {
  const directory = mkdtempSync('/tmp/unit-monitor-')
  const real = linuxPowers()
  const spawned: number[] = []
  const machines: string[] = []
  const powers: Required<MonitorPowers> = {
    ...real,
    processes: {
      async spawn(request) {
        const child = await real.processes.spawn(request)
        spawned.push(child.pid)
        return child
      },
    },
  }
  let count = 0
  const machine = async (changes: Partial<MachineDescription> = {}): Promise<MachineDescription> => {
    const own = join(directory, `machine-${++count}`)
    mkdirSync(own, { mode: 0o700 })
    machines.push(own)
    return {
      name: 'test',
      kernel,
      initramfs,
      kernelParameters: [],
      memoryBytes: 256 * MIB,
      vcpuCount: 1,
      pmem: [],
      hotplugSlots: 0,
      directory: own,
      ...changes,
    }
  }
  return {
    directory,
    powers,
    spawned,
    clock: powers.clock,
    monitor: qemuMonitor(powers, { accelerator: ACCELERATOR }),
    bootMs: 60_000,
    machine,
    async dyingMachine() {
      const noKernel = join(directory, 'no-kernel')
      writeFileSync(noKernel, 'this is no kernel')
      return machine({ kernel: noKernel })
    },
    async pmem(sizeBytes): Promise<PmemDevice> {
      const path = join(directory, `pmem,with=commas-${++count}`)
      writeFileSync(path, '')
      truncateSync(path, sizeBytes)
      return { id: `device-${count}`, path, sizeBytes }
    },
    async isUntouched(device) {
      return readFileSync(device.path).every((byte) => byte === 0)
    },
    async volume(serial, sizeBytes) {
      const path = join(directory, `volume,with=commas-${++count}`)
      writeFileSync(path, '')
      truncateSync(path, sizeBytes)
      return { serial, path, sizeBytes, readOnly: false }
    },
    async beginningOf({ path }) {
      const bytes = readFileSync(path)
      return bytes.subarray(0, bytes.indexOf(0)).toString('latin1')
    },
    view: () => serveView(real.processes, QEMU_VIEW_SERVER, join(directory, `view-${++count}`)),
    async leftovers() {
      const running = spawned.filter((pid) => existsSync(`/proc/${pid}`)).map((pid) => `process ${pid}`)
      return [...running, ...machines.flatMap((own) => readdirSync(own).map((name) => `${own}/${name}`))]
    },
    async [Symbol.asyncDispose]() {
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
