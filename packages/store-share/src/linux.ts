/**
 * This machine's stores, caches and files, bound to the calls of the package.
 *
 * @packageDocumentation
 */

import { ResultAsync } from 'neverthrow'
import type { OpenBlobCache } from './blob/blob.js'
import { toByteString } from './byte-string.js'
import { type BlobCacheOptions, openBlobCache as openWith } from './cache/blob-cache.js'
import type { StoreOptions, StoreSource } from './closure.js'
import type { StoreError } from './errors.js'
import { cacheFiles } from './linux/cache-files.js'
import { runCommand } from './linux/command.js'
import { openFiles } from './linux/open-files.js'
import { clock, processOwners, sharingPowers } from './linux/process.js'
import { treeReader } from './linux/tree.js'
import { fileVerity } from './linux/verity.js'
import { serialiseNar as serialiseWith } from './nix/nar/writer.js'
import type { SharingReport, SharingUnit } from './sharing/sharing.js'
import { sharingReport } from './sharing/sharing-report.js'
import { type NixStoreOptions, nixStore as storeWith } from './sources/nix-store.js'

/**
 * This machine's Nix store, or one below another root. See `nixStore` of the package for what can fail.
 *
 * @example
 * ```ts
 * import { nixStore } from '@spectrum/store-share/linux'
 *
 * const closure = await nixStore().closure(['/nix/store/…-hello-2.12'])
 * if (closure.isErr()) throw new Error(closure.error.message) // kind: not-a-store-path, missing-path …
 * for (const { path, narSize } of closure.value.paths) console.log(path, narSize)
 * ```
 */
export function nixStore(options: NixStoreOptions = {}): StoreSource {
  return storeWith({ clock, run: runCommand, tree: treeReader }, options)
}

/**
 * Opens the blob cache in a directory of this machine. For a relocated store pass its `locate`:
 * `openBlobCache(directory, { locate: store.locate })`. Fails with `no-space` and `system`.
 *
 * @example
 * ```ts
 * import { nixStore, openBlobCache } from '@spectrum/store-share/linux'
 *
 * const store = nixStore()
 * const closure = (await store.closure(['/nix/store/…-hello-2.12']))._unsafeUnwrap()
 * const cache = (await openBlobCache('/var/cache/spectrum', { locate: store.locate }))._unsafeUnwrap()
 * const { metadata, blobs } = (await cache.attach(closure))._unsafeUnwrap()
 * for (const { file, sizeBytes } of [metadata, ...blobs]) console.log(file, sizeBytes) // read-only pmem devices
 * ```
 */
export function openBlobCache(
  directory: string,
  options: BlobCacheOptions = {},
): ResultAsync<OpenBlobCache, StoreError> {
  return ResultAsync.fromSafePromise<Awaited<ReturnType<typeof processOwners>>, StoreError>(
    processOwners(),
  ).andThen((owners) =>
    openWith(
      { clock, tree: treeReader, files: cacheFiles, owners, openFiles, verity: fileVerity },
      directory,
      options,
    ),
  )
}

/**
 * What the units share in memory right now, read from `/proc/PID/smaps` of their processes.
 *
 * @example
 * ```ts
 * import type { Blob } from '@spectrum/store-share'
 * import { readSharing } from '@spectrum/store-share/linux'
 *
 * export async function saved(blobs: readonly Blob[], pids: readonly number[]) {
 *   const report = await readSharing([{ unit: 'mail', pids, blobs }])
 *   if (report.isErr()) throw new Error(report.error.message)
 *   return report.value.savedBytes
 * }
 * ```
 */
export function readSharing(
  units: readonly SharingUnit[],
  options: StoreOptions = {},
): ResultAsync<SharingReport, StoreError> {
  return sharingReport(units, sharingPowers, options)
}

/**
 * The NAR of an unpacked path, a chunk at a time. Rejects when it cannot be read.
 *
 * @example
 * ```ts
 * import { createHash } from 'node:crypto'
 * import { formatNarHash } from '@spectrum/store-share'
 * import { serialiseNar } from '@spectrum/store-share/linux'
 *
 * const hash = createHash('sha256')
 * const soon = AbortSignal.timeout(60_000)
 * for await (const chunk of serialiseNar('/nix/store/…-hello-2.12', soon)) hash.update(chunk)
 * console.log(formatNarHash(hash.digest('hex'))) // sha256:… in base 32, as Nix's database has it
 * ```
 */
export function serialiseNar(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  return serialiseWith(treeReader, toByteString(path), signal)
}

export {
  binaryCache,
  fetchClosure,
  httpClient,
  type LinuxBinaryCacheOptions,
} from './linux/binary-caches.js'
export * from './linux/nix.js'
export { type OpenViewOptions, openView, viewProgram } from './linux/view.js'
export { cacheFiles, clock, openFiles, processOwners, runCommand, sharingPowers, treeReader }
