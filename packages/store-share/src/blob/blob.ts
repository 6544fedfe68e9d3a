import type { ResultAsync } from 'neverthrow'
import type { Closure, StoreOptions, StorePathInfo } from '../closure.js'
import type { StoreError } from '../errors.js'

/**
 * An immutable file that units map: the data of one store path (a blob) or of several (a layer), or a
 * metadata image. Its last 4096 bytes are the trailer: the 16 bytes `SPECTRUM-BLOB-1` + NUL, then `id` as 64
 * ASCII digits, then zeros. A guest finds a device by this trailer, never by its number.
 */
export interface DeviceFile {
  /** 64 lower-case hexadecimal digits; derived from the content alone. */
  readonly id: string
  /** Absolute path on the host. Never written again, never truncated; unlinking it while mapped is safe. */
  readonly file: string
  /** Bytes; a multiple of 2 MiB. */
  readonly sizeBytes: number
}

export interface Blob extends DeviceFile {
  readonly storePaths: readonly string[]
}

/** Everything a unit needs to see a closure: which devices to attach and what to mount in the unit. */
export interface Attachment {
  readonly closure: Closure
  /** The unit's own metadata image: names, modes and where the data lies. Deterministic. */
  readonly metadata: DeviceFile
  /** In the order of the image's device table. */
  readonly blobs: readonly Blob[]
  /** Base names in the image's root, sorted: exactly the closure. */
  readonly names: readonly string[]
}

export interface AttachAllOptions extends StoreOptions {
  /** The most devices a unit may hold for its attachment, metadata image included. Default 24. */
  readonly deviceBudget?: number | undefined
}

export interface AttachOptions extends AttachAllOptions {
  /**
   * Blobs of this cache that the unit holds already, for an injection. Paths in them are read from there, so
   * they cost no new device; those that are used come first in the device table.
   */
  readonly present?: readonly Blob[] | undefined
}

/** Content-addressed blobs and metadata images in one directory. */
export interface BlobCache {
  /** The blob of one store path, built on first use; nothing is visible before its NAR hash was right. */
  blob(info: StorePathInfo, options?: StoreOptions): ResultAsync<Blob, StoreError>
  /**
   * Blobs plus a metadata image for a closure. Paths without any file contents need no blob and get none.
   *
   * Also fails with `device-budget`, and with `hash-mismatch`, `missing-reference`, `unsupported-file`,
   * `no-space`, `timed-out`, `aborted` and `system` as `blob` does; nothing half-built is left behind.
   */
  attach(closure: Closure, options?: AttachOptions): ResultAsync<Attachment, StoreError>
  /**
   * The same for units, by name, that start together: paths are grouped so that the units share as much as
   * they can, and no unit is given a path that its closure lacks.
   */
  attachAll(
    closures: ReadonlyMap<string, Closure>,
    options?: AttachAllOptions,
  ): ResultAsync<ReadonlyMap<string, Attachment>, StoreError>
}
