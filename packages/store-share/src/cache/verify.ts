import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { BlobIndex, StoredNode } from '../blob/blob-index.js'
import { BLOCK_BYTES, LARGE_PAGE_BYTES, readTrailer, roundUp, TRAILER_BYTES } from '../blob/blob-layout.js'
import type { StoreOptions } from '../closure.js'
import { doing, errorCode, StoreFailure, throwIfAborted } from '../failure.js'
import { narPieces } from '../nix/nar/writer.js'
import type { ReadableFile } from '../powers.js'
import { quote } from '../quote.js'
import type { CacheDirectory } from './cache-directory.js'
import type { DeviceDirectory, NamedFile } from './device-directory.js'

/** What of a cache is checked, and what is done about damage. */
export interface VerifyOptions extends StoreOptions {
  /** Only these device files, by id. Default: all. */
  readonly only?:
    | Iterable<{
        /** Of the device file. */
        readonly id: string
      }>
    | undefined
  /**
   * Takes damaged files away, so that they are built anew when they are next asked for. A unit that maps one keeps
   * it, damaged as it is, until it ends.
   */
  readonly removeDamaged?: boolean | undefined
}

/** What `verify` looked at and found. */
export interface Verification {
  /** Device files: blobs, layers and metadata images. */
  readonly checkedFiles: number
  /** Their sizes together. */
  readonly checkedBytes: number
  /** Empty when all is well. */
  readonly damaged: readonly DamagedFile[]
  /** How many of the checked blobs the kernel checks by itself (fs-verity), or why it is not used. */
  readonly verity: {
    /** How many have fs-verity switched on. */
    readonly protectedBlobs: number
    /** Why it is not used; absent where it is. */
    readonly unsupported?: string
  }
}

/** A device file of the cache that is not what it was when it was made. */
export interface DamagedFile {
  /** As in its name, 64 lower-case hexadecimal digits. */
  readonly id: string
  /** Absolute path. */
  readonly file: string
  /**
   * `index`: the sidecar is missing or damaged, so the blob cannot be checked. `size`, `trailer`: cut off or
   * written over. `contents`: the recomputed NAR hash is another. `padding`: what should be zero is not.
   * `unreadable`: the disk refused.
   */
  readonly damage: 'index' | 'size' | 'trailer' | 'contents' | 'padding' | 'unreadable'
}

/** See `BlobCacheUpkeep.verify`. */
export async function verifyCache(
  cache: CacheDirectory,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<Verification> {
  const only = options.only === undefined ? undefined : new Set([...options.only].map(({ id }) => id))
  const damaged: DamagedFile[] = []
  let checkedFiles = 0
  let checkedBytes = 0
  let protectedBlobs = 0
  for (const devices of await cache.all()) {
    for (const file of await devices.list()) {
      if (file.kind === 'index' || (only !== undefined && !only.has(file.id))) continue
      throwIfAborted(signal)
      const path = `${devices.root}/${file.name}`
      const size = await doing(`Reading ${quote(path)} failed`, cache.files.sizeOf(path))
      // Somebody has collected it meanwhile.
      if (size === undefined) continue
      const damage = await damageOf(cache, devices, file, size, signal)
      checkedFiles++
      checkedBytes += size
      if (file.kind === 'blob' && (await cache.verity.isEnabled(path, signal))) protectedBlobs++
      if (damage === undefined) continue
      damaged.push({ id: file.id, file: path, damage })
      if (options.removeDamaged === true) await devices.remove(file.name)
    }
  }
  const { unsupported } = cache.verity
  const verity = { protectedBlobs, ...(unsupported === undefined ? {} : { unsupported }) }
  return { checkedFiles, checkedBytes, damaged, verity }
}

async function damageOf(
  cache: CacheDirectory,
  devices: DeviceDirectory,
  { kind, id, name }: NamedFile,
  size: number,
  signal: AbortSignal,
): Promise<DamagedFile['damage'] | undefined> {
  const path = `${devices.root}/${name}`
  const index = kind === 'blob' && path === devices.blobFile(id) ? await devices.readIndex(id) : undefined
  if (kind === 'blob' && index === undefined) return 'index'
  if (size < TRAILER_BYTES || size % LARGE_PAGE_BYTES !== 0 || (index?.sizeBytes ?? size) !== size)
    return 'size'
  try {
    const file = await cache.files.open(path)
    try {
      const trailer = Buffer.alloc(TRAILER_BYTES)
      await file.read(trailer, size - TRAILER_BYTES)
      if (readTrailer(trailer) !== id) return 'trailer'
      return index === undefined
        ? await imageDamage(file, id, size, signal)
        : await blobDamage(file, index, signal)
    } finally {
      await file.close()
    }
  } catch (thrown) {
    if (thrown instanceof StoreFailure || errorCode(thrown) === undefined) throw thrown
    return 'unreadable'
  }
}

const READ_BYTES = 1 << 20

async function blobDamage(
  file: ReadableFile,
  index: BlobIndex,
  signal: AbortSignal,
): Promise<DamagedFile['damage'] | undefined> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const used: Range[] = []
  for (const { tree, narHash } of index.members) {
    const hash = createHash('sha256')
    for (const piece of narPieces(tree, '')) {
      if (piece.kind === 'framing') {
        hash.update(piece.bytes)
        continue
      }
      const { offset, sizeBytes } = piece.file as StoredNode & { kind: 'file' }
      used.push({ start: offset, end: offset + sizeBytes })
      for await (const chunk of chunks(file, offset, offset + sizeBytes, buffer, signal)) hash.update(chunk)
    }
    if (hash.digest('hex') !== narHash) return 'contents'
  }
  for (const gap of gaps(used, index.sizeBytes - TRAILER_BYTES)) {
    for await (const chunk of chunks(file, gap.start, gap.end, buffer, signal)) {
      if (!isZero(chunk)) return 'padding'
    }
  }
  return undefined
}

/** The id of an image is the hash of the image, which ends where its superblock says; zeros follow. */
async function imageDamage(
  file: ReadableFile,
  id: string,
  size: number,
  signal: AbortSignal,
): Promise<DamagedFile['damage'] | undefined> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const end = size - TRAILER_BYTES
  await file.read(buffer.subarray(0, BLOCK_BYTES), 0)
  const imageBytes = buffer.readUInt32LE(SUPERBLOCK_BLOCKS_AT) * BLOCK_BYTES
  if (imageBytes > end) return 'contents'
  const hash = createHash('sha256')
  for await (const chunk of chunks(file, 0, imageBytes, buffer, signal)) hash.update(chunk)
  if (hash.digest('hex') !== id) return 'contents'
  for await (const chunk of chunks(file, roundUp(imageBytes, BLOCK_BYTES), end, buffer, signal)) {
    if (!isZero(chunk)) return 'padding'
  }
  return undefined
}

/** Where an EROFS superblock holds the number of blocks. */
const SUPERBLOCK_BLOCKS_AT = 1024 + 36

interface Range {
  readonly start: number
  readonly end: number
}

/** What no file covers, up to `end`. Hard links cover the same. */
function gaps(used: readonly Range[], end: number): Range[] {
  const found: Range[] = []
  let at = 0
  for (const range of [...used].sort((a, b) => a.start - b.start)) {
    if (range.start > at) found.push({ start: at, end: range.start })
    at = Math.max(at, range.end)
  }
  if (end > at) found.push({ start: at, end })
  return found
}

/** Each chunk lies in `buffer` and is overwritten by the next. Fewer bytes than asked for read as what is there. */
async function* chunks(
  file: ReadableFile,
  start: number,
  end: number,
  buffer: Buffer,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += buffer.length) {
    throwIfAborted(signal)
    const wanted = buffer.subarray(0, Math.min(buffer.length, end - at))
    yield wanted.subarray(0, await file.read(wanted, at))
  }
}

const ZEROS = Buffer.alloc(READ_BYTES)

function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, ZEROS.subarray(0, bytes.length)) === 0
}
