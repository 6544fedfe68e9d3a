import type { ResultAsync } from 'neverthrow'
import { toByteString } from '../../byte-string.js'
import type { StoreOptions, StorePathInfo } from '../../closure.js'
import type { StoreError } from '../../errors.js'
import { asResult, fail, withDeadline } from '../../failure.js'
import type { ChunkHash, Clock, TreeReader } from '../../powers.js'
import { quote } from '../../quote.js'
import { formatNarHash } from '../nar-hash.js'
import { transientNarChunks } from './writer.js'

/** SHA-256 and length of a NAR. */
export interface NarSummary {
  /** SHA-256, 64 lower-case hexadecimal digits. */
  readonly narHash: string
  /** Bytes. */
  readonly narSize: number
}

/** What hashing a path needs of the world. */
export interface NarHashPowers {
  /** Deadlines in milliseconds. */
  readonly clock: Clock
  /** Reads what is hashed. */
  readonly tree: TreeReader
  /** A fresh SHA-256. */
  readonly sha256: () => ChunkHash
}

const DEFAULT_DEADLINE_MS = 600_000

/**
 * Hash and size of the NAR of what lies at `location`, which is not written anywhere.
 *
 * Fails with `missing-reference` when nothing is there, `unsupported-file`, `system`, `timed-out` and `aborted`.
 */
export function hashNar(
  { clock, tree, sha256 }: NarHashPowers,
  location: string,
  { signal: callerSignal, deadlineMs = DEFAULT_DEADLINE_MS }: StoreOptions = {},
): ResultAsync<NarSummary, StoreError> {
  return asResult(() =>
    withDeadline(clock, `Hashing ${quote(location)}`, deadlineMs, callerSignal, async (signal) => {
      using hash = sha256()
      let narSize = 0
      for await (const chunk of transientNarChunks(tree, toByteString(location), signal, hash.mostHeld)) {
        await hash.update(chunk)
        narSize += chunk.length
      }
      return { narHash: await hash.digest(), narSize }
    }),
  )
}

/** As `nix-store --verify-path`: what lies at `location` is what was registered, or `hash-mismatch`. */
export function verifyNar(
  powers: NarHashPowers,
  { path, narHash, narSize }: Pick<StorePathInfo, 'path' | 'narHash' | 'narSize'>,
  location: string,
  options: StoreOptions = {},
): ResultAsync<void, StoreError> {
  return hashNar(powers, location, options).andThen((actual) =>
    asResult(async () => {
      if (actual.narHash === narHash && actual.narSize === narSize) return
      fail({
        kind: 'hash-mismatch',
        path,
        expected: narHash,
        actual: actual.narHash,
        message: `The contents of ${quote(path)} hash to ${formatNarHash(actual.narHash)} (${actual.narSize} bytes), but ${formatNarHash(narHash)} (${narSize} bytes) was registered; the path was changed or damaged. Repair it with nix-store --repair-path.`,
      })
    }),
  )
}
