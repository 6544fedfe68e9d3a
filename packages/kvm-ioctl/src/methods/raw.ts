import { err, type Result } from 'neverthrow'
import { type Access, isWhole, isWord } from '../descriptor.js'
import { invalidArgument, type KvmError } from '../errors.js'

/**
 * Requests whose structure holds addresses, or counts what follows it: with wrong ones the kernel would read or write
 * this program's memory wherever they point. Their methods get them right.
 */
const METHODS: Readonly<Record<string, string>> = {
  KVM_GET_MSR_INDEX_LIST: 'kvm.getMsrIndexList',
  KVM_GET_MSR_FEATURE_INDEX_LIST: 'kvm.getMsrFeatureIndexList',
  KVM_GET_SUPPORTED_CPUID: 'kvm.getSupportedCpuid',
  KVM_GET_EMULATED_CPUID: 'kvm.getEmulatedCpuid',
  KVM_GET_SUPPORTED_HV_CPUID: 'kvm.getSupportedHvCpuid',
  KVM_GET_CPUID2: 'vcpu.getCpuid2',
  KVM_SET_CPUID: 'vcpu.setCpuid',
  KVM_SET_CPUID2: 'vcpu.setCpuid2',
  KVM_GET_MSRS: 'vcpu.getMsrs',
  KVM_SET_MSRS: 'vcpu.setMsrs',
  KVM_GET_REG_LIST: 'vcpu.getRegList',
  KVM_GET_ONE_REG: 'vcpu.getOneReg',
  KVM_SET_ONE_REG: 'vcpu.setOneReg',
  KVM_GET_XSAVE: 'vcpu.getXsave',
  KVM_GET_XSAVE2: 'vcpu.getXsave',
  KVM_SET_XSAVE: 'vcpu.setXsave',
  KVM_GET_NESTED_STATE: 'vcpu.getNestedState',
  KVM_SET_NESTED_STATE: 'vcpu.setNestedState',
  KVM_SET_SIGNAL_MASK: 'vcpu.kick',
  KVM_RUN: 'vcpu.run',
  KVM_CREATE_VM: 'kvm.createVm',
  KVM_CREATE_VCPU: 'vm.createVcpu',
  KVM_CREATE_DEVICE: 'vm.createDevice',
  KVM_CREATE_GUEST_MEMFD: 'vm.createGuestMemfd',
  KVM_CREATE_SPAPR_TCE: 'vm.createSpaprTce',
  KVM_CREATE_SPAPR_TCE_64: 'vm.createSpaprTce64',
  KVM_PPC_GET_HTAB_FD: 'vm.ppcGetHtabFd',
  KVM_GET_STATS_FD: 'getStatsFd',
  KVM_SET_USER_MEMORY_REGION: 'vm.setUserMemoryRegion',
  KVM_SET_USER_MEMORY_REGION2: 'vm.setUserMemoryRegion',
  KVM_GET_DIRTY_LOG: 'vm.getDirtyLog',
  KVM_CLEAR_DIRTY_LOG: 'vm.clearDirtyLog',
  KVM_SET_GSI_ROUTING: 'vm.setGsiRouting',
  KVM_SET_PMU_EVENT_FILTER: 'vm.setPmuEventFilter',
  KVM_X86_SET_MSR_FILTER: 'vm.setMsrFilter',
  KVM_XEN_HVM_CONFIG: 'vm.xenHvmConfig',
  KVM_MEMORY_ENCRYPT_OP: 'vm.memoryEncryptOp',
  KVM_MEMORY_ENCRYPT_REG_REGION: 'vm.memoryEncryptRegRegion',
  KVM_MEMORY_ENCRYPT_UNREG_REGION: 'vm.memoryEncryptUnregRegion',
  KVM_GET_DEVICE_ATTR: 'getDeviceAttr',
  KVM_SET_DEVICE_ATTR: 'setDeviceAttr',
  KVM_HAS_DEVICE_ATTR: 'hasDeviceAttr',
  KVM_ARM_MTE_COPY_TAGS: 'vm.armMteCopyTags',
  KVM_ARM_GET_REG_WRITABLE_MASKS: 'vm.armGetRegWritableMasks',
  KVM_DIRTY_TLB: 'none: see `unusable`',
  KVM_REINJECT_CONTROL: 'vm.reinjectControl',
  KVM_PPC_GET_COMPAT_CAPS: 'vm.ppcGetCompatCaps',
}

/** What no method makes, and why. */
export const unusable: Readonly<Record<string, string>> = {
  KVM_SET_SIGNAL_MASK: 'the signal that ends a run is this package’s own: vcpu.kick() is what it is for',
  KVM_ALLOCATE_RMA:
    'the kernel removed what it allocated (PPC970, Linux 3.18); the number is kept for old programs',
  KVM_DIRTY_TLB: 'only of Book E processors with a TLB shared by address, which no 64-bit Debian runs on',
}

/** Requests of an architecture that has no bindings here. */
export const isForeign = (request: string): boolean => request.startsWith('KVM_S390_')

/**
 * KVM's request by its name or, what is younger than the tables, by its number. Bytes are read and written in place and
 * have at least the size that the number says. What a new structure points to is the caller's to get right.
 */
export function rawIoctl(
  object: Access,
  request: string | number,
  argument: Uint8Array | number | bigint = 0,
): Result<number, KvmError> {
  const { tables, calls } = object.kernel
  const number = typeof request === 'string' ? tables.ioctls[request] : request
  if (!isWhole(number, 0xffff_ffff)) {
    return err(invalidArgument('request', 'use a name of linux/kvm.h or a number of 32 bits'))
  }
  // By number, because two requests may share one: on x86 KVM_ARM_SET_DEVICE_ADDR is KVM_GET_ONE_REG.
  const names = Object.keys(tables.ioctls).filter((name) => tables.ioctls[name] === number)
  const guarded = names.find((name) => name in METHODS)
  if (guarded !== undefined) {
    const message = `${guarded} names memory beyond its structure, or makes a descriptor: use ${METHODS[guarded]}`
    return err({ kind: 'use-the-method', message, request: guarded })
  }
  const shown = names[0] ?? `ioctl 0x${number.toString(16)}`
  const size = sizeOf(number, object.kernel.architecture)
  if (argument instanceof Uint8Array) {
    if (size === 0) return err(invalidArgument('argument', `${shown} takes a number`))
    if (argument.length < size) return err(invalidArgument('argument', `${shown} takes ${size} bytes`))
    return object.answer(shown, calls.ioctlBytes(object.handle, number, argument))
  }
  if (size !== 0) return err(invalidArgument('argument', `${shown} takes ${size} bytes`))
  if (!isWord(argument)) return err(invalidArgument('argument', 'use a number of 0 to 2^64 - 1'))
  return object.answer(shown, calls.ioctlNumber(object.handle, number, argument))
}

/** asm-generic/ioctl.h has 14 bits for the size; POWER's has 13, and three for the direction. */
export function sizeOf(number: number, architecture: string): number {
  return (number >>> 16) & (architecture === 'powerpc64le' ? 0x1fff : 0x3fff)
}
