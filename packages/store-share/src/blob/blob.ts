import type { ResultAsync } from 'neverthrow'
import type { Collection, CollectOptions } from '../cache/collect.js'
import type { Verification, VerifyOptions } from '../cache/verify.js'
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

/** A device file with the data of store paths: of one, or of several where a device budget asked for a layer. */
export interface Blob extends DeviceFile {
  /** The store paths (`/nix/store/HASH-NAME`) whose data lies in it. */
  readonly storePaths: readonly string[]
}

/** Everything a unit needs to see a closure: which devices to attach and what to mount in the unit. */
export interface Attachment {
  /** What the unit will see. */
  readonly closure: Closure
  /** The unit's own metadata image: names, modes and where the data lies. Deterministic. */
  readonly metadata: DeviceFile
  /** In the order of the image's device table. */
  readonly blobs: readonly Blob[]
  /** Base names in the image's root, sorted: exactly the closure. */
  readonly names: readonly string[]
  /**
   * Paths of this unit that other units of the same `attachAll` hold in another blob, because a device budget asked
   * for it: these are not shared between them. Absent when there are none.
   */
  readonly duplicates?: readonly {
    /** The store path. */
    readonly path: string
    /** In how many blobs its data lies. */
    readonly copies: number
  }[]
}

/** How several closures are attached at once, so that they share what they can. */
export interface AttachAllOptions extends StoreOptions {
  /** The most devices a unit may hold for its attachment, metadata image included. Default 24. */
  readonly deviceBudget?: number | undefined
  /** By unit; one that is not named shares across all. */
  readonly sharing?: ReadonlyMap<string, ShareAcross> | undefined
}

/**
 * Whose units may hold the same file, and thereby the same memory, as a unit. Shared memory lets a unit find out, by
 * timing, which parts of a path that it was granted itself others have used.
 */
export type ShareAcross =
  /** Any unit that is granted the same path. */
  | { readonly across: 'all' }
  /** Units of the same owner only, whatever `owner` names: a person, a level of secrecy. */
  | {
      readonly across: 'same-owner'
      /** Whom the unit belongs to; compared as text. */
      readonly owner: string
    }
  /** No other unit: each attachment has copies of its own, which go when it is released. */
  | { readonly across: 'never' }

/** How one closure is attached. */
export interface AttachOptions extends StoreOptions {
  /** As in `AttachAllOptions`. */
  readonly deviceBudget?: number | undefined
  /** Default: `{ across: 'all' }`. */
  readonly shareAcross?: ShareAcross | undefined
  /**
   * Blobs of this cache that the unit holds already, for an injection. Paths in them are read from there, so
   * they cost no new device; those that are used come first in the device table.
   */
  readonly present?: readonly Blob[] | undefined
}

/**
 * Content-addressed blobs and metadata images in one directory. What it gives out is leased: no collection by any
 * process removes it while the process that asked for it lives and has not released it (see `BlobCacheUpkeep`).
 */
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

/** What keeps the directory of a blob cache sound and small. Several processes may use the same directory. */
export interface BlobCacheUpkeep {
  /**
   * Ends the lease of what `attach`, `attachAll`, `blob` or `importNar` gave out, once the unit has ended: pass the
   * very object. Private copies (`across: 'never'`) go at once. A second time does nothing.
   */
  release(held: Attachment | Blob): ResultAsync<void, StoreError>
  /**
   * Removes device files that nobody uses: not leased by any living process, not mapped or open in any process that
   * the kernel shows, not `inUse` and not to `keep`. Runs beside builds and attachments of any process, and other
   * collections. Files are unlinked, never truncated: what a unit maps stays whole, whatever else goes wrong.
   *
   * Fails with `system`, `timed-out` and `aborted`; what was removed until then is gone.
   */
  collect(options?: CollectOptions): ResultAsync<Collection, StoreError>
  /**
   * Reads everything that is cached and recomputes the hashes: flipped bits, files cut short, sidecars that are gone.
   * Fails with `system`, `timed-out` and `aborted`; damage is no failure but the result.
   */
  verify(options?: VerifyOptions): ResultAsync<Verification, StoreError>
  /** Ends all leases of this open cache, as the end of the process does. Idempotent; nothing else may be used then. */
  close(): ResultAsync<void, StoreError>
}

/** A blob cache that was opened: use it as the narrower of the two where that is enough. */
export interface OpenBlobCache extends BlobCache, BlobCacheUpkeep, AsyncDisposable {
  /**
   * The blob of one store path from its NAR, which is written straight into place while it is read: no unpacked tree
   * is needed. Nothing is visible before hash and size were right. `nar` is not read when the blob is there.
   *
   * Fails as `blob` does, and with `malformed-nar`. What `nar` throws is thrown on.
   */
  importNar(info: StorePathInfo, nar: NarChunks, options?: StoreOptions): ResultAsync<Blob, StoreError>
}

/** Begins to read a NAR: chunks of any size, which the reader has done with when it asks for the next. */
export type NarChunks = (signal: AbortSignal) => AsyncIterable<Uint8Array>
