import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { BLOCK_BYTES, deviceSize, isId, roundUp, TRAILER_BYTES, writeTrailer } from '../blob/blob-layout.js'
import { crc32c } from './crc32c.js'
import * as format from './erofs-format.js'
import { collectInodes, encodeDirectory, type FileInode, type ImageMember, type Inode } from './erofs-tree.js'

/** A slot of the device table. */
export interface ImageDevice {
  /** 64 hexadecimal digits: the tag of the slot, which they fill exactly. */
  readonly id: string
  readonly sizeBytes: number
}

/** Where an inode's contents are: right behind it, in blocks of their own, or in another device. */
interface Placement {
  readonly inode: Inode
  readonly at: number
  readonly extended: boolean
  readonly layout: number
  /** First block of the contents that do not lie behind the inode. */
  firstBlock: number
}

/** What {@link metadataImage} makes: the names, modes and places of a unit's files, without their data. */
export interface MetadataImage {
  /** As in its trailer. */
  readonly id: string
  /** The whole device file. */
  readonly bytes: Uint8Array
  /** From here to the trailer there are only zeros. */
  readonly imageBytes: number
}

/**
 * A metadata image as a device file: the EROFS image, zeros, and the trailer with the id, which is the hash
 * of the image. Pure and deterministic: equal arguments give equal bytes on every host.
 */
export function metadataImage(
  members: readonly ImageMember[],
  devices: readonly ImageDevice[],
): MetadataImage {
  const image = erofsImage(members, devices)
  const id = createHash('sha256').update(image).digest('hex')
  const bytes = Buffer.alloc(deviceSize(image.length))
  bytes.set(image)
  bytes.set(writeTrailer(id), bytes.length - TRAILER_BYTES)
  return { id, bytes, imageBytes: image.length }
}

/**
 * An EROFS file system whose root holds the members and whose regular files have their data in the devices,
 * contiguous and never inline, so that all of it can be mapped by DAX.
 *
 * Directories are 0555, files 0444 or 0555, owner and group 0, all times 1 second: what Nix makes of a store
 * path. Throws for what no blob index can say (a device that is not there, a name twice).
 */
export function erofsImage(members: readonly ImageMember[], devices: readonly ImageDevice[]): Uint8Array {
  checkDevices(members, devices)
  const inodes = collectInodes(members)
  const tableAt = format.SUPERBLOCK_OFFSET + format.SUPERBLOCK_BYTES
  const { placements, blocks } = layOut(inodes, tableAt + devices.length * format.DEVICE_SLOT_BYTES)

  const image = Buffer.alloc(blocks * BLOCK_BYTES)
  devices.forEach((device, index) => {
    const at = tableAt + index * format.DEVICE_SLOT_BYTES
    image.write(device.id, at, 'latin1')
    image.writeUInt32LE(device.sizeBytes / BLOCK_BYTES, at + format.DEVICE_TAG_BYTES)
  })
  for (const placement of placements) writeInode(image, placement)
  writeSuperblock(image, inodes, devices.length)
  return image
}

function checkDevices(members: readonly ImageMember[], devices: readonly ImageDevice[]): void {
  for (const { id, sizeBytes } of devices) {
    if (!isId(id) || sizeBytes % BLOCK_BYTES !== 0) throw new TypeError(`not a device: ${id}`)
  }
  if (devices.length > 0xffff) throw new TypeError('more than 65535 devices')
  for (const { device } of members) {
    if (device < 0 || device > devices.length) throw new TypeError(`no device ${device} in the table`)
  }
}

function layOut(inodes: readonly Inode[], start: number): { placements: Placement[]; blocks: number } {
  let at = start
  const placements: Placement[] = []
  for (const inode of inodes) {
    const extended = inode.sizeBytes > 0xffff_ffff || inode.links > 0xffff
    const inodeBytes = extended ? format.EXTENDED_INODE_BYTES : format.COMPACT_INODE_BYTES
    const layout = chooseLayout(inode)
    const tail = tailBytes(inode, layout)
    at = roundUp(at, format.SLOT_BYTES)
    // Neither an inode with its tail nor an inode alone may cross into another block.
    if ((at % BLOCK_BYTES) + inodeBytes + tail > BLOCK_BYTES) at = roundUp(at, BLOCK_BYTES)
    inode.nid = at / format.SLOT_BYTES
    placements.push({ inode, at, extended, layout, firstBlock: 0 })
    at += inodeBytes + tail
  }
  let block = Math.ceil(at / BLOCK_BYTES)
  for (const placement of placements) {
    const own = ownBlocks(placement.inode, placement.layout)
    if (own > 0) placement.firstBlock = block
    block += own
  }
  return { placements, blocks: block }
}

function chooseLayout(inode: Inode): number {
  if (inode.kind === 'file') return inode.sizeBytes === 0 ? format.FLAT_PLAIN : format.CHUNK_BASED
  const tail = inode.sizeBytes % BLOCK_BYTES
  // A long tail would leave most of a block unused more often than it saves one.
  const inline =
    tail > 0 && tail <= BLOCK_BYTES / 2 && (inode.kind === 'directory' || tail === inode.sizeBytes)
  return inline ? format.FLAT_INLINE : format.FLAT_PLAIN
}

/** What lies directly behind the inode. */
function tailBytes(inode: Inode, layout: number): number {
  if (layout === format.CHUNK_BASED) return chunkCount(inode.sizeBytes) * format.CHUNK_INDEX_BYTES
  return layout === format.FLAT_INLINE ? inode.sizeBytes % BLOCK_BYTES : 0
}

function ownBlocks(inode: Inode, layout: number): number {
  if (inode.kind === 'file') return 0
  return layout === format.FLAT_INLINE
    ? Math.floor(inode.sizeBytes / BLOCK_BYTES)
    : Math.ceil(inode.sizeBytes / BLOCK_BYTES)
}

function writeInode(image: Buffer, placement: Placement): void {
  const { inode, at, extended, layout, firstBlock } = placement
  const union = layout === format.CHUNK_BASED ? chunkFormat(inode.sizeBytes) : firstBlock
  image.writeUInt16LE((layout << 1) | (extended ? 1 : 0), at)
  image.writeUInt16LE(modeOf(inode), at + 4)
  if (extended) {
    image.writeBigUInt64LE(BigInt(inode.sizeBytes), at + 8)
    image.writeUInt32LE(union, at + 16)
    image.writeUInt32LE(inode.number, at + 20)
    image.writeBigInt64LE(BigInt(format.BUILD_TIME), at + 32)
    image.writeUInt32LE(inode.links, at + 44)
  } else {
    image.writeUInt16LE(inode.links, at + 6)
    image.writeUInt32LE(inode.sizeBytes, at + 8)
    image.writeUInt32LE(union, at + 16)
    image.writeUInt32LE(inode.number, at + 20)
  }
  const tailAt = at + (extended ? format.EXTENDED_INODE_BYTES : format.COMPACT_INODE_BYTES)
  if (inode.kind === 'file') {
    if (layout === format.CHUNK_BASED) writeChunkIndexes(image, inode, tailAt)
    return
  }
  const contents = inode.kind === 'directory' ? encodeDirectory(inode) : Buffer.from(inode.target, 'latin1')
  const inlined = layout === format.FLAT_INLINE ? contents.length % BLOCK_BYTES : 0
  image.set(contents.subarray(0, contents.length - inlined), firstBlock * BLOCK_BYTES)
  image.set(contents.subarray(contents.length - inlined), tailAt)
}

function writeChunkIndexes(image: Buffer, file: FileInode, at: number): void {
  const blocksEach = 2 ** chunkBits(file.sizeBytes)
  for (let chunk = 0; chunk < chunkCount(file.sizeBytes); chunk++) {
    const index = at + chunk * format.CHUNK_INDEX_BYTES
    image.writeUInt16LE(file.device, index + 2)
    image.writeUInt32LE(file.offset / BLOCK_BYTES + chunk * blocksEach, index + 4)
  }
}

/** One chunk for the whole file, the smallest power of two that holds it, unless the file is huge. */
const chunkBits = (sizeBytes: number) =>
  Math.min(format.MAX_CHUNK_BITS, Math.max(0, Math.ceil(Math.log2(sizeBytes)) - format.BLOCK_BITS))

const chunkCount = (sizeBytes: number) => Math.ceil(sizeBytes / (BLOCK_BYTES * 2 ** chunkBits(sizeBytes)))

const chunkFormat = (sizeBytes: number) => format.CHUNK_FORMAT_INDEXES | chunkBits(sizeBytes)

function modeOf(inode: Inode): number {
  if (inode.kind === 'symlink') return format.MODE.symlink | 0o777
  if (inode.kind === 'directory') return format.MODE.directory | 0o555
  return format.MODE.file | (inode.executable ? 0o555 : 0o444)
}

function writeSuperblock(image: Buffer, inodes: readonly Inode[], devices: number): void {
  const at = format.SUPERBLOCK_OFFSET
  const root = inodes[0]!
  image.writeUInt32LE(format.MAGIC, at)
  image.writeUInt32LE(format.COMPAT_CHECKSUM | format.COMPAT_MTIME, at + 8)
  image.writeUInt8(format.BLOCK_BITS, at + 12)
  image.writeUInt16LE(root.nid, at + 14)
  image.writeBigUInt64LE(BigInt(inodes.length), at + 16)
  image.writeBigUInt64LE(BigInt(format.BUILD_TIME), at + 24)
  image.writeUInt32LE(image.length / BLOCK_BYTES, at + 36)
  const chunked = inodes.some((inode) => inode.kind === 'file' && inode.sizeBytes > 0)
  image.writeUInt32LE(
    (chunked ? format.INCOMPAT_CHUNKED_FILE : 0) | (devices > 0 ? format.INCOMPAT_DEVICE_TABLE : 0),
    at + 80,
  )
  image.writeUInt16LE(devices, at + 86)
  image.writeUInt16LE((at + format.SUPERBLOCK_BYTES) / format.DEVICE_SLOT_BYTES, at + 88)
  // Of the content, with version and variant bits, so that the id of equal images is equal everywhere.
  const uuid = createHash('sha256').update(image).digest().subarray(0, 16)
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6)
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8)
  image.set(uuid, at + 48)
  image.writeUInt32LE(crc32c(0xffff_ffff, image.subarray(at, BLOCK_BYTES)), at + 4)
}
