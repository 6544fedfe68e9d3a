import { okAsync, type ResultAsync } from 'neverthrow'
import type {
  AttachAllOptions,
  Attachment,
  AttachOptions,
  Blob,
  NarChunks,
  OpenBlobCache,
  ShareAcross,
} from '../blob/blob.js'
import type { BlobIndex } from '../blob/blob-index.js'
import { blobId } from '../blob/blob-layout.js'
import { writeBlob } from '../blob/blob-writer.js'
import { BuildBuffers } from '../blob/buffers.js'
import { writeBlobFromNar } from '../blob/nar-blob-writer.js'
import type { Closure, StoreOptions, StorePathInfo } from '../closure.js'
import type { StoreError } from '../errors.js'
import { asResult, fail, withDeadline } from '../failure.js'
import { parseStorePath } from '../nix/store-path.js'
import type { CacheFiles, Clock, OpenFiles, OutputFile, Owners, TreeReader } from '../powers.js'
import { quote } from '../quote.js'
import { limitConcurrency } from '../tree.js'
import { assemble, type Built, blobOf } from './assemble.js'
import { CacheDirectory } from './cache-directory.js'
import { type Collection, type CollectOptions, collectGarbage } from './collect.js'
import type { DeviceDirectory } from './device-directory.js'
import { type PlannedLayer, planLayers } from './layers.js'
import { PathSources } from './path-sources.js'
import { SharedWork } from './shared-work.js'
import { type Verification, type VerifyOptions, verifyCache } from './verify.js'
import { CacheVerity, type FileVerity } from './verity.js'

/** What a blob cache needs of the world; `cacheFiles` and its neighbours in `/linux` are the real ones. */
export interface BlobCachePowers {
  /** Deadlines in milliseconds. */
  readonly clock: Clock
  /** Reads the store paths whose data is copied. */
  readonly tree: TreeReader
  /** Reads and writes the cache's directory. */
  readonly files: CacheFiles
  /** Names this process in leases, and tells whether others still run. */
  readonly owners: Owners
  /** Which files any process has open or maps. */
  readonly openFiles: OpenFiles
  /** Absent: blobs are not protected by fs-verity. */
  readonly verity?: FileVerity | undefined
}

/** Where a blob cache finds data and keeps what is unfinished. Default deadline of what it does: 600 s. */
export interface BlobCacheOptions extends StoreOptions {
  /** Where the data of a store path lies on the host: `locate` of the `StoreSource`. Default: the path itself. */
  readonly locate?: ((storePath: string) => string) | undefined
  /**
   * Absolute path on the same file system: every unfinished file lies there, and nowhere else, until it is
   * renamed into place. Default: `temporary` in the cache's directory, shared by all who open the cache.
   */
  readonly temporaryDirectory?: string | undefined
  /**
   * Whether the kernel is to check blobs whenever it reads them from the disk: where it finds damage, a unit that
   * maps the page ends (SIGBUS) instead of running something else. Default: where the file system supports it; what
   * became of it, `verify` says.
   */
  readonly verity?: 'where-supported' | 'off' | undefined
}

const DEFAULT_DEADLINE_MS = 600_000
const DEFAULT_DEVICE_BUDGET = 24

/** Hashing keeps one core busy; other builds overlap with it by reading, writing and waiting for the disk. */
const CONCURRENT_BUILDS = 4

/**
 * Opens the blob cache in a directory, which is made if it does not exist, and removes the temporary files of
 * builders that no longer run. Fails with `no-space` and `system`.
 */
export function openBlobCache(
  powers: BlobCachePowers,
  directory: string,
  options: BlobCacheOptions = {},
): ResultAsync<OpenBlobCache, StoreError> {
  return asResult(() =>
    within(powers.clock, 'Opening the blob cache', options, async () => {
      const { files, owners, clock } = powers
      const verity = new CacheVerity(options.verity === 'off' ? undefined : powers.verity)
      const root = directory.replace(/(.)\/+$/, '$1')
      const cache = new CacheDirectory(root, files, owners, clock, options.temporaryDirectory, verity)
      await cache.prepare()
      const locate = options.locate ?? ((storePath: string) => storePath)
      return new DirectoryBlobCache(powers, cache, new PathSources(powers.tree, locate, files, cache.shared))
    }),
  )
}

/** Units whose files may be the same, planned together. */
interface Domain {
  readonly devices: DeviceDirectory
  readonly units: readonly string[]
}

class DirectoryBlobCache implements OpenBlobCache {
  readonly #building = new SharedWork<BlobIndex>()
  readonly #buffers = new BuildBuffers()
  readonly #limit = limitConcurrency(CONCURRENT_BUILDS)
  /** What each object that was given out holds, and its private directory. */
  readonly #given = new WeakMap<
    object,
    { readonly names: readonly string[]; readonly devices: DeviceDirectory }
  >()

  constructor(
    readonly powers: BlobCachePowers,
    readonly directory: CacheDirectory,
    readonly sources: PathSources,
  ) {}

  blob(info: StorePathInfo, options: StoreOptions = {}): ResultAsync<Blob, StoreError> {
    return asResult(() =>
      within(this.powers.clock, `Building the blob of ${quote(info.path)}`, options, (signal) =>
        this.#single(info, signal, (output, signal) =>
          writeBlob([info], this.sources, output, signal, this.#buffers),
        ),
      ),
    )
  }

  importNar(info: StorePathInfo, nar: NarChunks, options: StoreOptions = {}): ResultAsync<Blob, StoreError> {
    return asResult(() =>
      within(this.powers.clock, `Importing ${quote(info.path)}`, options, (signal) =>
        this.#single(info, signal, (output, signal) =>
          writeBlobFromNar(info, nar(signal), output, signal, this.#buffers),
        ),
      ),
    )
  }

  attach(closure: Closure, options: AttachOptions = {}): ResultAsync<Attachment, StoreError> {
    const { present, shareAcross, ...rest } = options
    const sharing = shareAcross === undefined ? undefined : new Map([['', shareAcross]])
    return this.#attach(new Map([['', closure]]), { ...rest, sharing }, present ?? []).map(
      (units) => units.get('')!,
    )
  }

  attachAll(
    closures: ReadonlyMap<string, Closure>,
    options: AttachAllOptions = {},
  ): ResultAsync<ReadonlyMap<string, Attachment>, StoreError> {
    return this.#attach(closures, options, [])
  }

  release(held: Attachment | Blob): ResultAsync<void, StoreError> {
    const given = this.#given.get(held)
    if (given === undefined) return okAsync(undefined)
    this.#given.delete(held)
    return asResult(async () => {
      await this.directory.leases.drop(given.names)
      if (!this.directory.isPrivate(given.devices)) return
      for (const { name } of await given.devices.list()) await given.devices.remove(name)
      await given.devices.removeEmpty()
    })
  }

  collect(options: CollectOptions = {}): ResultAsync<Collection, StoreError> {
    const { clock, openFiles } = this.powers
    return asResult(() =>
      within(clock, 'Collecting what nobody uses', options, (signal) =>
        collectGarbage(this.directory, openFiles, options, signal),
      ),
    )
  }

  verify(options: VerifyOptions = {}): ResultAsync<Verification, StoreError> {
    return asResult(() =>
      within(this.powers.clock, 'Verifying the blob cache', options, (signal) =>
        verifyCache(this.directory, options, signal),
      ),
    )
  }

  close(): ResultAsync<void, StoreError> {
    return asResult(() => this.directory.leases.close())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What could not be removed of the leases, the next one to open the cache removes.
    await this.close()
  }

  async #single(
    info: StorePathInfo,
    signal: AbortSignal,
    write: (output: OutputFile, signal: AbortSignal) => Promise<BlobIndex>,
  ): Promise<Blob> {
    checkPaths([info])
    const devices = this.directory.shared
    return this.#leased(async (hold) => {
      const names = [this.directory.leaseName(devices.blobFile(info.narHash))]
      await hold(names, signal)
      const blob = blobOf(devices, await this.#index([info], devices, signal, write), [info.path])
      this.#given.set(blob, { names, devices })
      return blob
    })
  }

  #attach(
    closures: ReadonlyMap<string, Closure>,
    options: AttachAllOptions,
    present: readonly Blob[],
  ): ResultAsync<ReadonlyMap<string, Attachment>, StoreError> {
    return asResult(() =>
      within(this.powers.clock, 'Attaching the closure', options, async (signal) => {
        for (const closure of closures.values()) checkPaths(closure.paths)
        const held = await this.#presentLayers([...closures.values()], present)
        const budget = options.deviceBudget ?? DEFAULT_DEVICE_BUDGET
        const attachments = new Map<string, Attachment>()
        for (const domain of await this.#domains([...closures.keys()], options.sharing)) {
          const own = new Map(domain.units.map((unit) => [unit, closures.get(unit)!]))
          for (const [unit, attachment] of await this.#attachDomain(own, domain, held, budget, signal)) {
            attachments.set(unit, attachment)
          }
        }
        return new Map([...closures.keys()].map((unit) => [unit, attachments.get(unit)!]))
      }),
    )
  }

  async #domains(
    units: readonly string[],
    sharing: ReadonlyMap<string, ShareAcross> | undefined,
  ): Promise<readonly Domain[]> {
    const domains = new Map<DeviceDirectory, string[]>()
    for (const unit of units) {
      const devices = await this.directory.devicesFor(sharing?.get(unit) ?? { across: 'all' })
      domains.set(devices, [...(domains.get(devices) ?? []), unit])
    }
    return [...domains].map(([devices, units]) => ({ devices, units }))
  }

  async #attachDomain(
    closures: ReadonlyMap<string, Closure>,
    { devices }: Domain,
    held: readonly Built[],
    budget: number,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Attachment>> {
    const heldPaths = new Set(held.flatMap(({ layer }) => layer.paths.map(({ path }) => path)))
    const wanted = [...closures.values()].map((closure) => ({
      ...closure,
      paths: closure.paths.filter(({ path }) => !heldPaths.has(path)),
    }))
    const planned = planLayers(wanted, budget)
    if (planned.isErr()) return fail(planned.error)
    const { layers, duplicates } = planned.value
    return this.#leased(async (hold) => {
      const fileOf = (layer: PlannedLayer) => this.directory.leaseName(devices.blobFile(blobId(layer.paths)))
      const names = [...closures.keys()].map((_, position) => [
        ...held.map(({ devices, index }) => this.directory.leaseName(devices.blobFile(index.id))),
        ...layers.filter(({ holders }) => holders.includes(position)).map(fileOf),
      ])
      await hold(names.flat(), signal)
      const built = await this.#buildAll(layers, devices, signal)
      const parts = [...closures.values()].map((closure, position) => {
        const own = built.filter(({ layer }) => layer.holders.includes(position))
        return assemble(closure, [...held, ...own])
      })
      const imageNames = parts.map(({ image }) => this.directory.leaseName(devices.imageFile(image.id)))
      await hold(imageNames, signal)
      const attachments = new Map<string, Attachment>()
      for (const [position, [unit, closure]] of [...closures].entries()) {
        const { image, blobs, members } = parts[position]!
        await devices.writeImage(image, signal)
        const copies = duplicates.filter(({ path }) => closure.paths.some((info) => info.path === path))
        const attachment: Attachment = {
          closure,
          metadata: { id: image.id, file: devices.imageFile(image.id), sizeBytes: image.bytes.length },
          blobs,
          names: members.map(({ name }) => name).sort(),
          ...(copies.length === 0 ? {} : { duplicates: copies }),
        }
        attachments.set(unit, attachment)
        this.#given.set(attachment, { names: [...names[position]!, imageNames[position]!], devices })
      }
      return attachments
    })
  }

  /** Whatever `work` took a lease on is released again when it fails. */
  async #leased<T>(
    work: (hold: (names: readonly string[], signal: AbortSignal) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    const { leases } = this.directory
    const taken: string[] = []
    try {
      return await work(async (names, signal) => {
        await leases.hold(names, signal)
        taken.push(...names)
      })
    } catch (thrown) {
      await leases.drop(taken)
      throw thrown
    }
  }

  /** The blobs that the unit has already, as far as the closure can use them. */
  async #presentLayers(closures: readonly Closure[], present: readonly Blob[]): Promise<Built[]> {
    const wanted = new Map(closures.flatMap(({ paths }) => paths.map((info) => [info.path, info])))
    const held: Built[] = []
    for (const blob of present) {
      const devices = this.directory.devicesOf(blob.file)
      const index = await devices?.readBlob(blob.id)
      if (devices === undefined || index === undefined) continue
      const hashes = new Set(index.members.map(({ narHash }) => narHash))
      const paths = blob.storePaths.flatMap((path) => {
        const info = wanted.get(path)
        if (info === undefined || !hashes.has(info.narHash)) return []
        wanted.delete(path)
        return [info]
      })
      if (paths.length > 0) held.push({ layer: { paths, holders: [0] }, index, devices })
    }
    return held
  }

  /** One failure ends the other builds before it is reported. */
  async #buildAll(
    plan: readonly PlannedLayer[],
    devices: DeviceDirectory,
    signal: AbortSignal,
  ): Promise<Built[]> {
    const controller = new AbortController()
    const onAbort = () => controller.abort(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    let first: { readonly cause: unknown } | undefined
    try {
      const settled = await Promise.all(
        plan.map(async (layer) => {
          try {
            const index = await this.#limit(() =>
              this.#index(layer.paths, devices, controller.signal, (output, signal) =>
                writeBlob(layer.paths, this.sources, output, signal, this.#buffers),
              ),
            )
            return [{ layer, index, devices }]
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

  async #index(
    members: readonly StorePathInfo[],
    devices: DeviceDirectory,
    signal: AbortSignal,
    write: (output: OutputFile, signal: AbortSignal) => Promise<BlobIndex>,
  ): Promise<BlobIndex> {
    const id = blobId(members)
    return this.#building.run(
      devices.blobFile(id),
      signal,
      async (signal) =>
        (await devices.readBlob(id)) ??
        (await devices.writeBlob(id, signal, (output) => write(output, signal))),
    )
  }
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
