import { err, ok, type Result } from 'neverthrow'
import type { Architecture, CapabilityName, LayoutOf } from './architecture.js'
import {
  type Attribute,
  capabilityNumber,
  type EnableCap,
  enableCap,
  getAttribute,
  hasAttribute,
  setAttribute,
} from './attributes.js'
import { ACCESS, type Access, isWhole, type Kernel, KvmObject, shown } from './descriptor.js'
import { Device, KvmFile } from './device.js'
import { invalidArgument, type KvmError } from './errors.js'
import { type Ioeventfd, type Irqfd, ioeventfd, irqfd } from './fast-paths/eventfds.js'
import { Statistics } from './fast-paths/stats.js'
import type { DirtyBitmap } from './memory/dirty-log.js'
import { createGuestMemfd, type GuestMemfd } from './memory/guest-memfd.js'
import type { GuestMemory } from './memory/guest-memory.js'
import { type MemoryRegion, MemorySlots } from './memory/slots.js'
import { armGetRegWritableMasks, armMteCopyTags } from './methods/arm-machine.js'
import { type EncryptionCommand, encryptedRegion, memoryEncryptOp } from './methods/encrypted-memory.js'
import { type MsrFilterRange, setMsrFilter } from './methods/msr-filter.js'
import { rawIoctl } from './methods/raw.js'
import type { VmRequests, VmRequestsOf } from './methods/requests.js'
import { addMethods } from './methods/spec.js'
import {
  vmMethods,
  vmMethodsAarch64,
  vmMethodsPowerpc64le,
  vmMethodsRiscv64,
  vmMethodsX86,
} from './methods/vm.js'
import { bytesOf } from './structures/accessors.js'
import type { StructureInit } from './structures/values.js'
import { makeVcpu, type Vcpu, type VcpuFacts } from './vcpu.js'

export const vmMethodsOf = {
  x86_64: vmMethodsX86,
  aarch64: vmMethodsAarch64,
  powerpc64le: vmMethodsPowerpc64le,
  riscv64: vmMethodsRiscv64,
} as const

/**
 * A virtual machine. Its requests that take one value or structure are the members that come from the tables
 * (`createIrqchip` …); each is documented with the kernel's name of the request.
 */
export type Vm<A extends Architecture = 'x86_64'> = VmCore<A> & VmRequests<A> & VmRequestsOf<A>

/** What `Vm` has beside the requests from the tables. Whoever made it closes it. */
export class VmCore<A extends Architecture = 'x86_64'> extends KvmObject {
  readonly #mmapBytes: number
  readonly #slots: MemorySlots
  #facts: VcpuFacts | undefined

  constructor(kernel: Kernel, handle: number, mmapBytes: number) {
    super(kernel, handle)
    this.#mmapBytes = mmapBytes
    this.#slots = new MemorySlots(this[ACCESS])
  }

  /** KVM_CHECK_EXTENSION for this machine: 0 when the capability is not there. */
  checkExtension(capability: CapabilityName<A>): Result<number, KvmError> {
    return checkExtension(this[ACCESS], capability)
  }

  /** KVM_CREATE_VCPU. Its number is also its APIC id on x86. */
  createVcpu(id: number): Result<Vcpu<A>, KvmError> {
    if (!isWhole(id, 0xffff_ffff)) return err(invalidArgument('id', 'use a whole number of 32 bits'))
    const facts = this.#vcpuFacts()
    if (facts.isErr()) return err(facts.error)
    return this.#descriptor('KVM_CREATE_VCPU', id, {
      EEXIST: 'there is a vCPU of that number',
      EINVAL: 'more vCPUs than KVM_CAP_MAX_VCPUS, or a number beyond KVM_CAP_MAX_VCPU_ID',
    }).andThen((handle) => makeVcpu<A>(this[ACCESS].kernel, handle, id, facts.value))
  }

  #vcpuFacts(): Result<VcpuFacts, KvmError> {
    if (this.#facts !== undefined) return ok(this.#facts)
    const ask = (name: string) => checkExtension(this[ACCESS], name).orElse(() => ok<number, KvmError>(0))
    return ask('KVM_CAP_COALESCED_MMIO').andThen((coalescedPage) =>
      ask('KVM_CAP_XSAVE2').map((xsaveBytes) => {
        this.#facts = { mmapBytes: this.#mmapBytes, coalescedPage, xsaveBytes }
        return this.#facts
      }),
    )
  }

  /**
   * KVM_SET_USER_MEMORY_REGION, or …REGION2 with a guest_memfd. The machine keeps the memory mapped for as long as the
   * slot, or the machine itself, is there; closing `memory` only takes it from JavaScript.
   *
   * @example
   * ```ts
   * import { openKvm } from '@spectrum/kvm-ioctl/linux'
   *
   * using kvm = openKvm()._unsafeUnwrap()
   * using vm = kvm.createVm()._unsafeUnwrap()
   * using memory = kvm.createMemory(65_536)._unsafeUnwrap() // bytes: a multiple of the page size
   * memory.write(0x1000, Uint8Array.of(0xf4))._unsafeUnwrap() // hlt
   * vm.setUserMemoryRegion({ slot: 0, guestAddress: 0, memory })._unsafeUnwrap()
   * ```
   */
  setUserMemoryRegion(region: MemoryRegion): Result<void, KvmError> {
    return this.#slots.set(region)
  }

  /** Takes a slot away from the guest. */
  removeMemoryRegion(slot: number): Result<void, KvmError> {
    return this.#slots.remove(slot)
  }

  /** KVM_CREATE_GUEST_MEMFD: memory for private pages. `flags`: GUEST_MEMFD_FLAG_… of api.rst. */
  createGuestMemfd(length: number, flags: number | bigint = 0): Result<GuestMemfd, KvmError> {
    return createGuestMemfd(this[ACCESS], length, flags)
  }

  /** KVM_GET_DIRTY_LOG: what of a slot was written since the last time; clears it, unless protected manually. */
  getDirtyLog(slot: number): Result<DirtyBitmap, KvmError> {
    return this.#slots.getDirtyLog(slot)
  }

  /**
   * KVM_CLEAR_DIRTY_LOG: forgets pages that were seen, from `firstPage` on (a multiple of 64). Needs
   * KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2.
   */
  clearDirtyLog(slot: number, bitmap: DirtyBitmap, firstPage = 0): Result<void, KvmError> {
    return this.#slots.clearDirtyLog(slot, bitmap, firstPage)
  }

  /** KVM_REGISTER_COALESCED_MMIO: writes there are kept in a ring instead of exiting; see `vcpu.takeCoalesced`. */
  registerCoalesced(address: number | bigint, size: number, pio = false): Result<void, KvmError> {
    return this.#coalesced('KVM_REGISTER_COALESCED_MMIO', address, size, pio)
  }

  /** KVM_UNREGISTER_COALESCED_MMIO. */
  unregisterCoalesced(address: number | bigint, size: number, pio = false): Result<void, KvmError> {
    return this.#coalesced('KVM_UNREGISTER_COALESCED_MMIO', address, size, pio)
  }

  #coalesced(request: string, addr: number | bigint, size: number, pio: boolean): Result<void, KvmError> {
    return this[ACCESS].kernel
      .make('zone', 'kvm_coalesced_mmio_zone', { addr, size, pio: pio ? 1 : 0 })
      .andThen((value) => this[ACCESS].structure(request, value))
      .map(() => undefined)
  }

  /** KVM_IRQFD. */
  assignIrqfd(options: Irqfd): Result<void, KvmError> {
    return irqfd(this[ACCESS], options, false)
  }

  /** KVM_IRQFD with KVM_IRQFD_FLAG_DEASSIGN. */
  deassignIrqfd(options: Irqfd): Result<void, KvmError> {
    return irqfd(this[ACCESS], options, true)
  }

  /** KVM_IOEVENTFD. */
  assignIoeventfd(options: Ioeventfd): Result<void, KvmError> {
    return ioeventfd(this[ACCESS], options, false)
  }

  /** KVM_IOEVENTFD with KVM_IOEVENTFD_FLAG_DEASSIGN; as it was assigned. */
  deassignIoeventfd(options: Ioeventfd): Result<void, KvmError> {
    return ioeventfd(this[ACCESS], options, true)
  }

  /** KVM_CREATE_DEVICE: by KVM_DEV_TYPE_…. With `test` it only says whether it could be made. */
  createDevice(type: number, test: true): Result<undefined, KvmError>
  createDevice(type: number): Result<Device, KvmError>
  createDevice(type: number, test = false): Result<Device | undefined, KvmError> {
    const flags = test ? Number(this[ACCESS].kernel.tables.constants['KVM_CREATE_DEVICE_TEST']) : 0
    const request = 'KVM_CREATE_DEVICE'
    const made = this[ACCESS].kernel.make('type', 'kvm_create_device', { type, flags })
    return made
      .andThen((value) =>
        this[ACCESS].structure(request, value, {
          ENODEV: 'this machine knows no such device',
          EEXIST: 'there is one already, and there can be only one',
        }),
      )
      .andThen((value) =>
        test
          ? ok<Device | undefined, KvmError>(undefined)
          : this.#adopt(request, (value as { fd: number }).fd).map(
              (handle): Device | undefined => new Device(this[ACCESS].kernel, handle),
            ),
      )
  }

  /** KVM_ENABLE_CAP of this machine. */
  enableCap(options: EnableCap): Result<number, KvmError> {
    return enableCap(this[ACCESS], options)
  }

  /** KVM_HAS_DEVICE_ATTR of this machine. */
  hasDeviceAttr(which: Attribute): Result<boolean, KvmError> {
    return hasAttribute(this[ACCESS], which)
  }

  /** KVM_GET_DEVICE_ATTR of this machine: the first `bytes` bytes of its value. */
  getDeviceAttr(which: Attribute, bytes: number): Result<Uint8Array, KvmError> {
    return getAttribute(this[ACCESS], which, bytes)
  }

  /** KVM_SET_DEVICE_ATTR of this machine. */
  setDeviceAttr(which: Attribute, value: Uint8Array): Result<void, KvmError> {
    return setAttribute(this[ACCESS], which, value)
  }

  /** KVM_GET_STATS_FD: this machine's statistics. */
  getStatsFd(): Result<Statistics, KvmError> {
    return this.#descriptor('KVM_GET_STATS_FD', 0).map(
      (handle) => new Statistics(this[ACCESS].kernel, handle),
    )
  }

  /** KVM_X86_SET_MSR_FILTER. x86 only. What is denied exits where KVM_CAP_X86_USER_SPACE_MSR says so. */
  setMsrFilter(ranges: readonly MsrFilterRange[], denyOthers = false): Result<void, KvmError> {
    return setMsrFilter(this[ACCESS], ranges, denyOthers)
  }

  /** KVM_SET_PMU_EVENT_FILTER: which performance events a guest may count. x86 only (arm: an attribute). */
  setPmuEventFilter(
    filter: Omit<StructureInit<LayoutOf<'x86_64', 'kvm_pmu_event_filter'>>, 'nevents'>,
  ): Result<void, KvmError> {
    const events = filter?.events ?? []
    const made = this[ACCESS].kernel.make(
      'events',
      'kvm_pmu_event_filter',
      { ...filter, nevents: events.length },
      Math.min(Number(events.length), 4096),
    )
    return made
      .andThen((value) => this[ACCESS].structure('KVM_SET_PMU_EVENT_FILTER', value))
      .map(() => undefined)
  }

  /** KVM_XEN_HVM_CONFIG: Xen's hypercalls. Its pages come from the caller: KVM's own blobs are not offered. x86 only. */
  xenHvmConfig(config: { readonly flags: number; readonly msr: number }): Result<void, KvmError> {
    return this[ACCESS].kernel
      .make('config', 'kvm_xen_hvm_config', { flags: config?.flags, msr: config?.msr })
      .andThen((value) => this[ACCESS].structure('KVM_XEN_HVM_CONFIG', value))
      .map(() => undefined)
  }

  /** KVM_MEMORY_ENCRYPT_OP: a command of SEV; `data` is its structure, changed in place. x86 only. */
  memoryEncryptOp(command: EncryptionCommand): Result<number, KvmError> {
    return memoryEncryptOp(this[ACCESS], command)
  }

  /** KVM_MEMORY_ENCRYPT_REG_REGION: pins guest memory that is encrypted. x86 only. */
  memoryEncryptRegRegion(memory: GuestMemory): Result<void, KvmError> {
    return encryptedRegion(this[ACCESS], 'KVM_MEMORY_ENCRYPT_REG_REGION', memory)
  }

  /** KVM_MEMORY_ENCRYPT_UNREG_REGION. */
  memoryEncryptUnregRegion(memory: GuestMemory): Result<void, KvmError> {
    return encryptedRegion(this[ACCESS], 'KVM_MEMORY_ENCRYPT_UNREG_REGION', memory)
  }

  /** KVM_PPC_GET_HTAB_FD: the guest's hash table, to be read or written. POWER only. */
  ppcGetHtabFd(
    options: StructureInit<LayoutOf<'powerpc64le', 'kvm_get_htab_fd'>>,
  ): Result<KvmFile, KvmError> {
    return this.#structureDescriptor('KVM_PPC_GET_HTAB_FD', 'kvm_get_htab_fd', options)
  }

  /** KVM_CREATE_SPAPR_TCE: a table for the DMA of PAPR devices. POWER only. */
  createSpaprTce(
    options: StructureInit<LayoutOf<'powerpc64le', 'kvm_create_spapr_tce'>>,
  ): Result<KvmFile, KvmError> {
    return this.#structureDescriptor('KVM_CREATE_SPAPR_TCE', 'kvm_create_spapr_tce', options)
  }

  /** KVM_CREATE_SPAPR_TCE_64: the same with larger windows. POWER only. */
  createSpaprTce64(
    options: StructureInit<LayoutOf<'powerpc64le', 'kvm_create_spapr_tce_64'>>,
  ): Result<KvmFile, KvmError> {
    return this.#structureDescriptor('KVM_CREATE_SPAPR_TCE_64', 'kvm_create_spapr_tce_64', options)
  }

  /** KVM_ARM_MTE_COPY_TAGS: reads or writes tags, one byte for each 16 of guest memory. Gives how many. ARM only. */
  armMteCopyTags(
    guestAddress: bigint,
    tags: Uint8Array,
    direction: 'from-guest' | 'to-guest',
  ): Result<number, KvmError> {
    return armMteCopyTags(this[ACCESS], guestAddress, tags, direction)
  }

  /** KVM_ARM_GET_REG_WRITABLE_MASKS: which bits of the feature id registers can be set. ARM only. */
  armGetRegWritableMasks(): Result<BigUint64Array, KvmError> {
    return armGetRegWritableMasks(this[ACCESS])
  }

  /** A request that has no method: by name, or by number what is younger than the tables. */
  ioctl(request: string | number, argument?: Uint8Array | number | bigint): Result<number, KvmError> {
    return rawIoctl(this[ACCESS], request, argument)
  }

  #structureDescriptor(request: string, name: string, init: object): Result<KvmFile, KvmError> {
    return this[ACCESS].kernel
      .make('options', name, init)
      .andThen((value) => this[ACCESS].bytes(request, bytesOf(value)))
      .andThen((fd) => this.#adopt(request, fd))
      .map((handle) => new KvmFile(this[ACCESS].kernel, handle))
  }

  #descriptor(
    request: string,
    argument: number | bigint,
    meanings?: Readonly<Record<string, string>>,
  ): Result<number, KvmError> {
    return this[ACCESS].number(request, argument, meanings).andThen((fd) => this.#adopt(request, fd))
  }

  #adopt(request: string, fd: number): Result<number, KvmError> {
    return this[ACCESS].answer(request, this[ACCESS].kernel.calls.adopt(fd, this[ACCESS].handle))
  }
}

export function checkExtension(object: Access, capability: string): Result<number, KvmError> {
  const number = capabilityNumber(object, capability)
  if (number === undefined) {
    return err(invalidArgument('capability', `there is no capability ${shown(capability)}`))
  }
  return object.number('KVM_CHECK_EXTENSION', number)
}

const classes = new Map<Architecture, typeof VmCore>()

/** The class with the methods of an architecture. */
export function vmClass(architecture: Architecture): typeof VmCore {
  const known = classes.get(architecture)
  if (known) return known
  const made = class<A extends Architecture> extends VmCore<A> {}
  addMethods(made.prototype, { ...vmMethods, ...vmMethodsOf[architecture] })
  classes.set(architecture, made as never)
  return made as never
}
