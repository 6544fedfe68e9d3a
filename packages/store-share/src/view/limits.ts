import type { FuseLimits } from './fuse/server.js'
import type { MemoryLimits } from './memory/regions.js'

/** Everything that a guest or its monitor could otherwise make grow. */
export interface ViewLimits extends FuseLimits, MemoryLimits {
  /** Paths that are granted at the same time; 16 384 by default, at most 262 144. */
  readonly maxGrants: number
}

const GIB = 2 ** 30

/** What a view allows a guest unless its host says otherwise. */
export const DEFAULT_LIMITS: ViewLimits = {
  maxGrants: 16_384,
  maxNodes: 1_048_576,
  maxOpenDirectories: 256,
  maxOpenFiles: 512,
  maxListedEntries: 1_048_576,
  maxRegions: 64,
  maxMemoryBytes: 1024 * GIB,
  allowUnsealed: false,
}

/** What makes sense of each: beyond, a bound would be none. */
const MOST: Readonly<Record<Exclude<keyof ViewLimits, 'allowUnsealed'>, number>> = {
  maxGrants: 262_144,
  maxNodes: 16_777_216,
  maxOpenDirectories: 65_536,
  maxOpenFiles: 65_536,
  maxListedEntries: 16_777_216,
  // What the kernel's vhost has.
  maxRegions: 509,
  maxMemoryBytes: 16 * 1024 * GIB,
}

/** The limits with the defaults filled in; throws for what is no bound, which is a programmer's mistake. */
export function completeLimits(given: Partial<ViewLimits> = {}): ViewLimits {
  const limits = { ...DEFAULT_LIMITS, ...given }
  for (const [name, most] of Object.entries(MOST)) {
    const value = limits[name as keyof typeof MOST]
    if (!Number.isInteger(value) || value < 1 || value > most) {
      throw new RangeError(`${name}: ${value}; use a whole number from 1 to ${most}`)
    }
  }
  return limits
}
