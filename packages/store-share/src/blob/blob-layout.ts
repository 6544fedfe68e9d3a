import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { StorePathInfo } from '../closure.js'

export const BLOCK_BYTES = 4096

/** Persistent memory comes in units of this, and a huge page maps this much with one fault. */
export const LARGE_PAGE_BYTES = 2 << 20

export const TRAILER_BYTES = BLOCK_BYTES

/** How data lies in a blob. Part of the file names in a cache, so that a new layout never meets an old index. */
export const LAYOUT_VERSION = 2

const TRAILER_MAGIC = 'SPECTRUM-BLOB-1\0'

/** The last 4096 bytes of every device file: how a guest recognises it. See `DeviceFile`. */
export function writeTrailer(id: string): Uint8Array {
  if (!isId(id)) throw new TypeError(`not an id: ${id}`)
  const trailer = Buffer.alloc(TRAILER_BYTES)
  trailer.write(TRAILER_MAGIC + id, 'latin1')
  return trailer
}

/** The id in a trailer, or undefined when these 4096 bytes are none. */
export function readTrailer(bytes: Uint8Array): string | undefined {
  if (bytes.length !== TRAILER_BYTES) return undefined
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const id = head.toString('latin1', TRAILER_MAGIC.length, TRAILER_MAGIC.length + 64)
  return isId(id) && head.equals(writeTrailer(id)) ? id : undefined
}

export function isId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text)
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}

/** Bytes of a device file that holds data up to `end` and a trailer. */
export function deviceSize(end: number): number {
  return roundUp(end + TRAILER_BYTES, LARGE_PAGE_BYTES)
}

/**
 * Hands out offsets in a blob, in the order of the NAR, so that a NAR can be written as it arrives. Files of
 * 2 MiB and more begin at a multiple of 2 MiB, so that one page fault maps 2 MiB of them; the others begin at a
 * multiple of 4 KiB and fill the gaps that alignment has left. The result depends on the sequence of sizes alone.
 */
export class BlobAllocator {
  #end = 0
  /** Free ranges below the end, in ascending order. */
  readonly #gaps: { start: number; end: number }[] = []

  /** Bytes in use, counted to the end of the last file's last block. */
  get end(): number {
    return this.#end
  }

  allocate(sizeBytes: number): number {
    const reserved = roundUp(sizeBytes, BLOCK_BYTES)
    if (sizeBytes >= LARGE_PAGE_BYTES) {
      const offset = roundUp(this.#end, LARGE_PAGE_BYTES)
      if (offset > this.#end) this.#gaps.push({ start: this.#end, end: offset })
      this.#end = offset + reserved
      return offset
    }
    const index = this.#gaps.findIndex((gap) => gap.end - gap.start >= reserved)
    const gap = this.#gaps[index]
    if (gap === undefined) {
      this.#end += reserved
      return this.#end - reserved
    }
    const offset = gap.start
    gap.start += reserved
    if (gap.start === gap.end) this.#gaps.splice(index, 1)
    return offset
  }
}

/**
 * The id of the blob of these store paths. One path: its NAR hash, so two paths with equal contents are one
 * blob. Several: a hash of their sorted names and NAR hashes, in a domain of its own.
 */
export function blobId(members: readonly StorePathInfo[]): string {
  const [only] = members
  if (only !== undefined && members.length === 1) return only.narHash
  const hash = createHash('sha256').update(`spectrum layer ${LAYOUT_VERSION}\n`)
  for (const { path, narHash } of sortedByPath(members)) hash.update(`${narHash} ${path}\n`)
  return hash.digest('hex')
}

export function sortedByPath(members: readonly StorePathInfo[]): StorePathInfo[] {
  return [...members].sort((a, b) => (a.path < b.path ? -1 : 1))
}
