import { ok, type Result } from 'neverthrow'
import { parseDecimal, parseFields } from './lines.js'
import { found, type MalformedError, malformed } from './malformed.js'

/** What a binary cache says of itself in `nix-cache-info`. */
export interface CacheInfo {
  /** `/nix/store`, or the cache is for other stores and of no use here. */
  readonly storeDirectory: string
  /** Whether it wants to be asked for many paths at once. */
  readonly wantMassQuery: boolean
  /** Lower is asked earlier. Nix takes 50 where a cache is silent. */
  readonly priority: number
}

const MAX_BYTES = 64 << 10

/**
 * Format: Nix, libstore/binary-cache-store.cc. The file is often written by hand, so its last line need not end;
 * unknown keys are skipped and StoreDir is `/nix/store` where it is not said.
 */
export function parseCacheInfo(input: Uint8Array | string): Result<CacheInfo, MalformedError> {
  const text = typeof input === 'string' ? input : new TextDecoder('latin1').decode(input)
  const whole = text === '' || text.endsWith('\n') ? text : `${text}\n`
  return parseFields('nix-cache-info', whole, MAX_BYTES).andThen((fields) => {
    const values = new Map(fields.map((field) => [field.key, field]))
    const storeDirectory = values.get('StoreDir')?.value ?? '/nix/store'
    const wantMassQuery = values.get('WantMassQuery')?.value ?? '0'
    const priority = values.get('Priority')
    const number = priority === undefined ? 50 : parseDecimal(priority.value.trim())
    if (!/^(?:\/[^/ ]+)+$/.test(storeDirectory.trim())) {
      return malformed('nix-cache-info', `StoreDir is ${found(storeDirectory)}`, values.get('StoreDir')!)
    }
    if (number === undefined) return malformed('nix-cache-info', 'Priority is no number', priority!)
    return ok({
      storeDirectory: storeDirectory.trim(),
      wantMassQuery: wantMassQuery.trim() === '1',
      priority: number,
    })
  })
}

/** The text of `nix-cache-info`. */
export function formatCacheInfo({ storeDirectory, wantMassQuery, priority }: CacheInfo): string {
  return `StoreDir: ${storeDirectory}\nWantMassQuery: ${wantMassQuery ? 1 : 0}\nPriority: ${priority}\n`
}
