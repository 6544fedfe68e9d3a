import { throwIfAborted } from '../failure.js'
import { quote } from '../quote.js'
import type { FrameCount, SharingReport } from './sharing.js'

/** One mapping of a file by one process of a unit. Addresses and bytes. */
export interface MappedRange {
  readonly unit: string
  readonly pid: number
  readonly start: number
  readonly end: number
  /** Where in the file it begins. */
  readonly offset: number
}

/** Two tables of the kernel, 64 bits an entry. Source: Linux, Documentation/admin-guide/mm/pagemap.rst. */
export interface FramePowers {
  /**
   * The entries of `/proc/PID/pagemap` for so many pages from this one on; fewer at its end. Rejects with `EACCES` or
   * `EPERM` where they may not be read.
   */
  pagemap(pid: number, page: number, count: number): Promise<BigUint64Array>
  /** The entries of `/proc/kpagecount`: how often each frame is mapped. */
  mapCounts(frame: number, count: number): Promise<BigUint64Array>
}

const PAGE_BYTES = 4096
/** Entries that are read at once: 512 KiB. */
const ENTRIES = 65_536
/** Frames that lie closer together than this are read with what lies between them. */
const GAP = 512
const PRESENT = 1n << 63n
const FRAME = (1n << 55n) - 1n

/** Which frames lie behind each list of ranges, and whether that could be read. */
export async function countFrames(
  powers: FramePowers | undefined,
  files: readonly (readonly MappedRange[])[],
  signal: AbortSignal,
): Promise<{
  readonly counts: readonly (FrameCount | undefined)[]
  readonly proof: SharingReport['proof']
}> {
  const none = (message: string) => ({ counts: [], proof: { kind: 'not-permitted' as const, message } })
  if (powers === undefined) return none('Frame numbers were not asked for.')
  try {
    const counts: FrameCount[] = []
    for (const ranges of files) counts.push(await countFile(powers, ranges, signal))
    return { counts, proof: { kind: 'frames' } }
  } catch (cause) {
    const why = refusal(cause)
    if (why === undefined) throw cause
    return none(
      `Frame numbers cannot be read: ${why}. They take CAP_SYS_ADMIN: run as root to have the proof too.`,
    )
  }
}

class Hidden extends Error {}

function refusal(cause: unknown): string | undefined {
  if (cause instanceof Hidden) return cause.message
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EACCES' || code === 'EPERM' || code === 'ENOENT' || code === 'ESRCH')
    return quote((cause as Error).message)
  return undefined
}

async function countFile(
  powers: FramePowers,
  ranges: readonly MappedRange[],
  signal: AbortSignal,
): Promise<FrameCount> {
  const pages = new Set<number>()
  /** The unit that maps a frame, or that several do. */
  const mappers = new Map<number, string | true>()
  for (const range of ranges) {
    const first = Math.floor(range.start / PAGE_BYTES)
    const total = Math.floor((range.end - range.start) / PAGE_BYTES)
    const filePage = Math.floor(range.offset / PAGE_BYTES)
    for (let at = 0; at < total; at += ENTRIES) {
      throwIfAborted(signal)
      const entries = await powers.pagemap(range.pid, first + at, Math.min(ENTRIES, total - at))
      for (const [index, entry] of entries.entries()) {
        if ((entry & PRESENT) === 0n) continue
        const frame = Number(entry & FRAME)
        if (frame === 0) throw new Hidden('the kernel hides them from this user')
        pages.add(filePage + at + index)
        const mapper = mappers.get(frame)
        mappers.set(frame, mapper === undefined || mapper === range.unit ? range.unit : true)
      }
    }
  }
  return {
    filePages: pages.size,
    frames: mappers.size,
    shared: [...mappers.values()].filter((mapper) => mapper === true).length,
    mappings: await countMappings(powers, [...mappers.keys()], signal),
  }
}

async function countMappings(
  powers: FramePowers,
  frames: number[],
  signal: AbortSignal,
): Promise<number | undefined> {
  const sorted = frames.sort((a, b) => a - b)
  let mappings = 0
  try {
    for (let at = 0; at < sorted.length; ) {
      throwIfAborted(signal)
      const first = sorted[at]!
      let end = at + 1
      while (end < sorted.length && sorted[end]! - sorted[end - 1]! <= GAP && sorted[end]! - first < ENTRIES)
        end++
      const counts = await powers.mapCounts(first, sorted[end - 1]! - first + 1)
      for (; at < end; at++) mappings += Number(counts[sorted[at]! - first] ?? 0n)
    }
    return mappings
  } catch (cause) {
    if (refusal(cause) === undefined) throw cause
    return undefined
  }
}
