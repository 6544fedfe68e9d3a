import { ask, command, exchange, get, set, setList, setWord, submit, tell, tellInt } from './spec.js'

/** A virtual machine's requests that take one value or structure, on every architecture. */
export const vmMethods = {
  /** KVM_CREATE_IRQCHIP: an interrupt controller in the kernel. Before the first vCPU on x86. */
  createIrqchip: command('KVM_CREATE_IRQCHIP', {
    EEXIST: 'there is an interrupt controller already',
    EINVAL: 'too late: create it before the first vCPU, and only once',
  }),
  /** KVM_IRQ_LINE: raises or lowers an input of the interrupt controller in the kernel. */
  irqLine: set('KVM_IRQ_LINE', 'kvm_irq_level', { ENXIO: 'create an interrupt controller first' }),
  /** KVM_IRQ_LINE_STATUS: the same; `status` says: 0 masked, above 0 delivered, below 0 lost in another. */
  irqLineStatus: exchange('KVM_IRQ_LINE_STATUS', 'kvm_irq_level', {
    ENXIO: 'create an interrupt controller first',
  }),
  /** KVM_SET_GSI_ROUTING: replaces the table of which interrupt number goes to which pin or message. */
  setGsiRouting: setList('KVM_SET_GSI_ROUTING', 'kvm_irq_routing', 'nr', 'entries', {
    EINVAL: 'an entry names a pin, a type or an interrupt that there is not, or two share one',
  }),
  /** KVM_SIGNAL_MSI: delivers a message-signalled interrupt. Above 0: delivered; 0: blocked by the guest. */
  signalMsi: submit('KVM_SIGNAL_MSI', 'kvm_msi', { EINVAL: 'there is no in-kernel controller to take it' }),
  /** KVM_RESET_DIRTY_RINGS: protects again what was collected from the rings. Gives how many entries. */
  resetDirtyRings: ask('KVM_RESET_DIRTY_RINGS', { EINVAL: 'enable KVM_CAP_DIRTY_LOG_RING first' }),
  /** KVM_SET_MEMORY_ATTRIBUTES: makes guest addresses private (KVM_MEMORY_ATTRIBUTE_PRIVATE) or shared. */
  setMemoryAttributes: set('KVM_SET_MEMORY_ATTRIBUTES', 'kvm_memory_attributes', {
    EINVAL: 'use whole pages, and attributes that KVM_CAP_MEMORY_ATTRIBUTES names',
  }),
} as const

export const vmMethodsX86 = {
  /** KVM_SET_TSS_ADDR: three pages below 4 GiB that no memory uses: Intel processors need them in real mode. */
  setTssAddr: tell('KVM_SET_TSS_ADDR', { EINVAL: 'use an address below 0xffffd000' }),
  /** KVM_SET_IDENTITY_MAP_ADDR: one page below 4 GiB that no memory uses. Before the first vCPU. */
  setIdentityMapAddr: setWord('KVM_SET_IDENTITY_MAP_ADDR', { EINVAL: 'too late: there is a vCPU' }),
  /** KVM_SET_NR_MMU_PAGES: how many pages KVM may use for its own page tables. */
  setNrMmuPages: tellInt('KVM_SET_NR_MMU_PAGES', { EINVAL: 'use at least 64' }),
  /** KVM_GET_NR_MMU_PAGES. */
  getNrMmuPages: ask('KVM_GET_NR_MMU_PAGES'),
  /** KVM_GET_IRQCHIP: the state of one chip, by `chip_id`: KVM_IRQCHIP_PIC_MASTER, _PIC_SLAVE or _IOAPIC. */
  getIrqchip: exchange('KVM_GET_IRQCHIP', 'kvm_irqchip', { ENXIO: 'create an interrupt controller first' }),
  /** KVM_SET_IRQCHIP. */
  setIrqchip: set('KVM_SET_IRQCHIP', 'kvm_irqchip', { ENXIO: 'create an interrupt controller first' }),
  /** KVM_CREATE_PIT: a timer chip (i8254) in the kernel; `createPit2` is its successor. */
  createPit: command('KVM_CREATE_PIT', { ENOENT: 'create an interrupt controller first' }),
  /** KVM_GET_PIT. */
  getPit: get('KVM_GET_PIT', 'kvm_pit_state', { ENXIO: 'create a timer first' }),
  /** KVM_SET_PIT. */
  setPit: set('KVM_SET_PIT', 'kvm_pit_state', { ENXIO: 'create a timer first' }),
  /** KVM_CREATE_PIT2: a timer chip in the kernel. `flags`: KVM_PIT_SPEAKER_DUMMY takes the speaker's port. */
  createPit2: set('KVM_CREATE_PIT2', 'kvm_pit_config', {
    EEXIST: 'there is a timer already',
    ENOENT: 'create an interrupt controller first',
  }),
  /** KVM_GET_PIT2. */
  getPit2: get('KVM_GET_PIT2', 'kvm_pit_state2', { ENXIO: 'create a timer first' }),
  /** KVM_SET_PIT2. */
  setPit2: set('KVM_SET_PIT2', 'kvm_pit_state2', { ENXIO: 'create a timer first' }),
  /** KVM_REINJECT_CONTROL: whether ticks that a guest missed are delivered later. */
  reinjectControl: set('KVM_REINJECT_CONTROL', 'kvm_reinject_control', { ENXIO: 'create a timer first' }),
  /** KVM_SET_BOOT_CPU_ID: which vCPU is the first processor. Before the first vCPU. */
  setBootCpuId: tell('KVM_SET_BOOT_CPU_ID', { EBUSY: 'too late: there is a vCPU' }),
  /** KVM_GET_CLOCK: the machine's paravirtual clock, in nanoseconds. */
  getClock: get('KVM_GET_CLOCK', 'kvm_clock_data'),
  /** KVM_SET_CLOCK. */
  setClock: set('KVM_SET_CLOCK', 'kvm_clock_data'),
  /** KVM_SET_TSC_KHZ: the clock rate that new vCPUs count with. */
  setTscKhz: tellInt('KVM_SET_TSC_KHZ', {
    EINVAL: 'this processor cannot count at that rate, or there is a vCPU',
  }),
  /** KVM_GET_TSC_KHZ. */
  getTscKhz: ask('KVM_GET_TSC_KHZ'),
  /** KVM_MEMORY_ENCRYPT_… and KVM_XEN_…, KVM_HYPERV_…: attributes of machines of those kinds. */
  xenHvmGetAttr: exchange('KVM_XEN_HVM_GET_ATTR', 'kvm_xen_hvm_attr'),
  /** KVM_XEN_HVM_SET_ATTR. */
  xenHvmSetAttr: set('KVM_XEN_HVM_SET_ATTR', 'kvm_xen_hvm_attr'),
  /** KVM_XEN_HVM_EVTCHN_SEND: delivers an event channel's event. */
  xenHvmEvtchnSend: set('KVM_XEN_HVM_EVTCHN_SEND', 'kvm_irq_routing_xen_evtchn'),
  /** KVM_HYPERV_EVENTFD: a Hyper-V connection that signals an eventfd. */
  hypervEventfd: set('KVM_HYPERV_EVENTFD', 'kvm_hyperv_eventfd'),
} as const

export const vmMethodsAarch64 = {
  /** KVM_ARM_SET_DEVICE_ADDR: where a device of the kernel lies; older than device attributes. */
  armSetDeviceAddr: set('KVM_ARM_SET_DEVICE_ADDR', 'kvm_arm_device_addr'),
  /** KVM_ARM_PREFERRED_TARGET: what `vcpu.armVcpuInit` should ask for on this machine. */
  armPreferredTarget: get('KVM_ARM_PREFERRED_TARGET', 'kvm_vcpu_init', { ENODEV: 'this processor has none' }),
  /** KVM_ARM_SET_COUNTER_OFFSET: what is taken from the guest's counters. */
  armSetCounterOffset: set('KVM_ARM_SET_COUNTER_OFFSET', 'kvm_arm_counter_offset', {
    EBUSY: 'a vCPU is running',
  }),
} as const

export const vmMethodsPowerpc64le = {
  /** KVM_PPC_GET_SMMU_INFO: page and segment sizes of the hash MMU. */
  ppcGetSmmuInfo: get('KVM_PPC_GET_SMMU_INFO', 'kvm_ppc_smmu_info'),
  /** KVM_PPC_GET_RMMU_INFO: page sizes and tree shapes of the radix MMU. */
  ppcGetRmmuInfo: get('KVM_PPC_GET_RMMU_INFO', 'kvm_ppc_rmmu_info', {
    EINVAL: 'this machine has no radix MMU',
  }),
  /** KVM_PPC_CONFIGURE_V3_MMU: hash or radix for this guest, and where its process table is. */
  ppcConfigureV3Mmu: set('KVM_PPC_CONFIGURE_V3_MMU', 'kvm_ppc_mmuv3_cfg'),
  /** KVM_PPC_ALLOCATE_HTAB: a hash table of 2^n bytes for the guest. */
  ppcAllocateHtab: setWord('KVM_PPC_ALLOCATE_HTAB', { EBUSY: 'a vCPU is running' }),
  /** KVM_PPC_RTAS_DEFINE_TOKEN: lets the kernel answer an RTAS call; an empty name takes it back. */
  ppcRtasDefineToken: set('KVM_PPC_RTAS_DEFINE_TOKEN', 'kvm_rtas_token_args'),
  /** KVM_PPC_RESIZE_HPT_PREPARE. Above 0: ask again after so many milliseconds. */
  ppcResizeHptPrepare: submit('KVM_PPC_RESIZE_HPT_PREPARE', 'kvm_ppc_resize_hpt'),
  /** KVM_PPC_RESIZE_HPT_COMMIT. */
  ppcResizeHptCommit: submit('KVM_PPC_RESIZE_HPT_COMMIT', 'kvm_ppc_resize_hpt'),
  /** KVM_PPC_GET_CPU_CHAR: what the processor does about speculation. */
  ppcGetCpuChar: get('KVM_PPC_GET_CPU_CHAR', 'kvm_ppc_cpu_char'),
  /** KVM_PPC_GET_PVINFO: the instructions with which a guest calls KVM. */
  ppcGetPvinfo: get('KVM_PPC_GET_PVINFO', 'kvm_ppc_pvinfo'),
  /** KVM_PPC_SVM_OFF: takes a guest that became secure back to normal, for its reset. */
  ppcSvmOff: command('KVM_PPC_SVM_OFF'),
  /** KVM_PPC_GET_COMPAT_CAPS: which older processors a nested guest may be. Takes `size`: 24. */
  ppcGetCompatCaps: exchange('KVM_PPC_GET_COMPAT_CAPS', 'kvm_ppc_compat_caps'),
} as const

export const vmMethodsRiscv64 = {} as const
