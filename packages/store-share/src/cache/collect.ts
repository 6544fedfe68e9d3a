import type { StoreOptions } from '../closure.js'
import { throwIfAborted } from '../failure.js'
import type { OpenFiles } from '../powers.js'
import type { CacheDirectory } from './cache-directory.js'
import type { DeviceDirectory, NamedFile } from './device-directory.js'

/** What a collection leaves alone. */
export interface CollectOptions extends StoreOptions {
  /** Device files that units map, as far as the caller knows; leases and the kernel are asked in any case. */
  readonly inUse?:
    | Iterable<{
        /** Of the device file. */
        readonly id: string
      }>
    | undefined
  /** Ids (a blob's, or the `narHash` of a path) that stay although nobody uses them. */
  readonly keep?: Iterable<string> | undefined
  /** Only says what would go. */
  readonly dryRun?: boolean | undefined
}

/** What a collection removed, or would have. */
export interface Collection {
  /** Device files that are gone, or would be. */
  readonly removed: readonly {
    /** Absolute path. */
    readonly file: string
    /** Bytes that it took on the disk. */
    readonly freedBytes: number
  }[]
  /** What they took on the disk. Where a unit maps one all the same, the space is free when the unit ends. */
  readonly freedBytes: number
  /** How many device files stay, by the first reason that holds. */
  readonly kept: {
    /** Somebody who runs has been given it and not released it. */
    readonly leased: number
    /** A process has it open or maps it. */
    readonly open: number
    /** The caller said that it is in use. */
    readonly inUse: number
    /** The caller wants to keep it. */
    readonly wanted: number
  }
}

/** Removals between two looks at the leases: others wait that long at most. */
const BATCH = 32

interface Candidate {
  readonly devices: DeviceDirectory
  readonly file: NamedFile
  readonly path: string
  readonly freedBytes: number
}

/** See `BlobCacheUpkeep.collect`. */
export async function collectGarbage(
  cache: CacheDirectory,
  openFiles: OpenFiles,
  options: CollectOptions,
  signal: AbortSignal,
): Promise<Collection> {
  await cache.removeUnfinished()
  const inUse = new Set([...(options.inUse ?? [])].map(({ id }) => id))
  const wanted = new Set(options.keep ?? [])
  const open = await openFiles(signal)
  throwIfAborted(signal)

  const kept = { leased: 0, open: 0, inUse: 0, wanted: 0 }
  const candidates: Candidate[] = []
  for (const devices of await cache.all()) {
    const files = await devices.list()
    const blobs = new Set(files.filter(({ kind }) => kind === 'blob').map(({ name }) => name))
    for (const file of files) {
      const path = `${devices.root}/${file.name}`
      const identity = await cache.files.identify(path)
      // An index goes with its blob; one without a blob is of no use.
      if (identity === undefined || (file.kind === 'index' && blobs.has(blobOf(file.name)))) continue
      if (open.has(identity.key)) kept.open++
      else if (inUse.has(file.id)) kept.inUse++
      else if (wanted.has(file.id) && !cache.isPrivate(devices)) kept.wanted++
      else candidates.push({ devices, file, path, freedBytes: identity.allocatedBytes })
    }
  }

  const removed: Candidate[] = []
  for (let at = 0; at < candidates.length; at += BATCH) {
    throwIfAborted(signal)
    const taken: (() => Promise<void>)[] = []
    await cache.leases.collecting(async (held) => {
      for (const candidate of candidates.slice(at, at + BATCH)) {
        if (isHeld(cache, candidate, held)) {
          kept.leased++
          continue
        }
        const free = options.dryRun === true ? async () => {} : await takeAway(candidate)
        // Another collection may have been first.
        if (free === undefined) continue
        taken.push(free)
        removed.push(candidate)
      }
    })
    for (const free of taken) await free()
  }
  if (options.dryRun !== true) await removeEmptyPrivate(cache)
  return {
    removed: removed.map(({ path, freedBytes }) => ({ file: path, freedBytes })),
    freedBytes: removed.reduce((sum, { freedBytes }) => sum + freedBytes, 0),
    kept,
  }
}

function isHeld(cache: CacheDirectory, { path }: Candidate, held: ReadonlySet<string>): boolean {
  // A lease names the blob; an index that waits for its blob is of a build under way.
  return held.has(cache.leaseName(path)) || held.has(cache.leaseName(blobOf(path)))
}

/** The index first: a blob without one is only indexed again, whenever this is interrupted. */
async function takeAway({ devices, file }: Candidate): Promise<(() => Promise<void>) | undefined> {
  if (file.kind === 'blob') await devices.remove(file.name.replace(/blob$/, 'json'))
  return devices.takeAway(file.name)
}

function blobOf(indexName: string): string {
  return indexName.replace(/json$/, 'blob')
}

/** Of attachments that were released, or whose process has died. */
async function removeEmptyPrivate(cache: CacheDirectory): Promise<void> {
  for (const devices of await cache.all()) {
    if (!cache.isPrivate(devices) || (await devices.list()).length > 0) continue
    await cache.leases.collecting(async (held) => {
      const below = `${cache.leaseName(devices.root)}/`
      if (![...held].some((name) => name.startsWith(below))) await devices.removeEmpty()
    })
  }
}
