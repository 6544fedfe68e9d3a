import { Buffer } from 'node:buffer'
import type { StoredNode } from '../blob/blob-index.js'
import { isEntryName } from '../blob/blob-index.js'
import { BLOCK_BYTES } from '../blob/blob-layout.js'
import type { ByteString } from '../powers.js'
import { DIRENT_BYTES, DIRENT_TYPE } from './erofs-format.js'

/** A store path as an entry of the image's root. */
export interface ImageMember {
  /** `DIGEST-NAME`. */
  readonly name: ByteString
  readonly tree: StoredNode
  /** Position in the device table, from 1, of the blob that holds its data; 0 when it has no data. */
  readonly device: number
}

/** An inode to be written. Numbered from 1 in the order in which inodes lie in the image. */
export type Inode = DirectoryInode | FileInode | SymlinkInode

interface InodeBase {
  readonly number: number
  links: number
  /** Bytes: what `stat` calls the size. */
  sizeBytes: number
  /** Set when inodes are laid out. In units of 32 bytes. */
  nid: number
}

export interface DirectoryInode extends InodeBase {
  readonly kind: 'directory'
  /** `.` and `..` included, sorted by bytes, cut into blocks of 4096 bytes. Known when all entries are. */
  blocks: readonly (readonly Dirent[])[]
}

export interface FileInode extends InodeBase {
  readonly kind: 'file'
  readonly executable: boolean
  readonly device: number
  readonly offset: number
}

export interface SymlinkInode extends InodeBase {
  readonly kind: 'symlink'
  readonly target: ByteString
}

export interface Dirent {
  readonly name: ByteString
  readonly inode: { readonly kind: Inode['kind']; nid: number }
}

/** Flattens the trees of the members below one root directory. The root comes first. */
export function collectInodes(members: readonly ImageMember[]): readonly Inode[] {
  const collection = new InodeCollection()
  const root = collection.startDirectory()
  const entries = startEntries(root, root)
  for (const { name, tree, device } of members) collection.addEntry(entries, root, name, tree, device)
  // The members come in any order; the entries of a directory come in that of the NAR.
  endDirectory(
    root,
    entries.sort((a, b) => (a.name < b.name ? -1 : 1)),
  )
  return collection.inodes
}

/** One place makes each kind of inode, always with the same fields in the same order: there are many of them. */
class InodeCollection {
  readonly inodes: Inode[] = []
  /**
   * By device, then by place and mode. Files that share their data are hard links: one inode, as DAX wants one owner
   * for each page.
   */
  readonly #byData = new Map<number, Map<number, FileInode>>()

  startDirectory(): DirectoryInode {
    const inode: DirectoryInode = {
      kind: 'directory',
      number: this.inodes.length + 1,
      links: 2,
      nid: 0,
      sizeBytes: 0,
      blocks: [],
    }
    this.inodes.push(inode)
    return inode
  }

  addEntry(
    entries: Dirent[],
    parent: DirectoryInode,
    name: ByteString,
    node: StoredNode,
    device: number,
  ): void {
    if (!isEntryName(name)) throw new TypeError('not a name of a directory entry')
    const inode = this.#add(node, device, parent)
    if (inode.kind === 'directory') parent.links++
    entries.push({ name, inode })
  }

  #add(node: StoredNode, device: number, parent: DirectoryInode): Inode {
    if (node.kind === 'file') return this.#addFile(node, device)
    if (node.kind === 'symlink') return this.#addLink(node.target)
    const directory = this.startDirectory()
    const entries = startEntries(directory, parent)
    for (const entry of node.entries) this.addEntry(entries, directory, entry.name, entry.node, device)
    endDirectory(directory, putInOrder(entries))
    return directory
  }

  #addFile({ executable, sizeBytes, offset }: StoredNode & { kind: 'file' }, device: number): FileInode {
    let places = this.#byData.get(device)
    if (places === undefined) {
      places = new Map()
      this.#byData.set(device, places)
    }
    // An offset is a multiple of the block size, so the last bit is free.
    const place = executable ? offset + 1 : offset
    const linked = sizeBytes > 0 ? places.get(place) : undefined
    if (linked !== undefined) {
      if (linked.sizeBytes !== sizeBytes) throw new TypeError('two files overlap in a blob')
      linked.links++
      return linked
    }
    const number = this.inodes.length + 1
    const inode: FileInode = { kind: 'file', number, links: 1, nid: 0, sizeBytes, executable, device, offset }
    this.inodes.push(inode)
    if (sizeBytes > 0) places.set(place, inode)
    return inode
  }

  #addLink(target: ByteString): SymlinkInode {
    const number = this.inodes.length + 1
    const inode: SymlinkInode = {
      kind: 'symlink',
      number,
      links: 1,
      nid: 0,
      sizeBytes: target.length,
      target,
    }
    this.inodes.push(inode)
    return inode
  }
}

function startEntries(directory: DirectoryInode, parent: DirectoryInode): Dirent[] {
  return [
    { name: '.', inode: directory },
    { name: '..', inode: parent },
  ]
}

/** The entries after the first two are in order already; names before `.` and `..` are rare. */
function putInOrder(entries: Dirent[]): Dirent[] {
  const third = entries[2]
  return third === undefined || third.name > '..'
    ? entries
    : entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function endDirectory(directory: DirectoryInode, entries: readonly Dirent[]): void {
  directory.blocks = cutIntoBlocks(entries)
  directory.sizeBytes =
    (directory.blocks.length - 1) * BLOCK_BYTES + direntBytes(directory.blocks.at(-1) ?? [])
}

/** The kernel searches by halves over all blocks, then within one: one name out of order hides others. */
function cutIntoBlocks(entries: readonly Dirent[]): Dirent[][] {
  const blocks: Dirent[][] = []
  let block: Dirent[] = []
  let used = 0
  let previous = ''
  for (const entry of entries) {
    if (entry.name <= previous) throw new TypeError('a name occurs twice in a directory, or out of order')
    previous = entry.name
    const bytes = DIRENT_BYTES + entry.name.length
    if (used + bytes > BLOCK_BYTES) {
      blocks.push(block)
      block = []
      used = 0
    }
    block.push(entry)
    used += bytes
  }
  blocks.push(block)
  return blocks
}

export function direntBytes(block: readonly Dirent[]): number {
  return block.reduce((sum, entry) => sum + DIRENT_BYTES + entry.name.length, 0)
}

/** The contents of a directory, once every inode has its nid. */
export function encodeDirectory(directory: DirectoryInode): Uint8Array {
  const bytes = Buffer.alloc(directory.sizeBytes)
  directory.blocks.forEach((block, index) => {
    let entryAt = index * BLOCK_BYTES
    let nameOffset = block.length * DIRENT_BYTES
    for (const { name, inode } of block) {
      bytes.writeBigUInt64LE(BigInt(inode.nid), entryAt)
      bytes.writeUInt16LE(nameOffset, entryAt + 8)
      bytes.writeUInt8(DIRENT_TYPE[inode.kind], entryAt + 10)
      bytes.write(name, index * BLOCK_BYTES + nameOffset, 'latin1')
      entryAt += DIRENT_BYTES
      nameOffset += name.length
    }
  })
  return bytes
}
