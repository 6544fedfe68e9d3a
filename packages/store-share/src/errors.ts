import type { MalformedError } from './nix/malformed.js'

/** What an operation on stores, caches and blobs ends with when it fails, told apart by `kind`. */
export type StoreError =
  | { readonly kind: 'not-a-store-path'; readonly message: string; readonly path: string }
  /** The path is not valid in this store. */
  | { readonly kind: 'missing-path'; readonly message: string; readonly path: string }
  /** A path of the closure is registered but its data is gone, or a reference is not registered. */
  | {
      readonly kind: 'missing-reference'
      readonly message: string
      readonly path: string
      readonly referrer?: string
    }
  | {
      readonly kind: 'hash-mismatch'
      readonly message: string
      readonly path: string
      readonly expected: string
      readonly actual: string
    }
  /** What a cache sent for a path is no NAR; `offset` says where. */
  | {
      readonly kind: 'malformed-nar'
      readonly message: string
      readonly path: string
      readonly offset?: number
    }
  /** Every cache that has the path failed to deliver it; the last failure of each. */
  | {
      readonly kind: 'fetch-failed'
      readonly message: string
      readonly path: string
      readonly failures: readonly { readonly cache: string; readonly error: StoreError | CacheFailure }[]
    }
  | { readonly kind: 'unsupported-file'; readonly message: string; readonly path: string }
  | {
      readonly kind: 'device-budget'
      readonly message: string
      readonly needed: number
      readonly budget: number
    }
  | { readonly kind: 'no-space'; readonly message: string; readonly file: string }
  | { readonly kind: 'store-command'; readonly message: string; readonly stderr: string }
  /** What came from a cache, a database or a file is not what its format says. */
  | MalformedError
  | { readonly kind: 'timed-out'; readonly message: string }
  | { readonly kind: 'aborted'; readonly message: string }
  | { readonly kind: 'system'; readonly message: string; readonly code?: string; readonly cause?: unknown }

/** One binary cache did not answer as it should. */
export interface CacheFailure {
  readonly kind: 'cache-failed'
  readonly message: string
  /** What was asked for, without credentials. */
  readonly url: string
  /**
   * `unreachable`: no connection, or it broke again and again. `stalled`: nothing came in time. `status`: an answer
   * that is neither the file nor its absence. `redirects`: too many, or to where none may lead. `too-large`: more than
   * announced or allowed. `malformed`: not what the format says. `unsupported`: a compression or address not known
   * here. `certificate`: the server could be anyone, or an authority that was named is no certificate.
   */
  readonly reason:
    | 'unreachable'
    | 'stalled'
    | 'status'
    | 'redirects'
    | 'too-large'
    | 'malformed'
    | 'unsupported'
    | 'certificate'
  readonly status?: number
  readonly cause?: unknown
}
