import { describe, expect, type TestContext, test } from 'vitest'
import { type Kvm, type Vm, x86_64 } from '../../src/index.js'
import { HLT, withGuest, withKvm } from './guest.js'

const { constants } = x86_64

/** What became of a request: `taken`, or the kernel's errno. Anything else is no answer of the kernel's. */
function outcome(result: {
  isOk(): boolean
  _unsafeUnwrapErr(): { kind: string; errno?: string | undefined }
}): string {
  if (result.isOk()) return 'taken'
  const { kind, errno } = result._unsafeUnwrapErr()
  expect(kind).toBe('refused')
  return errno!
}

/** A machine with the interrupt controllers in the kernel. */
const withChips = (context: TestContext, use: (vm: Vm, kvm: Kvm) => void) =>
  withKvm(context, (kvm) => {
    using vm = kvm.createVm()._unsafeUnwrap()
    vm.createIrqchip()._unsafeUnwrap()
    use(vm, kvm)
  })

describe('what is written is read again', () => {
  test('debug registers, XCR0 and special registers with their PDPTRs', (context) =>
    withGuest(context, [HLT], {}, ({ vcpu }) => {
      const debugregs = vcpu.getDebugregs()._unsafeUnwrap()
      debugregs.db[1] = 0x1234n
      vcpu.setDebugregs(debugregs)._unsafeUnwrap()
      expect(vcpu.getDebugregs()._unsafeUnwrap().db[1]).toBe(0x1234n)
      const xcrs = vcpu.getXcrs()._unsafeUnwrap()
      expect(xcrs.xcrs[0]!.value & 1n).toBe(1n)
      vcpu.setXcrs(xcrs)._unsafeUnwrap()
      const sregs = vcpu.getSregs2()._unsafeUnwrap()
      sregs.fs.base = 0x5550n
      vcpu.setSregs2(sregs)._unsafeUnwrap()
      expect(vcpu.getSregs2()._unsafeUnwrap().fs.base).toBe(0x5550n)
    }))

  test('a clock, the mask of an interrupt controller, and a timer', (context) =>
    withChips(context, (vm) => {
      const later = vm.getClock()._unsafeUnwrap().clock + 1_000_000_000_000n
      vm.setClock({ clock: later })._unsafeUnwrap()
      expect(vm.getClock()._unsafeUnwrap().clock).toBeGreaterThanOrEqual(later)
      const which = { chip_id: constants.KVM_IRQCHIP_PIC_MASTER }
      const controller = vm.getIrqchip(which)._unsafeUnwrap()
      controller.chip.pic.imr = 0xfb
      vm.setIrqchip(controller)._unsafeUnwrap()
      expect(vm.getIrqchip(which)._unsafeUnwrap().chip.pic.imr).toBe(0xfb)
      vm.createPit()._unsafeUnwrap()
      const timer = vm.getPit()._unsafeUnwrap()
      timer.channels[0]!.count = 0x1000
      vm.setPit(timer)._unsafeUnwrap()
      expect(vm.getPit()._unsafeUnwrap().channels[0]!.count).toBe(0x1000)
    }))

  test('the state of a nested machine, where the vCPU can have one', (context) =>
    withGuest(context, [HLT], {}, ({ vcpu }, kvm) => {
      vcpu.setCpuid2(kvm.getSupportedCpuid()._unsafeUnwrap())._unsafeUnwrap()
      const nested = vcpu.getNestedState()
      if (nested.isErr()) expect(outcome(nested)).toBe('EINVAL')
      else expect(['taken', 'EINVAL']).toContain(outcome(vcpu.setNestedState(nested.value)))
      expect(vcpu.setNestedState(new Uint8Array(100_000))._unsafeUnwrapErr().kind).toBe('invalid-argument')
    }))
})

describe('requests that a KVM may have been built without', () => {
  test('are taken, or refused as what this kernel lacks', (context) =>
    withChips(context, (vm, kvm) => {
      using vcpu = vm.createVcpu(0)._unsafeUnwrap()
      using memory = kvm.createMemory(65_536)._unsafeUnwrap()
      const rate = vcpu.getTscKhz().unwrapOr(1_000_000)
      const banks = kvm.getMceCapSupported()._unsafeUnwrap() | 10n
      const deassign = { conn_id: 1, fd: 0, flags: constants.KVM_HYPERV_EVENTFD_DEASSIGN }
      const longMode = { type: constants.KVM_XEN_ATTR_TYPE_LONG_MODE }
      const info = { type: constants.KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO }
      const notThere = ['taken', 'ENOTTY', 'EINVAL', 'EOPNOTSUPP', 'ENOTSUP', 'ENXIO']
      const outcomes = {
        setTscKhz: outcome(vcpu.setTscKhz(rate)),
        'getTscKhz of a machine': outcome(vm.getTscKhz()),
        setNrMmuPages: outcome(vm.setNrMmuPages(100)),
        getNrMmuPages: outcome(vm.getNrMmuPages()),
        kvmclockCtrl: outcome(vcpu.kvmclockCtrl()),
        setVapicAddr: outcome(vcpu.setVapicAddr({ vapic_addr: 0n })),
        tprAccessReporting: outcome(vcpu.tprAccessReporting({ enabled: 1 })),
        'getSupportedHvCpuid of KVM': outcome(kvm.getSupportedHvCpuid()),
        getSupportedHvCpuid: outcome(vcpu.getSupportedHvCpuid()),
        nmi: outcome(vcpu.nmi()),
        smi: outcome(vcpu.smi()),
        setupMce: outcome(vcpu.setupMce(banks)),
        setMce: outcome(vcpu.setMce({ bank: 1, status: 1n << 63n })),
        setCpuid: outcome(vcpu.setCpuid([])),
        setPmuEventFilter: outcome(
          vm.setPmuEventFilter({ action: constants.KVM_PMU_EVENT_ALLOW, events: [0xc0n] }),
        ),
        memoryEncryptOp: outcome(vm.memoryEncryptOp({ id: 0, sevFd: 0xffff_ffff, data: new Uint8Array(8) })),
        memoryEncryptRegRegion: outcome(vm.memoryEncryptRegRegion(memory)),
        memoryEncryptUnregRegion: outcome(vm.memoryEncryptUnregRegion(memory)),
        xenHvmConfig: outcome(vm.xenHvmConfig({ flags: 0, msr: 0x4000_0000 })),
        xenHvmGetAttr: outcome(vm.xenHvmGetAttr(longMode)),
        xenHvmSetAttr: outcome(vm.xenHvmSetAttr(longMode)),
        xenHvmEvtchnSend: outcome(vm.xenHvmEvtchnSend({ port: 1, vcpu: 0, priority: 0 })),
        xenVcpuGetAttr: outcome(vcpu.xenVcpuGetAttr(info)),
        xenVcpuSetAttr: outcome(vcpu.xenVcpuSetAttr(info)),
      }
      const others = Object.entries(outcomes).filter(([, became]) => !notThere.includes(became))
      expect(others).toEqual([])
      expect(['ENOENT', ...notThere]).toContain(outcome(vm.hypervEventfd(deassign)))
      // There is a vCPU.
      expect(outcome(vm.setBootCpuId(0))).toBe('EBUSY')
      for (const name of ['nmi', 'setVapicAddr', 'tprAccessReporting', 'setMce', 'setCpuid'] as const)
        expect([name, outcomes[name]]).toEqual([name, 'taken'])
    }))
})
