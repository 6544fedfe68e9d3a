import { kvmMethods, kvmMethodsX86 } from './kvm.js'
import { unusable } from './raw.js'
import type { Spec } from './spec.js'
import {
  vcpuMethods,
  vcpuMethodsAarch64,
  vcpuMethodsPowerpc64le,
  vcpuMethodsRiscv64,
  vcpuMethodsX86,
} from './vcpu.js'
import { vmMethods, vmMethodsAarch64, vmMethodsPowerpc64le, vmMethodsRiscv64, vmMethodsX86 } from './vm.js'

export { unusable }

type Methods = Readonly<Record<string, { readonly request: string }>>

const only = (requests: Readonly<Record<string, string>>): Methods =>
  Object.fromEntries(Object.entries(requests).map(([method, request]) => [method, { request }]))

const attributes = {
  hasDeviceAttr: 'KVM_HAS_DEVICE_ATTR',
  getDeviceAttr: 'KVM_GET_DEVICE_ATTR',
}
const everyAttribute = { ...attributes, setDeviceAttr: 'KVM_SET_DEVICE_ATTR' }

/** Those that are written out, because their structure names memory or makes a descriptor. */
const written = {
  kvm: only({
    checkExtension: 'KVM_CHECK_EXTENSION',
    createVm: 'KVM_CREATE_VM',
    getMsrs: 'KVM_GET_MSRS',
    ...attributes,
  }),
  vm: {
    ...only({
      checkExtension: 'KVM_CHECK_EXTENSION',
      createVcpu: 'KVM_CREATE_VCPU',
      setUserMemoryRegion: 'KVM_SET_USER_MEMORY_REGION',
      'setUserMemoryRegion (guestMemfd)': 'KVM_SET_USER_MEMORY_REGION2',
      createGuestMemfd: 'KVM_CREATE_GUEST_MEMFD',
      getDirtyLog: 'KVM_GET_DIRTY_LOG',
      clearDirtyLog: 'KVM_CLEAR_DIRTY_LOG',
      registerCoalesced: 'KVM_REGISTER_COALESCED_MMIO',
      unregisterCoalesced: 'KVM_UNREGISTER_COALESCED_MMIO',
      assignIrqfd: 'KVM_IRQFD',
      assignIoeventfd: 'KVM_IOEVENTFD',
      createDevice: 'KVM_CREATE_DEVICE',
      enableCap: 'KVM_ENABLE_CAP',
      ...everyAttribute,
      getStatsFd: 'KVM_GET_STATS_FD',
      setMsrFilter: 'KVM_X86_SET_MSR_FILTER',
      setPmuEventFilter: 'KVM_SET_PMU_EVENT_FILTER',
      xenHvmConfig: 'KVM_XEN_HVM_CONFIG',
      memoryEncryptOp: 'KVM_MEMORY_ENCRYPT_OP',
      memoryEncryptRegRegion: 'KVM_MEMORY_ENCRYPT_REG_REGION',
      memoryEncryptUnregRegion: 'KVM_MEMORY_ENCRYPT_UNREG_REGION',
      ppcGetHtabFd: 'KVM_PPC_GET_HTAB_FD',
      createSpaprTce: 'KVM_CREATE_SPAPR_TCE',
      createSpaprTce64: 'KVM_CREATE_SPAPR_TCE_64',
      armMteCopyTags: 'KVM_ARM_MTE_COPY_TAGS',
      armGetRegWritableMasks: 'KVM_ARM_GET_REG_WRITABLE_MASKS',
    }),
  },
  vcpu: only({
    run: 'KVM_RUN',
    getOneReg: 'KVM_GET_ONE_REG',
    setOneReg: 'KVM_SET_ONE_REG',
    getMsrs: 'KVM_GET_MSRS',
    setMsrs: 'KVM_SET_MSRS',
    getXsave: 'KVM_GET_XSAVE2',
    'getXsave (before Linux 5.17)': 'KVM_GET_XSAVE',
    setXsave: 'KVM_SET_XSAVE',
    getNestedState: 'KVM_GET_NESTED_STATE',
    setNestedState: 'KVM_SET_NESTED_STATE',
    preFaultMemory: 'KVM_PRE_FAULT_MEMORY',
    enableCap: 'KVM_ENABLE_CAP',
    ...everyAttribute,
    getStatsFd: 'KVM_GET_STATS_FD',
  }),
  device: only(everyAttribute),
}

const tables = (...some: readonly Readonly<Record<string, Spec>>[]): Methods =>
  Object.assign({}, ...some) as Methods

/** Which request each method makes: what the page of coverage is written from. */
export const ioctlMethods: Readonly<
  Record<'kvm' | 'vm' | 'vcpu' | 'device', Readonly<Record<string, { readonly request: string }>>>
> = {
  kvm: { ...tables(kvmMethods, kvmMethodsX86), ...written.kvm },
  vm: {
    ...tables(vmMethods, vmMethodsX86, vmMethodsAarch64, vmMethodsPowerpc64le, vmMethodsRiscv64),
    ...written.vm,
  },
  vcpu: {
    ...tables(vcpuMethods, vcpuMethodsX86, vcpuMethodsAarch64, vcpuMethodsPowerpc64le, vcpuMethodsRiscv64),
    ...written.vcpu,
  },
  device: written.device,
}
