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
  readonly sizeBytes: number
  /** Set when inodes are laid out. In units of 32 bytes. */
  nid: number
}

export interface DirectoryInode extends InodeBase {
  readonly kind: 'directory'
  /** `.` and `..` included, sorted by bytes, cut into blocks of 4096 bytes. */
  readonly blocks: readonly (readonly Dirent[])[]
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
  const inodes: Inode[] = []
  /** Files that share their data are hard links: one inode, as DAX wants one owner for each page. */
  const byData = new Map<string, FileInode>()

  const addFile = (node: StoredNode & { kind: 'file' }, device: number): FileInode => {
    const key = `${device}:${node.offset}:${node.executable}`
    const linked = node.sizeBytes > 0 ? byData.get(key) : undefined
    if (linked !== undefined) {
      if (linked.sizeBytes !== node.sizeBytes) throw new TypeError('two files overlap in a blob')
      linked.links++
      return linked
    }
    const { executable, sizeBytes, offset } = node
    const inode: FileInode = {
      ...base(inodes),
      kind: 'file',
      executable,
      sizeBytes,
      device,
      offset,
    }
    inodes.push(inode)
    if (sizeBytes > 0) byData.set(key, inode)
    return inode
  }

  const add = (node: StoredNode, device: number, parent: Inode | undefined): Inode => {
    if (node.kind === 'file') return addFile(node, device)
    if (node.kind === 'symlink') {
      const inode: SymlinkInode = { ...base(inodes), ...node, sizeBytes: node.target.length }
      inodes.push(inode)
      return inode
    }
    return addDirectory(
      node.entries.map((entry) => ({ ...entry, device })),
      parent,
    )
  }

  const addDirectory = (
    children: readonly { name: ByteString; node: StoredNode; device: number }[],
    parent: Inode | undefined,
  ): DirectoryInode => {
    const blocks: Dirent[][] = []
    const inode: DirectoryInode = {
      ...base(inodes),
      kind: 'directory',
      links: 2,
      blocks,
      sizeBytes: 0,
    }
    inodes.push(inode)
    const entries: Dirent[] = [
      { name: '.', inode },
      { name: '..', inode: parent ?? inode },
    ]
    for (const { name, node, device } of children) {
      if (!isEntryName(name)) throw new TypeError('not a name of a directory entry')
      const child = add(node, device, inode)
      if (child.kind === 'directory') inode.links++
      entries.push({ name, inode: child })
    }
    blocks.push(...cutIntoBlocks(entries))
    ;(inode as { sizeBytes: number }).sizeBytes =
      (blocks.length - 1) * BLOCK_BYTES + direntBytes(blocks.at(-1) ?? [])
    return inode
  }

  addDirectory(
    members.map(({ name, tree, device }) => ({ name, node: tree, device })),
    undefined,
  )
  return inodes
}

function base(inodes: readonly Inode[]) {
  return { number: inodes.length + 1, links: 1, nid: 0 }
}

/** The kernel searches by halves over all blocks, then within one: one name out of order hides others. */
function cutIntoBlocks(entries: Dirent[]): Dirent[][] {
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  const blocks: Dirent[][] = []
  let block: Dirent[] = []
  let used = 0
  let previous = ''
  for (const entry of entries) {
    if (entry.name === previous) throw new TypeError('a name occurs twice in a directory')
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
