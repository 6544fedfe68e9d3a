import { ADDRESS_LIMIT, type GuestMemory } from '../memory/guest-memory.js'
import { PieceList } from '../memory/piece-list.js'
import { DESCRIPTOR_BYTES, DESCRIPTOR_WORDS } from './ring.js'

/** virtio 1.2, 2.7.5. */
const FLAG_NEXT = 1
const FLAG_WRITE = 2
const FLAG_INDIRECT = 4

/** Descriptors in one chain, whatever the ring's size: what every other device takes, too (IOV_MAX). */
export const MOST_IN_CHAIN = 1024

const HIGH = 2 ** 32

/** What is wrong with a chain. The guest that made it broke its own request and nothing else. */
export type ChainProblem =
  | 'loop-or-too-long'
  | 'next-outside-table'
  | 'empty-buffer'
  | 'address-outside-memory'
  | 'writable-before-readable'
  | 'indirect-not-negotiated'
  | 'nested-indirect'
  | 'indirect-with-next'
  | 'indirect-size'

/**
 * Walks the descriptor chains of one virtqueue. What it found stays until the next walk: the parts that the driver
 * gave to be read, and those to be filled.
 */
export class ChainWalker {
  readonly readable = new PieceList(MOST_IN_CHAIN)
  readonly writable = new PieceList(MOST_IN_CHAIN)
  readonly #allowIndirect: boolean
  readonly #indirect = new Uint32Array(MOST_IN_CHAIN * DESCRIPTOR_WORDS)
  readonly #indirectBytes = new Uint8Array(this.#indirect.buffer)
  readonly #table = new PieceList(8)

  constructor(allowIndirect: boolean) {
    this.#allowIndirect = allowIndirect
  }

  /**
   * Follows the chain that begins at `head` of `descriptors`, reading every word of shared memory once: the driver
   * may change them while this runs. Undefined when the chain is right.
   */
  walk(memory: GuestMemory, descriptors: Uint32Array, head: number): ChainProblem | undefined {
    const { readable, writable } = this
    readable.clear()
    writable.clear()
    let table = descriptors
    let entries = descriptors.length / DESCRIPTOR_WORDS
    let index = head
    // A chain has no more descriptors than its table, or it goes round in a loop.
    let left = Math.min(entries, MOST_IN_CHAIN)
    for (;;) {
      if (left === 0) return 'loop-or-too-long'
      left -= 1
      const at = index * DESCRIPTOR_WORDS
      const low = table[at]!
      const high = table[at + 1]!
      const length = table[at + 2]!
      const flagsAndNext = table[at + 3]!
      const flags = flagsAndNext & 0xffff
      const address = high * HIGH + low
      // Also the sum stays exact, and cannot wrap.
      if (address >= ADDRESS_LIMIT) return 'address-outside-memory'
      if ((flags & FLAG_INDIRECT) !== 0) {
        if (table !== descriptors) return 'nested-indirect'
        if (!this.#allowIndirect) return 'indirect-not-negotiated'
        if ((flags & FLAG_NEXT) !== 0) return 'indirect-with-next'
        entries = length / DESCRIPTOR_BYTES
        if (length === 0 || length % DESCRIPTOR_BYTES !== 0 || entries > MOST_IN_CHAIN) return 'indirect-size'
        this.#table.clear()
        if (!memory.append(address, length, this.#table)) return 'address-outside-memory'
        // The whole table at once: from now on nobody else can change it.
        this.#table.copyOut(memory, this.#indirectBytes.subarray(0, length))
        table = this.#indirect
        index = 0
        left = entries
        continue
      }
      if (length === 0) return 'empty-buffer'
      const writes = (flags & FLAG_WRITE) !== 0
      if (!writes && writable.count > 0) return 'writable-before-readable'
      if (!memory.append(address, length, writes ? writable : readable)) return 'address-outside-memory'
      if ((flags & FLAG_NEXT) === 0) return undefined
      index = flagsAndNext >>> 16
      if (index >= entries) return 'next-outside-table'
    }
  }
}
