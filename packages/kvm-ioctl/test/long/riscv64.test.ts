import { beforeAll, describe, expect, test } from 'vitest'
import type { Findings } from '../guest/lab/report.js'
import { expectedLayouts, withProgram } from '../guest/lab/run-in-lab.js'
import { missing, obtain, outputOnRiscv } from './riscv64/machine.js'

const absent = missing()

// Its kernel, and a Node for it, come from Debian: some 140 MB the first time.
describe.skipIf(absent !== undefined)(`KVM on riscv64${absent ? ` (skipped: ${absent})` : ''}`, () => {
  let found: Findings

  beforeAll(async () => {
    obtain()
    found = await withProgram('riscv64', './riscv-program.ts', outputOnRiscv)
  }, 900_000)

  test('has registers one by one, and refuses slots over others and registers that there are not', () => {
    expect(found).toMatchObject({
      pageSize: 4096,
      version: 12,
      'pc is listed': true,
      'regs.pc': true,
      'regs.sp': true,
      'a slot over another': 'refused EEXIST',
      'a register that there is not': 'refused ENOENT',
    })
  })

  test('makes RISC-V’s other requests, and hears no from what this machine or Linux 6.12 does not have', () => {
    expect(found['outcomes']).toEqual({
      KVM_GET_VCPU_MMAP_SIZE: 'ok',
      KVM_GET_MP_STATE: 'ok',
      KVM_SET_MP_STATE: 'ok',
      KVM_INTERRUPT: 'ok',
      KVM_CREATE_IRQCHIP: 'refused EINVAL',
      KVM_CREATE_DEVICE: 'refused ENODEV',
      KVM_REGISTER_COALESCED_MMIO: 'ok',
      KVM_UNREGISTER_COALESCED_MMIO: 'ok',
      'KVM_GET_STATS_FD (vm)': 'ok',
      'KVM_GET_STATS_FD (vcpu)': 'ok',
      KVM_PRE_FAULT_MEMORY: 'refused EINVAL',
    })
  })

  test('runs a guest through a device and a vendor’s SBI call to the call that powers it off', () => {
    expect(found['exits']).toEqual([
      { kind: 'mmio-write', address: '0x10000000', data: [0x53] },
      { kind: 'mmio-read', address: '0x10000004', length: 1 },
      { kind: 'riscv-sbi', extension: '0x9000000', function: '0x5', first: '0x21' },
      { kind: 'system-event', type: 1 },
    ])
    expect(found['what the guest stored']).toEqual([0x21, 0x77])
    expect(found['dirty pages']).toEqual([4])
  })

  test('ends an endless loop at a kick, and stops for a debugger at a software breakpoint', () => {
    expect(found).toMatchObject({
      'a kick ends an endless loop': 'kicked',
      'a software breakpoint': 'debug',
      'stops at its own instruction': true,
    })
  })

  test('has the layouts of the tables, size by size and offset by offset', () => {
    const expected = expectedLayouts('riscv64')
    expect(Object.keys(expected).length).toBeGreaterThan(500)
    expect(found['layouts']).toEqual(expected)
  })
})
