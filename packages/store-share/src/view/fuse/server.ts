import { MOST_PIECES, type TreeCalls, type UnixFd } from '@spectrum/unix-fd'
import type { ByteString } from '../../powers.js'
import type { Grant, Grants } from '../grants.js'
import type { GuestMemory } from '../memory/guest-memory.js'
import type { PieceList } from '../memory/piece-list.js'
import { DirectoryWriter, type LookUp } from './directory.js'
import { GrantedTree, type TreeLimits } from './granted-tree.js'
import { type FillRandom, InodeNumbers } from './inode-numbers.js'
import { type Node, NodeTable } from './nodes.js'
import * as fuse from './protocol.js'
import { ERRNO, OP } from './protocol.js'
import { FOR_EVER, Reply } from './reply.js'
import { Request } from './request.js'

/** Bounds of what the guest may make its server hold. */
export interface FuseLimits extends TreeLimits {
  /** Files, directories and links that the guest may know at the same time. */
  readonly maxNodes: number
}

/** What was counted of the guest's requests since the view was made. */
export interface FuseCounters {
  /** Requests answered with an error, a name that is not there apart. */
  errors: number
  /** Bytes of files that the guest was given. */
  bytesRead: number
}

/** The largest read: 1 MiB, which is the most that Linux asks for. */
const MOST_PAGES = 256
const PAGE_BYTES = 4096
const LONGEST_LINK = 4096

/** What we want of what the guest's kernel offers. */
const WANTED =
  fuse.INIT.asyncRead |
  fuse.INIT.doReaddirplus |
  fuse.INIT.readdirplusAuto |
  fuse.INIT.parallelDirops |
  fuse.INIT.maxPages |
  fuse.INIT.cacheSymlinks |
  fuse.INIT.explicitInvalidation

/** `-errno`; or `WRITTEN`: what is to be sent is in the reply. */
const WRITTEN = 0

/**
 * A read-only FUSE server for one guest. A request comes as ranges of guest memory and is answered before the call
 * returns; what a file holds goes from the host's page cache straight to where the guest wants it.
 *
 * What is answered with ENOSYS the guest's kernel does itself, or does without, and never asks again: OPEN (files
 * are found by their node), FLUSH, FSYNC, ACCESS (permissions are in the attributes), extended attributes (a store
 * path has none), LSEEK, IOCTL, locks (they stay in the guest), SYNCFS, STATX, SETUPMAPPING.
 */
export class FuseServer implements Disposable {
  readonly #tree: GrantedTree
  readonly #calls: TreeCalls
  readonly #nodes: NodeTable
  readonly #directories: DirectoryWriter
  readonly #counters: FuseCounters
  readonly #request = new Request()
  readonly #reply = new Reply()
  readonly #pieces = new Int32Array(MOST_PIECES * 2)
  #ready = false
  #openNeeded = true

  constructor(
    descriptors: UnixFd,
    grants: Grants,
    fillRandom: FillRandom,
    limits: FuseLimits,
    counters: FuseCounters,
  ) {
    const inodes = new InodeNumbers(fillRandom)
    this.#tree = new GrantedTree(descriptors, grants, inodes, limits)
    this.#calls = descriptors.tree
    this.#nodes = new NodeTable(limits.maxNodes, fillRandom)
    this.#directories = new DirectoryWriter(this.#tree, inodes)
    this.#counters = counters
  }

  get nodeCount(): number {
    return this.#nodes.count
  }

  get openCount(): number {
    return this.#tree.openCount
  }

  /** Forgets all that the guest was told: it is another one now, or none. */
  reset(): void {
    this.#ready = false
    this.#nodes.clear()
    this.#tree.clear()
  }

  /** Closes what is open below a grant that was revoked. Its nodes are stale already. */
  revoke(grant: Grant): void {
    this.#tree.release(grant)
    const { children } = this.#nodes.root
    if (children?.get(grant.name)?.grant === grant) children.delete(grant.name)
  }

  [Symbol.dispose](): void {
    this.reset()
  }

  /** Serves one request. How many bytes it wrote into `writable`. */
  serve(memory: GuestMemory, readable: PieceList, writable: PieceList): number {
    const request = this.#request
    const whole = request.load(memory, readable)
    const { opcode } = request
    // Those that nobody waits for have no answer, not even when they are wrong.
    if (opcode === OP.forget || opcode === OP.batchForget) {
      if (whole && this.#ready) this.#forget(opcode)
      return 0
    }
    if (writable.byteLength < fuse.OUT_HEADER_BYTES) {
      this.#counters.errors += 1
      return 0
    }
    if (whole && this.#ready && opcode === OP.read) return this.#read(memory, writable)
    this.#reply.clear()
    const result = whole ? this.#dispatch(writable.byteLength - fuse.OUT_HEADER_BYTES) : -ERRNO.EIO
    if (result < 0) return this.#fail(memory, writable, result)
    // Checked by each before it counts anything: this is the last line of defence.
    if (this.#reply.length > writable.byteLength) return this.#fail(memory, writable, -ERRNO.EIO)
    return this.#reply.send(memory, writable, request.uniqueLow, request.uniqueHigh)
  }

  #fail(memory: GuestMemory, writable: PieceList, error: number): number {
    if (error !== -ERRNO.ENOENT && error !== -ERRNO.ENOSYS) this.#counters.errors += 1
    const { uniqueLow, uniqueHigh } = this.#request
    return this.#reply.sendHeader(memory, writable, error, 0, uniqueLow, uniqueHigh)
  }

  #dispatch(room: number): number {
    const { opcode } = this.#request
    if (opcode === OP.init) return this.#initialise(room)
    if (!this.#ready) return -ERRNO.EIO
    switch (opcode) {
      case OP.lookup:
        return this.#lookup(room)
      case OP.getattr:
        return this.#getAttributes(room)
      case OP.readlink:
        return this.#readLink(room)
      case OP.open:
        return this.#open(room)
      case OP.opendir:
        return this.#openDirectory(room)
      case OP.readdir:
        return this.#readDirectory(room, undefined)
      case OP.readdirplus:
        return this.#readDirectory(room, this.#lookUp)
      case OP.statfs:
        return this.#statFileSystem(room)
      case OP.release:
      case OP.releasedir:
      case OP.interrupt:
        // Nothing is held open for a handle, and nothing takes long enough to be interrupted.
        return WRITTEN
      case OP.destroy:
        this.reset()
        return WRITTEN
      default:
        return fuse.WRITING.has(opcode) ? -ERRNO.EROFS : -ERRNO.ENOSYS
    }
  }

  #initialise(room: number): number {
    const request = this.#request
    const reply = this.#reply
    if (request.argumentBytes < fuse.INIT_IN_BYTES || room < fuse.INIT_OUT_BYTES) return -ERRNO.EINVAL
    const [major, minor, readAhead, offered] = [0, 4, 8, 12].map((at) => request.word(at)) as [
      number,
      number,
      number,
      number,
    ]
    if (major < fuse.FUSE_MAJOR || (major === fuse.FUSE_MAJOR && minor < fuse.OLDEST_MINOR))
      return -ERRNO.EPROTO
    // A guest that was restarted begins anew without a word of good-bye.
    this.reset()
    reply.word(fuse.FUSE_MAJOR)
    reply.word(Math.min(minor, fuse.FUSE_MINOR))
    // To a newer major version: ours, and it asks again.
    const agreed = major === fuse.FUSE_MAJOR
    reply.word(agreed ? readAhead : 0)
    reply.word(agreed ? (offered & WANTED) >>> 0 : 0)
    // How many requests in the background, and when that is many: the kernel's own choice.
    reply.half(0)
    reply.half(0)
    // The least it accepts; nothing is ever written.
    reply.word(PAGE_BYTES)
    reply.word(1)
    reply.half(MOST_PAGES)
    reply.zeros(fuse.INIT_OUT_BYTES - 30)
    this.#ready = agreed
    this.#openNeeded = (offered & fuse.INIT.noOpenSupport) === 0
    return WRITTEN
  }

  /** The node that the request is about; undefined when the guest was not given it, forgot it, or lost it. */
  #node(): Node | undefined {
    const node = this.#nodes.find(this.#request.nodeLow, this.#request.nodeHigh)
    return node?.revoked ? undefined : node
  }

  #lookup(room: number): number {
    const parent = this.#node()
    if (parent === undefined) return -ERRNO.ESTALE
    if (parent.kind !== fuse.DT_DIRECTORY) return -ERRNO.ENOTDIR
    const named = this.#request.readName()
    if (named < 0) return named
    if (room < fuse.ENTRY_OUT_BYTES) return -ERRNO.EINVAL
    const node = this.#find(parent, this.#request.name)
    if (typeof node !== 'number') {
      this.#reply.entry(node)
      return WRITTEN
    }
    // What a granted path lacks it will always lack. At the top a name may be granted any time: an error is
    // never remembered.
    if (node !== -ERRNO.ENOENT || parent.grant === undefined) return node
    this.#reply.absence()
    return WRITTEN
  }

  /** A child by its name, counted as looked up; or `-errno`. */
  #find(parent: Node, name: ByteString): Node | number {
    const known = parent.children?.get(name)
    const node = known ?? this.#tree.look(parent, name)
    if (typeof node === 'number') return node
    if (known === undefined) {
      if (this.#nodes.full) return -ERRNO.ENFILE
      this.#nodes.add(parent, node)
    }
    node.lookups += 1
    return node
  }

  readonly #lookUp: LookUp = (parent, name) => {
    const node = this.#find(parent, name)
    return typeof node === 'number' ? undefined : node
  }

  #forget(opcode: number): void {
    const request = this.#request
    if (opcode === OP.forget) {
      if (request.argumentBytes >= 8) this.#forgetOne(request.nodeLow, request.nodeHigh, request.number(0))
      return
    }
    if (request.argumentBytes < 8) return
    const most = Math.floor((request.argumentBytes - 8) / 16)
    const count = Math.min(request.word(0), most)
    for (let i = 0; i < count; i++) {
      const at = 8 + i * 16
      this.#forgetOne(request.word(at), request.word(at + 4), request.number(at + 8))
    }
  }

  #forgetOne(low: number, high: number, lookups: number): void {
    const node = this.#nodes.find(low, high)
    if (node !== undefined && this.#nodes.forget(node, lookups)) this.#tree.forget(node)
  }

  #getAttributes(room: number): number {
    const node = this.#node()
    if (node === undefined) return -ERRNO.ESTALE
    if (room < fuse.ATTR_OUT_BYTES) return -ERRNO.EINVAL
    this.#reply.number(FOR_EVER)
    this.#reply.zeros(8)
    this.#reply.attributes(node)
    return WRITTEN
  }

  #readLink(room: number): number {
    const node = this.#node()
    if (node === undefined) return -ERRNO.ESTALE
    if (node.kind !== fuse.DT_SYMLINK) return -ERRNO.EINVAL
    const into = this.#reply.free.subarray(0, Math.min(room, LONGEST_LINK))
    const length = this.#tree.readLink(node, into)
    if (length < 0) return length
    this.#reply.skip(length)
    return WRITTEN
  }

  #open(room: number): number {
    const node = this.#node()
    if (node === undefined) return -ERRNO.ESTALE
    if (node.kind === fuse.DT_DIRECTORY) return -ERRNO.EISDIR
    if (this.#request.argumentBytes < 8 || room < fuse.OPEN_OUT_BYTES) return -ERRNO.EINVAL
    if ((this.#request.word(0) & fuse.O_ACCMODE) !== 0) return -ERRNO.EROFS
    if (!this.#openNeeded) return -ERRNO.ENOSYS
    this.#reply.number(0)
    this.#reply.word(fuse.FOPEN_KEEP_CACHE)
    this.#reply.word(0)
    return WRITTEN
  }

  #openDirectory(room: number): number {
    const node = this.#node()
    if (node === undefined) return -ERRNO.ESTALE
    if (node.kind !== fuse.DT_DIRECTORY) return -ERRNO.ENOTDIR
    if (room < fuse.OPEN_OUT_BYTES) return -ERRNO.EINVAL
    this.#reply.number(0)
    // The guest remembers a listing as long as it likes; that of the root it asks for each time.
    this.#reply.word(node.grant === undefined ? 0 : fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_CACHE_DIR)
    this.#reply.word(0)
    return WRITTEN
  }

  #readDirectory(room: number, lookUp: LookUp | undefined): number {
    const node = this.#node()
    if (node === undefined) return -ERRNO.ESTALE
    if (node.kind !== fuse.DT_DIRECTORY) return -ERRNO.ENOTDIR
    const request = this.#request
    if (request.argumentBytes < fuse.READ_IN_BYTES) return -ERRNO.EINVAL
    const most = Math.min(request.word(16), room)
    return this.#directories.write(node, request.number(8), most, this.#reply, lookUp)
  }

  #statFileSystem(room: number): number {
    if (this.#node() === undefined) return -ERRNO.ESTALE
    if (room < fuse.STATFS_OUT_BYTES) return -ERRNO.EINVAL
    // How full the host's disk is is not the guest's to know.
    this.#reply.zeros(40)
    this.#reply.word(PAGE_BYTES)
    this.#reply.word(255)
    this.#reply.word(PAGE_BYTES)
    this.#reply.zeros(28)
    return WRITTEN
  }

  #read(memory: GuestMemory, writable: PieceList): number {
    const request = this.#request
    const node = this.#node()
    if (node === undefined) return this.#fail(memory, writable, -ERRNO.ESTALE)
    if (node.kind === fuse.DT_DIRECTORY) return this.#fail(memory, writable, -ERRNO.EISDIR)
    if (node.kind !== fuse.DT_FILE || request.argumentBytes < fuse.READ_IN_BYTES) {
      return this.#fail(memory, writable, -ERRNO.EINVAL)
    }
    const position = request.number(8)
    const wanted = Math.min(
      request.word(16),
      writable.byteLength - fuse.OUT_HEADER_BYTES,
      MOST_PAGES * PAGE_BYTES,
      // Exact where it matters: beyond 2^53 it is negative, because no file is that long.
      node.size - position,
    )
    const done = wanted > 0 ? this.#fill(memory, writable, node, position, wanted) : 0
    if (done < 0) return this.#fail(memory, writable, done)
    this.#counters.bytesRead += done
    const { uniqueLow, uniqueHigh } = request
    return this.#reply.sendHeader(memory, writable, 0, done, uniqueLow, uniqueHigh)
  }

  /** Reads from a file into the guest's memory behind the header. How many bytes, or `-errno`. */
  #fill(memory: GuestMemory, writable: PieceList, node: Node, position: number, wanted: number): number {
    const file = this.#tree.openFile(node)
    if (typeof file === 'number') return file
    const pieces = this.#pieces
    let skip: number = fuse.OUT_HEADER_BYTES
    let done = 0
    let next = 0
    while (done < wanted && next < writable.count) {
      // As many ranges as follow one another in the same window go in one call.
      const window = writable.windows[next]!
      let count = 0
      let asked = 0
      for (; next < writable.count && writable.windows[next] === window && done + asked < wanted; next++) {
        const skipped = Math.min(skip, writable.lengths[next]!)
        skip -= skipped
        const length = Math.min(writable.lengths[next]! - skipped, wanted - done - asked)
        if (length === 0) continue
        pieces[count * 2] = writable.offsets[next]! + skipped
        pieces[count * 2 + 1] = length
        count += 1
        asked += length
      }
      if (count === 0) continue
      const read = this.#calls.read(file, position + done, memory.windows[window]!.bytes, pieces, count)
      if (read < 0) return done > 0 ? done : read
      done += read
      if (read < asked) break
    }
    return done
  }
}
