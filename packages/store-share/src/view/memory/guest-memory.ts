import type { PieceList } from './piece-list.js'

/** A part of a guest's memory that is mapped here. */
export interface MemoryWindow {
  /** Guest-physical address of its first byte; what descriptors of a virtqueue hold. */
  readonly guestAddress: number
  /** The same place as the front end's own memory has it; what the rings' addresses are. */
  readonly userAddress: bigint
  /** The memory itself. At most 1 GiB. */
  readonly bytes: Uint8Array
}

/** Where a range of the front end's memory lies. */
export interface Place {
  readonly bytes: Uint8Array
  readonly offset: number
}

/** Beyond it a double no longer counts single bytes. */
export const ADDRESS_LIMIT = 2 ** 52

/**
 * A guest's memory, in windows that do not overlap. The guest, and the front end, may change every byte at any
 * time: read each once, then decide.
 */
export class GuestMemory {
  readonly windows: readonly MemoryWindow[]
  readonly #starts: Float64Array
  readonly #ends: Float64Array
  /** The window of the last address: the next one is mostly in the same. */
  #recent = 0

  constructor(windows: readonly MemoryWindow[]) {
    this.windows = [...windows].sort((a, b) => a.guestAddress - b.guestAddress)
    this.#starts = Float64Array.from(this.windows, (window) => window.guestAddress)
    this.#ends = Float64Array.from(this.windows, (window) => window.guestAddress + window.bytes.length)
  }

  /**
   * Appends the `length` bytes at a guest-physical address. False when one of them is outside the memory, or the
   * list is full: then the list is not to be used.
   */
  append(address: number, length: number, pieces: PieceList): boolean {
    let at = address
    let left = length
    while (left > 0) {
      const window = this.#windowAt(at)
      if (window < 0) return false
      const offset = at - this.#starts[window]!
      const here = Math.min(left, this.#ends[window]! - at)
      if (!pieces.push(window, offset, here)) return false
      at += here
      left -= here
    }
    return true
  }

  /** `length` bytes at one of the front end's addresses, if they lie within one window. */
  placeOf(userAddress: bigint, length: number): Place | undefined {
    for (const { userAddress: start, bytes } of this.windows) {
      const offset = userAddress - start
      if (offset >= 0n && offset + BigInt(length) <= BigInt(bytes.length)) {
        return { bytes, offset: Number(offset) }
      }
    }
    return undefined
  }

  #windowAt(address: number): number {
    const starts = this.#starts
    const ends = this.#ends
    const recent = this.#recent
    if (address >= starts[recent]! && address < ends[recent]!) return recent
    let low = 0
    let high = starts.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (starts[middle]! <= address) low = middle + 1
      else high = middle
    }
    const found = low - 1
    // NaN and what is not a number of the table compare false.
    if (found < 0 || !(address < ends[found]!)) return -1
    this.#recent = found
    return found
  }
}
