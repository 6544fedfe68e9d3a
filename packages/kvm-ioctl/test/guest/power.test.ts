import { beforeAll, describe, expect, test } from 'vitest'
import type { Findings } from './lab/report.js'
import { expectedLayouts, runInLab } from './lab/run-in-lab.js'

describe('KVM on POWER9, in its lab', () => {
  let found: Findings

  beforeAll(async () => {
    found = await runInLab('ppc64le', './power-program.ts')
  }, 300_000)

  test('has pages of 64 KiB, and refuses slots that are not made of them', () => {
    expect(found).toMatchObject({ pageSize: 65_536, version: 12, 'a slot at 4 KiB': 'invalid-argument' })
  })

  test('says what it can', () => {
    expect(found).toMatchObject({ KVM_CAP_PPC_PAPR: 1, KVM_CAP_PPC_MMU_RADIX: 1, KVM_CAP_ONE_REG: 1 })
    expect(found).toMatchObject({ 'the radix MMU': true, 'the processor is a POWER9': true })
  })

  test('refuses machines of no known type, slots over others and registers that there are not', () => {
    expect(found).toMatchObject({
      'a machine of no known type': 'refused EINVAL',
      'a slot over another': 'refused EEXIST',
      'a register that there is not': 'refused EINVAL',
    })
  })

  test('keeps registers of 32, 64 and 128 bits, and the general ones', () => {
    expect(found).toMatchObject({ dscr: true, 'fpr 3': true, 'vsr 20': true, 'vr 8': true, vrsave: true })
    // KVM-HV lets no guest switch machine checks off: it sets MSR's bit ME itself.
    expect(found['registers']).toEqual({ pc: '0x1000', msr: '0x8000000000001001', lr: '0x1234' })
  })

  test('makes POWER’s other requests as the kernel wants them', () => {
    const outcomes = found['outcomes'] as Record<string, string>
    const taken = Object.keys(outcomes).filter((name) => outcomes[name] === 'ok')
    expect(taken).toEqual([
      'KVM_GET_VCPU_MMAP_SIZE',
      'KVM_ENABLE_CAP (vm)',
      'KVM_CHECK_EXTENSION (vm)',
      'KVM_PPC_GET_PVINFO',
      'KVM_CREATE_SPAPR_TCE_64',
      'KVM_CREATE_SPAPR_TCE',
      'KVM_PPC_RTAS_DEFINE_TOKEN',
      'KVM_PPC_GET_HTAB_FD',
      'KVM_PPC_SVM_OFF',
      'KVM_PPC_CONFIGURE_V3_MMU',
      'KVM_CREATE_DEVICE',
      'KVM_GET_STATS_FD (vm)',
      'KVM_GET_STATS_FD (vcpu)',
      'KVM_SET_SREGS',
      'KVM_TRANSLATE',
      'KVM_SET_GUEST_DEBUG',
      'KVM_INTERRUPT',
    ])
  })

  test('hears no from requests that a radix guest, KVM-HV or Linux 6.1 does not have', () => {
    expect(found['outcomes']).toMatchObject({
      KVM_PPC_ALLOCATE_HTAB: 'refused ENOTSUP',
      KVM_PPC_RESIZE_HPT_PREPARE: 'refused EINVAL',
      KVM_PPC_RESIZE_HPT_COMMIT: 'refused EINVAL',
      KVM_HAS_DEVICE_ATTR: 'refused ENOTTY',
      KVM_REGISTER_COALESCED_MMIO: 'refused ENOTTY',
      KVM_UNREGISTER_COALESCED_MMIO: 'refused ENOTTY',
      KVM_GET_FPU: 'refused ENOTSUP',
      KVM_SET_FPU: 'refused ENOTSUP',
      KVM_GET_MP_STATE: 'refused EINVAL',
      KVM_SET_MP_STATE: 'refused EINVAL',
      KVM_GET_REG_LIST: 'refused EINVAL',
      KVM_PRE_FAULT_MEMORY: 'refused EINVAL',
      KVM_PPC_GET_COMPAT_CAPS: 'refused ENOTTY',
    })
  })

  test('runs a guest through loads, stores and hypervisor calls, each answered', () => {
    expect(found['exits']).toEqual([
      { kind: 'mmio-write', address: '0x100000', data: [0x53] },
      { kind: 'mmio-read', address: '0x100004', length: 1 },
      { kind: 'papr-hcall', nr: '0x58', first: '0x21' },
      { kind: 'papr-hcall', nr: '0x58', first: '0x77' },
    ])
    expect(found['what the guest stored']).toBe(0x21)
  })

  test('knows which page the guest wrote', () => {
    // Page 0 holds the code: KVM-HV maps it for writing when the guest first fetches from it, and counts that.
    const pages = found['dirty pages'] as number[]
    expect(pages.filter((page) => page !== 0)).toEqual([3])
  })

  test('ends an endless loop at a kick', () => {
    expect(found['a kick ends an endless loop']).toBe('kicked')
  })

  test('has the layouts of the tables, size by size and offset by offset', () => {
    const expected = expectedLayouts('ppc64le')
    expect(Object.keys(expected).length).toBeGreaterThan(500)
    expect(found['layouts']).toEqual(expected)
  })
})
