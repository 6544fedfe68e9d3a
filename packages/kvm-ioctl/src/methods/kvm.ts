import { ask, getList, getWord } from './spec.js'

/** The requests of /dev/kvm itself that every architecture has. */
export const kvmMethods = {
  /** KVM_GET_API_VERSION: 12 since Linux 2.6.22, and for good. */
  getApiVersion: ask('KVM_GET_API_VERSION'),
  /** KVM_GET_VCPU_MMAP_SIZE: bytes that a vCPU shares: kvm_run, and the rings behind it. */
  getVcpuMmapSize: ask('KVM_GET_VCPU_MMAP_SIZE'),
} as const

export const kvmMethodsX86 = {
  /** KVM_GET_MSR_INDEX_LIST: the MSRs that a vCPU's state consists of, for saving and restoring it. */
  getMsrIndexList: getList('KVM_GET_MSR_INDEX_LIST', 'kvm_msr_list', 'nmsrs', 'indices'),
  /** KVM_GET_MSR_FEATURE_INDEX_LIST: the MSRs that say what the processor can, for `Kvm.getMsrs`. */
  getMsrFeatureIndexList: getList('KVM_GET_MSR_FEATURE_INDEX_LIST', 'kvm_msr_list', 'nmsrs', 'indices'),
  /** KVM_GET_SUPPORTED_CPUID: what KVM and this processor can give a guest, as CPUID would say it. */
  getSupportedCpuid: getList('KVM_GET_SUPPORTED_CPUID', 'kvm_cpuid2', 'nent', 'entries'),
  /** KVM_GET_EMULATED_CPUID: features that KVM emulates though the processor lacks them. */
  getEmulatedCpuid: getList('KVM_GET_EMULATED_CPUID', 'kvm_cpuid2', 'nent', 'entries'),
  /** KVM_GET_SUPPORTED_HV_CPUID: what of Hyper-V's interface KVM can give a guest. */
  getSupportedHvCpuid: getList('KVM_GET_SUPPORTED_HV_CPUID', 'kvm_cpuid2', 'nent', 'entries'),
  /** KVM_X86_GET_MCE_CAP_SUPPORTED: the bits of MCG_CAP that a guest may have. */
  getMceCapSupported: getWord('KVM_X86_GET_MCE_CAP_SUPPORTED'),
} as const
