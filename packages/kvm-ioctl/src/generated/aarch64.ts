// biome-ignore-all format: a table
// Written by generate/generate.mjs from linux/kvm.h for aarch64. Do not edit: run it again.
import { array, at, flatten, flexible, i16, i32, structure, u8, u16, u32, u64, u128, union } from './layout.js'

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
  KVM_SET_SREGS: 0x4000ae84, KVM_SET_FPU: 0x4000ae8d, KVM_INTERRUPT: 0x4004ae86,
  KVM_SET_SIGNAL_MASK: 0x4004ae8b, KVM_SET_MP_STATE: 0x4004ae99, KVM_ARM_VCPU_FINALIZE: 0x4004aec2,
  KVM_SET_IDENTITY_MAP_ADDR: 0x4008ae48, KVM_S390_VCPU_FAULT: 0x4008ae52, KVM_IRQ_LINE: 0x4008ae61,
  KVM_SET_GSI_ROUTING: 0x4008ae6a, KVM_SET_VAPIC_ADDR: 0x4008ae93, KVM_S390_STORE_STATUS: 0x4008ae95,
  KVM_X86_SETUP_MCE: 0x4008ae9c, KVM_SET_PMU_EVENT_FILTER: 0x4008aeb2, KVM_XEN_HVM_EVTCHN_SEND: 0x400caed0,
  KVM_GET_DIRTY_LOG: 0x4010ae42, KVM_REGISTER_COALESCED_MMIO: 0x4010ae67,
  KVM_UNREGISTER_COALESCED_MMIO: 0x4010ae68, KVM_DIRTY_TLB: 0x4010aeaa, KVM_ARM_SET_DEVICE_ADDR: 0x4010aeab,
  KVM_GET_ONE_REG: 0x4010aeab, KVM_SET_ONE_REG: 0x4010aeac, KVM_ARM_SET_COUNTER_OFFSET: 0x4010aeb5,
  KVM_SET_DEVICE_ATTR: 0x4018aee1, KVM_GET_DEVICE_ATTR: 0x4018aee2, KVM_HAS_DEVICE_ATTR: 0x4018aee3,
  KVM_SET_USER_MEMORY_REGION: 0x4020ae46, KVM_IRQFD: 0x4020ae76, KVM_SIGNAL_MSI: 0x4020aea5,
  KVM_ARM_VCPU_INIT: 0x4020aeae, KVM_SET_MEMORY_ATTRIBUTES: 0x4020aed2, KVM_SET_CLOCK: 0x4030ae7b,
  KVM_CREATE_PIT2: 0x4040ae77, KVM_IOEVENTFD: 0x4040ae79, KVM_SET_VCPU_EVENTS: 0x4040aea0,
  KVM_ENABLE_CAP: 0x4068aea3, KVM_SET_USER_MEMORY_REGION2: 0x40a0ae49, KVM_SET_GUEST_DEBUG: 0x4208ae9b,
  KVM_SET_REGS: 0x4360ae82, KVM_GET_SREGS: 0x8000ae83, KVM_GET_FPU: 0x8000ae8c, KVM_GET_MP_STATE: 0x8004ae98,
  KVM_X86_GET_MCE_CAP_SUPPORTED: 0x8008ae9d, KVM_MEMORY_ENCRYPT_REG_REGION: 0x8010aebb,
  KVM_MEMORY_ENCRYPT_UNREG_REGION: 0x8010aebc, KVM_ARM_PREFERRED_TARGET: 0x8020aeaf,
  KVM_GET_CLOCK: 0x8030ae7c, KVM_ARM_MTE_COPY_TAGS: 0x8030aeb4, KVM_GET_VCPU_EVENTS: 0x8040ae9f,
  KVM_ARM_GET_REG_WRITABLE_MASKS: 0x8040aeb6, KVM_SET_IRQCHIP: 0x8208ae63, KVM_GET_REGS: 0x8360ae81,
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
  KVM_SET_PMU_EVENT_FILTER: 'kvm_pmu_event_filter', KVM_PPC_SVM_OFF: 'none',
  KVM_ARM_MTE_COPY_TAGS: 'kvm_arm_copy_mte_tags', KVM_ARM_SET_COUNTER_OFFSET: 'kvm_arm_counter_offset',
  KVM_ARM_GET_REG_WRITABLE_MASKS: 'reg_mask_range', KVM_PPC_GET_COMPAT_CAPS: 'none',
  KVM_CREATE_DEVICE: 'kvm_create_device', KVM_SET_DEVICE_ATTR: 'kvm_device_attr',
  KVM_GET_DEVICE_ATTR: 'kvm_device_attr', KVM_HAS_DEVICE_ATTR: 'kvm_device_attr', KVM_RUN: 'none',
  KVM_GET_REGS: 'kvm_regs', KVM_SET_REGS: 'kvm_regs', KVM_GET_SREGS: 'kvm_sregs', KVM_SET_SREGS: 'kvm_sregs',
  KVM_TRANSLATE: 'kvm_translation', KVM_INTERRUPT: 'kvm_interrupt', KVM_SET_SIGNAL_MASK: 'kvm_signal_mask',
  KVM_GET_FPU: 'kvm_fpu', KVM_SET_FPU: 'kvm_fpu', KVM_TPR_ACCESS_REPORTING: 'kvm_tpr_access_ctl',
  KVM_SET_VAPIC_ADDR: 'kvm_vapic_addr', KVM_S390_STORE_STATUS: 'unsigned long',
  KVM_S390_INITIAL_RESET: 'none', KVM_GET_MP_STATE: 'kvm_mp_state', KVM_SET_MP_STATE: 'kvm_mp_state',
  KVM_NMI: 'none', KVM_SET_GUEST_DEBUG: 'kvm_guest_debug', KVM_X86_SETUP_MCE: '__u64',
  KVM_X86_GET_MCE_CAP_SUPPORTED: '__u64', KVM_GET_VCPU_EVENTS: 'kvm_vcpu_events',
  KVM_SET_VCPU_EVENTS: 'kvm_vcpu_events', KVM_ENABLE_CAP: 'kvm_enable_cap', KVM_DIRTY_TLB: 'kvm_dirty_tlb',
  KVM_GET_ONE_REG: 'kvm_one_reg', KVM_SET_ONE_REG: 'kvm_one_reg', KVM_KVMCLOCK_CTRL: 'none',
  KVM_ARM_VCPU_INIT: 'kvm_vcpu_init', KVM_ARM_PREFERRED_TARGET: 'kvm_vcpu_init',
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
  KVM_CAP_ADJUST_CLOCK: 0x27, KVM_CAP_INTERNAL_ERROR_DATA: 0x28, KVM_CAP_VCPU_EVENTS: 0x29,
  KVM_CAP_S390_PSW: 0x2a, KVM_CAP_PPC_SEGSTATE: 0x2b, KVM_CAP_HYPERV: 0x2c, KVM_CAP_HYPERV_VAPIC: 0x2d,
  KVM_CAP_HYPERV_SPIN: 0x2e, KVM_CAP_PCI_SEGMENT: 0x2f, KVM_CAP_PPC_PAIRED_SINGLES: 0x30,
  KVM_CAP_INTR_SHADOW: 0x31, KVM_CAP_X86_ROBUST_SINGLESTEP: 0x33, KVM_CAP_PPC_OSI: 0x34,
  KVM_CAP_PPC_UNSET_IRQ: 0x35, KVM_CAP_ENABLE_CAP: 0x36, KVM_CAP_PPC_GET_PVINFO: 0x39,
  KVM_CAP_PPC_IRQ_LEVEL: 0x3a, KVM_CAP_ASYNC_PF: 0x3b, KVM_CAP_TSC_CONTROL: 0x3c, KVM_CAP_GET_TSC_KHZ: 0x3d,
  KVM_CAP_PPC_BOOKE_SREGS: 0x3e, KVM_CAP_SPAPR_TCE: 0x3f, KVM_CAP_PPC_SMT: 0x40, KVM_CAP_PPC_RMA: 0x41,
  KVM_CAP_MAX_VCPUS: 0x42, KVM_CAP_PPC_HIOR: 0x43, KVM_CAP_PPC_PAPR: 0x44, KVM_CAP_SW_TLB: 0x45,
  KVM_CAP_ONE_REG: 0x46, KVM_CAP_S390_GMAP: 0x47, KVM_CAP_TSC_DEADLINE_TIMER: 0x48,
  KVM_CAP_S390_UCONTROL: 0x49, KVM_CAP_SYNC_REGS: 0x4a, KVM_CAP_PCI_2_3: 0x4b, KVM_CAP_KVMCLOCK_CTRL: 0x4c,
  KVM_CAP_SIGNAL_MSI: 0x4d, KVM_CAP_PPC_GET_SMMU_INFO: 0x4e, KVM_CAP_S390_COW: 0x4f,
  KVM_CAP_PPC_ALLOC_HTAB: 0x50, KVM_CAP_READONLY_MEM: 0x51, KVM_CAP_IRQFD_RESAMPLE: 0x52,
  KVM_CAP_PPC_BOOKE_WATCHDOG: 0x53, KVM_CAP_PPC_HTAB_FD: 0x54, KVM_CAP_S390_CSS_SUPPORT: 0x55,
  KVM_CAP_PPC_EPR: 0x56, KVM_CAP_ARM_PSCI: 0x57, KVM_CAP_ARM_SET_DEVICE_ADDR: 0x58, KVM_CAP_DEVICE_CTRL: 0x59,
  KVM_CAP_IRQ_MPIC: 0x5a, KVM_CAP_PPC_RTAS: 0x5b, KVM_CAP_IRQ_XICS: 0x5c, KVM_CAP_ARM_EL1_32BIT: 0x5d,
  KVM_CAP_SPAPR_MULTITCE: 0x5e, KVM_CAP_EXT_EMUL_CPUID: 0x5f, KVM_CAP_HYPERV_TIME: 0x60,
  KVM_CAP_IOAPIC_POLARITY_IGNORED: 0x61, KVM_CAP_ENABLE_CAP_VM: 0x62, KVM_CAP_S390_IRQCHIP: 0x63,
  KVM_CAP_IOEVENTFD_NO_LENGTH: 0x64, KVM_CAP_VM_ATTRIBUTES: 0x65, KVM_CAP_ARM_PSCI_0_2: 0x66,
  KVM_CAP_PPC_FIXUP_HCALL: 0x67, KVM_CAP_PPC_ENABLE_HCALL: 0x68, KVM_CAP_CHECK_EXTENSION_VM: 0x69,
  KVM_CAP_S390_USER_SIGP: 0x6a, KVM_CAP_S390_VECTOR_REGISTERS: 0x6b, KVM_CAP_S390_MEM_OP: 0x6c,
  KVM_CAP_S390_USER_STSI: 0x6d, KVM_CAP_S390_SKEYS: 0x6e, KVM_CAP_MIPS_FPU: 0x6f, KVM_CAP_MIPS_MSA: 0x70,
  KVM_CAP_S390_INJECT_IRQ: 0x71, KVM_CAP_S390_IRQ_STATE: 0x72, KVM_CAP_PPC_HWRNG: 0x73,
  KVM_CAP_DISABLE_QUIRKS: 0x74, KVM_CAP_X86_SMM: 0x75, KVM_CAP_MULTI_ADDRESS_SPACE: 0x76,
  KVM_CAP_GUEST_DEBUG_HW_BPS: 0x77, KVM_CAP_GUEST_DEBUG_HW_WPS: 0x78, KVM_CAP_SPLIT_IRQCHIP: 0x79,
  KVM_CAP_IOEVENTFD_ANY_LENGTH: 0x7a, KVM_CAP_HYPERV_SYNIC: 0x7b, KVM_CAP_S390_RI: 0x7c,
  KVM_CAP_SPAPR_TCE_64: 0x7d, KVM_CAP_ARM_PMU_V3: 0x7e, KVM_CAP_VCPU_ATTRIBUTES: 0x7f,
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
  KVM_PSCI_RET_DENIED: -3, KVM_PSCI_RET_INVAL: -2, KVM_PSCI_RET_NI: -1, KVM_ARM_DEVICE_TYPE_SHIFT: 0,
  KVM_ARM_DEVICE_VGIC_V2: 0, KVM_ARM_FEATURE_ID_RANGE: 0, KVM_ARM_IRQ_CPU_IRQ: 0, KVM_ARM_IRQ_NUM_SHIFT: 0,
  KVM_ARM_IRQ_TYPE_CPU: 0, KVM_ARM_TAGS_TO_GUEST: 0, KVM_ARM_TARGET_AEM_V8: 0, KVM_ARM_VCPU_PMU_V3_CTRL: 0,
  KVM_ARM_VCPU_PMU_V3_IRQ: 0, KVM_ARM_VCPU_POWER_OFF: 0, KVM_ARM_VCPU_PVTIME_IPA: 0,
  KVM_ARM_VCPU_TIMER_IRQ_VTIMER: 0, KVM_ARM_VM_SMCCC_CTRL: 0, KVM_ARM_VM_SMCCC_FILTER: 0,
  KVM_DEV_ARM_VGIC_CTRL_INIT: 0, KVM_DEV_ARM_VGIC_GRP_ADDR: 0, KVM_DEV_ARM_VGIC_OFFSET_SHIFT: 0,
  KVM_EXIT_IO_IN: 0, KVM_MMU_FSL_BOOKE_NOHV: 0, KVM_MP_STATE_RUNNABLE: 0, KVM_PMU_EVENT_ALLOW: 0,
  KVM_PSCI_RET_SUCCESS: 0, KVM_REG_ARM64_SVE_ZREG_BASE: 0n, KVM_REG_ARM64_SYSREG_OP2_SHIFT: 0,
  KVM_REG_ARM_DEMUX_ID_CCSIDR: 0n, KVM_REG_ARM_DEMUX_VAL_SHIFT: 0,
  KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1_NOT_AVAIL: 0n, KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2_NOT_AVAIL: 0n,
  KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3_NOT_AVAIL: 0n, KVM_REG_ARM_STD_BIT_TRNG_V1_0: 0n,
  KVM_REG_ARM_STD_HYP_BIT_PV_TIME: 0n, KVM_REG_ARM_VENDOR_HYP_BIT_DISCOVER_IMPL_VER: 0n,
  KVM_REG_ARM_VENDOR_HYP_BIT_FUNC_FEAT: 0n, KVM_REG_GENERIC: 0n, KVM_REG_SIZE_U8: 0n,
  KVM_SMCCC_FILTER_HANDLE: 0, KVM_SPSR_EL1: 0, KVM_SPSR_SVC: 0, KVM_STATS_BASE_POW10: 0,
  KVM_STATS_TYPE_CUMULATIVE: 0, KVM_STATS_TYPE_SHIFT: 0, KVM_STATS_UNIT_NONE: 0,
  KVM_VGIC_V2_ADDR_TYPE_DIST: 0, KVM_VM_MIPS_AUTO: 0, VGIC_LEVEL_INFO_LINE_LEVEL: 0,
  kvm_ioeventfd_flag_nr_datamatch: 0, GUEST_MEMFD_FLAG_MMAP: 1, KVM_ARM64_SVE_VQ_MIN: 1,
  KVM_ARM_DEV_EL1_VTIMER: 1, KVM_ARM_IRQ_CPU_FIQ: 1, KVM_ARM_IRQ_TYPE_SPI: 1, KVM_ARM_TAGS_FROM_GUEST: 1,
  KVM_ARM_TARGET_FOUNDATION_V8: 1, KVM_ARM_VCPU_EL1_32BIT: 1, KVM_ARM_VCPU_PMU_V3_INIT: 1,
  KVM_ARM_VCPU_TIMER_CTRL: 1, KVM_ARM_VCPU_TIMER_IRQ_PTIMER: 1, KVM_BUS_LOCK_DETECTION_OFF: 1,
  KVM_COALESCED_MMIO_PAGE_OFFSET: 1, KVM_CREATE_DEVICE_TEST: 1, KVM_DEBUG_ARCH_HSR_HIGH_VALID: 1,
  KVM_DEV_ARM_ITS_SAVE_TABLES: 1, KVM_DEV_ARM_VGIC_GRP_DIST_REGS: 1, KVM_DEV_TYPE_FSL_MPIC_20: 1,
  KVM_DEV_VFIO_FILE: 1, KVM_DEV_VFIO_FILE_ADD: 1, KVM_DEV_VFIO_GROUP: 1, KVM_DEV_VFIO_GROUP_ADD: 1,
  KVM_DIRTY_GFN_F_DIRTY: 1, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE: 1, KVM_EXIT_ARM_SEA_FLAG_GPA_VALID: 1,
  KVM_EXIT_FAIL_ENTRY_CPU_UNSUPPORTED: 1, KVM_EXIT_HYPERV_SYNIC: 1, KVM_EXIT_IO_OUT: 1, KVM_EXIT_XEN_HCALL: 1,
  KVM_GUESTDBG_ENABLE: 1, KVM_HYPERCALL_EXIT_SMC: 1, KVM_INTERNAL_ERROR_EMULATION: 1,
  KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES: 1, KVM_IOEVENTFD_FLAG_DATAMATCH: 1,
  KVM_IRQFD_FLAG_DEASSIGN: 1, KVM_IRQ_ROUTING_IRQCHIP: 1, KVM_MEM_LOG_DIRTY_PAGES: 1, KVM_MMU_FSL_BOOKE_HV: 1,
  KVM_MP_STATE_UNINITIALIZED: 1, KVM_MSI_VALID_DEVID: 1, KVM_MSR_EXIT_REASON_INVAL: 1,
  KVM_NOTIFY_CONTEXT_INVALID: 1, KVM_NR_IRQCHIPS: 1, KVM_PIT_SPEAKER_DUMMY: 1, KVM_PMU_CAP_DISABLE: 1,
  KVM_PMU_EVENT_DENY: 1, KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1_AVAIL: 1n,
  KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2_UNKNOWN: 1n, KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3_AVAIL: 1n,
  KVM_REG_ARM_VENDOR_HYP_BIT_DISCOVER_IMPL_CPUS: 1n, KVM_REG_ARM_VENDOR_HYP_BIT_PTP: 1n,
  KVM_S390_GET_SKEYS_NONE: 1, KVM_S390_KEYOP_ISKE: 1, KVM_S390_SIE_PAGE_OFFSET: 1, KVM_SMCCC_FILTER_DENY: 1,
  KVM_SPSR_ABT: 1, KVM_STATS_TYPE_INSTANT: 1, KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2: 1,
  KVM_SYSTEM_EVENT_SHUTDOWN: 1, KVM_SYSTEM_EVENT_SHUTDOWN_FLAG_PSCI_OFF2: 1, KVM_VGIC_V2_ADDR_TYPE_CPU: 1,
  KVM_VM_MIPS_VZ: 1, KVM_VM_PPC_HV: 1, KVM_VM_S390_UCONTROL: 1, KVM_X86_DISABLE_EXITS_MWAIT: 1,
  KVM_X86_NOTIFY_VMEXIT_ENABLED: 1, kvm_ioeventfd_flag_nr_pio: 1, GUEST_MEMFD_FLAG_INIT_SHARED: 2,
  KVM_ARM_DEV_EL1_PTIMER: 2, KVM_ARM_IRQ_TYPE_PPI: 2, KVM_ARM_TARGET_CORTEX_A57: 2,
  KVM_ARM_VCPU_PMU_V3_FILTER: 2, KVM_ARM_VCPU_PSCI_0_2: 2, KVM_ARM_VCPU_PVTIME_CTRL: 2,
  KVM_ARM_VCPU_TIMER_IRQ_HVTIMER: 2, KVM_BUS_LOCK_DETECTION_EXIT: 2, KVM_CLOCK_TSC_STABLE: 2,
  KVM_DEV_ARM_ITS_RESTORE_TABLES: 2, KVM_DEV_ARM_VGIC_GRP_CPU_REGS: 2, KVM_DEV_TYPE_FSL_MPIC_42: 2,
  KVM_DEV_VFIO_FILE_DEL: 2, KVM_DEV_VFIO_GROUP_DEL: 2, KVM_DIRTY_GFN_F_RESET: 2,
  KVM_DIRTY_LOG_INITIALLY_SET: 2, KVM_EXIT_HYPERV_HCALL: 2, KVM_GUESTDBG_SINGLESTEP: 2,
  KVM_HYPERCALL_EXIT_16BIT: 2, KVM_INTERNAL_ERROR_SIMUL_EX: 2, KVM_IOEVENTFD_FLAG_PIO: 2,
  KVM_IRQFD_FLAG_RESAMPLE: 2, KVM_IRQ_ROUTING_MSI: 2, KVM_MEM_READONLY: 2, KVM_MP_STATE_INIT_RECEIVED: 2,
  KVM_MSR_EXIT_REASON_UNKNOWN: 2, KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1_NOT_REQUIRED: 2n,
  KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2_AVAIL: 2n, KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3_NOT_REQUIRED: 2n,
  KVM_S390_KEYOP_RRBE: 2, KVM_SMCCC_FILTER_FWD_TO_USER: 2, KVM_SPSR_UND: 2, KVM_STATS_TYPE_PEAK: 2,
  KVM_SYSTEM_EVENT_RESET: 2, KVM_VGIC_V3_ADDR_TYPE_DIST: 2, KVM_VM_MIPS_TE: 2, KVM_VM_PPC_PR: 2,
  KVM_X86_DISABLE_EXITS_HLT: 2, KVM_X86_NOTIFY_VMEXIT_USER: 2, kvm_ioeventfd_flag_nr_deassign: 2,
  KVM_ARM_TARGET_XGENE_POTENZA: 3, KVM_ARM_VCPU_PMU_V3: 3, KVM_ARM_VCPU_PMU_V3_SET_PMU: 3,
  KVM_ARM_VCPU_TIMER_IRQ_HPTIMER: 3, KVM_DEV_ARM_VGIC_GRP_NR_IRQS: 3, KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES: 3,
  KVM_DEV_TYPE_XICS: 3, KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE: 3, KVM_DIRTY_GFN_F_MASK: 3,
  KVM_EXIT_HYPERV_SYNDBG: 3, KVM_INTERNAL_ERROR_DELIVERY_EV: 3, KVM_IRQ_ROUTING_S390_ADAPTER: 3,
  KVM_MP_STATE_HALTED: 3, KVM_REG_ARM64_SYSREG_CRM_SHIFT: 3,
  KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2_NOT_REQUIRED: 3n, KVM_S390_KEYOP_SSKE: 3, KVM_SPSR_IRQ: 3,
  KVM_STATS_TYPE_LINEAR_HIST: 3, KVM_SYSTEM_EVENT_CRASH: 3, KVM_VGIC_V3_ADDR_TYPE_REDIST: 3,
  kvm_ioeventfd_flag_nr_virtio_ccw_notify: 3, KVM_ARM_DEV_PMU: 4, KVM_ARM_TARGET_CORTEX_A53: 4,
  KVM_ARM_VCPU_PMU_V3_SET_NR_COUNTERS: 4, KVM_ARM_VCPU_SVE: 4, KVM_CLOCK_REALTIME: 4,
  KVM_DEV_ARM_ITS_CTRL_RESET: 4, KVM_DEV_ARM_VGIC_GRP_CTRL: 4, KVM_DEV_TYPE_VFIO: 4,
  KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON: 4, KVM_IOEVENTFD_FLAG_DEASSIGN: 4, KVM_IRQ_ROUTING_HV_SINT: 4,
  KVM_MEM_GUEST_MEMFD: 4, KVM_MP_STATE_SIPI_RECEIVED: 4, KVM_MSR_EXIT_REASON_FILTER: 4, KVM_SPSR_FIQ: 4,
  KVM_STATS_TYPE_LOG_HIST: 4, KVM_STATS_TYPE_MAX: 4, KVM_STATS_UNIT_SHIFT: 4, KVM_SYSTEM_EVENT_WAKEUP: 4,
  KVM_VGIC_ITS_ADDR_TYPE: 4, KVM_X86_DISABLE_EXITS_PAUSE: 4, kvm_ioeventfd_flag_nr_fast_mmio: 4,
  KVM_ARM_TARGET_GENERIC_V8: 5, KVM_ARM_VCPU_PTRAUTH_ADDRESS: 5, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS: 5,
  KVM_DEV_ARM_VGIC_USERSPACE_PPIS: 5, KVM_DEV_TYPE_ARM_VGIC_V2: 5, KVM_IRQ_ROUTING_XEN_EVTCHN: 5,
  KVM_MP_STATE_STOPPED: 5, KVM_NR_SPSR: 5, KVM_SYSTEM_EVENT_SUSPEND: 5,
  KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION: 5, kvm_ioeventfd_flag_nr_max: 5, KVM_ARM_NUM_TARGETS: 6,
  KVM_ARM_VCPU_PTRAUTH_GENERIC: 6, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS: 6, KVM_DEV_TYPE_FLIC: 6,
  KVM_MP_STATE_CHECK_STOP: 6, KVM_SYSTEM_EVENT_SEV_TERM: 6, KVM_ARM_VCPU_HAS_EL2: 7,
  KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO: 7, KVM_DEV_TYPE_ARM_VGIC_V3: 7, KVM_MP_STATE_OPERATING: 7,
  KVM_MSR_EXIT_REASON_VALID_MASK: 7, KVM_REG_ARM64_SYSREG_CRN_SHIFT: 7, KVM_REG_ARM64_SYSREG_OP2_MASK: 7n,
  KVM_SYSTEM_EVENT_TDX_FATAL: 7, KVM_ARM64_SVE_VLS_WORDS: 8, KVM_ARM_VCPU_HAS_EL2_E2H0: 8,
  KVM_CLOCK_HOST_TSC: 8, KVM_DEV_ARM_VGIC_GRP_ITS_REGS: 8, KVM_DEV_TYPE_ARM_VGIC_ITS: 8,
  KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY: 8, KVM_MEMORY_ATTRIBUTE_PRIVATE: 8, KVM_MEMORY_EXIT_FLAG_PRIVATE: 8,
  KVM_MP_STATE_LOAD: 8, KVM_REG_ARM_DEMUX_ID_SHIFT: 8, KVM_STATS_BASE_SHIFT: 8,
  KVM_X86_DISABLE_EXITS_CSTATE: 8, KVM_ARM_VCPU_PMU_V3_STRICT: 9, KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ: 9,
  KVM_DEV_TYPE_XIVE: 9, KVM_MP_STATE_AP_RESET_HOLD: 9, KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT: 0xa,
  KVM_DEV_TYPE_ARM_PV_TIME: 0xa, KVM_MP_STATE_SUSPENDED: 0xa, KVM_DEV_TYPE_RISCV_AIA: 0xb,
  KVM_REG_ARM64_SYSREG_OP1_SHIFT: 0xb, KVM_API_VERSION: 0xc, KVM_DEV_TYPE_LOONGARCH_IPI: 0xc,
  KVM_DEV_TYPE_LOONGARCH_EIOINTC: 0xd, KVM_DEV_TYPE_LOONGARCH_PCHPIC: 0xe,
  KVM_REG_ARM64_SYSREG_OP0_SHIFT: 0xe, KVM_ARM_IRQ_TYPE_MASK: 0xf, KVM_ARM_IRQ_VCPU2_MASK: 0xf,
  KVM_DEV_TYPE_LOONGARCH_DMSINTC: 0xf, KVM_STATS_TYPE_MASK: 0xf, KVM_ARM64_SVE_NUM_PREGS: 0x10,
  KVM_ARM_DEVICE_ID_SHIFT: 0x10, KVM_ARM_IRQ_VCPU_SHIFT: 0x10, KVM_ARM_MAX_DBG_REGS: 0x10,
  KVM_DEV_TYPE_ARM_VGIC_V5: 0x10, KVM_REG_ARM_COPROC_SHIFT: 0x10,
  KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2_ENABLED: 0x10n, KVM_STATS_UNIT_BYTES: 0x10,
  KVM_X86_DISABLE_EXITS_APERFMPERF: 0x10, KVM_DEV_TYPE_MAX: 0x11, KVM_ARM_IRQ_TYPE_SHIFT: 0x18,
  KVM_ARM_IRQ_VCPU2_SHIFT: 0x1c, KVM_IOEVENTFD_VALID_FLAG_MASK: 0x1f, KVM_ARM64_SVE_MAX_SLICES: 0x20,
  KVM_ARM64_SVE_NUM_ZREGS: 0x20, KVM_DEV_ARM_VGIC_CPUID_SHIFT: 0x20, KVM_DEV_ARM_VGIC_V3_MPIDR_SHIFT: 0x20,
  KVM_STATS_UNIT_SECONDS: 0x20, KVM_STATS_UNIT_CYCLES: 0x30, KVM_REG_SIZE_SHIFT: 0x34,
  KVM_DIRTY_LOG_PAGE_OFFSET: 0x40, KVM_STATS_UNIT_BOOLEAN: 0x40, KVM_STATS_UNIT_MAX: 0x40,
  KVM_REG_ARM64_SYSREG_CRM_MASK: 0x78n, KVM_ARM_IRQ_GIC_MAX: 0x7f, KVMIO: 0xae,
  KVM_ARM_FEATURE_ID_RANGE_SIZE: 0xc0, KVM_STATS_UNIT_MASK: 0xf0, KVM_ARM_IRQ_VCPU_MASK: 0xff,
  KVM_REG_ARM_DEMUX_VAL_MASK: 0xffn, KVM_VM_TYPE_ARM_IPA_SIZE_MASK: 0xff, KVM_STATS_BASE_MAX: 0x100,
  KVM_STATS_BASE_POW2: 0x100, KVM_ARM64_SVE_VQ_MAX: 0x200, KVM_DEV_ARM_VGIC_LINE_LEVEL_INTID_MASK: 0x3ff,
  KVM_REG_ARM64_SVE_PREG_BASE: 0x400n, KVM_REG_ARM64_SVE_FFR_BASE: 0x600n,
  KVM_REG_ARM64_SYSREG_CRN_MASK: 0x780n, SYNC_REGS_SIZE_BYTES: 0x800, KVM_STATS_BASE_MASK: 0xf00,
  KVM_VGIC_V2_DIST_SIZE: 0x1000, KVM_VGIC_V2_CPU_SIZE: 0x2000, KVM_REG_ARM64_SYSREG_OP1_MASK: 0x3800n,
  KVM_REG_ARM64_SYSREG_OP0_MASK: 0xc000n, KVM_REG_ARM_DEMUX_ID_MASK: 0xff00n, KVM_ARM_IRQ_NUM_MASK: 0xffff,
  KVM_DEV_ARM_VGIC_SYSREG_INSTR_MASK: 0xffff, KVM_GUESTDBG_USE_SW_BP: 0x10000, KVM_GUESTDBG_USE_HW: 0x20000,
  KVM_REG_ARM_CORE: 0x100000n, KVM_S390_SKEYS_MAX: 0x100000, KVM_REG_ARM_DEMUX: 0x110000n,
  KVM_REG_ARM64_SYSREG: 0x130000n, KVM_REG_ARM_FW: 0x140000n, KVM_REG_ARM64_SVE: 0x150000n,
  KVM_REG_ARM_FW_FEAT_BMAP: 0x160000n, KVM_REG_ARM_COPROC_MASK: 0xfff0000n,
  KVM_VM_TYPE_ARM_PROTECTED: 0x80000000, KVM_VM_TYPE_ARM_MASK: 0x800000ff, KVM_PSCI_FN_BASE: 0x95c1ba5e,
  KVM_PSCI_FN_CPU_SUSPEND: 0x95c1ba5e, KVM_PSCI_FN_CPU_OFF: 0x95c1ba5f, KVM_PSCI_FN_CPU_ON: 0x95c1ba60,
  KVM_PSCI_FN_MIGRATE: 0x95c1ba61, KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_MASK: 0xfffffc00,
  KVM_DEV_ARM_VGIC_OFFSET_MASK: 0xffffffff, KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL: 0xffffffff,
  KVM_DEV_ARM_VGIC_CPUID_MASK: 0xff00000000, KVM_REG_SIZE_U16: 0x10000000000000n,
  KVM_REG_SIZE_U32: 0x20000000000000n, KVM_REG_SIZE_U64: 0x30000000000000n,
  KVM_REG_SIZE_U128: 0x40000000000000n, KVM_REG_SIZE_U256: 0x50000000000000n,
  KVM_REG_SIZE_U512: 0x60000000000000n, KVM_REG_SIZE_U1024: 0x70000000000000n,
  KVM_REG_SIZE_U2048: 0x80000000000000n, KVM_REG_SIZE_MASK: 0xf0000000000000n,
  KVM_REG_PPC: 0x1000000000000000n, KVM_REG_X86: 0x2000000000000000n, KVM_REG_IA64: 0x3000000000000000n,
  KVM_REG_ARM: 0x4000000000000000n, KVM_REG_S390: 0x5000000000000000n, KVM_REG_ARM64: 0x6000000000000000n,
  KVM_REG_ARM_PTIMER_CNT: 0x603000000013df01n, KVM_REG_ARM_TIMER_CVAL: 0x603000000013df02n,
  KVM_REG_ARM_PTIMER_CTL: 0x603000000013df11n, KVM_REG_ARM_PTIMER_CVAL: 0x603000000013df12n,
  KVM_REG_ARM_TIMER_CTL: 0x603000000013df19n, KVM_REG_ARM_TIMER_CNT: 0x603000000013df1an,
  KVM_REG_ARM_PSCI_VERSION: 0x6030000000140000n, KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1: 0x6030000000140001n,
  KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2: 0x6030000000140002n,
  KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3: 0x6030000000140003n, KVM_REG_ARM_STD_BMAP: 0x6030000000160000n,
  KVM_REG_ARM_STD_HYP_BMAP: 0x6030000000160001n, KVM_REG_ARM_VENDOR_HYP_BMAP: 0x6030000000160002n,
  KVM_REG_ARM_VENDOR_HYP_BMAP_2: 0x6030000000160003n, KVM_REG_ARM64_SVE_VLS: 0x606000000015ffffn,
  KVM_REG_MIPS: 0x7000000000000000n, KVM_REG_RISCV: 0x8000000000000000n,
  KVM_REG_LOONGARCH: 0x9000000000000000n, KVM_REG_ARCH_MASK: 0xff00000000000000n,
  KVM_DEV_ARM_VGIC_V3_MPIDR_MASK: 0xffffffff00000000n, KVM_S390_STORE_STATUS_PREFIXED: 0xfffffffffffffffen,
  KVM_S390_STORE_STATUS_NOADDR: 0xffffffffffffffffn,
} as const

/** Macros with parameters that are sums: the value is `base` plus each parameter times its `step`. */
export const families = {
  __ARM64_SYS_REG: { base: 0x6000000000130000n, steps: [0x4000n, 0x800n, 0x80n, 8n, 1n] },
  KVM_REG_ARM_FW_REG: { base: 0x6030000000140000n, steps: [1n] },
  KVM_REG_ARM64_SVE_ZREG: { base: 0x6080000000150000n, steps: [0x20n, 1n] },
  KVM_REG_ARM64_SVE_PREG: { base: 0x6050000000150400n, steps: [0x20n, 1n] },
  KVM_REG_ARM64_SVE_FFR: { base: 0x6050000000150600n, steps: [1n] },
  KVM_REG_ARM_FW_FEAT_BMAP_REG: { base: 0x6030000000160000n, steps: [1n] },
  KVM_PSCI_FN: { base: 0x95c1ba5en, steps: [1n] },
} as const

/** Register numbers that are the place of a field: its offset in `structure`, divided by `unit`. */
export const fieldRegisters = {
  KVM_REG_ARM_CORE_REG: { structure: 'kvm_regs', unit: 4 },
} as const

const user_pt_regs = structure(272, {
  regs: array(u64(0), 31), sp: u64(248), pc: u64(256), pstate: u64(264),
})

const user_fpsimd_state = structure(528, {
  vregs: array(u128(0), 32), fpsr: u32(512), fpcr: u32(516), __reserved: array(u32(520), 2),
})

const kvm_regs = structure(864, {
  regs: at(0, user_pt_regs), sp_el1: u64(272), elr_el1: u64(280), spsr: array(u64(288), 5),
  fp_regs: at(336, user_fpsimd_state),
})

const kvm_vcpu_init = structure(32, { target: u32(0), features: array(u32(4), 7) })

const kvm_sregs = structure(0, {})

const kvm_fpu = structure(0, {})

const kvm_guest_debug_arch = structure(512, {
  dbg_bcr: array(u64(0), 16), dbg_bvr: array(u64(128), 16), dbg_wcr: array(u64(256), 16),
  dbg_wvr: array(u64(384), 16),
})

const kvm_debug_exit_arch = structure(16, { hsr: u32(0), hsr_high: u32(4), far: u64(8) })

const kvm_sync_regs = structure(8, { device_irq_level: u64(0) })

const kvm_pmu_event_filter = structure(8, {
  base_event: u16(0), nevents: u16(2), action: u8(4), pad: array(u8(5), 3),
})

const kvm_vcpu_events = structure(64, {
  exception: at(0, structure(16, {
    serror_pending: u8(0), serror_has_esr: u8(1), ext_dabt_pending: u8(2), pad: array(u8(3), 5),
    serror_esr: u64(8),
  })),
  reserved: array(u32(16), 12),
})

const kvm_arm_copy_mte_tags = structure(48, {
  guest_ipa: u64(0), length: u64(8), addr: u64(16), flags: u64(24), reserved: array(u64(32), 2),
})

const kvm_arm_counter_offset = structure(16, { counter_offset: u64(0), reserved: u64(8) })

const kvm_smccc_filter = structure(24, {
  base: u32(0), nr_functions: u32(4), action: u8(8), pad: array(u8(9), 15),
})

const reg_mask_range = structure(64, { addr: u64(0), range: u32(8), reserved: array(u32(12), 13) })

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
  s: at(304, union(2048, { regs: at(0, kvm_sync_regs), padding: array(u8(0), 2048) })),
}, {
  hw: at(32, structure(8, { hardware_exit_reason: u64(0) })),
  fail_entry: at(32, structure(16, { hardware_entry_failure_reason: u64(0), cpu: u32(8) })),
  ex: at(32, structure(8, { exception: u32(0), error_code: u32(4) })),
  io: at(32, structure(16, {
    direction: u8(0), size: u8(1), port: u16(2), count: u32(4), data_offset: u64(8),
  })),
  debug: at(32, structure(16, { arch: at(0, kvm_debug_exit_arch) })),
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

const kvm_guest_debug = structure(520, {
  control: u32(0), pad: u32(4), arch: at(8, kvm_guest_debug_arch),
})

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
  kvm_arm_copy_mte_tags, kvm_arm_counter_offset, kvm_arm_device_addr, kvm_clear_dirty_log, kvm_clock_data,
  kvm_coalesced_mmio, kvm_coalesced_mmio_ring, kvm_coalesced_mmio_zone, kvm_config_tlb, kvm_create_device,
  kvm_create_guest_memfd, kvm_debug_exit_arch, kvm_device_attr, kvm_dirty_gfn, kvm_dirty_log, kvm_dirty_tlb,
  kvm_enable_cap, kvm_enc_region, kvm_exit_snp_req_certs, kvm_fpu, kvm_guest_debug, kvm_guest_debug_arch,
  kvm_hyperv_exit, kvm_interrupt, kvm_ioeventfd, kvm_irq_level, kvm_irq_routing, kvm_irq_routing_entry,
  kvm_irq_routing_hv_sint, kvm_irq_routing_irqchip, kvm_irq_routing_msi, kvm_irq_routing_s390_adapter,
  kvm_irq_routing_xen_evtchn, kvm_irqchip, kvm_irqfd, kvm_memory_attributes, kvm_mp_state, kvm_msi,
  kvm_one_reg, kvm_pit_config, kvm_pmu_event_filter, kvm_pre_fault_memory, kvm_reg_list, kvm_regs, kvm_run,
  kvm_s390_keyop, kvm_signal_mask, kvm_smccc_filter, kvm_sregs, kvm_stats_desc, kvm_stats_header,
  kvm_sync_regs, kvm_tpr_access_ctl, kvm_translation, kvm_userspace_memory_region,
  kvm_userspace_memory_region2, kvm_vapic_addr, kvm_vcpu_events, kvm_vcpu_init, kvm_vfio_spapr_tce,
  kvm_xen_exit, reg_mask_range, user_fpsimd_state, user_pt_regs,
}

/** The same by path: `layouts.kvm_sregs.fields['cs.base']`. Fields are little-endian. */
export const layouts = flatten(structures)
