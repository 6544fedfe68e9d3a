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

/** Read from the kernel (`/proc/PID/smaps`), never computed from intentions. Bytes. */
export interface SharingReport {
  readonly rssBytes: number
  readonly pssBytes: number
  /** What the same units would hold more without sharing: `rssBytes - pssBytes`. */
  readonly savedBytes: number
  readonly blobs: readonly BlobSharing[]
}

export interface BlobSharing {
  readonly id: string
  readonly storePaths: readonly string[]
  readonly sizeBytes: number
  /** Names of the units whose monitor maps it, sorted. */
  readonly units: readonly string[]
  readonly rssBytes: number
  readonly pssBytes: number
  readonly savedBytes: number
}
