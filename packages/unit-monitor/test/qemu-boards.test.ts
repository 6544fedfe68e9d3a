import { isQemuArchitecture, type MonitorPowers, qemuBinary, qemuMonitor } from '@spectrum/unit-monitor'
import { describe, expect, it } from 'vitest'

// Nothing is started: what a driver can do is known before.
const powers = {} as MonitorPowers
const monitor = (options: Partial<Parameters<typeof qemuMonitor>[1]> = {}) =>
  qemuMonitor(powers, { accelerator: 'emulation', ...options })

describe('the driver for QEMU', () => {
  it('says what its machines are, and what they can do', () => {
    const { architectures, pmem, pmemHotplug, block, blockHotplug, view } = monitor().capabilities
    expect(architectures).toEqual(['x86_64'])
    expect([pmem, pmemHotplug, block, blockHotplug, view]).toEqual([true, true, true, true, true])
    for (const architecture of ['aarch64', 'powerpc64le'] as const) {
      const { capabilities } = monitor({ architecture })
      expect(capabilities).toMatchObject({
        architectures: [architecture],
        pmem: false,
        pmemHotplug: false,
        block: true,
        blockHotplug: false,
        view: true,
      })
    }
  })

  it('takes the architecture from the board, and never one for another', () => {
    expect(monitor({ board: 'pseries' }).capabilities.architectures).toEqual(['powerpc64le'])
    expect(monitor({ board: 'pc', architecture: 'x86_64' }).capabilities.architectures).toEqual(['x86_64'])
    expect(() => monitor({ board: 'virt', architecture: 'powerpc64le' })).toThrow('virt runs aarch64')
  })

  it('knows the program of each architecture it runs, and which it does not', () => {
    expect((['x86_64', 'aarch64', 'powerpc64le'] as const).map(qemuBinary)).toEqual([
      'qemu-system-x86_64',
      'qemu-system-aarch64',
      'qemu-system-ppc64',
    ])
    expect(isQemuArchitecture('riscv64')).toBe(false)
    expect(isQemuArchitecture('toString' as 'riscv64')).toBe(false)
  })
})
