import {
  type Fd,
  STAT_DEVICE,
  STAT_INODE,
  STAT_MODE,
  STAT_MOUNT,
  STAT_SIZE,
  STAT_WORDS,
  type TreeCalls,
  type UnixFd,
} from '@spectrum/unix-fd'
import type { ByteString } from '../../powers.js'
import type { Grant, Grants } from '../grants.js'
import type { InodeNumbers } from './inode-numbers.js'
import { Kept } from './kept.js'
import { type Listing, readListing } from './listing.js'
import { Node, type NodeFacts } from './nodes.js'
import { DT_DIRECTORY, DT_FILE, DT_SYMLINK, ERRNO } from './protocol.js'

/** Bounds of what the guest may have open. */
export interface TreeLimits {
  /** Directories kept open, to look into and to list. */
  readonly maxOpenDirectories: number
  /** Regular files kept open, to read. */
  readonly maxOpenFiles: number
  /** Entries of one directory; and of all listings that are kept. */
  readonly maxListedEntries: number
}

/** Answers that are not there are the kernel's, or ours: `-errno`. */
type OrErrno<T> = T | number

/**
 * The host's side of what is granted. Every name is looked up in its own directory, which was opened the same way,
 * up to the grant's descriptor: no path is ever resolved, no symbolic link followed, no mount crossed.
 */
export class GrantedTree implements Disposable {
  readonly #tree: TreeCalls
  readonly #grants: Grants
  readonly #inodes: InodeNumbers
  readonly #limits: TreeLimits
  readonly #directories: Kept<Fd>
  readonly #files: Kept<Fd>
  readonly #listings: Kept<Listing>
  readonly #stat = new Int32Array(STAT_WORDS)

  constructor(descriptors: UnixFd, grants: Grants, inodes: InodeNumbers, limits: TreeLimits) {
    const one = () => 1
    const close = (fd: Fd) => fd.close()
    this.#tree = descriptors.tree
    this.#grants = grants
    this.#inodes = inodes
    this.#limits = limits
    this.#directories = new Kept(limits.maxOpenDirectories, one, close)
    this.#files = new Kept(limits.maxOpenFiles, one, close)
    this.#listings = new Kept<Listing>(
      limits.maxListedEntries,
      (listing) => listing.length + 1,
      () => {},
    )
  }

  /** Descriptors open for nodes; those of the grants themselves apart. */
  get openCount(): number {
    return this.#directories.count + this.#files.count
  }

  /** The child of a directory, as a node that is in no table yet. ENOENT also for what is not to be seen. */
  look(parent: Node, name: ByteString): OrErrno<Node> {
    if (parent.grant === undefined) return this.#lookAtRoot(name)
    const directory = this.#openDirectory(parent)
    if (typeof directory === 'number') return directory
    const stat = this.#stat
    const found = this.#tree.stat(directory, name, stat)
    if (found < 0) return found
    const { grant } = parent
    const elsewhere = stat[STAT_MOUNT] !== grant.mountLow || stat[STAT_MOUNT + 1] !== grant.mountHigh
    const kind = (stat[STAT_MODE]! >>> 12) & 15
    const shown = kind === DT_DIRECTORY || kind === DT_FILE || kind === DT_SYMLINK
    if (elsewhere || !shown) return -ERRNO.ENOENT
    return new Node(grant, parent, name, this.#factsOf(kind, stat[STAT_MODE]!, sizeIn(stat), stat))
  }

  /** The target of a symbolic link, into `into`: its length. */
  readLink(node: Node, into: Uint8Array): number {
    if (node.parent === undefined) return this.#tree.readLink(node.grant!.fd, '', into)
    const directory = this.#openDirectory(node.parent)
    return typeof directory === 'number' ? directory : this.#tree.readLink(directory, node.name, into)
  }

  /** A regular file, open for reading; borrowed until the next call. */
  openFile(node: Node): OrErrno<Fd> {
    if (node.parent === undefined) return node.grant!.fd
    const open = this.#files.get(node)
    if (open !== undefined) return open
    const directory = this.#openDirectory(node.parent)
    if (typeof directory === 'number') return directory
    const fd = this.#tree.open(directory, node.name, 'file')
    if (typeof fd === 'number') return fd
    this.#files.set(node, fd)
    return fd
  }

  /** What is in a directory, in an order that stays. */
  list(node: Node): OrErrno<Listing> {
    const kept = this.#listings.get(node)
    if (kept !== undefined) return kept
    const directory = this.#openDirectory(node)
    if (typeof directory === 'number') return directory
    const listing = readListing(this.#tree, directory, this.#limits.maxListedEntries)
    if (typeof listing !== 'number') this.#listings.set(node, listing)
    return listing
  }

  /** What was granted after `sequence`, in order. */
  grantsAfter(sequence: number): Generator<Grant> {
    return this.#grants.after(sequence)
  }

  /** Nothing of this node is needed any more. */
  forget(node: Node): void {
    this.#directories.drop(node)
    this.#files.drop(node)
    this.#listings.drop(node)
  }

  /** Closes what is open below a grant. */
  release(grant: Grant): void {
    this.#directories.dropBelow(grant)
    this.#files.dropBelow(grant)
    this.#listings.dropBelow(grant)
  }

  clear(): void {
    this.#directories.clear()
    this.#files.clear()
    this.#listings.clear()
  }

  [Symbol.dispose](): void {
    this.clear()
  }

  #lookAtRoot(name: ByteString): OrErrno<Node> {
    const grant = this.#grants.find(name)
    if (grant === undefined) return -ERRNO.ENOENT
    const words = new Int32Array(STAT_WORDS)
    words[STAT_DEVICE] = grant.deviceLow
    words[STAT_INODE] = grant.inodeLow
    words[STAT_INODE + 1] = grant.inodeHigh
    const mode = grant.executable ? 0o100 : 0
    return new Node(grant, undefined, name, this.#factsOf(grant.kind, mode, grant.size, words))
  }

  #factsOf(kind: number, mode: number, size: number, stat: Int32Array): NodeFacts {
    this.#inodes.translate(stat[STAT_DEVICE]!, stat[STAT_INODE]!, stat[STAT_INODE + 1]!)
    const { low: inodeLow, high: inodeHigh } = this.#inodes
    // A directory's size is its file system's affair, and differs between hosts.
    const shownSize = kind === DT_DIRECTORY ? 0 : size
    return { kind, executable: (mode & 0o100) !== 0, size: shownSize, inodeLow, inodeHigh }
  }

  #openDirectory(node: Node): OrErrno<Fd> {
    const open = this.#directories.get(node)
    if (open !== undefined) return open
    const fd = this.#openAnew(node)
    if (typeof fd !== 'number') this.#directories.set(node, fd)
    return fd
  }

  #openAnew(node: Node): OrErrno<Fd> {
    // The grant's own descriptor may be for looking into it only (O_PATH), and its offset is not ours to move.
    if (node.parent === undefined) return this.#tree.open(node.grant!.fd, '', 'directory')
    const parent = this.#openDirectory(node.parent)
    return typeof parent === 'number' ? parent : this.#tree.open(parent, node.name, 'directory')
  }
}

function sizeIn(stat: Int32Array): number {
  return (stat[STAT_SIZE + 1]! >>> 0) * 2 ** 32 + (stat[STAT_SIZE]! >>> 0)
}
