import type { Tables } from '../architecture.js'
import { overBytes } from '../structures/accessors.js'

/** A write of the guest that KVM kept in the ring instead of exiting. */
export interface CoalescedWrite {
  /** Where the guest wrote: a guest-physical address, or a port. */
  readonly address: bigint
  /** The bytes that it wrote. */
  readonly data: Uint8Array
  /** Whether the address is a port. */
  readonly pio: boolean
}

interface Entry {
  readonly phys_addr: bigint
  readonly len: number
  readonly data: Uint8Array
  readonly pio: number
}

/**
 * Takes the writes out of a machine's ring, oldest first. Every vCPU shares the same ring, one page of what it maps; take
 * from it after each exit of any of them, because these writes came before it.
 */
export function takeCoalesced(tables: Tables, page: Uint8Array): CoalescedWrite[] {
  const layout = tables.structures['kvm_coalesced_mmio']!
  const start = tables.structures['kvm_coalesced_mmio_ring']!.size
  const room = Math.floor((page.length - start) / layout.size)
  const words = new Uint32Array(page.buffer, page.byteOffset, 2)
  const taken: CoalescedWrite[] = []
  let first = Atomics.load(words, 0)
  const last = Atomics.load(words, 1)
  // Both are KVM's and in range; were they not, the loop would still end.
  while (first !== last && taken.length < room) {
    const at = start + (first % room) * layout.size
    const { phys_addr, len, data, pio } = overBytes(
      layout,
      page.subarray(at, at + layout.size),
    ) as unknown as Entry
    taken.push({ address: phys_addr, data: data.slice(0, Math.min(len, 8)), pio: pio !== 0 })
    first = (first + 1) % room
  }
  Atomics.store(words, 0, first)
  return taken
}
