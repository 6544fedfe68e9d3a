import { describe, expect, test } from 'vitest'
import { x86_64 } from '../../src/index.js'
import { HLT, needs, runUntil, withGuest, withKvm } from './guest.js'

const { constants } = x86_64

describe('create_max_vcpus', () => {
  test('as many vCPUs as asked for, each with what it shares, and all closed again', (context) =>
    withKvm(context, (kvm) => {
      using vm = kvm.createVm()._unsafeUnwrap()
      const most = Math.min(needs(context, vm, 'KVM_CAP_MAX_VCPUS'), 32)
      const highest = needs(context, vm, 'KVM_CAP_MAX_VCPU_ID')
      const vcpus = Array.from({ length: most }, (_, id) => vm.createVcpu(id)._unsafeUnwrap())
      for (const vcpu of vcpus) expect(vcpu.shared._unsafeUnwrap().exit_reason).toBe(0)
      expect(vm.createVcpu(highest)._unsafeUnwrapErr()).toMatchObject({ errno: 'EINVAL' })
      for (const vcpu of vcpus) vcpu.close()
    }))
})

describe('sync_regs', () => {
  test('registers come and go with the exit, without a request of their own', (context) =>
    // add al, 1; out 0x80, al; again
    withGuest(context, [0x04, 1, 0xe6, 0x80, 0xeb, 0xfa], {}, ({ vm, vcpu }) => {
      needs(context, vm, 'KVM_CAP_SYNC_REGS')
      const shared = vcpu.shared._unsafeUnwrap()
      shared.kvm_valid_regs = BigInt(constants.KVM_SYNC_X86_REGS)
      expect([...runUntil(vcpu, 'io-out').data]).toEqual([1])
      expect(shared.s.regs.regs.rax & 0xffn).toBe(1n)
      shared.s.regs.regs.rax = 40n
      shared.kvm_dirty_regs = BigInt(constants.KVM_SYNC_X86_REGS)
      expect([...runUntil(vcpu, 'io-out').data]).toEqual([41])
      shared.kvm_valid_regs = 1n << 63n
      expect(vcpu.run()._unsafeUnwrapErr()).toMatchObject({ kind: 'refused', errno: 'EINVAL' })
    }))
})

describe('set_sregs', () => {
  test('takes what no guest can be in as what it is, and keeps the state it had', (context) =>
    withGuest(context, [HLT], {}, ({ vcpu }) => {
      const sregs = vcpu.getSregs()._unsafeUnwrap()
      const before = JSON.stringify(sregs, (_, value) => (typeof value === 'bigint' ? `${value}` : value))
      // Paging without protection, and a control register with bits that there are not.
      for (const wrong of [{ cr0: 1n << 31n }, { cr4: 1n << 40n }]) {
        const changed = vcpu.getSregs()._unsafeUnwrap()
        Object.assign(changed, wrong)
        expect(vcpu.setSregs(changed)._unsafeUnwrapErr()).toMatchObject({ kind: 'refused', errno: 'EINVAL' })
      }
      const after = JSON.stringify(vcpu.getSregs()._unsafeUnwrap(), (_, value) =>
        typeof value === 'bigint' ? `${value}` : value,
      )
      expect(after).toBe(before)
    }))
})

describe('cpuid', () => {
  test('gives the guest what was set, leaf by leaf', (context) =>
    withKvm(context, (kvm) => {
      const supported = kvm.getSupportedCpuid()._unsafeUnwrap()
      expect(supported.length).toBeGreaterThan(10)
      using vm = kvm.createVm()._unsafeUnwrap()
      using vcpu = vm.createVcpu(0)._unsafeUnwrap()
      const entries = supported.map((entry) => (entry.function === 0 ? { ...entry, ebx: 0x6c6c6548 } : entry))
      vcpu.setCpuid2(entries)._unsafeUnwrap()
      const got = vcpu.getCpuid2()._unsafeUnwrap()
      expect(got.length).toBe(entries.length)
      expect(got.find(({ function: leaf }) => leaf === 0)!.ebx).toBe(0x6c6c6548)
      // However many there are: some kernels do not say.
      for (const few of [1, entries.length - 3]) {
        using other = vm.createVcpu(few)._unsafeUnwrap()
        other.setCpuid2(entries.slice(0, few))._unsafeUnwrap()
        expect(other.getCpuid2()._unsafeUnwrap().length).toBe(few)
      }
      expect(kvm.getEmulatedCpuid()._unsafeUnwrap().length).toBeGreaterThanOrEqual(0)
      expect(vcpu.setCpuid2({ length: 1e9 } as never)._unsafeUnwrapErr().kind).toBe('invalid-argument')
    }))
})

describe('MSRs', () => {
  test('every MSR of the list can be read, and a few of them written back', (context) =>
    withKvm(context, (kvm) => {
      using vm = kvm.createVm()._unsafeUnwrap()
      using vcpu = vm.createVcpu(0)._unsafeUnwrap()
      const indices = [...kvm.getMsrIndexList()._unsafeUnwrap()]
      expect(indices.length).toBeGreaterThan(10)
      // Some of the list need a CPUID that says so; those that can be read are read one by one.
      const read = indices.filter((index) => vcpu.getMsrs([index]).isOk())
      expect(read.length).toBeGreaterThan(5)
      const STAR = 0xc000_0081
      const LSTAR = 0xc000_0082
      vcpu
        .setMsrs([
          { index: STAR, data: 0x1234n },
          { index: LSTAR, data: 0x5678 },
        ])
        ._unsafeUnwrap()
      expect(vcpu.getMsrs([STAR, LSTAR])._unsafeUnwrap()).toEqual([0x1234n, 0x5678n])
      const refused = vcpu.getMsrs([STAR, 0x4b56_4dee, LSTAR])._unsafeUnwrapErr()
      expect(refused).toMatchObject({ kind: 'msr-refused', index: 0x4b56_4dee, done: 1 })
      expect(vcpu.getMsrs(Array.from({ length: 257 }, () => STAR))._unsafeUnwrapErr().kind).toBe(
        'invalid-argument',
      )
      expect(kvm.getMsrs([...kvm.getMsrFeatureIndexList()._unsafeUnwrap()].slice(0, 1)).isOk()).toBe(true)
    }))
})

describe('state', () => {
  test('all of a vCPU is read, and written back as it was', (context) =>
    withGuest(context, [HLT], {}, ({ vcpu }) => {
      for (const [get, set] of [
        ['getFpu', 'setFpu'],
        ['getVcpuEvents', 'setVcpuEvents'],
        ['getDebugregs', 'setDebugregs'],
        ['getXcrs', 'setXcrs'],
        ['getMpState', 'setMpState'],
      ] as const) {
        const state = vcpu[get]()
        expect(state.isOk(), get).toBe(true)
        expect(vcpu[set](state._unsafeUnwrap() as never).isOk(), set).toBe(true)
      }
      const xsave = vcpu.getXsave()._unsafeUnwrap()
      expect(xsave.length).toBeGreaterThanOrEqual(4096)
      expect(vcpu.setXsave(xsave).isOk()).toBe(true)
      expect(vcpu.setXsave(new Uint8Array(1 << 20))._unsafeUnwrapErr().kind).toBe('invalid-argument')
    }))

  test('the chips in the kernel keep what they are told', (context) =>
    withKvm(context, (kvm) => {
      using vm = kvm.createVm()._unsafeUnwrap()
      vm.createIrqchip()._unsafeUnwrap()
      expect(vm.createIrqchip()._unsafeUnwrapErr()).toMatchObject({ errno: 'EEXIST' })
      needs(context, vm, 'KVM_CAP_PIT2')
      vm.createPit2({})._unsafeUnwrap()
      const pit = vm.getPit2()._unsafeUnwrap()
      expect(pit.channels.length).toBe(3)
      vm.reinjectControl({ pit_reinject: 1 })._unsafeUnwrap()
      expect(vm.ioctl('KVM_REINJECT_CONTROL', 4096)._unsafeUnwrapErr().kind).toBe('use-the-method')
      vm.setPit2(pit)._unsafeUnwrap()
      using vcpu = vm.createVcpu(0)._unsafeUnwrap()
      const lapic = vcpu.getLapic()._unsafeUnwrap()
      vcpu.setLapic(lapic)._unsafeUnwrap()
      const entry = {
        gsi: 5,
        type: constants.KVM_IRQ_ROUTING_IRQCHIP,
        u: { irqchip: { irqchip: 2, pin: 5 } },
      }
      vm.setGsiRouting([entry])._unsafeUnwrap()
      expect(vm.setGsiRouting([{ ...entry, type: 99 }])._unsafeUnwrapErr()).toMatchObject({ errno: 'EINVAL' })
      vm.irqLine({ irq: 5, level: 1 })._unsafeUnwrap()
      const ioapic = vm.getIrqchip({ chip_id: constants.KVM_IRQCHIP_IOAPIC })._unsafeUnwrap()
      expect(ioapic.chip.ioapic.irr & 0x20).toBe(0x20)
    }))
})

describe('binary_stats', () => {
  test('every statistic is named, typed and readable, of the machine and of a vCPU', (context) =>
    withGuest(context, [0xe6, 0x80, HLT], {}, ({ vm, vcpu }) => {
      needs(context, vm, 'KVM_CAP_BINARY_STATS_FD')
      using machine = vm.getStatsFd()._unsafeUnwrap()
      using processor = vcpu.getStatsFd()._unsafeUnwrap()
      for (const stats of [machine, processor]) {
        const described = stats.descriptions()._unsafeUnwrap()
        expect(described.length).toBeGreaterThan(3)
        for (const { name, type, unit, size } of described) {
          expect(name).toMatch(/^[a-z0-9_]+$/)
          expect([type, unit]).not.toContain('unknown')
          expect(size).toBeGreaterThan(0)
        }
        expect([...stats.values()._unsafeUnwrap().keys()].sort()).toEqual(
          described.map(({ name }) => name).sort(),
        )
      }
      const exits = () => processor.values()._unsafeUnwrap().get('io_exits')?.[0] ?? 0n
      const before = exits()
      runUntil(vcpu, 'io-out')
      expect(exits()).toBeGreaterThanOrEqual(before)
      processor.close()
      expect(processor.values()._unsafeUnwrapErr().kind).toBe('closed')
    }))
})
