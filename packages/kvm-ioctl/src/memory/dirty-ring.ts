import type { Tables } from '../architecture.js'

/** A page that was written: in slot `slot` of address space `space`, `page` pages from its beginning. */
export interface DirtyPage {
  /** The address space of the slot: 0, or 1 for system management mode on x86-64. */
  readonly space: number
  /** The slot within it. */
  readonly slot: number
  /** From the beginning of the slot, in pages. */
  readonly page: bigint
}

/**
 * The ring in which a vCPU notes each page that it writes first. KVM fills it, and stops the vCPU when it is full. An
 * entry that was collected is KVM's again after `vm.resetDirtyRings()`.
 */
export class DirtyRing {
  readonly #words: Int32Array
  readonly #entries: number
  readonly #dirty: number
  readonly #reset: number
  #next = 0

  constructor(tables: Tables, buffer: ArrayBuffer) {
    this.#words = new Int32Array(buffer)
    this.#entries = buffer.byteLength / ENTRY_BYTES
    this.#dirty = Number(tables.constants['KVM_DIRTY_GFN_F_DIRTY'])
    this.#reset = Number(tables.constants['KVM_DIRTY_GFN_F_RESET'])
  }

  /** Takes what KVM noted since the last time, in order. A page may come more than once. */
  collect(): DirtyPage[] {
    const pages: DirtyPage[] = []
    while (pages.length < this.#entries) {
      const at = (this.#next % this.#entries) * WORDS
      // Atomic, because the flag is what says that the rest is written: an acquire here, a release below.
      if (Atomics.load(this.#words, at) !== this.#dirty) break
      const slot = this.#words[at + 1]! >>> 0
      const low = BigInt(this.#words[at + 2]! >>> 0)
      const high = BigInt(this.#words[at + 3]! >>> 0)
      pages.push({ space: slot >>> 16, slot: slot & 0xffff, page: (high << 32n) | low })
      Atomics.store(this.#words, at, this.#reset)
      this.#next += 1
    }
    return pages
  }
}

/** struct kvm_dirty_gfn: flags, slot, offset. The test of the tables holds these numbers against the header. */
const ENTRY_BYTES = 16
const WORDS = ENTRY_BYTES / 4
