import { beforeAll, describe, expect, test } from 'vitest'
import type { Findings } from './lab/report.js'
import { expectedLayouts, runInLab } from './lab/run-in-lab.js'

describe('KVM on aarch64 at EL2, in its lab', () => {
  let found: Findings

  beforeAll(async () => {
    found = await runInLab('aarch64', './aarch64-program.ts')
  }, 300_000)

  test('says what it can', () => {
    expect(found).toMatchObject({ pageSize: 4096, version: 12, KVM_CAP_ARM_PSCI_0_2: 1, KVM_CAP_ONE_REG: 1 })
    expect(found['KVM_CAP_ARM_VM_IPA_SIZE']).toBeGreaterThanOrEqual(40)
  })

  test('wants a vCPU to be initialised before it runs', () => {
    expect(found['a vCPU that is not initialised']).toBe('refused ENOEXEC')
  })

  test('has an interrupt controller that is made of attributes', () => {
    expect(found).toMatchObject({ 'the distributor': '0x8000000', 'an attribute that there is not': false })
  })

  test('keeps registers of 32 and 64 bits under the ids that follow from the tables, and lists them', () => {
    expect(found).toMatchObject({
      'registers listed': true,
      'pc is listed': true,
      pc: true,
      sp_el1: true,
      fpcr: true,
    })
    expect(found['MIDR_EL1 is a Cortex-A72’s']).toBe(true)
  })

  test('refuses slots over others, registers that there are not and requests of other architectures', () => {
    expect(found).toMatchObject({
      'a slot over another': 'refused EEXIST',
      'a register that there is not': 'refused ENOENT',
      'registers that belong to x86': 'refused EINVAL',
    })
  })

  test('makes ARM’s other requests as the kernel wants them', () => {
    const outcomes = found['outcomes'] as Record<string, string>
    const taken = Object.keys(outcomes).filter((name) => outcomes[name] === 'ok')
    expect(taken).toEqual([
      'KVM_GET_VCPU_MMAP_SIZE',
      'KVM_GET_VCPU_EVENTS',
      'KVM_SET_VCPU_EVENTS',
      'KVM_GET_MP_STATE',
      'KVM_SET_MP_STATE',
      'KVM_SET_GUEST_DEBUG',
      'KVM_IRQ_LINE',
      'KVM_IRQ_LINE_STATUS',
      'KVM_SET_GSI_ROUTING',
      'KVM_REGISTER_COALESCED_MMIO',
      'KVM_UNREGISTER_COALESCED_MMIO',
      'KVM_GET_STATS_FD (vm)',
      'KVM_GET_STATS_FD (vcpu)',
      'KVM_ENABLE_CAP (vm)',
      'KVM_HAS_DEVICE_ATTR (vcpu)',
      'KVM_GET_DEVICE_ATTR (vcpu)',
    ])
  })

  test('hears no from requests that a Cortex-A72, a GICv3 without ITS or Linux 6.1 does not have', () => {
    expect(found['outcomes']).toMatchObject({
      KVM_ARM_SET_DEVICE_ADDR: 'refused ENODEV',
      KVM_ARM_SET_COUNTER_OFFSET: 'refused EINVAL',
      KVM_ARM_GET_REG_WRITABLE_MASKS: 'refused EINVAL',
      KVM_ARM_MTE_COPY_TAGS: 'refused EINVAL',
      KVM_ARM_VCPU_FINALIZE: 'refused EINVAL',
      KVM_CREATE_IRQCHIP: 'refused ENODEV',
      KVM_SIGNAL_MSI: 'refused ENODEV',
      KVM_CREATE_GUEST_MEMFD: 'refused EINVAL',
      KVM_SET_MEMORY_ATTRIBUTES: 'refused EINVAL',
      KVM_PRE_FAULT_MEMORY: 'refused EINVAL',
    })
  })

  test('runs a guest through a load and a store at a device to the call that powers it off', () => {
    expect(found['exits']).toEqual([
      { kind: 'mmio-write', address: '0x10000000', data: [0x53] },
      { kind: 'mmio-read', address: '0x10000004', length: 1 },
      { kind: 'system-event', type: 1 },
    ])
    expect(found['what the guest stored']).toBe(0x21)
  })

  test('knows which page the guest wrote', () => {
    expect(found['dirty pages']).toEqual([3])
  })

  test('ends an endless loop at a kick', () => {
    expect(found['a kick ends an endless loop']).toBe('kicked')
  })

  test('stops for a debugger behind a single step, and at a software breakpoint', () => {
    expect(found).toMatchObject({
      'a single step stops behind its instruction': true,
      'a software breakpoint stops at its own': true,
    })
  })

  test('has the layouts of the tables, size by size and offset by offset', () => {
    const expected = expectedLayouts('aarch64')
    expect(Object.keys(expected).length).toBeGreaterThan(500)
    expect(found['layouts']).toEqual(expected)
  })
})
