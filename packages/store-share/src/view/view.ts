import type { ResultAsync } from 'neverthrow'
import type { ViewError } from './errors.js'
import type { ViewCounters } from './serve.js'

/** For one operation: who may give it up, and after how many milliseconds it is given up by itself. */
export interface ViewOptions {
  /** Gives the operation up, as `aborted`. */
  readonly signal?: AbortSignal | undefined
  /** Default 10 s. */
  readonly deadlineMs?: number | undefined
}

/** A file to show. */
export interface ViewPath {
  /** What the guest sees at the top of the share: the base name of a store path. */
  readonly name: string
  /** Where it lies on the host: absolute. */
  readonly location: string
}

/** How a view ended. */
export type ViewEnd =
  | { readonly kind: 'closed' }
  /** Its program ended by itself, or was ended. */
  | { readonly kind: 'lost'; readonly message: string }

/**
 * The live, growable set of store paths that one guest may see, served by a process of its own. Exactly what is
 * granted is there; the guest cannot write, and cannot reach anything else.
 */
export interface View extends AsyncDisposable {
  /** Where a vhost-user front end connects to: absolute. One at a time; the next may come when it has gone. */
  readonly socket: string
  /** What the guest mounts. A front end that asks learns it; QEMU has to be told. */
  readonly tag: string
  /** The process that serves it. */
  readonly pid: number
  /** Resolves once, when nothing is served any more. Never rejects. */
  readonly ended: Promise<ViewEnd>
  /**
   * Shows a path from now on; when it resolves, a guest that looks finds it. The same again is no news. Errors:
   * `missing-path`, `unsupported-file`, `already-granted` (another file has the name), `too-many-grants`.
   */
  grant(path: ViewPath, options?: ViewOptions): ResultAsync<void, ViewError>
  /**
   * Takes a path away. What the guest has in its own memory of it stays there while it lives; all else is stale
   * when this resolves. Error: `not-granted`.
   */
  revoke(name: string, options?: ViewOptions): ResultAsync<void, ViewError>
  /** How much the guest has open and knows, as numbers. */
  counters(options?: ViewOptions): ResultAsync<ViewCounters, ViewError>
  /** Ends the process and removes the socket. Resolves when it is gone. Idempotent. */
  close(): Promise<void>
}
