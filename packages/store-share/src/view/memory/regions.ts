import type { Fd, Mapping, UnixFd } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import { ADDRESS_LIMIT, GuestMemory, type MemoryWindow } from './guest-memory.js'

/** A region of a guest's memory as a front end describes it: vhost-user, "Single memory region description". */
export interface RegionDescription {
  readonly guestAddress: bigint
  readonly size: bigint
  readonly userAddress: bigint
  /** Where in the descriptor that comes along the region begins. */
  readonly fileOffset: bigint
}

/** Bounds of the guest memory that a front end may have mapped (vhost-user, `VHOST_USER_ADD_MEM_REG`). */
export interface MemoryLimits {
  /** Regions mapped at the same time; 64 by default, at most 509. */
  readonly maxRegions: number
  /** All regions together. */
  readonly maxMemoryBytes: number
  /** Maps memory that the front end could truncate, which would kill this program. Default false. */
  readonly allowUnsealed: boolean
}

/** One window of JavaScript's memory: every Node can hold it, and its offsets fit 31 bits. */
const WINDOW_BYTES = 2 ** 30
const PAGE = 4096n
/** Where x86-64's five levels of page tables end; no architecture has user addresses beyond. */
const USER_LIMIT = 2n ** 57n

interface MappedRegion {
  readonly description: RegionDescription
  readonly mappings: readonly Mapping[]
}

/** The memory regions of one front end, mapped. */
export class Regions implements Disposable {
  readonly #descriptors: UnixFd
  readonly #limits: MemoryLimits
  #regions: readonly MappedRegion[] = []

  constructor(descriptors: UnixFd, limits: MemoryLimits) {
    this.#descriptors = descriptors
    this.#limits = limits
  }

  get count(): number {
    return this.#regions.length
  }

  /** All of it, as it is now. Valid until the next change. */
  memory(): GuestMemory {
    return new GuestMemory(this.#regions.flatMap(windowsOf))
  }

  /** Adds a region. The descriptor stays the caller's. The error is a sentence. */
  add(description: RegionDescription, fd: Fd): Result<void, string> {
    const problem = this.#problemOf(description)
    if (problem !== undefined) return err(problem)
    const mappings = this.#map(description, fd)
    if (mappings.isErr()) return err(mappings.error)
    this.#regions = [...this.#regions, { description, mappings: mappings.value }]
    return ok()
  }

  /** Removes the region with that description; what is in the descriptor does not matter. */
  remove(description: RegionDescription): Result<void, string> {
    const found = this.#regions.find(
      (region) =>
        region.description.guestAddress === description.guestAddress &&
        region.description.userAddress === description.userAddress &&
        region.description.size === description.size,
    )
    if (found === undefined) return err('there is no such memory region')
    this.#regions = this.#regions.filter((region) => region !== found)
    unmap(found)
    return ok()
  }

  /** Unmaps everything. */
  clear(): void {
    const regions = this.#regions
    this.#regions = []
    for (const region of regions) unmap(region)
  }

  [Symbol.dispose](): void {
    this.clear()
  }

  #problemOf(region: RegionDescription): string | undefined {
    const { guestAddress, size, userAddress, fileOffset } = region
    const { maxRegions, maxMemoryBytes } = this.#limits
    if (this.#regions.length >= maxRegions) return `more than ${maxRegions} memory regions`
    if (size === 0n) return 'a memory region without a byte'
    if ([guestAddress, size, userAddress, fileOffset].some((value) => value % PAGE !== 0n)) {
      return 'a memory region that does not begin and end with a page'
    }
    if (guestAddress + size > BigInt(ADDRESS_LIMIT)) return 'guest-physical addresses beyond 52 bits'
    if (userAddress + size > USER_LIMIT) return 'user addresses beyond 57 bits'
    if (fileOffset + size > BigInt(Number.MAX_SAFE_INTEGER)) return 'an offset beyond the end of any file'
    const total = this.#regions.reduce((sum, { description }) => sum + description.size, size)
    if (total > BigInt(maxMemoryBytes)) return `more than ${maxMemoryBytes} bytes of memory`
    for (const { description: other } of this.#regions) {
      if (overlap(guestAddress, size, other.guestAddress, other.size)) return 'memory regions that overlap'
      if (overlap(userAddress, size, other.userAddress, other.size)) return 'user addresses that overlap'
    }
    return undefined
  }

  #map(region: RegionDescription, fd: Fd): Result<Mapping[], string> {
    const mappings: Mapping[] = []
    const size = Number(region.size)
    for (let at = 0; at < size; at += WINDOW_BYTES) {
      const mapping = this.#descriptors.map(fd, {
        offset: Number(region.fileOffset) + at,
        length: Math.min(WINDOW_BYTES, size - at),
        access: 'write',
        unsealed: this.#limits.allowUnsealed,
      })
      if (mapping.isErr()) {
        for (const done of mappings) done.close()
        return err(mapping.error.message)
      }
      mappings.push(mapping.value)
    }
    return ok(mappings)
  }
}

function windowsOf({ description, mappings }: MappedRegion): MemoryWindow[] {
  return mappings.map((mapping, index) => ({
    guestAddress: Number(description.guestAddress) + index * WINDOW_BYTES,
    userAddress: description.userAddress + BigInt(index * WINDOW_BYTES),
    bytes: mapping.bytes,
  }))
}

function unmap({ mappings }: MappedRegion): void {
  for (const mapping of mappings) mapping.close()
}

function overlap(start: bigint, size: bigint, otherStart: bigint, otherSize: bigint): boolean {
  return start < otherStart + otherSize && otherStart < start + size
}
