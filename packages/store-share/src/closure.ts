import type { ResultAsync } from 'neverthrow'
import type { StoreError } from './errors.js'

/** One valid store path, as the store's database knows it. */
export interface StorePathInfo {
  /** `/nix/store/HASH-NAME`. */
  readonly path: string
  /** SHA-256 of the path's NAR serialisation, 64 lower-case hexadecimal digits. */
  readonly narHash: string
  /** Bytes of the NAR. */
  readonly narSize: number
  /** Store paths, sorted, without the path itself. */
  readonly references: readonly string[]
}

/** Store paths together with everything they reference: nothing is missing, nothing is double, sorted by path. */
export interface Closure {
  /** The store paths that were asked for, sorted. */
  readonly roots: readonly string[]
  /** The roots and everything they reference, sorted by path. */
  readonly paths: readonly StorePathInfo[]
}

/** Options of everything that waits. */
export interface StoreOptions {
  /** Aborting it ends the operation, as `aborted`. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds, after which it ends as `timed-out`; every operation has a default. */
  readonly deadlineMs?: number | undefined
}

/** Where store paths come from. */
export interface StoreSource {
  /** The closure of these roots. Fails with `not-a-store-path`, `missing-path`, `missing-reference`. */
  closure(roots: readonly string[], options?: StoreOptions): ResultAsync<Closure, StoreError>
  /** Where the data of a store path lies on the host (a relocated store differs from `/nix/store`). */
  locate(storePath: string): string
}
