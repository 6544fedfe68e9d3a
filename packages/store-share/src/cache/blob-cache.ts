import type { ResultAsync } from 'neverthrow'
import type {
  AttachAllOptions,
  Attachment,
  AttachOptions,
  Blob,
  BlobCache,
  DeviceFile,
} from '../blob/blob.js'
import type { BlobIndex } from '../blob/blob-index.js'
import { blobId } from '../blob/blob-layout.js'
import { type BlobSource, writeBlob } from '../blob/blob-writer.js'
import type { Closure, StoreOptions, StorePathInfo } from '../closure.js'
import { metadataImage } from '../erofs/erofs-image.js'
import type { ImageMember } from '../erofs/erofs-tree.js'
import type { StoreError } from '../errors.js'
import { asResult, fail, withDeadline } from '../failure.js'
import { baseNameOf, parseStorePath } from '../nix/store-path.js'
import type { CacheFiles, Clock, Owners, TreeReader } from '../powers.js'
import { quote } from '../quote.js'
import { limitConcurrency } from '../tree.js'
import { CacheDirectory } from './cache-directory.js'
import { type PlannedLayer, planLayers } from './layers.js'
import { SharedWork } from './shared-work.js'

export interface BlobCachePowers {
  readonly clock: Clock
  readonly tree: TreeReader
  readonly files: CacheFiles
  readonly owners: Owners
}

export interface BlobCacheOptions extends StoreOptions {
  /** Where the data of a store path lies on the host: `locate` of the `StoreSource`. Default: the path itself. */
  readonly locate?: ((storePath: string) => string) | undefined
  /**
   * Absolute path on the same file system: every unfinished file lies there, and nowhere else, until it is
   * renamed into place. Default: `temporary` in the cache's directory, shared by all who open the cache.
   */
  readonly temporaryDirectory?: string | undefined
}

const DEFAULT_DEADLINE_MS = 600_000
const DEFAULT_DEVICE_BUDGET = 24

/** Hashing keeps one core busy; a second build overlaps with its writes. */
const CONCURRENT_BUILDS = 2

/**
 * Opens the blob cache in a directory, which is made if it does not exist, and removes the temporary files of
 * builders that no longer run. Fails with `no-space` and `system`.
 */
export function openBlobCache(
  powers: BlobCachePowers,
  directory: string,
  options: BlobCacheOptions = {},
): ResultAsync<BlobCache, StoreError> {
  return asResult(() =>
    within(powers.clock, 'Opening the blob cache', options, async () => {
      const files = new CacheDirectory(
        directory.replace(/(.)\/+$/, '$1'),
        powers.files,
        powers.owners,
        options.temporaryDirectory,
      )
      await files.prepare()
      const locate = options.locate ?? ((storePath: string) => storePath)
      return new DirectoryBlobCache(powers.clock, files, { tree: powers.tree, locate })
    }),
  )
}

/** A built blob together with what lies in it. */
interface Built {
  readonly layer: PlannedLayer
  readonly index: BlobIndex
}

class DirectoryBlobCache implements BlobCache {
  readonly #building = new SharedWork<BlobIndex>()
  readonly #limit = limitConcurrency(CONCURRENT_BUILDS)

  constructor(
    readonly clock: Clock,
    readonly directory: CacheDirectory,
    readonly source: BlobSource,
  ) {}

  blob(info: StorePathInfo, options: StoreOptions = {}): ResultAsync<Blob, StoreError> {
    return asResult(() =>
      within(this.clock, `Building the blob of ${quote(info.path)}`, options, async (signal) => {
        checkPaths([info])
        return this.#blobOf(await this.#index([info], signal), [info.path])
      }),
    )
  }

  attach(closure: Closure, options: AttachOptions = {}): ResultAsync<Attachment, StoreError> {
    const { present, ...all } = options
    return this.#attach(new Map([['', closure]]), all, present ?? []).map((units) => units.get('')!)
  }

  attachAll(
    closures: ReadonlyMap<string, Closure>,
    options: AttachAllOptions = {},
  ): ResultAsync<ReadonlyMap<string, Attachment>, StoreError> {
    return this.#attach(closures, options, [])
  }

  #attach(
    closures: ReadonlyMap<string, Closure>,
    options: AttachAllOptions,
    present: readonly Blob[],
  ): ResultAsync<ReadonlyMap<string, Attachment>, StoreError> {
    return asResult(() =>
      within(this.clock, 'Attaching the closure', options, async (signal) => {
        for (const closure of closures.values()) checkPaths(closure.paths)
        const held = await this.#presentLayers([...closures.values()], present)
        const heldPaths = new Set(held.flatMap(({ layer }) => layer.paths.map(({ path }) => path)))
        const wanted = [...closures.values()].map((closure) => ({
          ...closure,
          paths: closure.paths.filter(({ path }) => !heldPaths.has(path)),
        }))
        const plan = planLayers(wanted, options.deviceBudget ?? DEFAULT_DEVICE_BUDGET)
        if (plan.isErr()) return fail(plan.error)
        const built = await this.#buildAll(plan.value, signal)
        const attachments = new Map<string, Attachment>()
        for (const [position, [unit, closure]] of [...closures].entries()) {
          const own = built.filter(({ layer }) => layer.holders.includes(position))
          attachments.set(unit, await this.#attachment(closure, [...held, ...own], signal))
        }
        return attachments
      }),
    )
  }

  /** The blobs that the unit has already, as far as the closure can use them. */
  async #presentLayers(closures: readonly Closure[], present: readonly Blob[]): Promise<Built[]> {
    const wanted = new Map(closures.flatMap(({ paths }) => paths.map((info) => [info.path, info])))
    const held: Built[] = []
    for (const blob of present) {
      const index = await this.directory.readBlob(blob.id)
      if (index === undefined) continue
      const hashes = new Set(index.members.map(({ narHash }) => narHash))
      const paths = blob.storePaths.flatMap((path) => {
        const info = wanted.get(path)
        if (info === undefined || !hashes.has(info.narHash)) return []
        wanted.delete(path)
        return [info]
      })
      if (paths.length > 0) held.push({ layer: { paths, holders: [0] }, index })
    }
    return held
  }

  /** One failure ends the other builds before it is reported. */
  async #buildAll(plan: readonly PlannedLayer[], signal: AbortSignal): Promise<Built[]> {
    const controller = new AbortController()
    const onAbort = () => controller.abort(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    let first: { readonly cause: unknown } | undefined
    try {
      const settled = await Promise.all(
        plan.map(async (layer) => {
          try {
            const index = await this.#limit(() => this.#index(layer.paths, controller.signal))
            return [{ layer, index }]
          } catch (cause) {
            first ??= { cause }
            controller.abort(signal.reason)
            return []
          }
        }),
      )
      if (first !== undefined) throw (first as { cause: unknown }).cause
      return settled.flat()
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async #index(members: readonly StorePathInfo[], signal: AbortSignal): Promise<BlobIndex> {
    const id = blobId(members)
    return this.#building.run(
      id,
      signal,
      async (signal) =>
        (await this.directory.readBlob(id)) ??
        (await this.directory.writeBlob(id, signal, (output) =>
          writeBlob(members, this.source, output, signal),
        )),
    )
  }

  async #attachment(closure: Closure, built: readonly Built[], signal: AbortSignal): Promise<Attachment> {
    const blobs: Blob[] = []
    const members: ImageMember[] = []
    const slots = new Map<string, number>()
    for (const { layer, index } of built) {
      const trees = treesOf(layer, index)
      let device = 0
      if (index.dataBytes > 0) {
        // A path of links and directories alone needs no device, and equal contents need only one.
        device = slots.get(index.id) ?? blobs.push(this.#blobOf(index, []))
        slots.set(index.id, device)
        const { storePaths } = blobs[device - 1]!
        blobs[device - 1] = this.#blobOf(index, [...storePaths, ...layer.paths.map(({ path }) => path)])
      }
      for (const { path, tree } of trees) members.push({ name: baseNameOf(path), tree, device })
    }
    const image = metadataImage(members, blobs)
    await this.directory.writeImage(image, signal)
    const metadata: DeviceFile = {
      id: image.id,
      file: this.directory.imageFile(image.id),
      sizeBytes: image.bytes.length,
    }
    return { closure, metadata, blobs, names: members.map(({ name }) => name).sort() }
  }

  #blobOf(index: BlobIndex, storePaths: readonly string[]): Blob {
    const { id, sizeBytes } = index
    return { id, file: this.directory.blobFile(id), sizeBytes, storePaths: [...storePaths].sort() }
  }
}

function treesOf(layer: PlannedLayer, index: BlobIndex) {
  return layer.paths.map(({ path, narHash }) => {
    const member = index.members.find(
      (member) => member.narHash === narHash && (member.path ?? path) === path,
    )
    if (member === undefined) throw new TypeError(`the index of blob ${index.id} lacks ${path}`)
    return { path, tree: member.tree }
  })
}

/** A closure may come from a source that somebody else wrote; its paths become file names. */
function checkPaths(paths: readonly StorePathInfo[]): void {
  const seen = new Set<string>()
  for (const { path, narHash } of paths) {
    const parsed = parseStorePath(path)
    if (parsed.isErr()) fail(parsed.error)
    if (!/^[0-9a-f]{64}$/.test(narHash))
      throw new TypeError(`the narHash of ${path} is not 64 hexadecimal digits`)
    if (seen.has(path)) throw new TypeError(`${path} occurs twice in the closure`)
    seen.add(path)
  }
}

function within<T>(
  clock: Clock,
  what: string,
  { signal, deadlineMs = DEFAULT_DEADLINE_MS }: StoreOptions,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withDeadline(clock, what, deadlineMs, signal, body)
}
