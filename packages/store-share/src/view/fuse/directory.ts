import type { ByteString } from '../../powers.js'
import type { GrantedTree } from './granted-tree.js'
import type { InodeNumbers } from './inode-numbers.js'
import type { Listing } from './listing.js'
import type { Node } from './nodes.js'
import { DT_DIRECTORY, ENTRY_OUT_BYTES } from './protocol.js'
import { direntBytes, type Reply } from './reply.js'

/** Where a listing goes on after `.` and after `..`. Real entries come behind. */
const AFTER_SELF = 1
const AFTER_PARENT = 2

/** Finds the child that an entry names, counted as looked up; undefined when there is none, or no room for it. */
export type LookUp = (parent: Node, name: ByteString) => Node | undefined

/**
 * Writes as much of a directory as fits into `most` bytes, from `offset` on. Nothing is kept between two requests:
 * a place is an entry's number, or at the top the sequence number of a grant, so that one goes on rightly while
 * paths are granted and revoked. `lookUp` absent: names only (READDIR).
 */
export class DirectoryWriter {
  readonly #tree: GrantedTree
  readonly #inodes: InodeNumbers
  #most = 0

  constructor(tree: GrantedTree, inodes: InodeNumbers) {
    this.#tree = tree
    this.#inodes = inodes
  }

  /** 0, or `-errno`. */
  write(directory: Node, offset: number, most: number, reply: Reply, lookUp: LookUp | undefined): number {
    this.#most = Math.min(most, reply.room)
    const start = reply.length
    const plus = lookUp !== undefined
    // Before anything is written: an error has to stand alone.
    const listing = directory.grant === undefined ? undefined : this.#tree.list(directory)
    if (typeof listing === 'number') return listing
    const parent = directory.parent ?? directory
    if (offset < AFTER_SELF && !this.#dot(reply, start, directory, AFTER_SELF, '.', plus)) return 0
    if (offset < AFTER_PARENT && !this.#dot(reply, start, parent, AFTER_PARENT, '..', plus)) return 0
    const from = Math.max(offset - AFTER_PARENT, 0)
    if (listing === undefined) this.#writeGrants(directory, from, reply, start, lookUp)
    else this.#writeEntries(directory, listing, from, reply, start, lookUp)
    return 0
  }

  #writeGrants(root: Node, from: number, reply: Reply, start: number, lookUp: LookUp | undefined): void {
    for (const grant of this.#tree.grantsAfter(from)) {
      const { name, kind, sequence } = grant
      if (!this.#fits(reply, start, name.length, lookUp !== undefined)) return
      this.#inodes.translate(grant.deviceLow, grant.inodeLow, grant.inodeHigh)
      this.#entry(reply, root, sequence + AFTER_PARENT, kind, name, lookUp)
    }
  }

  #writeEntries(
    directory: Node,
    listing: Listing,
    from: number,
    reply: Reply,
    start: number,
    lookUp: LookUp | undefined,
  ): void {
    for (let i = from; i < listing.length; i++) {
      const { name, kind, inodeLow, inodeHigh } = listing[i]!
      if (!this.#fits(reply, start, name.length, lookUp !== undefined)) return
      this.#inodes.translate(directory.grant!.deviceLow, inodeLow, inodeHigh)
      this.#entry(reply, directory, i + 1 + AFTER_PARENT, kind, name, lookUp)
    }
  }

  /** The entry whose inode number was just translated. */
  #entry(
    reply: Reply,
    directory: Node,
    offset: number,
    kind: number,
    name: ByteString,
    lookUp: LookUp | undefined,
  ): void {
    // Looking up translates other numbers.
    const { low, high } = this.#inodes
    if (lookUp !== undefined) {
      const node = lookUp(directory, name)
      // Without a node the guest takes the name alone and asks when it needs more.
      if (node === undefined) reply.zeros(ENTRY_OUT_BYTES)
      else reply.entry(node)
    }
    reply.directoryEntry(low, high, offset, kind, name)
  }

  #dot(reply: Reply, start: number, node: Node, offset: number, name: string, plus: boolean): boolean {
    if (!this.#fits(reply, start, name.length, plus)) return false
    if (plus) reply.zeros(ENTRY_OUT_BYTES)
    reply.directoryEntry(node.inodeLow, node.inodeHigh, offset, DT_DIRECTORY, name)
    return true
  }

  #fits(reply: Reply, start: number, nameBytes: number, plus: boolean): boolean {
    const needed = direntBytes(nameBytes) + (plus ? ENTRY_OUT_BYTES : 0)
    return reply.length - start + needed <= this.#most
  }
}
