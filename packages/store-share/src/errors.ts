import type { MalformedError } from './nix/malformed.js'

/**
 * What an operation on stores, caches and blobs ends with when it fails, told apart by `kind`. `message` says what to do and is safe
 * to print: what came from caches, files and programs is escaped in it.
 */
export type StoreError =
  /** Not `/nix/store/HASH-NAME` with 32 characters of Nix's base-32 and a name that Nix allows. */
  | {
      readonly kind: 'not-a-store-path'
      readonly message: string
      /** What was given as one. */
      readonly path: string
    }
  /** The path is not valid in this store. */
  | {
      readonly kind: 'missing-path'
      readonly message: string
      /** The store path. */
      readonly path: string
    }
  /** A path of the closure is registered but its data is gone, or a reference is not registered. */
  | {
      readonly kind: 'missing-reference'
      readonly message: string
      /** The store path that is not there. */
      readonly path: string
      /** The store path that references it; absent for a root. */
      readonly referrer?: string
    }
  /**
   * The data is not what was registered or signed: `expected` and `actual` are its NAR hash, `sha256:BASE32`. Nothing of it is
   * visible in the cache.
   */
  | {
      readonly kind: 'hash-mismatch'
      readonly message: string
      /** The store path. */
      readonly path: string
      /** What was registered or signed: `sha256:BASE32`. */
      readonly expected: string
      /** What the data has: `sha256:BASE32`. */
      readonly actual: string
    }
  /** What a cache sent for a path is no NAR; `offset` says where. */
  | {
      readonly kind: 'malformed-nar'
      readonly message: string
      /** The store path. */
      readonly path: string
      /** Bytes from the beginning of the NAR. */
      readonly offset?: number
    }
  /** Every cache that has the path failed to deliver it; the last failure of each. */
  | {
      readonly kind: 'fetch-failed'
      readonly message: string
      /** The store path. */
      readonly path: string
      /** One for each cache that has the path. */
      readonly failures: readonly {
        /** Name of the cache. */
        readonly cache: string
        /** The last that it failed with. */
        readonly error: StoreError | CacheFailure
      }[]
    }
  /** What lies at `path` is none of what a store path holds: regular files, directories, symbolic links. */
  | {
      readonly kind: 'unsupported-file'
      readonly message: string
      /** Absolute path on the host. */
      readonly path: string
    }
  /** The paths need more devices than the `budget` of them. */
  | {
      readonly kind: 'device-budget'
      readonly message: string
      /** Devices that they would take. */
      readonly needed: number
      /** Devices that there may be. */
      readonly budget: number
    }
  /** The disk, or this user's share of it, is full. What was unfinished has been removed. */
  | {
      readonly kind: 'no-space'
      readonly message: string
      /** Absolute path of what could not be written. */
      readonly file: string
    }
  /** Nix's own command is absent or failed; the end of what it said is `stderr`, escaped. */
  | {
      readonly kind: 'store-command'
      readonly message: string
      /** Escaped, and cut at its beginning. */
      readonly stderr: string
    }
  /** What came from a cache, a database or a file is not what its format says. */
  | MalformedError
  /** The deadline has passed. What was whole by then stays in the cache. */
  | { readonly kind: 'timed-out'; readonly message: string }
  /** The caller's signal has aborted; what was whole by then stays in the cache. */
  | { readonly kind: 'aborted'; readonly message: string }
  /** This machine: a file, a process, the network. `code`: the system's name of the error, `EACCES` … */
  | {
      readonly kind: 'system'
      readonly message: string
      /** The system's name of the error (errno(3)): `EACCES` … */
      readonly code?: string
      /** What was thrown, where something was. */
      readonly cause?: unknown
    }

/** One binary cache did not answer as it should. */
export interface CacheFailure {
  readonly kind: 'cache-failed'
  /** What to do next; safe to print. */
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
  /** Of HTTP, where there was an answer with one. */
  readonly status?: number
  /** What was thrown, where something was. */
  readonly cause?: unknown
}
