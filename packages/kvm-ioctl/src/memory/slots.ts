import { err, ok, type Result } from 'neverthrow'
import { ACCESS, type Access, isWhole, isWord } from '../descriptor.js'
import { invalidArgument, type KvmError } from '../errors.js'
import { bytesOf } from '../structures/accessors.js'
import { bitmapBytes, DirtyBitmap } from './dirty-log.js'
import { GuestMemfd } from './guest-memfd.js'
import { GuestMemory } from './guest-memory.js'

/** Memory as the guest sees it. */
export interface MemoryRegion {
  /** Its number; a second one of the same number replaces it. In an address space other than 0: space << 16 | slot. */
  readonly slot: number
  /** Where it begins in the guest: a multiple of the page size. */
  readonly guestAddress: number | bigint
  /** Whose pages the guest gets; the machine holds them. */
  readonly memory: GuestMemory
  /** Where in `memory` it begins, in bytes: a multiple of the page size. Default 0. */
  readonly offset?: number | undefined
  /** Bytes: a multiple of the page size. Default: the rest of `memory`. */
  readonly length?: number | undefined
  /** The guest's writes exit as `mmio-write`. */
  readonly readOnly?: boolean | undefined
  /** Notes which pages the guest writes, for `getDirtyLog` or the dirty rings. */
  readonly logDirtyPages?: boolean | undefined
  /** Where the guest's private memory comes from: KVM_SET_USER_MEMORY_REGION2. */
  readonly guestMemfd?:
    | {
        /** The memory itself. */
        readonly file: GuestMemfd
        /** Where in it the region begins, in bytes. */
        readonly offset: number | bigint
      }
    | undefined
}

const REGION_MEANINGS = {
  EEXIST: 'it overlaps another slot, or is there already with other memory: remove that first',
  EINVAL:
    'not page-aligned, a slot number beyond KVM_CAP_NR_MEMSLOTS, a flag that this KVM lacks, or a change that needs the slot to be removed first',
  ENOMEM: 'no memory for the bookkeeping of a slot that large',
}

const ENOENT = -2

/** A machine's memory: what its slots are, and what of them the guest wrote. */
export class MemorySlots {
  readonly #vm: Access

  constructor(vm: Access) {
    this.#vm = vm
  }

  set(region: MemoryRegion): Result<void, KvmError> {
    const { calls, tables } = this.#vm.kernel
    const { pageSize } = calls
    const { slot, guestAddress, memory, offset = 0, readOnly = false, logDirtyPages = false } = region ?? {}
    if (!(memory instanceof GuestMemory)) return err(invalidArgument('memory', 'give a GuestMemory'))
    const length = region.length ?? memory.length - offset
    if (!isWhole(slot, 0xffff_ffff)) return err(invalidArgument('slot', 'use a whole number of 32 bits'))
    if (!isWord(guestAddress) || BigInt(guestAddress) % BigInt(pageSize) !== 0n)
      return err(invalidArgument('guestAddress', `use a multiple of the page size, ${pageSize}`))
    if (!isWhole(offset) || offset % pageSize !== 0 || offset > memory.length)
      return err(invalidArgument('offset', `use a multiple of ${pageSize} within the memory`))
    if (!isWhole(length) || length === 0 || length % pageSize !== 0 || length > memory.length - offset)
      return err(invalidArgument('length', `use a multiple of ${pageSize} within the memory`))
    const flag = (name: string) => Number(tables.constants[name])
    const { guestMemfd } = region
    const flags =
      (readOnly ? flag('KVM_MEM_READONLY') : 0) |
      (logDirtyPages ? flag('KVM_MEM_LOG_DIRTY_PAGES') : 0) |
      (guestMemfd ? flag('KVM_MEM_GUEST_MEMFD') : 0)
    const fields = { slot, flags, guest_phys_addr: guestAddress, memory_size: length }
    return this.#guestMemfdFields(guestMemfd)
      .andThen((more) =>
        this.#setSlot(
          guestMemfd !== undefined,
          { ...fields, ...more },
          slot,
          memory[ACCESS].handle,
          offset,
          length,
        ),
      )
      .map(() => undefined)
  }

  #guestMemfdFields(guestMemfd: MemoryRegion['guestMemfd']): Result<object, KvmError> {
    if (guestMemfd === undefined) return ok({})
    const { file, offset } = guestMemfd
    if (!(file instanceof GuestMemfd) || !isWord(offset))
      return err(invalidArgument('guestMemfd', 'give a file of createGuestMemfd and an offset in it'))
    return file.fd.map((fd) => ({ guest_memfd: fd, guest_memfd_offset: offset }))
  }

  remove(slot: number): Result<void, KvmError> {
    if (!isWhole(slot, 0xffff_ffff)) return err(invalidArgument('slot', 'use a whole number of 32 bits'))
    return this.#setSlot(false, { slot }, slot, 0, 0, 0).map(() => undefined)
  }

  #setSlot(
    second: boolean,
    fields: object,
    slot: number,
    memory: number,
    offset: number,
    length: number,
  ): Result<number, KvmError> {
    const { calls, tables } = this.#vm.kernel
    const structure = second ? 'kvm_userspace_memory_region2' : 'kvm_userspace_memory_region'
    const request = second ? 'KVM_SET_USER_MEMORY_REGION2' : 'KVM_SET_USER_MEMORY_REGION'
    const at = tables.structures[structure]!.fields['userspace_addr']!.offset
    const number = tables.ioctls[request]!
    return this.#vm.kernel
      .make('region', structure, fields)
      .andThen((value) =>
        this.#vm.answer(
          request,
          calls.setSlot(this.#vm.handle, number, bytesOf(value), at, slot, memory, offset, length),
          REGION_MEANINGS,
        ),
      )
  }

  /** How many pages a slot has, whoever made it: so many bits the kernel writes. */
  #pages(slot: number): Result<number, KvmError> {
    if (!isWhole(slot, 0xffff_ffff)) return err(invalidArgument('slot', 'use a whole number of 32 bits'))
    const { calls } = this.#vm.kernel
    const length = calls.slotLength(this.#vm.handle, slot)
    if (length === ENOENT) return err(invalidArgument('slot', `there is no slot ${slot}`))
    return this.#vm.answer('slot', length).map((bytes) => bytes / calls.pageSize)
  }

  getDirtyLog(slot: number): Result<DirtyBitmap, KvmError> {
    const { calls, tables } = this.#vm.kernel
    const request = 'KVM_GET_DIRTY_LOG'
    const at = tables.structures['kvm_dirty_log']!.either['dirty_bitmap']!.offset
    return this.#pages(slot).andThen((pages) => {
      const bits = new Uint8Array(bitmapBytes(pages))
      return this.#vm.kernel
        .make('slot', 'kvm_dirty_log', { slot })
        .andThen((value) => {
          const { handle } = this.#vm
          const result = calls.dirtyLog(handle, tables.ioctls[request]!, bytesOf(value), at, slot, bits)
          return this.#vm.answer(request, result, DIRTY_MEANINGS)
        })
        .map(() => new DirtyBitmap(bits, pages))
    })
  }

  clearDirtyLog(slot: number, bitmap: DirtyBitmap, firstPage: number): Result<void, KvmError> {
    const found = this.#pages(slot)
    if (found.isErr()) return err(found.error)
    const pages = bitmap?.pages
    if (!isWhole(pages, 0xffff_ffff) || !(bitmap.bits instanceof Uint8Array))
      return err(invalidArgument('bitmap', 'give what getDirtyLog gave'))
    if (!isWhole(firstPage) || firstPage + pages > found.value)
      return err(invalidArgument('firstPage', `the slot has ${found.value} pages`))
    // The kernel reads as many bits as it is told; so many there are.
    const bits = new Uint8Array(bitmapBytes(pages))
    bits.set(bitmap.bits.subarray(0, bits.length))
    const at = this.#vm.kernel.tables.structures['kvm_clear_dirty_log']!.either['dirty_bitmap']!.offset
    return this.#vm.kernel
      .make('slot', 'kvm_clear_dirty_log', { slot, first_page: firstPage, num_pages: pages })
      .andThen((value) => this.#vm.bytes('KVM_CLEAR_DIRTY_LOG', bytesOf(value), DIRTY_MEANINGS, at, bits))
      .map(() => undefined)
  }
}

const DIRTY_MEANINGS = {
  ENOENT: 'this slot does not log: give it logDirtyPages',
  ENXIO: 'the dirty rings are on: collect those',
  EINVAL: 'no such slot, or pages that do not begin at a multiple of 64',
  EOVERFLOW: 'another thread made this slot larger just now: ask again',
}
