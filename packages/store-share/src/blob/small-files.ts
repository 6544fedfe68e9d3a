import { createHash } from 'node:crypto'
import type { BlobAllocator } from './blob-layout.js'
import type { RunWriter } from './run-writer.js'

/**
 * Places the files below 2 MiB of one store path, equal ones once: equal contents become one inode, never two inodes
 * on the same pages, because Linux's DAX wants one owner for each page.
 */
export class SmallFiles {
  readonly #known = new Map<string, number>()

  constructor(
    readonly allocator: BlobAllocator,
    readonly writer: RunWriter,
  ) {}

  /**
   * Where in the blob the contents are, of which a copy is taken. `unique`: no other file
   * of the path has this size, so there is nothing to compare with.
   */
  async place(contents: Uint8Array, executable: boolean, unique = false): Promise<number> {
    if (unique) return this.#write(contents)
    const key = `${executable} ${createHash('sha256').update(contents).digest('base64')}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const offset = this.#write(contents)
    this.#known.set(key, await offset)
    return offset
  }

  async #write(contents: Uint8Array): Promise<number> {
    const offset = this.allocator.allocate(contents.length)
    await this.writer.write(contents, offset)
    return offset
  }
}
