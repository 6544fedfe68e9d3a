import { takeAll } from '../grammar/cpu-set.js'
import { type PciAddress, pciAddress } from '../grammar/network.js'
import { optional, record, required } from '../grammar/record.js'
import { refuse, unsound } from '../grammar/refusal.js'
import { count, flag, integer, u64 } from '../grammar/scalar.js'
import { decimal, part, printParts, readParts, type SeparatedFields, without } from '../grammar/separated.js'
import type { Shape } from '../grammar/shape.js'
import { canonicalText, checkPath, path, resolvePath, text } from '../grammar/text.js'
import { type OwnerMapping, ownerParts } from './owner.js'

/**
 * How crosvm waits for a disk's files: epoll(7), io_uring(7), or Tokio where the binary was built with it.
 */
export type AsyncExecutor = 'epoll' | 'uring' | 'tokio'
export const ASYNC_EXECUTORS = ['epoll', 'uring', 'tokio'] as const satisfies readonly AsyncExecutor[]

/** A disk's, unlike the machine's own, is a string to crosvm, so it may be quoted. */
const asyncExecutor = canonicalText<AsyncExecutor>(
  'asyncExecutor',
  (word) => ASYNC_EXECUTORS.find((known) => known === word),
  `one of ${ASYNC_EXECUTORS.join(', ')}`,
)

/** A virtio-blk disk: `--block`. Raw files always; other formats by feature of the binary. */
export interface BlockDevice {
  /** Absolute: a file or a block device. */
  readonly path: string
  /** `ro`. Default false. */
  readonly readOnly?: boolean | undefined
  /** Adds `root=/dev/vdX` to the kernel's command line. One device of a machine. Default false. */
  readonly root?: boolean | undefined
  /** Whether discard punches holes. Default true. */
  readonly sparse?: boolean | undefined
  /** O_DIRECT: past the host's page cache. Default false. */
  readonly direct?: boolean | undefined
  /** flock(2) on the file: shared when read-only, else exclusive. Default true. */
  readonly lock?: boolean | undefined
  /** Bytes, a power of two from 512: what the guest takes for a sector. Default 512. */
  readonly blockSize?: number | undefined
  /** At most 20 bytes of printable ASCII: the disk's serial number in the guest. Default none. */
  readonly id?: string | undefined
  /** Several queues with a worker thread each, experimental. Default false. */
  readonly multipleWorkers?: boolean | undefined
  /** Default: the machine's. */
  readonly asyncExecutor?: AsyncExecutor | undefined
  /** Packed virtqueues (VIRTIO_F_RING_PACKED) instead of split ones. Default false. */
  readonly packedQueue?: boolean | undefined
  /** In which order firmware tries the disks: the lowest first. Default: not told. */
  readonly bootIndex?: number | undefined
  /** Default: the next that is free. */
  readonly pciAddress?: PciAddress | undefined
  /**
   * What is read and written does not stay in the host's page cache, where its kernel can (RWF_DONTCACHE).
   * Default false.
   */
  readonly dontCache?: boolean | undefined
}

const blockSize = integer(1, 0xffff_ffff, 32)

function checkBlockSize(value: { readonly blockSize?: number | undefined }): string | undefined {
  const size = value.blockSize
  if (size === undefined || (size >= 512 && Number.isInteger(Math.log2(size)))) return undefined
  return 'blockSize must be a power of two of at least 512 bytes'
}

export const blockDevice: Shape<BlockDevice> = record<BlockDevice>(
  {
    path: required('path', path('path')),
    readOnly: optional('ro', flag),
    root: optional('root', flag),
    sparse: optional('sparse', flag),
    direct: optional('direct', flag, 'o_direct'),
    lock: optional('lock', flag),
    blockSize: optional('block-size', blockSize, 'block_size'),
    id: optional(
      'id',
      text({ name: 'id', maxBytes: 20, pattern: { test: /^[ -~]*$/, says: 'printable ASCII' } }),
    ),
    multipleWorkers: optional('multiple-workers', flag),
    asyncExecutor: optional('async-executor', asyncExecutor, 'async_executor'),
    packedQueue: optional('packed-queue', flag),
    bootIndex: optional('bootindex', count),
    pciAddress: optional('pci-address', pciAddress),
    dontCache: optional('dontcache', flag),
  },
  { sound: checkBlockSize },
)

/** A disk of the virtio-scsi controller: `--scsi-block`, experimental in crosvm. */
export interface ScsiDisk {
  /** Absolute: a file or a block device. */
  readonly path: string
  /** `ro`. Default false. */
  readonly readOnly?: boolean | undefined
  /** flock(2) on the file: shared when read-only, else exclusive. Default true. */
  readonly lock?: boolean | undefined
  /** Bytes, a power of two from 512. Default 512. */
  readonly blockSize?: number | undefined
  /** Adds `root=/dev/sdX` to the kernel's command line. One device of a machine. Default false. */
  readonly root?: boolean | undefined
}

export const scsiDisk: Shape<ScsiDisk> = record<ScsiDisk>(
  {
    path: required('path', path('path')),
    readOnly: optional('ro', flag),
    lock: optional('lock', flag),
    blockSize: optional('block-size', blockSize),
    root: optional('root', flag),
  },
  { sound: checkBlockSize },
)

/**
 * A virtio-pmem device: `--pmem`. The raw file is mapped shared, so machines that map the same file read-only
 * share its page cache. No lock is taken.
 */
export interface PmemDevice {
  /**
   * Absolute: a raw file. Its size at the start is the device's, padded with zeros to 2 MiB. With `vmaSize`: only
   * a name.
   */
  readonly path: string
  /** `ro`: mapped read-only, in the guest too. Default false. */
  readonly readOnly?: boolean | undefined
  /** Adds `root=/dev/pmemN` to the kernel's command line. One device of a machine. Default false. */
  readonly root?: boolean | undefined
  /** Memory of this many bytes that can be paged out, instead of the file; only with `swapIntervalMs`. */
  readonly vmaSize?: bigint | undefined
  /** Milliseconds between two times that this memory is paged out. 0: never by crosvm. */
  readonly swapIntervalMs?: number | undefined
}

export const pmemDevice: Shape<PmemDevice> = record<PmemDevice>(
  {
    path: required('path', path('path')),
    readOnly: optional('ro', flag),
    root: optional('root', flag),
    vmaSize: optional('vma-size', u64),
    swapIntervalMs: optional('swap-interval-ms', count),
  },
  {
    check: (value) => {
      if ((value.vmaSize === undefined) !== (value.swapIntervalMs === undefined)) {
        return 'vmaSize and swapIntervalMs go together: give both or neither'
      }
      if (value.readOnly && value.vmaSize !== undefined) {
        return 'only a writable device can be swapped: drop readOnly, or vmaSize and swapIntervalMs'
      }
      return undefined
    },
  },
)

/**
 * A directory as a read-only ext2 image built at start: `--pmem-ext2`, experimental. File data are the host's
 * own pages; names and sizes are frozen at start.
 */
export interface PmemExt2Device extends OwnerMapping {
  /** An absolute path of a directory, without `:`, with only files, directories and symbolic links in it. */
  readonly path: string
  /**
   * Bytes of metadata and file blocks: a multiple of 4096 × `blocksPerGroup`, below 4 GiB. Default 16 MiB. What
   * does not fit ends the start.
   */
  readonly size?: number | undefined
  /** Blocks of 4096 bytes, at most 32768. Default 4096. */
  readonly blocksPerGroup?: number | undefined
  /** From 12, of which a first group loses eleven to ext2 itself. Default 1024. */
  readonly inodesPerGroup?: number | undefined
}

type PmemExt2Parts = Omit<PmemExt2Device, 'path'>

const ext2Parts: SeparatedFields<PmemExt2Parts> = {
  size: part(
    'size',
    (value) => wholeU32(value),
    (word) => decimal(word),
  ),
  blocksPerGroup: part(
    'blocks_per_group',
    (value) => wholeU32(value),
    (word) => decimal(word),
  ),
  inodesPerGroup: part(
    'inodes_per_group',
    (value) => wholeU32(value),
    (word) => decimal(word),
  ),
  ...ownerParts,
}

function wholeU32(value: number): string {
  if (!Number.isInteger(value) || value < 1 || value > 0xffff_ffff) {
    refuse(`expected a whole number from 1 to ${0xffff_ffff}, not ${String(value)}`)
  }
  return String(value)
}

/** The first inodes of an ext2 file system are reserved: `s_first_ino`. */
const RESERVED_INODES = 11

function checkExt2(value: PmemExt2Parts): void {
  const group = (value.blocksPerGroup ?? 4096) * 4096
  const size = value.size ?? 16_777_216
  if (size > 0xffff_ffff) unsound('size must be below 4 GiB: share the rest as another device')
  if (group > 0x8000 * 4096) unsound('blocksPerGroup must be at most 32768: one block maps one group')
  if (size % group !== 0) {
    unsound(
      `size must be a multiple of ${group}, which is 4096 × blocksPerGroup: ${Math.ceil(size / group) * group} is`,
    )
  }
  if ((value.inodesPerGroup ?? 1024) <= RESERVED_INODES) {
    unsound(`inodesPerGroup must be more than the ${RESERVED_INODES} that ext2 reserves`)
  }
}

export const pmemExt2Device: Shape<PmemExt2Device> = {
  print: (value) => {
    const { path: directory, ...rest } = value
    const parts = [without(':', checkPath(directory, 'path'), 'path'), ...printParts(rest, ext2Parts)]
    checkExt2(rest)
    return parts.join(':')
  },
  read: (cursor) => {
    const [directory, ...parts] = takeAll(cursor).split(':')
    const rest = readParts<PmemExt2Parts>(parts, ext2Parts, cursor)
    checkExt2(rest)
    return { path: resolvePath(cursor, directory!, 'path'), ...rest }
  },
}
