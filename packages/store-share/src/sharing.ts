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
