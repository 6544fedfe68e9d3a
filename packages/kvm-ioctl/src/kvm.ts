import { err, ok, type Result } from 'neverthrow'
import { type Architecture, type CapabilityName, isArchitecture } from './architecture.js'
import { type Attribute, getAttribute, hasAttribute } from './attributes.js'
import {
  ACCESS,
  ADOPTION_MEANINGS,
  isHandle,
  isWhole,
  isWord,
  Kernel,
  KvmObject,
  type SharedObject,
} from './descriptor.js'
import { failure, invalidArgument, type KvmError, notOpened } from './errors.js'
import type { KvmCalls } from './kvm-calls.js'
import {
  adoptMemory,
  type Backing,
  createMemory,
  type GuestMemory,
  type SharedMemory,
} from './memory/guest-memory.js'
import { kvmMethods, kvmMethodsX86 } from './methods/kvm.js'
import { getMsrs } from './methods/msrs.js'
import { rawIoctl } from './methods/raw.js'
import type { KvmRequests, KvmRequestsOf } from './methods/requests.js'
import { addMethods } from './methods/spec.js'
import { type Kicker, makeVcpu, type SharedVcpu, type Vcpu } from './vcpu.js'
import { checkExtension, type Vm, vmClass } from './vm.js'

export const kvmMethodsOf = {
  x86_64: kvmMethodsX86,
  aarch64: {},
  powerpc64le: {},
  riscv64: {},
} as const

/** /dev/kvm: what this machine's KVM can do, and the way to virtual machines. */
export type Kvm<A extends Architecture = 'x86_64'> = KvmCore<A> & KvmRequests<A> & KvmRequestsOf<A>

/** What `Kvm` has beside the requests from the tables. Whoever opened it closes it. */
export class KvmCore<A extends Architecture = 'x86_64'> extends KvmObject {
  #mmapBytes = 0

  /** KVM_CHECK_EXTENSION: 0 when the capability is not there. A machine's own answer may differ. */
  checkExtension(capability: CapabilityName<A>): Result<number, KvmError> {
    return checkExtension(this[ACCESS], capability)
  }

  /** KVM_CREATE_VM. `type` is of the architecture: 0 is right on x86; on arm the width of addresses; 1 is HV on POWER. */
  createVm(type: number | bigint = 0): Result<Vm<A>, KvmError> {
    const { calls, architecture } = this[ACCESS].kernel
    if (!isWord(type)) return err(invalidArgument('type', 'use a whole number'))
    return this.#mmapSize().andThen((mmapBytes) =>
      this[ACCESS]
        .number('KVM_CREATE_VM', type, {
          EINVAL: 'this KVM makes no machine of that type',
          ENOMEM: 'no memory for another machine',
        })
        .andThen((fd) => this[ACCESS].answer('KVM_CREATE_VM', calls.adopt(fd, this[ACCESS].handle)))
        .map(
          (handle) => new (vmClass(architecture))(this[ACCESS].kernel, handle, mmapBytes) as unknown as Vm<A>,
        ),
    )
  }

  #mmapSize(): Result<number, KvmError> {
    if (this.#mmapBytes !== 0) return ok(this.#mmapBytes)
    return this[ACCESS].number('KVM_GET_VCPU_MMAP_SIZE').andThen((size) => {
      const least = this[ACCESS].kernel.tables.structures['kvm_run']!.size
      if (size < least) {
        const message = `KVM shares ${size} bytes with a vCPU, which is less than kvm_run has`
        return err<number, KvmError>({ kind: 'unsupported', message, capability: 'KVM_CAP_USER_MEMORY' })
      }
      this.#mmapBytes = size
      return ok(size)
    })
  }

  /** Memory for guests, of a multiple of the page size. Default: anonymous. */
  createMemory(length: number, backing: Backing = { kind: 'anonymous' }): Result<GuestMemory, KvmError> {
    return createMemory(this[ACCESS].kernel, length, backing)
  }

  /** The bytes of a page here: 64 KiB on some machines. Slots and memory are made of whole pages. */
  get pageSize(): number {
    return this[ACCESS].kernel.calls.pageSize
  }

  /** A machine that another JavaScript thread shared. */
  adoptVm(shared: SharedObject): Result<Vm<A>, KvmError> {
    const { kernel } = this[ACCESS]
    return this.#mmapSize().andThen((mmapBytes) =>
      this.#take('adoptVm', shared?.handle).map(
        () => new (vmClass(kernel.architecture))(kernel, shared.handle, mmapBytes) as unknown as Vm<A>,
      ),
    )
  }

  /** A vCPU that another JavaScript thread shared: from then on it runs here. */
  adoptVcpu(shared: SharedVcpu): Result<Vcpu<A>, KvmError> {
    const { facts, id } = shared ?? {}
    if (
      !isWhole(id) ||
      !isWhole(facts?.mmapBytes) ||
      !isWhole(facts.coalescedPage) ||
      !isWhole(facts.xsaveBytes)
    ) {
      return err(invalidArgument('shared', 'give what share() gave'))
    }
    return this.#mmapSize().andThen((mmapBytes) =>
      this.#take('adoptVcpu', shared?.handle).andThen(() =>
        makeVcpu<A>(this[ACCESS].kernel, shared.handle, id, { ...facts, mmapBytes }),
      ),
    )
  }

  /** Memory that another JavaScript thread shared: the same bytes, in an ArrayBuffer of this thread. */
  adoptMemory(shared: SharedMemory): Result<GuestMemory, KvmError> {
    return adoptMemory(this[ACCESS].kernel, shared)
  }

  #take(request: string, handle: unknown): Result<number, KvmError> {
    if (!isHandle(handle)) return err(invalidArgument('shared', 'give what share() gave'))
    return this[ACCESS].answer(request, this[ACCESS].kernel.calls.take(handle), ADOPTION_MEANINGS)
  }

  /** Kicks a vCPU of any JavaScript thread; see `vcpu.kicker`. */
  kick(kicker: Kicker): Result<void, KvmError> {
    if (!isHandle(kicker?.handle)) return err(invalidArgument('kicker', "give a vCPU's kicker"))
    return this[ACCESS].answer('kick', this[ACCESS].kernel.calls.kick(kicker.handle)).map(() => undefined)
  }

  /** KVM_GET_MSRS of /dev/kvm: what the processor can, by the MSRs of getMsrFeatureIndexList. x86 only. */
  getMsrs(indices: readonly number[]): Result<readonly bigint[], KvmError> {
    return getMsrs(this[ACCESS], indices)
  }

  /** KVM_HAS_DEVICE_ATTR of /dev/kvm. x86 only. */
  hasDeviceAttr(which: Attribute): Result<boolean, KvmError> {
    return hasAttribute(this[ACCESS], which)
  }

  /** KVM_GET_DEVICE_ATTR of /dev/kvm: the first `bytes` bytes of its value. x86 only. */
  getDeviceAttr(which: Attribute, bytes: number): Result<Uint8Array, KvmError> {
    return getAttribute(this[ACCESS], which, bytes)
  }

  /** A request that has no method: by name, or by number what is younger than the tables. */
  ioctl(request: string | number, argument?: Uint8Array | number | bigint): Result<number, KvmError> {
    return rawIoctl(this[ACCESS], request, argument)
  }
}

const classes = new Map<Architecture, typeof KvmCore>()

function kvmClass(architecture: Architecture): typeof KvmCore {
  const known = classes.get(architecture)
  if (known) return known
  const made = class<A extends Architecture> extends KvmCore<A> {}
  addMethods(made.prototype, { ...kvmMethods, ...kvmMethodsOf[architecture] })
  classes.set(architecture, made as never)
  return made as never
}

/** /dev/kvm through `calls`: the real ones, or a fake's. `architecture` is what the program is written for. */
export function openKvm<A extends Architecture>(calls: KvmCalls, architecture: A): Result<Kvm<A>, KvmError> {
  const here = calls.architecture
  if (here !== architecture || !isArchitecture(here)) {
    const message = `this machine is ${here}, not ${architecture}: open KVM for ${here}`
    return err({ kind: 'other-architecture', message, architecture: here })
  }
  const handle = calls.open()
  if (handle < 0) {
    return err(handle < -4095 ? failure(calls, 'open', handle) : notOpened(handle))
  }
  return ok(new (kvmClass(here))(new Kernel(calls, here), handle) as unknown as Kvm<A>)
}
