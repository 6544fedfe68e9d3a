import {
  ask,
  command,
  exchange,
  get,
  getList,
  getUncountedList,
  set,
  setList,
  setWord,
  tellInt,
} from './spec.js'

/** A vCPU's requests that take one value or structure, on every architecture. */
export const vcpuMethods = {
  /** KVM_GET_MP_STATE: whether it runs, waits to be started, or has halted. */
  getMpState: get('KVM_GET_MP_STATE', 'kvm_mp_state'),
  /** KVM_SET_MP_STATE. */
  setMpState: set('KVM_SET_MP_STATE', 'kvm_mp_state', {
    EINVAL: 'not a state that this vCPU can be put in; most need an interrupt controller in the kernel',
  }),
  /** KVM_SET_GUEST_DEBUG: single steps, breakpoints, watchpoints; `control` is made of KVM_GUESTDBG_…. */
  setGuestDebug: set('KVM_SET_GUEST_DEBUG', 'kvm_guest_debug'),
  /** KVM_GET_REG_LIST: every id that `getOneReg` takes here. */
  getRegList: getList('KVM_GET_REG_LIST', 'kvm_reg_list', 'n', 'reg'),
} as const

export const vcpuMethodsX86 = {
  /** KVM_GET_REGS: the general registers, rip and rflags. */
  getRegs: get('KVM_GET_REGS', 'kvm_regs'),
  /** KVM_SET_REGS. What is left out becomes 0, and bit 1 of rflags has to be set. */
  setRegs: set('KVM_SET_REGS', 'kvm_regs'),
  /** KVM_GET_SREGS: segments, tables, control registers, EFER, the APIC's base. */
  getSregs: get('KVM_GET_SREGS', 'kvm_sregs'),
  /** KVM_SET_SREGS: change what `getSregs` gave; one that is made from nothing is refused by the processor. */
  setSregs: set('KVM_SET_SREGS', 'kvm_sregs', { EINVAL: 'no processor can be in that state' }),
  /** KVM_GET_SREGS2: as getSregs, with the page directory pointers instead of pending interrupts. */
  getSregs2: get('KVM_GET_SREGS2', 'kvm_sregs2'),
  /** KVM_SET_SREGS2. */
  setSregs2: set('KVM_SET_SREGS2', 'kvm_sregs2', { EINVAL: 'no processor can be in that state' }),
  /** KVM_GET_FPU. */
  getFpu: get('KVM_GET_FPU', 'kvm_fpu'),
  /** KVM_SET_FPU. */
  setFpu: set('KVM_SET_FPU', 'kvm_fpu'),
  /** KVM_TRANSLATE: where a linear address of the guest lies, by its page tables. */
  translate: exchange('KVM_TRANSLATE', 'kvm_translation'),
  /** KVM_INTERRUPT: a vector to be injected when the guest can take it; without a controller in the kernel. */
  interrupt: set('KVM_INTERRUPT', 'kvm_interrupt', {
    EEXIST: 'an interrupt is queued already',
    EINVAL: 'no such vector',
    ENXIO: 'the interrupt controller is in the kernel: use irqLine or signalMsi',
  }),
  /** KVM_SET_CPUID: what CPUID answers; `setCpuid2` is its successor, which knows sub-leaves. */
  setCpuid: setList('KVM_SET_CPUID', 'kvm_cpuid', 'nent', 'entries'),
  /** KVM_SET_CPUID2: what CPUID answers. Before the vCPU first runs. */
  setCpuid2: setList('KVM_SET_CPUID2', 'kvm_cpuid2', 'nent', 'entries', {
    E2BIG: 'more entries than KVM takes',
    EINVAL: 'too late, because the vCPU has run, or entries that KVM does not support',
  }),
  /** KVM_GET_CPUID2, of which Linux before 6.9 does not say how many entries it gave. */
  getCpuid2: getUncountedList('KVM_GET_CPUID2', 'kvm_cpuid2', 'nent', 'entries', 'function'),
  /** KVM_GET_SUPPORTED_HV_CPUID: what of Hyper-V's interface this vCPU can have. */
  getSupportedHvCpuid: getList('KVM_GET_SUPPORTED_HV_CPUID', 'kvm_cpuid2', 'nent', 'entries'),
  /** KVM_GET_LAPIC: the local APIC's registers. */
  getLapic: get('KVM_GET_LAPIC', 'kvm_lapic_state', { EINVAL: 'the local APIC is not in the kernel' }),
  /** KVM_SET_LAPIC. */
  setLapic: set('KVM_SET_LAPIC', 'kvm_lapic_state', { EINVAL: 'the local APIC is not in the kernel' }),
  /** KVM_TPR_ACCESS_REPORTING: exits when the guest touches the task priority register. */
  tprAccessReporting: exchange('KVM_TPR_ACCESS_REPORTING', 'kvm_tpr_access_ctl'),
  /** KVM_SET_VAPIC_ADDR: where in the guest the shadow of the task priority register is. */
  setVapicAddr: set('KVM_SET_VAPIC_ADDR', 'kvm_vapic_addr'),
  /** KVM_NMI: queues a non-maskable interrupt. */
  nmi: command('KVM_NMI'),
  /** KVM_SMI: queues a system management interrupt. */
  smi: command('KVM_SMI'),
  /** KVM_X86_SETUP_MCE: MCG_CAP: what of `kvm.getMceCapSupported` this vCPU has. */
  setupMce: setWord('KVM_X86_SETUP_MCE'),
  /** KVM_X86_SET_MCE: injects a machine check. */
  setMce: set('KVM_X86_SET_MCE', 'kvm_x86_mce'),
  /** KVM_GET_VCPU_EVENTS: exceptions, interrupts and NMIs on their way. */
  getVcpuEvents: get('KVM_GET_VCPU_EVENTS', 'kvm_vcpu_events'),
  /** KVM_SET_VCPU_EVENTS. */
  setVcpuEvents: set('KVM_SET_VCPU_EVENTS', 'kvm_vcpu_events'),
  /** KVM_GET_DEBUGREGS: the guest's own debug registers. */
  getDebugregs: get('KVM_GET_DEBUGREGS', 'kvm_debugregs'),
  /** KVM_SET_DEBUGREGS. */
  setDebugregs: set('KVM_SET_DEBUGREGS', 'kvm_debugregs'),
  /** KVM_GET_XCRS: extended control registers. */
  getXcrs: get('KVM_GET_XCRS', 'kvm_xcrs'),
  /** KVM_SET_XCRS. */
  setXcrs: set('KVM_SET_XCRS', 'kvm_xcrs'),
  /** KVM_SET_TSC_KHZ: the rate of this vCPU's time-stamp counter. */
  setTscKhz: tellInt('KVM_SET_TSC_KHZ'),
  /** KVM_GET_TSC_KHZ. */
  getTscKhz: ask('KVM_GET_TSC_KHZ'),
  /** KVM_KVMCLOCK_CTRL: tells the guest's watchdog that it was stopped from outside. */
  kvmclockCtrl: command('KVM_KVMCLOCK_CTRL', { EINVAL: 'the guest does not use the paravirtual clock' }),
  /** KVM_XEN_VCPU_GET_ATTR. */
  xenVcpuGetAttr: exchange('KVM_XEN_VCPU_GET_ATTR', 'kvm_xen_vcpu_attr'),
  /** KVM_XEN_VCPU_SET_ATTR. */
  xenVcpuSetAttr: set('KVM_XEN_VCPU_SET_ATTR', 'kvm_xen_vcpu_attr'),
} as const

export const vcpuMethodsAarch64 = {
  /** KVM_ARM_VCPU_INIT: makes it a processor; nothing else works before. Gives it its initial state again. */
  armVcpuInit: set('KVM_ARM_VCPU_INIT', 'kvm_vcpu_init', {
    EINVAL: 'no such target here, or features that do not go together',
    ENOENT: 'a feature that this machine lacks',
  }),
  /** KVM_ARM_VCPU_FINALIZE: settles a feature such as SVE; from then on its registers can be used. */
  armVcpuFinalize: setWord('KVM_ARM_VCPU_FINALIZE'),
  /** KVM_GET_VCPU_EVENTS: a system error on its way. */
  getVcpuEvents: get('KVM_GET_VCPU_EVENTS', 'kvm_vcpu_events'),
  /** KVM_SET_VCPU_EVENTS. */
  setVcpuEvents: set('KVM_SET_VCPU_EVENTS', 'kvm_vcpu_events'),
} as const

export const vcpuMethodsPowerpc64le = {
  /** KVM_GET_REGS: general registers, pc, msr, lr, ctr, xer, cr. */
  getRegs: get('KVM_GET_REGS', 'kvm_regs'),
  /** KVM_SET_REGS. */
  setRegs: set('KVM_SET_REGS', 'kvm_regs'),
  /** KVM_GET_SREGS. */
  getSregs: get('KVM_GET_SREGS', 'kvm_sregs'),
  /** KVM_SET_SREGS: also sets which processor it is (pvr). */
  setSregs: set('KVM_SET_SREGS', 'kvm_sregs'),
  /** KVM_GET_FPU: Book E only; elsewhere one-reg has them. */
  getFpu: get('KVM_GET_FPU', 'kvm_fpu'),
  /** KVM_SET_FPU. */
  setFpu: set('KVM_SET_FPU', 'kvm_fpu'),
  /** KVM_TRANSLATE: Book E only. */
  translate: exchange('KVM_TRANSLATE', 'kvm_translation'),
  /** KVM_INTERRUPT: KVM_INTERRUPT_SET, _UNSET or _SET_LEVEL. While it runs, too. */
  interrupt: set('KVM_INTERRUPT', 'kvm_interrupt'),
} as const

export const vcpuMethodsRiscv64 = {
  /** KVM_INTERRUPT: raises or lowers the external interrupt. While it runs, too. */
  interrupt: set('KVM_INTERRUPT', 'kvm_interrupt'),
} as const
