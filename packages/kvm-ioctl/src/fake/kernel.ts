import { capabilities, ioctls, structures } from '../generated/x86_64.js'
import type { EventLoop, Handle, KvmCalls } from '../kvm-calls.js'
import { overBytes } from '../structures/accessors.js'
import { FakeMemory, FakeSlots } from './memory.js'
import { FakeVcpu, SHARED_BYTES } from './vcpu.js'

const EBADF = -9
const EEXIST = -17
const EBUSY = -16
const EINVAL = -22
const EINTR = -4
const ENOSYS = -38
const ENOTTY = -25
const ENXIO = -6
const ESRCH = -3
const MOST_VCPUS = 64
/** glibc and the kernel agree on these for x86; nothing else gives them a meaning here. */
const ANSWERS = { closed: -5000, running: -5001, pending: -5002, wrongThread: -5003 }

interface Thing {
  readonly fd: number
  readonly kind: 'kvm' | 'vm' | 'vcpu' | 'memory'
  readonly slots?: FakeSlots
  readonly vcpus?: Set<number>
  readonly vcpu?: FakeVcpu
  readonly memory?: FakeMemory
  tell?: ((result: number, nanoseconds: number) => void) | undefined
  busy?: boolean
}

const CAPABILITIES: Readonly<Record<number, number>> = {
  [capabilities.KVM_CAP_USER_MEMORY]: 1,
  [capabilities.KVM_CAP_HLT]: 1,
  [capabilities.KVM_CAP_NR_VCPUS]: MOST_VCPUS,
  [capabilities.KVM_CAP_MAX_VCPUS]: MOST_VCPUS,
  [capabilities.KVM_CAP_MAX_VCPU_ID]: MOST_VCPUS,
  [capabilities.KVM_CAP_NR_MEMSLOTS]: 32_764,
  [capabilities.KVM_CAP_SET_TSS_ADDR]: 1,
  [capabilities.KVM_CAP_MP_STATE]: 1,
  [capabilities.KVM_CAP_READONLY_MEM]: 1,
  [capabilities.KVM_CAP_IMMEDIATE_EXIT]: 1,
}

/** A /dev/kvm in memory: what is behind the native calls, with a processor that knows a handful of instructions. */
export class FakeKernel implements KvmCalls {
  readonly architecture = 'x86_64'
  readonly pageSize = 4096
  readonly answers = ANSWERS
  readonly #things = new Map<Handle, Thing>()
  /** Things by the descriptor that a request answered, until somebody adopts it. */
  readonly #unadopted = new Map<number, Thing>()
  readonly #buffers = new Map<ArrayBuffer, FakeMemory | undefined>()
  readonly #nextTurn: EventLoop['nextTurn']
  #next = 1

  constructor(nextTurn: EventLoop['nextTurn']) {
    this.#nextTurn = nextTurn
  }

  #add(thing: Thing): Handle {
    const handle = this.#next++
    this.#things.set(handle, thing)
    return handle
  }

  #make(thing: Omit<Thing, 'fd'>): number {
    const fd = 1000 + this.#next++
    this.#unadopted.set(fd, { ...thing, fd })
    return fd
  }

  open(): Handle {
    return this.#add({ kind: 'kvm', fd: 1000 + this.#next++ })
  }

  adopt(fd: number, parent: Handle): Handle {
    const thing = this.#unadopted.get(fd)
    this.#unadopted.delete(fd)
    if (!this.#things.has(parent)) return ANSWERS.closed
    return thing === undefined ? EBADF : this.#add(thing)
  }

  close(handle: Handle): number {
    this.threadStop(handle)
    return this.#things.delete(handle) ? 0 : ANSWERS.closed
  }

  descriptor(handle: Handle): number {
    return this.#things.get(handle)?.fd ?? ANSWERS.closed
  }

  share(handle: Handle): Handle {
    const thing = this.#things.get(handle)
    return thing === undefined ? ANSWERS.closed : this.#add(thing)
  }

  take(handle: Handle): number {
    return this.#things.has(handle) ? 0 : ANSWERS.closed
  }

  ioctlNumber(handle: Handle, request: number, argument: number | bigint): number {
    const thing = this.#things.get(handle)
    if (thing === undefined) return ANSWERS.closed
    if (thing.busy) return ANSWERS.running
    const value = Number(argument)
    switch (`${thing.kind} ${request}`) {
      case `kvm ${ioctls.KVM_GET_API_VERSION}`:
        return 12
      case `kvm ${ioctls.KVM_GET_VCPU_MMAP_SIZE}`:
        return SHARED_BYTES
      case `kvm ${ioctls.KVM_CHECK_EXTENSION}`:
      case `vm ${ioctls.KVM_CHECK_EXTENSION}`:
        return CAPABILITIES[value] ?? 0
      case `kvm ${ioctls.KVM_CREATE_VM}`:
        return value === 0 ? this.#make({ kind: 'vm', slots: new FakeSlots(), vcpus: new Set() }) : EINVAL
      case `vm ${ioctls.KVM_CREATE_VCPU}`:
        if (value >= MOST_VCPUS) return EINVAL
        if (thing.vcpus!.has(value)) return EEXIST
        thing.vcpus!.add(value)
        return this.#make({ kind: 'vcpu', vcpu: new FakeVcpu(thing.slots!) })
      case `vm ${ioctls.KVM_SET_TSS_ADDR}`:
        return value > 0xffff_d000 ? EINVAL : 0
    }
    return ENOTTY
  }

  ioctlBytes(handle: Handle, request: number, bytes: Uint8Array): number {
    const thing = this.#things.get(handle)
    if (thing === undefined) return ANSWERS.closed
    if (thing.busy) return ANSWERS.running
    const { vcpu } = thing
    if (vcpu === undefined) return ENOTTY
    switch (request) {
      case ioctls.KVM_GET_REGS:
        bytes.set(vcpu.registers)
        return 0
      case ioctls.KVM_SET_REGS:
        vcpu.registers.set(bytes.subarray(0, structures.kvm_regs.size))
        return 0
      case ioctls.KVM_GET_SREGS:
        bytes.set(vcpu.specialRegisters)
        return 0
      case ioctls.KVM_SET_SREGS:
        vcpu.specialRegisters.set(bytes.subarray(0, structures.kvm_sregs.size))
        return 0
      case ioctls.KVM_GET_MP_STATE:
        overBytes(structures.kvm_mp_state, bytes).mp_state = vcpu.mpState
        return 0
      case ioctls.KVM_SET_MP_STATE:
        vcpu.mpState = overBytes(structures.kvm_mp_state, bytes).mp_state
        return 0
    }
    return ENOTTY
  }

  read(handle: Handle): number {
    return this.#things.has(handle) ? EINVAL : ANSWERS.closed
  }

  write(handle: Handle): number {
    return this.#things.has(handle) ? EINVAL : ANSWERS.closed
  }

  anonymousMemory(length: number): Handle {
    return this.#add({ kind: 'memory', fd: EBADF, memory: new FakeMemory(length) })
  }

  memfdMemory(length: number): Handle {
    return this.#add({ kind: 'memory', fd: 1000 + this.#next++, memory: new FakeMemory(length) })
  }

  /** There are no files here. */
  fileMemory(): Handle {
    return ENOSYS
  }

  bytesOf(handle: Handle): ArrayBuffer | number {
    const thing = this.#things.get(handle)
    if (thing === undefined) return ANSWERS.closed
    if (thing.memory === undefined) return EBADF
    this.#buffers.set(thing.memory.bytes.buffer, thing.memory)
    return thing.memory.bytes.buffer
  }

  map(handle: Handle): ArrayBuffer | number {
    return this.#things.has(handle) ? EINVAL : ANSWERS.closed
  }

  mapRun(handle: Handle): ArrayBuffer | number {
    const thing = this.#things.get(handle)
    if (thing === undefined) return ANSWERS.closed
    if (thing.vcpu === undefined) return EINVAL
    this.#buffers.set(thing.vcpu.shared, undefined)
    return thing.vcpu.shared
  }

  forget(buffer: ArrayBuffer): number {
    if (!this.#buffers.has(buffer)) return EINVAL
    const memory = this.#buffers.get(buffer)
    this.#buffers.delete(buffer)
    memory?.forget(buffer)
    return 0
  }

  setSlot(
    machine: Handle,
    request: number,
    bytes: Uint8Array,
    _addressAt: number,
    slot: number,
    memory: Handle | 0,
    offset: number,
    length: number,
  ): number {
    const slots = this.#things.get(machine)?.slots
    if (slots === undefined) return this.#things.has(machine) ? ENOTTY : ANSWERS.closed
    if (request !== ioctls.KVM_SET_USER_MEMORY_REGION) return ENOTTY
    if (memory === 0) return slots.remove(slot)
    const backing = this.#things.get(memory)?.memory
    if (backing === undefined) return ANSWERS.closed
    const region = overBytes(structures.kvm_userspace_memory_region, bytes)
    return slots.set(slot, region.flags, Number(region.guest_phys_addr), length, backing, offset)
  }

  slotLength(machine: Handle, slot: number): number {
    return this.#things.get(machine)?.slots?.length(slot) ?? ANSWERS.closed
  }

  dirtyLog(
    machine: Handle,
    _request: number,
    _bytes: Uint8Array,
    _addressAt: number,
    slot: number,
    bitmap: Uint8Array,
  ): number {
    return this.#things.get(machine)?.slots?.takeDirty(slot, bitmap) ?? ANSWERS.closed
  }

  run(handle: Handle): number {
    const thing = this.#things.get(handle)
    if (thing === undefined) return ANSWERS.closed
    if (thing.vcpu === undefined) return ENXIO
    if (thing.busy) return ANSWERS.running
    const result = thing.vcpu.run()
    if (result !== undefined) return result
    throw new Error('the guest runs without an exit, and in a fake nobody else is there to kick it')
  }

  kick(handle: Handle): number {
    const thing = this.#things.get(handle)
    if (thing === undefined) return ANSWERS.closed
    thing.vcpu?.kick()
    return 0
  }

  threadStart(handle: Handle, tell: (result: number, nanoseconds: number) => void): number {
    const thing = this.#things.get(handle)
    if (thing === undefined) return ANSWERS.closed
    if (thing.vcpu === undefined) return ENXIO
    if (thing.tell !== undefined) return EEXIST
    thing.tell = tell
    return 0
  }

  threadRun(handle: Handle): number {
    const thing = this.#things.get(handle)
    if (thing === undefined) return ANSWERS.closed
    if (thing.tell === undefined) return ESRCH
    if (thing.busy) return EBUSY
    thing.busy = true
    Promise.resolve().then(() => this.#continue(thing))
    return ANSWERS.pending
  }

  /** A guest that is busy with itself is looked at again when it is kicked: nothing else can change what it does. */
  #continue(thing: Thing): void {
    const { vcpu, tell } = thing
    if (vcpu === undefined || tell === undefined || !thing.busy) return
    let result = vcpu.run()
    while (result === EINTR) result = vcpu.run()
    if (result === undefined) {
      vcpu.onKick = () => {
        vcpu.onKick = undefined
        Promise.resolve().then(() => this.#continue(thing))
      }
      return
    }
    thing.busy = false
    tell(result, 0)
  }

  threadStop(handle: Handle): number {
    const thing = this.#things.get(handle)
    if (thing === undefined) return ANSWERS.closed
    thing.tell = undefined
    thing.busy = false
    if (thing.vcpu) thing.vcpu.onKick = undefined
    return 0
  }

  threadHold(handle: Handle): number {
    return this.#things.has(handle) ? 0 : ANSWERS.closed
  }

  /** In here nothing takes any time. */
  now(): number {
    return 0
  }

  nextTurn(go: () => void): void {
    this.#nextTurn(go)
  }

  endWithParentOrAfter(): number {
    return 0
  }
}
