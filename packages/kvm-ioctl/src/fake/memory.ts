import { constants } from '../generated/x86_64.js'
import type { Bus } from './interpreter.js'

const PAGE = 4096

/** Memory whose bytes stay when the ArrayBuffer that shows them is taken away. */
export class FakeMemory {
  bytes: Uint8Array<ArrayBuffer>

  constructor(length: number) {
    this.bytes = new Uint8Array(length)
  }

  /** Empties every view of `buffer`, as the native part does; a guest that has the memory keeps it. */
  forget(buffer: ArrayBuffer): void {
    if (this.bytes.buffer === buffer) this.bytes = this.bytes.slice()
    structuredClone(buffer, { transfer: [buffer] })
  }
}

interface Slot {
  readonly start: number
  readonly length: number
  readonly memory: FakeMemory
  readonly offset: number
  readonly flags: number
  readonly dirty: Set<number>
}

const EEXIST = -17
const EINVAL = -22
const ENOENT = -2

/** A machine's slots: what its guest reaches by a physical address. */
export class FakeSlots implements Bus {
  readonly #slots = new Map<number, Slot>()

  set(
    number: number,
    flags: number,
    start: number,
    length: number,
    memory: FakeMemory,
    offset: number,
  ): number {
    const known = constants.KVM_MEM_LOG_DIRTY_PAGES | constants.KVM_MEM_READONLY
    if ((flags & ~known) !== 0 || start % PAGE !== 0 || length % PAGE !== 0) return EINVAL
    const old = this.#slots.get(number)
    if (old !== undefined && (old.memory !== memory || old.length !== length || old.offset !== offset))
      return EINVAL
    for (const [other, slot] of this.#slots)
      if (other !== number && start < slot.start + slot.length && slot.start < start + length) return EEXIST
    this.#slots.set(number, { start, length, memory, offset, flags, dirty: new Set() })
    return 0
  }

  remove(number: number): number {
    return this.#slots.delete(number) ? 0 : EINVAL
  }

  length(number: number): number {
    return this.#slots.get(number)?.length ?? ENOENT
  }

  /** Gives what was written since the last time, one bit per page. */
  takeDirty(number: number, bits: Uint8Array): number {
    const slot = this.#slots.get(number)
    if (slot === undefined || (slot.flags & constants.KVM_MEM_LOG_DIRTY_PAGES) === 0) return ENOENT
    for (const page of slot.dirty) bits[page >> 3]! |= 1 << (page & 7)
    slot.dirty.clear()
    return 0
  }

  #find(address: number): Slot | undefined {
    for (const slot of this.#slots.values())
      if (address >= slot.start && address < slot.start + slot.length) return slot
    return undefined
  }

  read(address: number): number | undefined {
    const slot = this.#find(address)
    return slot?.memory.bytes[slot.offset + address - slot.start]
  }

  write(address: number, value: number): boolean {
    const slot = this.#find(address)
    if (slot === undefined || (slot.flags & constants.KVM_MEM_READONLY) !== 0) return false
    slot.memory.bytes[slot.offset + address - slot.start] = value
    slot.dirty.add(((address - slot.start) / PAGE) | 0)
    return true
  }
}
