import type { ResultAsync } from 'neverthrow'
import type { Blob } from '../blob/blob.js'
import type { StoreOptions } from '../closure.js'
import type { StoreError } from '../errors.js'
import { asResult, errorCode, fail, throwIfAborted, withDeadline } from '../failure.js'
import type { Clock } from '../powers.js'
import { quote } from '../quote.js'
import { countFrames, type FramePowers, type MappedRange } from './frames.js'
import type { BlobSharing, PathSharing, SharingReport, SharingUnit, UnitSharing } from './sharing.js'
import { fileMappings, SmapsMalformed } from './smaps.js'

/** What a report of sharing reads. */
export interface SharingPowers {
  /** Deadlines in milliseconds. */
  readonly clock: Clock
  /** Streams `/proc/PID/smaps`. */
  readSmaps(pid: number): AsyncIterable<Uint8Array>
  /** Device (`MAJOR:MINOR` in hexadecimal, two digits at least, as in smaps) and inode; undefined when gone. */
  identify(file: string): Promise<
    | {
        /** `MAJOR:MINOR` in hexadecimal. */
        readonly device: string
        /** Number of the inode on that device. */
        readonly inode: number
      }
    | undefined
  >
  /** Absent: the report is of sizes alone. */
  readonly frames?: FramePowers | undefined
}

const DEFAULT_DEADLINE_MS = 30_000

interface Tally {
  readonly blob: Blob
  /** By unit. */
  readonly held: Map<string, Held>
  readonly ranges: MappedRange[]
}

interface Held {
  rssBytes: number
  pssBytes: number
}

/**
 * How much of each blob the units' processes hold in memory, and how much of that they share.
 *
 * A mapping belongs to a blob when its path or its device and inode agree: a blob that was unlinked while
 * mapped is still found by path, one that was moved by inode. `Rss` counts a page once for every process,
 * `Pss` splits it among all processes that map it, so equal sums of Pss and of the resident file mean one copy.
 *
 * Needs the right to read the processes' smaps (same user and not hardened, or root). Fails with `system`
 * (a process is gone, permission), `timed-out`, `aborted`.
 */
export function sharingReport(
  units: readonly SharingUnit[],
  powers: SharingPowers,
  { signal, deadlineMs = DEFAULT_DEADLINE_MS }: StoreOptions = {},
): ResultAsync<SharingReport, StoreError> {
  return asResult(() =>
    withDeadline(powers.clock, 'Reading what the units share', deadlineMs, signal, async (signal) => {
      const { tallies, find } = await tallyBlobs(units, powers)
      for (const { unit, pids } of units) {
        for (const pid of new Set(pids)) {
          throwIfAborted(signal)
          await countProcess(unit, pid, find, powers, signal)
        }
      }
      const frames = await countFrames(
        powers.frames,
        tallies.map(({ ranges }) => ranges),
        signal,
      )
      return summarise(units, tallies, frames)
    }),
  )
}

type FindTally = (mapping: { path: string; device: string; inode: number }) => Tally | undefined

const add = (held: Held, more: Held): Held => ({
  rssBytes: held.rssBytes + more.rssBytes,
  pssBytes: held.pssBytes + more.pssBytes,
})
const nothing: Held = { rssBytes: 0, pssBytes: 0 }

async function tallyBlobs(
  units: readonly SharingUnit[],
  powers: SharingPowers,
): Promise<{ tallies: Tally[]; find: FindTally }> {
  const byId = new Map<string, Tally>()
  const byPath = new Map<string, Tally>()
  const byInode = new Map<string, Tally>()
  for (const blob of units.flatMap((unit) => unit.blobs)) {
    const known = byId.get(blob.id)
    const storePaths = [...new Set([...(known?.blob.storePaths ?? []), ...blob.storePaths])].sort()
    const tally: Tally = { blob: { ...blob, storePaths }, held: new Map(), ranges: [] }
    byId.set(blob.id, tally)
    byPath.set(blob.file, tally)
  }
  for (const tally of byId.values()) {
    const identity = await powers.identify(tally.blob.file)
    if (identity !== undefined) byInode.set(`${identity.device} ${identity.inode}`, tally)
  }
  const tallies = [...byId.values()].sort((a, b) => (a.blob.id < b.blob.id ? -1 : 1))
  return {
    tallies,
    find: ({ path, device, inode }) => byPath.get(path) ?? byInode.get(`${device} ${inode}`),
  }
}

async function countProcess(
  unit: string,
  pid: number,
  find: FindTally,
  powers: SharingPowers,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const mapping of fileMappings(powers.readSmaps(pid))) {
      throwIfAborted(signal)
      const tally = find(mapping)
      if (tally === undefined) continue
      tally.held.set(unit, add(tally.held.get(unit) ?? nothing, mapping))
      if (mapping.rssBytes > 0) tally.ranges.push({ unit, pid, ...mapping })
    }
  } catch (cause) {
    const code = errorCode(cause)
    if (code === undefined && !(cause instanceof SmapsMalformed)) throw cause
    const why =
      code === 'ENOENT' || code === 'ESRCH'
        ? 'the process has ended; ask for a report of running units only'
        : code === 'EACCES' || code === 'EPERM'
          ? 'permission was denied; run as the user of the monitor or as root'
          : quote((cause as Error).message)
    fail({
      kind: 'system',
      ...(code === undefined ? {} : { code }),
      cause,
      message: `What process ${pid} of unit ${quote(unit)} maps cannot be read: ${why}.`,
    })
  }
}

function summarise(
  units: readonly SharingUnit[],
  tallies: readonly Tally[],
  frames: Awaited<ReturnType<typeof countFrames>>,
): SharingReport {
  const blobs = tallies.map(({ blob, held }, index): BlobSharing => {
    const counted = frames.counts[index]
    return {
      id: blob.id,
      storePaths: blob.storePaths,
      sizeBytes: blob.sizeBytes,
      units: [...held.keys()].sort(),
      ...saved([...held.values()].reduce(add, nothing)),
      ...(counted === undefined ? {} : { frames: counted }),
    }
  })
  return {
    ...saved(blobs.reduce(add, nothing)),
    blobs,
    units: unitsOf(units, tallies),
    paths: pathsOf(blobs),
    proof: frames.proof,
  }
}

const saved = ({ rssBytes, pssBytes }: Held) => ({ rssBytes, pssBytes, savedBytes: rssBytes - pssBytes })

function unitsOf(units: readonly SharingUnit[], tallies: readonly Tally[]): readonly UnitSharing[] {
  const names = [...new Set(units.map(({ unit }) => unit))].sort()
  return names.map((unit) => {
    const own = tallies.filter(({ held }) => held.has(unit))
    const others = new Set(own.flatMap(({ held }) => [...held.keys()]))
    others.delete(unit)
    return {
      unit,
      ...saved(own.map(({ held }) => held.get(unit) ?? nothing).reduce(add, nothing)),
      sharesWith: [...others].sort(),
    }
  })
}

function pathsOf(blobs: readonly BlobSharing[]): readonly PathSharing[] {
  return blobs
    .flatMap(({ id, storePaths, units, rssBytes, pssBytes, savedBytes }) =>
      storePaths.map((storePath) => ({
        storePath,
        id,
        together: storePaths.filter((other) => other !== storePath),
        units,
        rssBytes,
        pssBytes,
        savedBytes,
      })),
    )
    .sort((a, b) => (a.storePath < b.storePath ? -1 : 1))
}
