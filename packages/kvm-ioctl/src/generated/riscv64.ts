// biome-ignore-all format: a table
// Written by generate/generate.mjs from linux/kvm.h for riscv64. Do not edit: run it again.
import { array, at, flatten, flexible, i16, i32, structure, u8, u16, u32, u64, union } from './layout.js'

/** The version of the header. */
export const headerVersion = '7.3'

/** Request numbers, by the name in linux/kvm.h. */
export const ioctls = {
  KVM_GET_API_VERSION: 0xae00, KVM_CREATE_VM: 0xae01, KVM_CHECK_EXTENSION: 0xae03,
  KVM_GET_VCPU_MMAP_SIZE: 0xae04, KVM_S390_ENABLE_SIE: 0xae06, KVM_CREATE_VCPU: 0xae41,
  KVM_SET_NR_MMU_PAGES: 0xae44, KVM_GET_NR_MMU_PAGES: 0xae45, KVM_SET_TSS_ADDR: 0xae47,
  KVM_CREATE_IRQCHIP: 0xae60, KVM_CREATE_PIT: 0xae64, KVM_REINJECT_CONTROL: 0xae71,
  KVM_SET_BOOT_CPU_ID: 0xae78, KVM_RUN: 0xae80, KVM_S390_INITIAL_RESET: 0xae97, KVM_NMI: 0xae9a,
  KVM_SET_TSC_KHZ: 0xaea2, KVM_GET_TSC_KHZ: 0xaea3, KVM_KVMCLOCK_CTRL: 0xaead, KVM_PPC_SVM_OFF: 0xaeb3,
  KVM_SMI: 0xaeb7, KVM_PPC_GET_COMPAT_CAPS: 0xaeb8, KVM_S390_NORMAL_RESET: 0xaec3,
  KVM_S390_CLEAR_RESET: 0xaec4, KVM_RESET_DIRTY_RINGS: 0xaec7, KVM_GET_STATS_FD: 0xaece,
  KVM_SET_REGS: 0x4000ae82, KVM_SET_SREGS: 0x4000ae84, KVM_SET_FPU: 0x4000ae8d, KVM_INTERRUPT: 0x4004ae86,
  KVM_SET_SIGNAL_MASK: 0x4004ae8b, KVM_SET_MP_STATE: 0x4004ae99, KVM_ARM_VCPU_FINALIZE: 0x4004aec2,
  KVM_SET_IDENTITY_MAP_ADDR: 0x4008ae48, KVM_S390_VCPU_FAULT: 0x4008ae52, KVM_IRQ_LINE: 0x4008ae61,
  KVM_SET_GSI_ROUTING: 0x4008ae6a, KVM_SET_VAPIC_ADDR: 0x4008ae93, KVM_S390_STORE_STATUS: 0x4008ae95,
  KVM_SET_GUEST_DEBUG: 0x4008ae9b, KVM_X86_SETUP_MCE: 0x4008ae9c, KVM_XEN_HVM_EVTCHN_SEND: 0x400caed0,
  KVM_GET_DIRTY_LOG: 0x4010ae42, KVM_REGISTER_COALESCED_MMIO: 0x4010ae67,
  KVM_UNREGISTER_COALESCED_MMIO: 0x4010ae68, KVM_DIRTY_TLB: 0x4010aeaa, KVM_ARM_SET_DEVICE_ADDR: 0x4010aeab,
  KVM_GET_ONE_REG: 0x4010aeab, KVM_SET_ONE_REG: 0x4010aeac, KVM_SET_DEVICE_ATTR: 0x4018aee1,
  KVM_GET_DEVICE_ATTR: 0x4018aee2, KVM_HAS_DEVICE_ATTR: 0x4018aee3, KVM_SET_USER_MEMORY_REGION: 0x4020ae46,
  KVM_IRQFD: 0x4020ae76, KVM_SIGNAL_MSI: 0x4020aea5, KVM_SET_MEMORY_ATTRIBUTES: 0x4020aed2,
  KVM_SET_CLOCK: 0x4030ae7b, KVM_CREATE_PIT2: 0x4040ae77, KVM_IOEVENTFD: 0x4040ae79,
  KVM_ENABLE_CAP: 0x4068aea3, KVM_SET_USER_MEMORY_REGION2: 0x40a0ae49, KVM_GET_REGS: 0x8000ae81,
  KVM_GET_SREGS: 0x8000ae83, KVM_GET_FPU: 0x8000ae8c, KVM_GET_MP_STATE: 0x8004ae98,
  KVM_X86_GET_MCE_CAP_SUPPORTED: 0x8008ae9d, KVM_MEMORY_ENCRYPT_REG_REGION: 0x8010aebb,
  KVM_MEMORY_ENCRYPT_UNREG_REGION: 0x8010aebc, KVM_GET_CLOCK: 0x8030ae7c, KVM_SET_IRQCHIP: 0x8208ae63,
  KVM_PPC_ALLOCATE_HTAB: 0xc004aea7, KVM_IRQ_LINE_STATUS: 0xc008ae67, KVM_GET_REG_LIST: 0xc008aeb0,
  KVM_MEMORY_ENCRYPT_OP: 0xc008aeba, KVM_CREATE_DEVICE: 0xc00caee0, KVM_S390_KEYOP: 0xc010ae53,
  KVM_TRANSLATE: 0xc018ae85, KVM_CLEAR_DIRTY_LOG: 0xc018aec0, KVM_TPR_ACCESS_REPORTING: 0xc028ae92,
  KVM_CREATE_GUEST_MEMFD: 0xc040aed4, KVM_PRE_FAULT_MEMORY: 0xc040aed5, KVM_GET_IRQCHIP: 0xc208ae62,
} as const

/** What each request names as its argument: a structure, a number’s type, none. */
export const ioctlArguments = {
  KVM_GET_API_VERSION: 'none', KVM_CREATE_VM: 'none', KVM_S390_ENABLE_SIE: 'none',
  KVM_CHECK_EXTENSION: 'none', KVM_GET_VCPU_MMAP_SIZE: 'none', KVM_CREATE_VCPU: 'none',
  KVM_GET_DIRTY_LOG: 'kvm_dirty_log', KVM_SET_NR_MMU_PAGES: 'none', KVM_GET_NR_MMU_PAGES: 'none',
  KVM_SET_USER_MEMORY_REGION: 'kvm_userspace_memory_region', KVM_SET_TSS_ADDR: 'none',
  KVM_SET_IDENTITY_MAP_ADDR: '__u64', KVM_SET_USER_MEMORY_REGION2: 'kvm_userspace_memory_region2',
  KVM_S390_VCPU_FAULT: 'unsigned long', KVM_S390_KEYOP: 'kvm_s390_keyop', KVM_CREATE_IRQCHIP: 'none',
  KVM_IRQ_LINE: 'kvm_irq_level', KVM_GET_IRQCHIP: 'kvm_irqchip', KVM_SET_IRQCHIP: 'kvm_irqchip',
  KVM_CREATE_PIT: 'none', KVM_IRQ_LINE_STATUS: 'kvm_irq_level',
  KVM_REGISTER_COALESCED_MMIO: 'kvm_coalesced_mmio_zone',
  KVM_UNREGISTER_COALESCED_MMIO: 'kvm_coalesced_mmio_zone', KVM_SET_GSI_ROUTING: 'kvm_irq_routing',
  KVM_REINJECT_CONTROL: 'none', KVM_IRQFD: 'kvm_irqfd', KVM_CREATE_PIT2: 'kvm_pit_config',
  KVM_SET_BOOT_CPU_ID: 'none', KVM_IOEVENTFD: 'kvm_ioeventfd', KVM_SET_CLOCK: 'kvm_clock_data',
  KVM_GET_CLOCK: 'kvm_clock_data', KVM_SET_TSC_KHZ: 'none', KVM_GET_TSC_KHZ: 'none',
  KVM_SIGNAL_MSI: 'kvm_msi', KVM_PPC_ALLOCATE_HTAB: '__u32', KVM_ARM_SET_DEVICE_ADDR: 'kvm_arm_device_addr',
  KVM_PPC_SVM_OFF: 'none', KVM_PPC_GET_COMPAT_CAPS: 'none', KVM_CREATE_DEVICE: 'kvm_create_device',
  KVM_SET_DEVICE_ATTR: 'kvm_device_attr', KVM_GET_DEVICE_ATTR: 'kvm_device_attr',
  KVM_HAS_DEVICE_ATTR: 'kvm_device_attr', KVM_RUN: 'none', KVM_GET_REGS: 'kvm_regs', KVM_SET_REGS: 'kvm_regs',
  KVM_GET_SREGS: 'kvm_sregs', KVM_SET_SREGS: 'kvm_sregs', KVM_TRANSLATE: 'kvm_translation',
  KVM_INTERRUPT: 'kvm_interrupt', KVM_SET_SIGNAL_MASK: 'kvm_signal_mask', KVM_GET_FPU: 'kvm_fpu',
  KVM_SET_FPU: 'kvm_fpu', KVM_TPR_ACCESS_REPORTING: 'kvm_tpr_access_ctl',
  KVM_SET_VAPIC_ADDR: 'kvm_vapic_addr', KVM_S390_STORE_STATUS: 'unsigned long',
  KVM_S390_INITIAL_RESET: 'none', KVM_GET_MP_STATE: 'kvm_mp_state', KVM_SET_MP_STATE: 'kvm_mp_state',
  KVM_NMI: 'none', KVM_SET_GUEST_DEBUG: 'kvm_guest_debug', KVM_X86_SETUP_MCE: '__u64',
  KVM_X86_GET_MCE_CAP_SUPPORTED: '__u64', KVM_ENABLE_CAP: 'kvm_enable_cap', KVM_DIRTY_TLB: 'kvm_dirty_tlb',
  KVM_GET_ONE_REG: 'kvm_one_reg', KVM_SET_ONE_REG: 'kvm_one_reg', KVM_KVMCLOCK_CTRL: 'none',
  KVM_GET_REG_LIST: 'kvm_reg_list', KVM_SMI: 'none', KVM_MEMORY_ENCRYPT_OP: 'unsigned long',
  KVM_MEMORY_ENCRYPT_REG_REGION: 'kvm_enc_region', KVM_MEMORY_ENCRYPT_UNREG_REGION: 'kvm_enc_region',
  KVM_CLEAR_DIRTY_LOG: 'kvm_clear_dirty_log', KVM_ARM_VCPU_FINALIZE: 'int', KVM_S390_NORMAL_RESET: 'none',
  KVM_S390_CLEAR_RESET: 'none', KVM_RESET_DIRTY_RINGS: 'none',
  KVM_XEN_HVM_EVTCHN_SEND: 'kvm_irq_routing_xen_evtchn', KVM_GET_STATS_FD: 'none',
  KVM_SET_MEMORY_ATTRIBUTES: 'kvm_memory_attributes', KVM_CREATE_GUEST_MEMFD: 'kvm_create_guest_memfd',
  KVM_PRE_FAULT_MEMORY: 'kvm_pre_fault_memory',
} as const

/** For KVM_CHECK_EXTENSION. */
export const capabilities = {
  KVM_CAP_IRQCHIP: 0, KVM_CAP_HLT: 1, KVM_CAP_MMU_SHADOW_CACHE_CONTROL: 2, KVM_CAP_USER_MEMORY: 3,
  KVM_CAP_SET_TSS_ADDR: 4, KVM_CAP_VAPIC: 6, KVM_CAP_EXT_CPUID: 7, KVM_CAP_CLOCKSOURCE: 8,
  KVM_CAP_NR_VCPUS: 9, KVM_CAP_NR_MEMSLOTS: 0xa, KVM_CAP_PIT: 0xb, KVM_CAP_NOP_IO_DELAY: 0xc,
  KVM_CAP_PV_MMU: 0xd, KVM_CAP_MP_STATE: 0xe, KVM_CAP_COALESCED_MMIO: 0xf, KVM_CAP_SYNC_MMU: 0x10,
  KVM_CAP_IOMMU: 0x12, KVM_CAP_DESTROY_MEMORY_REGION_WORKS: 0x15, KVM_CAP_USER_NMI: 0x16,
  KVM_CAP_SET_GUEST_DEBUG: 0x17, KVM_CAP_IRQ_ROUTING: 0x19, KVM_CAP_IRQ_INJECT_STATUS: 0x1a,
  KVM_CAP_ASSIGN_DEV_IRQ: 0x1d, KVM_CAP_JOIN_MEMORY_REGIONS_WORKS: 0x1e, KVM_CAP_IRQFD: 0x20,
  KVM_CAP_SET_BOOT_CPU_ID: 0x22, KVM_CAP_IOEVENTFD: 0x24, KVM_CAP_SET_IDENTITY_MAP_ADDR: 0x25,
  KVM_CAP_ADJUST_CLOCK: 0x27, KVM_CAP_INTERNAL_ERROR_DATA: 0x28, KVM_CAP_S390_PSW: 0x2a,
  KVM_CAP_PPC_SEGSTATE: 0x2b, KVM_CAP_HYPERV: 0x2c, KVM_CAP_HYPERV_VAPIC: 0x2d, KVM_CAP_HYPERV_SPIN: 0x2e,
  KVM_CAP_PCI_SEGMENT: 0x2f, KVM_CAP_PPC_PAIRED_SINGLES: 0x30, KVM_CAP_INTR_SHADOW: 0x31,
  KVM_CAP_X86_ROBUST_SINGLESTEP: 0x33, KVM_CAP_PPC_OSI: 0x34, KVM_CAP_PPC_UNSET_IRQ: 0x35,
  KVM_CAP_ENABLE_CAP: 0x36, KVM_CAP_PPC_GET_PVINFO: 0x39, KVM_CAP_PPC_IRQ_LEVEL: 0x3a, KVM_CAP_ASYNC_PF: 0x3b,
  KVM_CAP_TSC_CONTROL: 0x3c, KVM_CAP_GET_TSC_KHZ: 0x3d, KVM_CAP_PPC_BOOKE_SREGS: 0x3e,
  KVM_CAP_SPAPR_TCE: 0x3f, KVM_CAP_PPC_SMT: 0x40, KVM_CAP_PPC_RMA: 0x41, KVM_CAP_MAX_VCPUS: 0x42,
  KVM_CAP_PPC_HIOR: 0x43, KVM_CAP_PPC_PAPR: 0x44, KVM_CAP_SW_TLB: 0x45, KVM_CAP_ONE_REG: 0x46,
  KVM_CAP_S390_GMAP: 0x47, KVM_CAP_TSC_DEADLINE_TIMER: 0x48, KVM_CAP_S390_UCONTROL: 0x49,
  KVM_CAP_SYNC_REGS: 0x4a, KVM_CAP_PCI_2_3: 0x4b, KVM_CAP_KVMCLOCK_CTRL: 0x4c, KVM_CAP_SIGNAL_MSI: 0x4d,
  KVM_CAP_PPC_GET_SMMU_INFO: 0x4e, KVM_CAP_S390_COW: 0x4f, KVM_CAP_PPC_ALLOC_HTAB: 0x50,
  KVM_CAP_READONLY_MEM: 0x51, KVM_CAP_IRQFD_RESAMPLE: 0x52, KVM_CAP_PPC_BOOKE_WATCHDOG: 0x53,
  KVM_CAP_PPC_HTAB_FD: 0x54, KVM_CAP_S390_CSS_SUPPORT: 0x55, KVM_CAP_PPC_EPR: 0x56, KVM_CAP_ARM_PSCI: 0x57,
  KVM_CAP_ARM_SET_DEVICE_ADDR: 0x58, KVM_CAP_DEVICE_CTRL: 0x59, KVM_CAP_IRQ_MPIC: 0x5a,
  KVM_CAP_PPC_RTAS: 0x5b, KVM_CAP_IRQ_XICS: 0x5c, KVM_CAP_ARM_EL1_32BIT: 0x5d, KVM_CAP_SPAPR_MULTITCE: 0x5e,
  KVM_CAP_EXT_EMUL_CPUID: 0x5f, KVM_CAP_HYPERV_TIME: 0x60, KVM_CAP_IOAPIC_POLARITY_IGNORED: 0x61,
  KVM_CAP_ENABLE_CAP_VM: 0x62, KVM_CAP_S390_IRQCHIP: 0x63, KVM_CAP_IOEVENTFD_NO_LENGTH: 0x64,
  KVM_CAP_VM_ATTRIBUTES: 0x65, KVM_CAP_ARM_PSCI_0_2: 0x66, KVM_CAP_PPC_FIXUP_HCALL: 0x67,
  KVM_CAP_PPC_ENABLE_HCALL: 0x68, KVM_CAP_CHECK_EXTENSION_VM: 0x69, KVM_CAP_S390_USER_SIGP: 0x6a,
  KVM_CAP_S390_VECTOR_REGISTERS: 0x6b, KVM_CAP_S390_MEM_OP: 0x6c, KVM_CAP_S390_USER_STSI: 0x6d,
  KVM_CAP_S390_SKEYS: 0x6e, KVM_CAP_MIPS_FPU: 0x6f, KVM_CAP_MIPS_MSA: 0x70, KVM_CAP_S390_INJECT_IRQ: 0x71,
  KVM_CAP_S390_IRQ_STATE: 0x72, KVM_CAP_PPC_HWRNG: 0x73, KVM_CAP_DISABLE_QUIRKS: 0x74, KVM_CAP_X86_SMM: 0x75,
  KVM_CAP_MULTI_ADDRESS_SPACE: 0x76, KVM_CAP_GUEST_DEBUG_HW_BPS: 0x77, KVM_CAP_GUEST_DEBUG_HW_WPS: 0x78,
  KVM_CAP_SPLIT_IRQCHIP: 0x79, KVM_CAP_IOEVENTFD_ANY_LENGTH: 0x7a, KVM_CAP_HYPERV_SYNIC: 0x7b,
  KVM_CAP_S390_RI: 0x7c, KVM_CAP_SPAPR_TCE_64: 0x7d, KVM_CAP_ARM_PMU_V3: 0x7e, KVM_CAP_VCPU_ATTRIBUTES: 0x7f,
  KVM_CAP_MAX_VCPU_ID: 0x80, KVM_CAP_X2APIC_API: 0x81, KVM_CAP_S390_USER_INSTR0: 0x82,
  KVM_CAP_MSI_DEVID: 0x83, KVM_CAP_PPC_HTM: 0x84, KVM_CAP_SPAPR_RESIZE_HPT: 0x85, KVM_CAP_PPC_MMU_RADIX: 0x86,
  KVM_CAP_PPC_MMU_HASH_V3: 0x87, KVM_CAP_IMMEDIATE_EXIT: 0x88, KVM_CAP_MIPS_VZ: 0x89, KVM_CAP_MIPS_TE: 0x8a,
  KVM_CAP_MIPS_64BIT: 0x8b, KVM_CAP_S390_GS: 0x8c, KVM_CAP_S390_AIS: 0x8d, KVM_CAP_SPAPR_TCE_VFIO: 0x8e,
  KVM_CAP_X86_DISABLE_EXITS: 0x8f, KVM_CAP_ARM_USER_IRQ: 0x90, KVM_CAP_S390_CMMA_MIGRATION: 0x91,
  KVM_CAP_PPC_FWNMI: 0x92, KVM_CAP_PPC_SMT_POSSIBLE: 0x93, KVM_CAP_HYPERV_SYNIC2: 0x94,
  KVM_CAP_HYPERV_VP_INDEX: 0x95, KVM_CAP_S390_AIS_MIGRATION: 0x96, KVM_CAP_PPC_GET_CPU_CHAR: 0x97,
  KVM_CAP_S390_BPB: 0x98, KVM_CAP_GET_MSR_FEATURES: 0x99, KVM_CAP_HYPERV_EVENTFD: 0x9a,
  KVM_CAP_HYPERV_TLBFLUSH: 0x9b, KVM_CAP_S390_HPAGE_1M: 0x9c, KVM_CAP_NESTED_STATE: 0x9d,
  KVM_CAP_ARM_INJECT_SERROR_ESR: 0x9e, KVM_CAP_MSR_PLATFORM_INFO: 0x9f, KVM_CAP_PPC_NESTED_HV: 0xa0,
  KVM_CAP_HYPERV_SEND_IPI: 0xa1, KVM_CAP_COALESCED_PIO: 0xa2, KVM_CAP_HYPERV_ENLIGHTENED_VMCS: 0xa3,
  KVM_CAP_EXCEPTION_PAYLOAD: 0xa4, KVM_CAP_ARM_VM_IPA_SIZE: 0xa5, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT: 0xa6,
  KVM_CAP_HYPERV_CPUID: 0xa7, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: 0xa8, KVM_CAP_PPC_IRQ_XIVE: 0xa9,
  KVM_CAP_ARM_SVE: 0xaa, KVM_CAP_ARM_PTRAUTH_ADDRESS: 0xab, KVM_CAP_ARM_PTRAUTH_GENERIC: 0xac,
  KVM_CAP_PMU_EVENT_FILTER: 0xad, KVM_CAP_ARM_IRQ_LINE_LAYOUT_2: 0xae, KVM_CAP_HYPERV_DIRECT_TLBFLUSH: 0xaf,
  KVM_CAP_PPC_GUEST_DEBUG_SSTEP: 0xb0, KVM_CAP_ARM_NISV_TO_USER: 0xb1, KVM_CAP_ARM_INJECT_EXT_DABT: 0xb2,
  KVM_CAP_S390_VCPU_RESETS: 0xb3, KVM_CAP_S390_PROTECTED: 0xb4, KVM_CAP_PPC_SECURE_GUEST: 0xb5,
  KVM_CAP_HALT_POLL: 0xb6, KVM_CAP_ASYNC_PF_INT: 0xb7, KVM_CAP_LAST_CPU: 0xb8,
  KVM_CAP_SMALLER_MAXPHYADDR: 0xb9, KVM_CAP_S390_DIAG318: 0xba, KVM_CAP_STEAL_TIME: 0xbb,
  KVM_CAP_X86_USER_SPACE_MSR: 0xbc, KVM_CAP_X86_MSR_FILTER: 0xbd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID: 0xbe,
  KVM_CAP_SYS_HYPERV_CPUID: 0xbf, KVM_CAP_DIRTY_LOG_RING: 0xc0, KVM_CAP_X86_BUS_LOCK_EXIT: 0xc1,
  KVM_CAP_PPC_DAWR1: 0xc2, KVM_CAP_SET_GUEST_DEBUG2: 0xc3, KVM_CAP_SGX_ATTRIBUTE: 0xc4,
  KVM_CAP_VM_COPY_ENC_CONTEXT_FROM: 0xc5, KVM_CAP_PTP_KVM: 0xc6, KVM_CAP_HYPERV_ENFORCE_CPUID: 0xc7,
  KVM_CAP_SREGS2: 0xc8, KVM_CAP_EXIT_HYPERCALL: 0xc9, KVM_CAP_PPC_RPT_INVALIDATE: 0xca,
  KVM_CAP_BINARY_STATS_FD: 0xcb, KVM_CAP_EXIT_ON_EMULATION_FAILURE: 0xcc, KVM_CAP_ARM_MTE: 0xcd,
  KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM: 0xce, KVM_CAP_VM_GPA_BITS: 0xcf, KVM_CAP_XSAVE2: 0xd0,
  KVM_CAP_SYS_ATTRIBUTES: 0xd1, KVM_CAP_PPC_AIL_MODE_3: 0xd2, KVM_CAP_S390_MEM_OP_EXTENSION: 0xd3,
  KVM_CAP_PMU_CAPABILITY: 0xd4, KVM_CAP_DISABLE_QUIRKS2: 0xd5, KVM_CAP_VM_TSC_CONTROL: 0xd6,
  KVM_CAP_SYSTEM_EVENT_DATA: 0xd7, KVM_CAP_ARM_SYSTEM_SUSPEND: 0xd8, KVM_CAP_S390_PROTECTED_DUMP: 0xd9,
  KVM_CAP_X86_TRIPLE_FAULT_EVENT: 0xda, KVM_CAP_X86_NOTIFY_VMEXIT: 0xdb,
  KVM_CAP_VM_DISABLE_NX_HUGE_PAGES: 0xdc, KVM_CAP_S390_ZPCI_OP: 0xdd, KVM_CAP_S390_CPU_TOPOLOGY: 0xde,
  KVM_CAP_DIRTY_LOG_RING_ACQ_REL: 0xdf, KVM_CAP_S390_PROTECTED_ASYNC_DISABLE: 0xe0,
  KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP: 0xe1, KVM_CAP_PMU_EVENT_MASKED_EVENTS: 0xe2,
  KVM_CAP_COUNTER_OFFSET: 0xe3, KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE: 0xe4,
  KVM_CAP_ARM_SUPPORTED_BLOCK_SIZES: 0xe5, KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES: 0xe6,
  KVM_CAP_USER_MEMORY2: 0xe7, KVM_CAP_MEMORY_FAULT_INFO: 0xe8, KVM_CAP_MEMORY_ATTRIBUTES: 0xe9,
  KVM_CAP_GUEST_MEMFD: 0xea, KVM_CAP_VM_TYPES: 0xeb, KVM_CAP_PRE_FAULT_MEMORY: 0xec,
  KVM_CAP_X86_APIC_BUS_CYCLES_NS: 0xed, KVM_CAP_X86_GUEST_MODE: 0xee, KVM_CAP_ARM_WRITABLE_IMP_ID_REGS: 0xef,
  KVM_CAP_ARM_EL2: 0xf0, KVM_CAP_ARM_EL2_E2H0: 0xf1, KVM_CAP_RISCV_MP_STATE_RESET: 0xf2,
  KVM_CAP_ARM_CACHEABLE_PFNMAP_SUPPORTED: 0xf3, KVM_CAP_GUEST_MEMFD_FLAGS: 0xf4,
  KVM_CAP_ARM_SEA_TO_USER: 0xf5, KVM_CAP_S390_USER_OPEREXEC: 0xf6, KVM_CAP_S390_KEYOP: 0xf7,
  KVM_CAP_S390_VSIE_ESAMODE: 0xf8, KVM_CAP_S390_HPAGE_2G: 0xf9, KVM_CAP_PPC_COMPAT_CAPS: 0xfa,
  KVM_CAP_ARM_PMU_V3_STRICT: 0xfb,
} as const

/** Values of kvm_run.exit_reason. */
export const exitReasons = {
  KVM_EXIT_UNKNOWN: 0, KVM_EXIT_EXCEPTION: 1, KVM_EXIT_IO: 2, KVM_EXIT_HYPERCALL: 3, KVM_EXIT_DEBUG: 4,
  KVM_EXIT_HLT: 5, KVM_EXIT_MMIO: 6, KVM_EXIT_IRQ_WINDOW_OPEN: 7, KVM_EXIT_SHUTDOWN: 8,
  KVM_EXIT_FAIL_ENTRY: 9, KVM_EXIT_INTR: 0xa, KVM_EXIT_SET_TPR: 0xb, KVM_EXIT_TPR_ACCESS: 0xc,
  KVM_EXIT_S390_SIEIC: 0xd, KVM_EXIT_S390_RESET: 0xe, KVM_EXIT_DCR: 0xf, KVM_EXIT_NMI: 0x10,
  KVM_EXIT_INTERNAL_ERROR: 0x11, KVM_EXIT_OSI: 0x12, KVM_EXIT_PAPR_HCALL: 0x13, KVM_EXIT_S390_UCONTROL: 0x14,
  KVM_EXIT_WATCHDOG: 0x15, KVM_EXIT_S390_TSCH: 0x16, KVM_EXIT_EPR: 0x17, KVM_EXIT_SYSTEM_EVENT: 0x18,
  KVM_EXIT_S390_STSI: 0x19, KVM_EXIT_IOAPIC_EOI: 0x1a, KVM_EXIT_HYPERV: 0x1b, KVM_EXIT_ARM_NISV: 0x1c,
  KVM_EXIT_X86_RDMSR: 0x1d, KVM_EXIT_X86_WRMSR: 0x1e, KVM_EXIT_DIRTY_RING_FULL: 0x1f,
  KVM_EXIT_AP_RESET_HOLD: 0x20, KVM_EXIT_X86_BUS_LOCK: 0x21, KVM_EXIT_XEN: 0x22, KVM_EXIT_RISCV_SBI: 0x23,
  KVM_EXIT_RISCV_CSR: 0x24, KVM_EXIT_NOTIFY: 0x25, KVM_EXIT_LOONGARCH_IOCSR: 0x26,
  KVM_EXIT_MEMORY_FAULT: 0x27, KVM_EXIT_TDX: 0x28, KVM_EXIT_ARM_SEA: 0x29, KVM_EXIT_ARM_LDST64B: 0x2a,
  KVM_EXIT_SNP_REQ_CERTS: 0x2b,
} as const

/** Everything else that is a number: flags, directions, parts of register ids (bigint). */
export const constants = {
  KVM_DEV_RISCV_AIA_ADDR_APLIC: 0, KVM_DEV_RISCV_AIA_CONFIG_MODE: 0, KVM_DEV_RISCV_AIA_CTRL_INIT: 0,
  KVM_DEV_RISCV_AIA_GRP_CONFIG: 0, KVM_DEV_RISCV_AIA_MODE_EMUL: 0, KVM_EXIT_IO_IN: 0,
  KVM_MMU_FSL_BOOKE_NOHV: 0, KVM_MP_STATE_RUNNABLE: 0, KVM_REG_GENERIC: 0n, KVM_REG_RISCV_CSR_GENERAL: 0n,
  KVM_REG_RISCV_ISA_SINGLE: 0n, KVM_REG_RISCV_SBI_MULTI_REG_LAST: 0n, KVM_REG_RISCV_SBI_SINGLE: 0n,
  KVM_REG_RISCV_SBI_STA: 0n, KVM_REG_SIZE_U8: 0n, KVM_RISCV_ISA_EXT_A: 0, KVM_RISCV_MODE_U: 0,
  KVM_RISCV_SBI_EXT_V01: 0, KVM_RISCV_TIMER_STATE_OFF: 0, KVM_STATS_BASE_POW10: 0,
  KVM_STATS_TYPE_CUMULATIVE: 0, KVM_STATS_TYPE_SHIFT: 0, KVM_STATS_UNIT_NONE: 0, KVM_VM_MIPS_AUTO: 0,
  kvm_ioeventfd_flag_nr_datamatch: 0, GUEST_MEMFD_FLAG_MMAP: 1, KVM_BUS_LOCK_DETECTION_OFF: 1,
  KVM_COALESCED_MMIO_PAGE_OFFSET: 1, KVM_CREATE_DEVICE_TEST: 1, KVM_DEV_RISCV_AIA_CONFIG_IDS: 1,
  KVM_DEV_RISCV_AIA_GRP_ADDR: 1, KVM_DEV_RISCV_AIA_MODE_HWACCEL: 1, KVM_DEV_TYPE_FSL_MPIC_20: 1,
  KVM_DEV_VFIO_FILE: 1, KVM_DEV_VFIO_FILE_ADD: 1, KVM_DEV_VFIO_GROUP: 1, KVM_DEV_VFIO_GROUP_ADD: 1,
  KVM_DIRTY_GFN_F_DIRTY: 1, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE: 1, KVM_EXIT_ARM_SEA_FLAG_GPA_VALID: 1,
  KVM_EXIT_FAIL_ENTRY_NO_VSFILE: 1, KVM_EXIT_HYPERV_SYNIC: 1, KVM_EXIT_IO_OUT: 1, KVM_EXIT_XEN_HCALL: 1,
  KVM_GUESTDBG_ENABLE: 1, KVM_INTERNAL_ERROR_EMULATION: 1,
  KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES: 1, KVM_IOEVENTFD_FLAG_DATAMATCH: 1,
  KVM_IRQFD_FLAG_DEASSIGN: 1, KVM_IRQ_ROUTING_IRQCHIP: 1, KVM_MEM_LOG_DIRTY_PAGES: 1, KVM_MMU_FSL_BOOKE_HV: 1,
  KVM_MP_STATE_UNINITIALIZED: 1, KVM_MSI_VALID_DEVID: 1, KVM_MSR_EXIT_REASON_INVAL: 1,
  KVM_NOTIFY_CONTEXT_INVALID: 1, KVM_NR_IRQCHIPS: 1, KVM_PIT_SPEAKER_DUMMY: 1, KVM_PMU_CAP_DISABLE: 1,
  KVM_REG_RISCV_ISA_MULTI_REG_LAST: 1n, KVM_RISCV_ISA_EXT_C: 1, KVM_RISCV_MODE_S: 1,
  KVM_RISCV_SBI_EXT_TIME: 1, KVM_RISCV_TIMER_STATE_ON: 1, KVM_S390_GET_SKEYS_NONE: 1, KVM_S390_KEYOP_ISKE: 1,
  KVM_S390_SIE_PAGE_OFFSET: 1, KVM_STATS_TYPE_INSTANT: 1, KVM_SYSTEM_EVENT_SHUTDOWN: 1, KVM_VM_MIPS_VZ: 1,
  KVM_VM_PPC_HV: 1, KVM_VM_S390_UCONTROL: 1, KVM_X86_DISABLE_EXITS_MWAIT: 1, KVM_X86_NOTIFY_VMEXIT_ENABLED: 1,
  kvm_ioeventfd_flag_nr_pio: 1, GUEST_MEMFD_FLAG_INIT_SHARED: 2, KVM_BUS_LOCK_DETECTION_EXIT: 2,
  KVM_CLOCK_TSC_STABLE: 2, KVM_DEV_RISCV_AIA_CONFIG_SRCS: 2, KVM_DEV_RISCV_AIA_GRP_CTRL: 2,
  KVM_DEV_RISCV_AIA_MODE_AUTO: 2, KVM_DEV_TYPE_FSL_MPIC_42: 2, KVM_DEV_VFIO_FILE_DEL: 2,
  KVM_DEV_VFIO_GROUP_DEL: 2, KVM_DIRTY_GFN_F_RESET: 2, KVM_DIRTY_LOG_INITIALLY_SET: 2,
  KVM_EXIT_HYPERV_HCALL: 2, KVM_GUESTDBG_SINGLESTEP: 2, KVM_INTERNAL_ERROR_SIMUL_EX: 2,
  KVM_IOEVENTFD_FLAG_PIO: 2, KVM_IRQFD_FLAG_RESAMPLE: 2, KVM_IRQ_ROUTING_MSI: 2, KVM_MEM_READONLY: 2,
  KVM_MP_STATE_INIT_RECEIVED: 2, KVM_MSR_EXIT_REASON_UNKNOWN: 2, KVM_RISCV_ISA_EXT_D: 2,
  KVM_RISCV_SBI_EXT_IPI: 2, KVM_S390_KEYOP_RRBE: 2, KVM_STATS_TYPE_PEAK: 2, KVM_SYSTEM_EVENT_RESET: 2,
  KVM_VM_MIPS_TE: 2, KVM_VM_PPC_PR: 2, KVM_X86_DISABLE_EXITS_HLT: 2, KVM_X86_NOTIFY_VMEXIT_USER: 2,
  kvm_ioeventfd_flag_nr_deassign: 2, KVM_DEV_RISCV_AIA_CONFIG_GROUP_BITS: 3, KVM_DEV_RISCV_AIA_GRP_APLIC: 3,
  KVM_DEV_TYPE_XICS: 3, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE: 3, KVM_DIRTY_GFN_F_MASK: 3,
  KVM_EXIT_HYPERV_SYNDBG: 3, KVM_INTERNAL_ERROR_DELIVERY_EV: 3, KVM_IRQ_ROUTING_S390_ADAPTER: 3,
  KVM_MP_STATE_HALTED: 3, KVM_RISCV_ISA_EXT_F: 3, KVM_RISCV_SBI_EXT_RFENCE: 3, KVM_S390_KEYOP_SSKE: 3,
  KVM_STATS_TYPE_LINEAR_HIST: 3, KVM_SYSTEM_EVENT_CRASH: 3, kvm_ioeventfd_flag_nr_virtio_ccw_notify: 3,
  KVM_CLOCK_REALTIME: 4, KVM_DEV_RISCV_AIA_CONFIG_GROUP_SHIFT: 4, KVM_DEV_RISCV_AIA_GRP_IMSIC: 4,
  KVM_DEV_TYPE_VFIO: 4, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON: 4, KVM_IOEVENTFD_FLAG_DEASSIGN: 4,
  KVM_IRQ_ROUTING_HV_SINT: 4, KVM_MEM_GUEST_MEMFD: 4, KVM_MP_STATE_SIPI_RECEIVED: 4,
  KVM_MSR_EXIT_REASON_FILTER: 4, KVM_RISCV_ISA_EXT_H: 4, KVM_RISCV_SBI_EXT_SRST: 4,
  KVM_STATS_TYPE_LOG_HIST: 4, KVM_STATS_TYPE_MAX: 4, KVM_STATS_UNIT_SHIFT: 4, KVM_SYSTEM_EVENT_WAKEUP: 4,
  KVM_X86_DISABLE_EXITS_PAUSE: 4, kvm_ioeventfd_flag_nr_fast_mmio: 4, KVM_DEV_RISCV_AIA_CONFIG_HART_BITS: 5,
  KVM_DEV_TYPE_ARM_VGIC_V2: 5, KVM_IRQ_ROUTING_XEN_EVTCHN: 5, KVM_MP_STATE_STOPPED: 5, KVM_RISCV_ISA_EXT_I: 5,
  KVM_RISCV_SBI_EXT_HSM: 5, KVM_SYSTEM_EVENT_SUSPEND: 5, kvm_ioeventfd_flag_nr_max: 5,
  KVM_DEV_RISCV_AIA_CONFIG_GUEST_BITS: 6, KVM_DEV_TYPE_FLIC: 6, KVM_MP_STATE_CHECK_STOP: 6,
  KVM_RISCV_ISA_EXT_M: 6, KVM_RISCV_SBI_EXT_PMU: 6, KVM_SYSTEM_EVENT_SEV_TERM: 6, KVM_DEV_TYPE_ARM_VGIC_V3: 7,
  KVM_MP_STATE_OPERATING: 7, KVM_MSR_EXIT_REASON_VALID_MASK: 7, KVM_RISCV_ISA_EXT_SVPBMT: 7,
  KVM_RISCV_SBI_EXT_EXPERIMENTAL: 7, KVM_SYSTEM_EVENT_TDX_FATAL: 7, KVM_CLOCK_HOST_TSC: 8,
  KVM_DEV_RISCV_AIA_GROUP_BITS_MAX: 8, KVM_DEV_RISCV_AIA_GUEST_BITS_MAX: 8, KVM_DEV_TYPE_ARM_VGIC_ITS: 8,
  KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY: 8, KVM_MEMORY_ATTRIBUTE_PRIVATE: 8, KVM_MEMORY_EXIT_FLAG_PRIVATE: 8,
  KVM_MP_STATE_LOAD: 8, KVM_RISCV_ISA_EXT_SSTC: 8, KVM_RISCV_SBI_EXT_VENDOR: 8, KVM_STATS_BASE_SHIFT: 8,
  KVM_X86_DISABLE_EXITS_CSTATE: 8, KVM_DEV_TYPE_XIVE: 9, KVM_MP_STATE_AP_RESET_HOLD: 9,
  KVM_RISCV_ISA_EXT_SVINVAL: 9, KVM_RISCV_SBI_EXT_DBCN: 9, KVM_DEV_TYPE_ARM_PV_TIME: 0xa,
  KVM_MP_STATE_SUSPENDED: 0xa, KVM_RISCV_ISA_EXT_ZIHINTPAUSE: 0xa, KVM_RISCV_SBI_EXT_STA: 0xa,
  KVM_DEV_TYPE_RISCV_AIA: 0xb, KVM_RISCV_ISA_EXT_ZICBOM: 0xb, KVM_RISCV_SBI_EXT_SUSP: 0xb,
  KVM_API_VERSION: 0xc, KVM_DEV_RISCV_AIA_IMSIC_ISEL_BITS: 0xc, KVM_DEV_TYPE_LOONGARCH_IPI: 0xc,
  KVM_RISCV_ISA_EXT_ZICBOZ: 0xc, KVM_RISCV_SBI_EXT_FWFT: 0xc, KVM_DEV_TYPE_LOONGARCH_EIOINTC: 0xd,
  KVM_RISCV_ISA_EXT_ZBB: 0xd, KVM_RISCV_SBI_EXT_MPXY: 0xd, KVM_DEV_TYPE_LOONGARCH_PCHPIC: 0xe,
  KVM_RISCV_ISA_EXT_SSAIA: 0xe, KVM_RISCV_SBI_EXT_MAX: 0xe, KVM_DEV_TYPE_LOONGARCH_DMSINTC: 0xf,
  KVM_RISCV_ISA_EXT_V: 0xf, KVM_STATS_TYPE_MASK: 0xf, KVM_DEV_RISCV_AIA_HART_BITS_MAX: 0x10,
  KVM_DEV_TYPE_ARM_VGIC_V5: 0x10, KVM_REG_RISCV_SUBTYPE_SHIFT: 0x10, KVM_RISCV_ISA_EXT_SVNAPOT: 0x10,
  KVM_STATS_UNIT_BYTES: 0x10, KVM_X86_DISABLE_EXITS_APERFMPERF: 0x10, KVM_DEV_TYPE_MAX: 0x11,
  KVM_RISCV_ISA_EXT_ZBA: 0x11, KVM_RISCV_ISA_EXT_ZBS: 0x12, KVM_RISCV_ISA_EXT_ZICNTR: 0x13,
  KVM_RISCV_ISA_EXT_ZICSR: 0x14, KVM_RISCV_ISA_EXT_ZIFENCEI: 0x15, KVM_RISCV_ISA_EXT_ZIHPM: 0x16,
  KVM_RISCV_ISA_EXT_SMSTATEEN: 0x17, KVM_DEV_RISCV_AIA_GROUP_SHIFT_MIN: 0x18, KVM_REG_RISCV_TYPE_SHIFT: 0x18,
  KVM_RISCV_ISA_EXT_ZICOND: 0x18, KVM_RISCV_ISA_EXT_ZBC: 0x19, KVM_RISCV_ISA_EXT_ZBKB: 0x1a,
  KVM_RISCV_ISA_EXT_ZBKC: 0x1b, KVM_RISCV_ISA_EXT_ZBKX: 0x1c, KVM_RISCV_ISA_EXT_ZKND: 0x1d,
  KVM_RISCV_ISA_EXT_ZKNE: 0x1e, KVM_IOEVENTFD_VALID_FLAG_MASK: 0x1f, KVM_RISCV_ISA_EXT_ZKNH: 0x1f,
  KVM_RISCV_ISA_EXT_ZKR: 0x20, KVM_STATS_UNIT_SECONDS: 0x20, KVM_RISCV_ISA_EXT_ZKSED: 0x21,
  KVM_RISCV_ISA_EXT_ZKSH: 0x22, KVM_RISCV_ISA_EXT_ZKT: 0x23, KVM_RISCV_ISA_EXT_ZVBB: 0x24,
  KVM_RISCV_ISA_EXT_ZVBC: 0x25, KVM_RISCV_ISA_EXT_ZVKB: 0x26, KVM_RISCV_ISA_EXT_ZVKG: 0x27,
  KVM_RISCV_ISA_EXT_ZVKNED: 0x28, KVM_RISCV_ISA_EXT_ZVKNHA: 0x29, KVM_RISCV_ISA_EXT_ZVKNHB: 0x2a,
  KVM_RISCV_ISA_EXT_ZVKSED: 0x2b, KVM_RISCV_ISA_EXT_ZVKSH: 0x2c, KVM_RISCV_ISA_EXT_ZVKT: 0x2d,
  KVM_RISCV_ISA_EXT_ZFH: 0x2e, KVM_RISCV_ISA_EXT_ZFHMIN: 0x2f, KVM_RISCV_ISA_EXT_ZIHINTNTL: 0x30,
  KVM_STATS_UNIT_CYCLES: 0x30, KVM_RISCV_ISA_EXT_ZVFH: 0x31, KVM_RISCV_ISA_EXT_ZVFHMIN: 0x32,
  KVM_RISCV_ISA_EXT_ZFA: 0x33, KVM_REG_SIZE_SHIFT: 0x34, KVM_RISCV_ISA_EXT_ZTSO: 0x34,
  KVM_RISCV_ISA_EXT_ZACAS: 0x35, KVM_RISCV_ISA_EXT_SSCOFPMF: 0x36, KVM_RISCV_ISA_EXT_ZIMOP: 0x37,
  KVM_DEV_RISCV_AIA_GROUP_SHIFT_MAX: 0x38, KVM_RISCV_ISA_EXT_ZCA: 0x38, KVM_RISCV_ISA_EXT_ZCB: 0x39,
  KVM_RISCV_ISA_EXT_ZCD: 0x3a, KVM_RISCV_ISA_EXT_ZCF: 0x3b, KVM_RISCV_ISA_EXT_ZCMOP: 0x3c,
  KVM_RISCV_ISA_EXT_ZAWRS: 0x3d, KVM_RISCV_ISA_EXT_SMNPM: 0x3e, KVM_DEV_RISCV_AIA_IDS_MIN: 0x3f,
  KVM_RISCV_ISA_EXT_SSNPM: 0x3f, KVM_DIRTY_LOG_PAGE_OFFSET: 0x40, KVM_RISCV_ISA_EXT_SVADE: 0x40,
  KVM_STATS_UNIT_BOOLEAN: 0x40, KVM_STATS_UNIT_MAX: 0x40, KVM_RISCV_ISA_EXT_SVADU: 0x41,
  KVM_RISCV_ISA_EXT_SVVPTC: 0x42, KVM_RISCV_ISA_EXT_ZABHA: 0x43, KVM_RISCV_ISA_EXT_ZICCRSE: 0x44,
  KVM_RISCV_ISA_EXT_ZAAMO: 0x45, KVM_RISCV_ISA_EXT_ZALRSC: 0x46, KVM_RISCV_ISA_EXT_ZICBOP: 0x47,
  KVM_RISCV_ISA_EXT_ZFBFMIN: 0x48, KVM_RISCV_ISA_EXT_ZVFBFMIN: 0x49, KVM_RISCV_ISA_EXT_ZVFBFWMA: 0x4a,
  KVM_RISCV_ISA_EXT_ZCLSD: 0x4b, KVM_RISCV_ISA_EXT_ZILSD: 0x4c, KVM_RISCV_ISA_EXT_ZALASR: 0x4d,
  KVM_RISCV_ISA_EXT_ZICFILP: 0x4e, KVM_RISCV_ISA_EXT_ZICFISS: 0x4f, KVM_RISCV_ISA_EXT_MAX: 0x50, KVMIO: 0xae,
  KVM_STATS_UNIT_MASK: 0xf0, KVM_VM_TYPE_ARM_IPA_SIZE_MASK: 0xff, KVM_STATS_BASE_MAX: 0x100,
  KVM_STATS_BASE_POW2: 0x100, KVM_DEV_RISCV_AIA_SRCS_MAX: 0x400, KVM_DEV_RISCV_AIA_IDS_MAX: 0x800,
  SYNC_REGS_SIZE_BYTES: 0x800, KVM_STATS_BASE_MASK: 0xf00, KVM_DEV_RISCV_AIA_IMSIC_ISEL_MASK: 0xfff,
  KVM_DEV_RISCV_APLIC_ALIGN: 0x1000, KVM_DEV_RISCV_IMSIC_ALIGN: 0x1000, KVM_DEV_RISCV_IMSIC_SIZE: 0x1000,
  KVM_DEV_RISCV_APLIC_MAX_HARTS: 0x4000, KVM_DEV_RISCV_APLIC_SIZE: 0x4000, KVM_DEV_RISCV_AIA_ADDR_MAX: 0x4001,
  KVM_REG_RISCV_CSR_AIA: 0x10000n, KVM_REG_RISCV_ISA_MULTI_EN: 0x10000n, KVM_REG_RISCV_SBI_FWFT: 0x10000n,
  KVM_REG_RISCV_SBI_MULTI_EN: 0x10000n, KVM_REG_RISCV_CSR_SMSTATEEN: 0x20000n,
  KVM_REG_RISCV_ISA_MULTI_DIS: 0x20000n, KVM_REG_RISCV_SBI_MULTI_DIS: 0x20000n,
  KVM_REG_RISCV_CSR_ZICFISS: 0x30000n, KVM_S390_SKEYS_MAX: 0x100000, KVM_REG_RISCV_SUBTYPE_MASK: 0xff0000n,
  KVM_REG_RISCV_CONFIG: 0x1000000n, KVM_REG_RISCV_CORE: 0x2000000n, KVM_REG_RISCV_CSR: 0x3000000n,
  KVM_REG_RISCV_TIMER: 0x4000000n, KVM_REG_RISCV_FP_F: 0x5000000n, KVM_REG_RISCV_FP_D: 0x6000000n,
  KVM_REG_RISCV_ISA_EXT: 0x7000000n, KVM_REG_RISCV_SBI_EXT: 0x8000000n, KVM_REG_RISCV_VECTOR: 0x9000000n,
  KVM_REG_RISCV_SBI_STATE: 0xa000000n, KVM_VM_TYPE_ARM_PROTECTED: 0x80000000,
  KVM_VM_TYPE_ARM_MASK: 0x800000ff, KVM_REG_RISCV_TYPE_MASK: 0xff000000n, KVM_INTERRUPT_UNSET: 0xfffffffe,
  KVM_INTERRUPT_SET: 0xffffffff, KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL: 0xffffffff,
  KVM_REG_SIZE_U16: 0x10000000000000n, KVM_REG_SIZE_U32: 0x20000000000000n,
  KVM_REG_SIZE_U64: 0x30000000000000n, KVM_REG_SIZE_U128: 0x40000000000000n,
  KVM_REG_SIZE_U256: 0x50000000000000n, KVM_REG_SIZE_U512: 0x60000000000000n,
  KVM_REG_SIZE_U1024: 0x70000000000000n, KVM_REG_SIZE_U2048: 0x80000000000000n,
  KVM_REG_SIZE_MASK: 0xf0000000000000n, KVM_REG_PPC: 0x1000000000000000n, KVM_REG_X86: 0x2000000000000000n,
  KVM_REG_IA64: 0x3000000000000000n, KVM_REG_ARM: 0x4000000000000000n, KVM_REG_S390: 0x5000000000000000n,
  KVM_REG_ARM64: 0x6000000000000000n, KVM_REG_MIPS: 0x7000000000000000n, KVM_REG_RISCV: 0x8000000000000000n,
  KVM_REG_LOONGARCH: 0x9000000000000000n, KVM_REG_ARCH_MASK: 0xff00000000000000n,
  KVM_S390_STORE_STATUS_PREFIXED: 0xfffffffffffffffen, KVM_S390_STORE_STATUS_NOADDR: 0xffffffffffffffffn,
} as const

/** Macros with parameters that are sums: the value is `base` plus each parameter times its `step`. */
export const families = {
  KVM_REG_RISCV_VECTOR_REG: { base: 6n, steps: [1n] },
  KVM_DEV_RISCV_AIA_ADDR_IMSIC: { base: 1n, steps: [1n] },
  KVM_DEV_RISCV_AIA_IMSIC_MKATTR: { base: 0n, steps: [0x1000n, 1n] },
} as const

/** Register numbers that are the place of a field: its offset in `structure`, divided by `unit`. */
export const fieldRegisters = {
  KVM_REG_RISCV_CONFIG_REG: { structure: 'kvm_riscv_config', unit: 8 },
  KVM_REG_RISCV_CORE_REG: { structure: 'kvm_riscv_core', unit: 8 },
  KVM_REG_RISCV_CSR_REG: { structure: 'kvm_riscv_csr', unit: 8 },
  KVM_REG_RISCV_CSR_AIA_REG: { structure: 'kvm_riscv_aia_csr', unit: 8 },
  KVM_REG_RISCV_CSR_SMSTATEEN_REG: { structure: 'kvm_riscv_smstateen_csr', unit: 8 },
  KVM_REG_RISCV_CSR_ZICFISS_REG: { structure: 'kvm_riscv_zicfiss_csr', unit: 8 },
  KVM_REG_RISCV_TIMER_REG: { structure: 'kvm_riscv_timer', unit: 8 },
  KVM_REG_RISCV_FP_F_REG: { structure: '__riscv_f_ext_state', unit: 4 },
  KVM_REG_RISCV_FP_D_REG: { structure: '__riscv_d_ext_state', unit: 8 },
  KVM_REG_RISCV_VECTOR_CSR_REG: { structure: '__riscv_v_ext_state', unit: 8 },
  KVM_REG_RISCV_SBI_STA_REG: { structure: 'kvm_riscv_sbi_sta', unit: 8 },
  KVM_REG_RISCV_SBI_FWFT_REG: { structure: 'kvm_riscv_sbi_fwft', unit: 8 },
} as const

const kvm_regs = structure(0, {})

const kvm_fpu = structure(0, {})

const kvm_debug_exit_arch = structure(0, {})

const kvm_guest_debug_arch = structure(0, {})

const kvm_sync_regs = structure(0, {})

const kvm_sregs = structure(0, {})

const kvm_riscv_config = structure(64, {
  isa: u64(0), zicbom_block_size: u64(8), mvendorid: u64(16), marchid: u64(24), mimpid: u64(32),
  zicboz_block_size: u64(40), satp_mode: u64(48), zicbop_block_size: u64(56),
})

const user_regs_struct = structure(256, {
  pc: u64(0), ra: u64(8), sp: u64(16), gp: u64(24), tp: u64(32), t0: u64(40), t1: u64(48), t2: u64(56),
  s0: u64(64), s1: u64(72), a0: u64(80), a1: u64(88), a2: u64(96), a3: u64(104), a4: u64(112), a5: u64(120),
  a6: u64(128), a7: u64(136), s2: u64(144), s3: u64(152), s4: u64(160), s5: u64(168), s6: u64(176),
  s7: u64(184), s8: u64(192), s9: u64(200), s10: u64(208), s11: u64(216), t3: u64(224), t4: u64(232),
  t5: u64(240), t6: u64(248),
})

const kvm_riscv_core = structure(264, { regs: at(0, user_regs_struct), mode: u64(256) })

const kvm_riscv_csr = structure(88, {
  sstatus: u64(0), sie: u64(8), stvec: u64(16), sscratch: u64(24), sepc: u64(32), scause: u64(40),
  stval: u64(48), sip: u64(56), satp: u64(64), scounteren: u64(72), senvcfg: u64(80),
})

const kvm_riscv_aia_csr = structure(56, {
  siselect: u64(0), iprio1: u64(8), iprio2: u64(16), sieh: u64(24), siph: u64(32), iprio1h: u64(40),
  iprio2h: u64(48),
})

const kvm_riscv_smstateen_csr = structure(8, { sstateen0: u64(0) })

const kvm_riscv_zicfiss_csr = structure(8, { ssp: u64(0) })

const kvm_riscv_timer = structure(32, {
  frequency: u64(0), time: u64(8), compare: u64(16), state: u64(24),
})

const kvm_riscv_sbi_sta = structure(16, { shmem_lo: u64(0), shmem_hi: u64(8) })

const kvm_riscv_sbi_fwft_feature = structure(24, { enable: u64(0), flags: u64(8), value: u64(16) })

const kvm_riscv_sbi_fwft = structure(120, {
  misaligned_deleg: at(0, kvm_riscv_sbi_fwft_feature), pointer_masking: at(24, kvm_riscv_sbi_fwft_feature),
  pte_ad_hw_updating: at(48, kvm_riscv_sbi_fwft_feature), landing_pad: at(72, kvm_riscv_sbi_fwft_feature),
  shadow_stack: at(96, kvm_riscv_sbi_fwft_feature),
})

const kvm_userspace_memory_region = structure(32, {
  slot: u32(0), flags: u32(4), guest_phys_addr: u64(8), memory_size: u64(16), userspace_addr: u64(24),
})

const kvm_userspace_memory_region2 = structure(160, {
  slot: u32(0), flags: u32(4), guest_phys_addr: u64(8), memory_size: u64(16), userspace_addr: u64(24),
  guest_memfd_offset: u64(32), guest_memfd: u32(40), pad1: u32(44), pad2: array(u64(48), 14),
})

const kvm_irq_level = structure(8, { level: u32(4) }, { irq: u32(0), status: i32(0) })

const kvm_irqchip = structure(520, {
  chip_id: u32(0), pad: u32(4), chip: at(8, union(512, { dummy: array(u8(0), 512) })),
})

const kvm_pit_config = structure(64, { flags: u32(0), pad: array(u32(4), 15) })

const kvm_hyperv_exit = structure(56, {
  type: u32(0), pad1: u32(4),
  u: at(8, union(48, {
    synic: at(0, structure(32, {
      msr: u32(0), pad2: u32(4), control: u64(8), evt_page: u64(16), msg_page: u64(24),
    })),
    hcall: at(0, structure(32, { input: u64(0), result: u64(8), params: array(u64(16), 2) })),
    syndbg: at(0, structure(48, {
      msr: u32(0), pad2: u32(4), control: u64(8), status: u64(16), send_page: u64(24), recv_page: u64(32),
      pending_page: u64(40),
    })),
  })),
})

const kvm_xen_exit = structure(80, {
  type: u32(0),
  u: at(8, union(72, {
    hcall: at(0, structure(72, {
      longmode: u32(0), cpl: u32(4), input: u64(8), result: u64(16), params: array(u64(24), 6),
    })),
  })),
})

const kvm_exit_snp_req_certs = structure(24, { gpa: u64(0), npages: u64(8), ret: u64(16) })

const kvm_run = structure(2352, {
  request_interrupt_window: u8(0), immediate_exit: u8(1), padding1: array(u8(2), 6), exit_reason: u32(8),
  ready_for_interrupt_injection: u8(12), if_flag: u8(13), flags: u16(14), cr8: u64(16), apic_base: u64(24),
  kvm_valid_regs: u64(288), kvm_dirty_regs: u64(296),
  s: at(304, union(2048, { padding: array(u8(0), 2048) })),
}, {
  hw: at(32, structure(8, { hardware_exit_reason: u64(0) })),
  fail_entry: at(32, structure(16, { hardware_entry_failure_reason: u64(0), cpu: u32(8) })),
  ex: at(32, structure(8, { exception: u32(0), error_code: u32(4) })),
  io: at(32, structure(16, {
    direction: u8(0), size: u8(1), port: u16(2), count: u32(4), data_offset: u64(8),
  })),
  debug: at(32, structure(0, {})),
  mmio: at(32, structure(24, {
    phys_addr: u64(0), data: array(u8(8), 8), len: u32(16), is_write: u8(20),
  })),
  iocsr_io: at(32, structure(24, {
    phys_addr: u64(0), data: array(u8(8), 8), len: u32(16), is_write: u8(20),
  })),
  hypercall: at(32, structure(72, { nr: u64(0), args: array(u64(8), 6), ret: u64(56) }, { longmode: u32(64), flags: u64(64) })),
  tpr_access: at(32, structure(16, { rip: u64(0), is_write: u32(8), pad: u32(12) })),
  s390_sieic: at(32, structure(8, { icptcode: u8(0), ipa: u16(2), ipb: u32(4) })), s390_reset_flags: u64(32),
  s390_ucontrol: at(32, structure(16, { trans_exc_code: u64(0), pgm_code: u32(8) })),
  dcr: at(32, structure(12, { dcrn: u32(0), data: u32(4), is_write: u8(8) })),
  internal: at(32, structure(136, { suberror: u32(0), ndata: u32(4), data: array(u64(8), 16) })),
  emulation_failure: at(32, structure(32, { suberror: u32(0), ndata: u32(4), flags: u64(8) }, { insn_size: u8(16), insn_bytes: array(u8(17), 15) })),
  osi: at(32, structure(256, { gprs: array(u64(0), 32) })),
  papr_hcall: at(32, structure(88, { nr: u64(0), ret: u64(8), args: array(u64(16), 9) })),
  s390_tsch: at(32, structure(20, {
    subchannel_id: u16(0), subchannel_nr: u16(2), io_int_parm: u32(4), io_int_word: u32(8), ipb: u32(12),
    dequeued: u8(16),
  })),
  epr: at(32, structure(4, { epr: u32(0) })),
  system_event: at(32, structure(136, { type: u32(0), ndata: u32(4) }, { flags: u64(8), data: array(u64(8), 16) })),
  s390_stsi: at(32, structure(16, {
    addr: u64(0), ar: u8(8), reserved: u8(9), fc: u8(10), sel1: u8(11), sel2: u16(12),
  })),
  eoi: at(32, structure(1, { vector: u8(0) })), hyperv: at(32, kvm_hyperv_exit),
  arm_nisv: at(32, structure(16, { esr_iss: u64(0), fault_ipa: u64(8) })),
  msr: at(32, structure(24, {
    error: u8(0), pad: array(u8(1), 7), reason: u32(8), index: u32(12), data: u64(16),
  })),
  xen: at(32, kvm_xen_exit),
  riscv_sbi: at(32, structure(80, {
    extension_id: u64(0), function_id: u64(8), args: array(u64(16), 6), ret: array(u64(64), 2),
  })),
  riscv_csr: at(32, structure(32, {
    csr_num: u64(0), new_value: u64(8), write_mask: u64(16), ret_value: u64(24),
  })),
  notify: at(32, structure(4, { flags: u32(0) })),
  memory_fault: at(32, structure(24, { flags: u64(0), gpa: u64(8), size: u64(16) })),
  tdx: at(32, structure(64, { flags: u64(0), nr: u64(8) }, {
    unknown: at(16, structure(48, { ret: u64(0), data: array(u64(8), 5) })),
    get_quote: at(16, structure(24, { ret: u64(0), gpa: u64(8), size: u64(16) })),
    get_tdvmcall_info: at(16, structure(48, {
      ret: u64(0), leaf: u64(8), r11: u64(16), r12: u64(24), r13: u64(32), r14: u64(40),
    })),
    setup_event_notify: at(16, structure(16, { ret: u64(0), vector: u64(8) })),
  })),
  arm_sea: at(32, structure(32, { flags: u64(0), esr: u64(8), gva: u64(16), gpa: u64(24) })),
  snp_req_certs: at(32, kvm_exit_snp_req_certs), padding: array(u8(32), 256),
})

const kvm_coalesced_mmio_zone = structure(16, { addr: u64(0), size: u32(8) }, { pad: u32(12), pio: u32(12) })

const kvm_coalesced_mmio = structure(24, { phys_addr: u64(0), len: u32(8), data: array(u8(16), 8) }, { pad: u32(12), pio: u32(12) })

const kvm_coalesced_mmio_ring = structure(8, {
  first: u32(0), last: u32(4), coalesced_mmio: flexible(at(8, kvm_coalesced_mmio)),
})

const kvm_translation = structure(24, {
  linear_address: u64(0), physical_address: u64(8), valid: u8(16), writeable: u8(17), usermode: u8(18),
  pad: array(u8(19), 5),
})

const kvm_interrupt = structure(4, { irq: u32(0) })

const kvm_dirty_log = structure(16, { slot: u32(0), padding1: u32(4) }, { dirty_bitmap: u64(8), padding2: u64(8) })

const kvm_clear_dirty_log = structure(24, { slot: u32(0), num_pages: u32(4), first_page: u64(8) }, { dirty_bitmap: u64(16), padding2: u64(16) })

const kvm_signal_mask = structure(4, { len: u32(0), sigset: flexible(u8(4)) })

const kvm_tpr_access_ctl = structure(40, { enabled: u32(0), flags: u32(4), reserved: array(u32(8), 8) })

const kvm_vapic_addr = structure(8, { vapic_addr: u64(0) })

const kvm_mp_state = structure(4, { mp_state: u32(0) })

const kvm_guest_debug = structure(8, { control: u32(0), pad: u32(4) })

const kvm_ioeventfd = structure(64, {
  datamatch: u64(0), addr: u64(8), len: u32(16), fd: i32(20), flags: u32(24), pad: array(u8(28), 36),
})

const kvm_enable_cap = structure(104, {
  cap: u32(0), flags: u32(4), args: array(u64(8), 4), pad: array(u8(40), 64),
})

const kvm_irq_routing_irqchip = structure(8, { irqchip: u32(0), pin: u32(4) })

const kvm_irq_routing_msi = structure(16, { address_lo: u32(0), address_hi: u32(4), data: u32(8) }, { pad: u32(12), devid: u32(12) })

const kvm_irq_routing_s390_adapter = structure(32, {
  ind_addr: u64(0), summary_addr: u64(8), ind_offset: u64(16), summary_offset: u32(24), adapter_id: u32(28),
})

const kvm_irq_routing_hv_sint = structure(8, { vcpu: u32(0), sint: u32(4) })

const kvm_irq_routing_xen_evtchn = structure(12, { port: u32(0), vcpu: u32(4), priority: u32(8) })

const kvm_irq_routing_entry = structure(48, {
  gsi: u32(0), type: u32(4), flags: u32(8), pad: u32(12),
  u: at(16, union(32, {
    irqchip: at(0, kvm_irq_routing_irqchip), msi: at(0, kvm_irq_routing_msi),
    adapter: at(0, kvm_irq_routing_s390_adapter), hv_sint: at(0, kvm_irq_routing_hv_sint),
    xen_evtchn: at(0, kvm_irq_routing_xen_evtchn), pad: array(u32(0), 8),
  })),
})

const kvm_irq_routing = structure(8, {
  nr: u32(0), flags: u32(4), entries: flexible(at(8, kvm_irq_routing_entry)),
})

const kvm_irqfd = structure(32, {
  fd: u32(0), gsi: u32(4), flags: u32(8), resamplefd: u32(12), pad: array(u8(16), 16),
})

const kvm_clock_data = structure(48, {
  clock: u64(0), flags: u32(8), pad0: u32(12), realtime: u64(16), host_tsc: u64(24), pad: array(u32(32), 4),
})

const kvm_config_tlb = structure(24, {
  params: u64(0), array: u64(8), mmu_type: u32(16), array_len: u32(20),
})

const kvm_dirty_tlb = structure(16, { bitmap: u64(0), num_dirty: u32(8) })

const kvm_reg_list = structure(8, { n: u64(0), reg: flexible(u64(8)) })

const kvm_one_reg = structure(16, { id: u64(0), addr: u64(8) })

const kvm_msi = structure(32, {
  address_lo: u32(0), address_hi: u32(4), data: u32(8), flags: u32(12), devid: u32(16),
  pad: array(u8(20), 12),
})

const kvm_arm_device_addr = structure(16, { id: u64(0), addr: u64(8) })

const kvm_create_device = structure(12, { type: u32(0), fd: u32(4), flags: u32(8) })

const kvm_device_attr = structure(24, { flags: u32(0), group: u32(4), attr: u64(8), addr: u64(16) })

const kvm_vfio_spapr_tce = structure(8, { groupfd: i32(0), tablefd: i32(4) })

const kvm_s390_keyop = structure(16, {
  guest_addr: u64(0), key: u8(8), operation: u8(9), pad: array(u8(10), 6),
})

const kvm_enc_region = structure(16, { addr: u64(0), size: u64(8) })

const kvm_dirty_gfn = structure(16, { flags: u32(0), slot: u32(4), offset: u64(8) })

const kvm_stats_header = structure(24, {
  flags: u32(0), name_size: u32(4), num_desc: u32(8), id_offset: u32(12), desc_offset: u32(16),
  data_offset: u32(20),
})

const kvm_stats_desc = structure(16, {
  flags: u32(0), exponent: i16(4), size: u16(6), offset: u32(8), bucket_size: u32(12), name: flexible(u8(16)),
})

const kvm_memory_attributes = structure(32, {
  address: u64(0), size: u64(8), attributes: u64(16), flags: u64(24),
})

const kvm_create_guest_memfd = structure(64, { size: u64(0), flags: u64(8), reserved: array(u64(16), 6) })

const kvm_pre_fault_memory = structure(64, {
  gpa: u64(0), size: u64(8), flags: u64(16), padding: array(u64(24), 5),
})

/** Every structure by its name in C: sizes and offsets in bytes, what is nested as it is nested there. */
export const structures = {
  kvm_arm_device_addr, kvm_clear_dirty_log, kvm_clock_data, kvm_coalesced_mmio, kvm_coalesced_mmio_ring,
  kvm_coalesced_mmio_zone, kvm_config_tlb, kvm_create_device, kvm_create_guest_memfd, kvm_debug_exit_arch,
  kvm_device_attr, kvm_dirty_gfn, kvm_dirty_log, kvm_dirty_tlb, kvm_enable_cap, kvm_enc_region,
  kvm_exit_snp_req_certs, kvm_fpu, kvm_guest_debug, kvm_guest_debug_arch, kvm_hyperv_exit, kvm_interrupt,
  kvm_ioeventfd, kvm_irq_level, kvm_irq_routing, kvm_irq_routing_entry, kvm_irq_routing_hv_sint,
  kvm_irq_routing_irqchip, kvm_irq_routing_msi, kvm_irq_routing_s390_adapter, kvm_irq_routing_xen_evtchn,
  kvm_irqchip, kvm_irqfd, kvm_memory_attributes, kvm_mp_state, kvm_msi, kvm_one_reg, kvm_pit_config,
  kvm_pre_fault_memory, kvm_reg_list, kvm_regs, kvm_riscv_aia_csr, kvm_riscv_config, kvm_riscv_core,
  kvm_riscv_csr, kvm_riscv_sbi_fwft, kvm_riscv_sbi_fwft_feature, kvm_riscv_sbi_sta, kvm_riscv_smstateen_csr,
  kvm_riscv_timer, kvm_riscv_zicfiss_csr, kvm_run, kvm_s390_keyop, kvm_signal_mask, kvm_sregs, kvm_stats_desc,
  kvm_stats_header, kvm_sync_regs, kvm_tpr_access_ctl, kvm_translation, kvm_userspace_memory_region,
  kvm_userspace_memory_region2, kvm_vapic_addr, kvm_vfio_spapr_tce, kvm_xen_exit, user_regs_struct,
}

/** The same by path: `layouts.kvm_sregs.fields['cs.base']`. Fields are little-endian. */
export const layouts = flatten(structures)
