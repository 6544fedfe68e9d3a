import type { Result } from 'neverthrow'
import type { AgentError } from '../errors.js'
import type { GuestUser } from './command.js'

/** A regular file in the unit. */
export interface GuestFilePlace {
  /** Absolute path of a directory out of which `path` must not lead, not by links either. `/` by default. */
  readonly below?: string | undefined
  /** Path below that. Where `below` is `/` it may begin with one. */
  readonly path: string
}

/** A file to put, and what it is to be. */
export interface FilePut extends GuestFilePlace {
  /** Permission bits; 0o644 by default. */
  readonly mode?: number | undefined
  /** Its owner; root by default. */
  readonly owner?: GuestUser | undefined
}

/** What goes into a file. The size is the promise: more or less is a failure, and nothing is put. */
export type FileContent =
  | Uint8Array
  | {
      /** Bytes that `content` yields in all. */
      readonly size: number
      /** Read once, chunk by chunk, as the unit takes it. */
      readonly content: AsyncIterable<Uint8Array>
    }

/** A file to get. */
export interface FileGet extends GuestFilePlace {
  /** A larger file is not got: `file-failed`, `too-large`. 1 TiB by default. */
  readonly maxBytes?: number | undefined
}

/** A file that arrives. Whoever gets one reads it to its end or cancels it. */
export interface GuestFile {
  /** Bytes, as it was opened. */
  readonly size: number
  /** Permission bits (0 to 0o7777), by the unit's word. */
  readonly mode: number
  /** One consumer; leaving its loop cancels. Never more than `size` bytes; less only when `ended` says why. */
  readonly content: AsyncIterable<Uint8Array>
  /** Resolves once, when all of it was read, or with why it ended early. Never rejects. */
  readonly ended: Promise<Result<void, AgentError>>
  /** Nobody wants the rest. */
  cancel(): void
}
