/** Which pages of a slot were written: one bit per page, as the kernel gives it. */
export class DirtyBitmap {
  /** One bit per page, the lowest first. */
  readonly bits: Uint8Array
  /** How many pages the slot has. */
  readonly pages: number

  constructor(bits: Uint8Array, pages: number) {
    this.bits = bits
    this.pages = pages
  }

  /** Whether the guest wrote this page since the log was last taken; pages count from the start of the slot. */
  has(page: number): boolean {
    return ((this.bits[page >> 3] ?? 0) & (1 << (page & 7))) !== 0
  }

  /** The numbers of the pages that were written, in order. */
  *[Symbol.iterator](): Generator<number> {
    for (const [index, byte] of this.bits.entries()) {
      if (byte === 0) continue
      for (let bit = 0; bit < 8; bit += 1) if ((byte & (1 << bit)) !== 0) yield index * 8 + bit
    }
  }
}

/** The kernel writes whole words of 64 bits. */
export const bitmapBytes = (pages: number): number => Math.ceil(pages / 64) * 8
