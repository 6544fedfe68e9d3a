import type { Blob } from '../blob/blob.js'

/** A running unit, as far as a sharing report cares. */
export interface SharingUnit {
  /** Its name. */
  readonly unit: string
  /** The processes of its monitor. */
  readonly pids: readonly number[]
  /** What the unit was given. A blob of another unit that its processes map is counted all the same. */
  readonly blobs: readonly Blob[]
}

/** Read from the kernel (`/proc/PID/smaps`, `/proc/PID/pagemap`), never computed from intentions. Bytes. */
export interface SharingReport {
  /** `Rss` of the blobs' mappings, of all units together: a page counts once for each that has it. */
  readonly rssBytes: number
  /** `Pss` of the same: a page that several processes have counts in parts, and so once (proc(5), smaps). */
  readonly pssBytes: number
  /** What the same units would hold more without sharing: `rssBytes - pssBytes`. */
  readonly savedBytes: number
  /** The same by blob. */
  readonly blobs: readonly BlobSharing[]
  /** The same by unit, sorted by name; each unit that was asked for. */
  readonly units: readonly UnitSharing[]
  /** The same by store path, sorted. */
  readonly paths: readonly PathSharing[]
  /** Whether `frames` of the blobs could be read, and why not. */
  readonly proof:
    | { readonly kind: 'frames' }
    | {
        readonly kind: 'not-permitted'
        /** Why not, and what would permit it. */
        readonly message: string
      }
}

/** How much of one blob is in memory, for whom, in bytes as the kernel counts them. */
export interface BlobSharing {
  /** Of the blob, 64 lower-case hexadecimal digits. */
  readonly id: string
  /** Store paths whose data lies in it. */
  readonly storePaths: readonly string[]
  /** Bytes of the blob's file. */
  readonly sizeBytes: number
  /** Names of the units whose monitor maps it, sorted. */
  readonly units: readonly string[]
  /** `Rss` of its mappings. */
  readonly rssBytes: number
  /** `Pss` of its mappings. */
  readonly pssBytes: number
  /** `rssBytes - pssBytes`. */
  readonly savedBytes: number
  /** Which physical memory it is; absent where that may not be read. */
  readonly frames?: FrameCount | undefined
}

/** Physical pages (4096 bytes each) behind the mappings of one file. */
export interface FrameCount {
  /** Pages of the file that are in memory for at least one of the processes. */
  readonly filePages: number
  /** Frames of memory that hold them. As many as `filePages`: there is one copy, whoever maps it. */
  readonly frames: number
  /** Frames that several of the units map. */
  readonly shared: number
  /** Mappings of these frames that the kernel counts, of any process; undefined where it does not tell. */
  readonly mappings: number | undefined
}

/** What one unit's processes hold of all blobs. */
export interface UnitSharing {
  /** Its name. */
  readonly unit: string
  /** Bytes: `Rss` of its mappings of blobs. */
  readonly rssBytes: number
  /** Bytes: `Pss` of its mappings of blobs. */
  readonly pssBytes: number
  /** `rssBytes - pssBytes`. */
  readonly savedBytes: number
  /** The units that hold a blob which this one holds too, sorted. */
  readonly sharesWith: readonly string[]
}

/** What is held of one store path, as far as its blob tells. */
export interface PathSharing {
  /** `/nix/store/HASH-NAME`. */
  readonly storePath: string
  /** Of its blob. */
  readonly id: string
  /** Paths that lie in the same blob, so that the figures are of all of them together; usually none. */
  readonly together: readonly string[]
  /** Names of the units whose monitor maps its blob, sorted. */
  readonly units: readonly string[]
  /** Bytes: `Rss` of its blob's mappings. */
  readonly rssBytes: number
  /** Bytes: `Pss` of its blob's mappings. */
  readonly pssBytes: number
  /** `rssBytes - pssBytes`. */
  readonly savedBytes: number
}
