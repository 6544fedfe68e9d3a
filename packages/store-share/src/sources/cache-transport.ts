import type { CacheFailure } from '../errors.js'

/** How the files of a binary cache are read. Failures are thrown as `CacheFailed`. */
export interface CacheTransport {
  /** A small file as a whole; undefined when the cache does not have it. More than `maxBytes` is a failure. */
  read(name: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined>
  /**
   * A large file, a chunk at a time. Undefined when the cache does not have it. A break in the middle is mended where
   * that is possible; whether the whole is right is for the caller to check. More than `maxBytes` is a failure.
   */
  stream(name: string, maxBytes: number, signal: AbortSignal): Promise<AsyncGenerator<Uint8Array> | undefined>
}

/** Carries a failure of one cache to whoever may ask another. */
export class CacheFailed extends Error {
  constructor(readonly failure: CacheFailure) {
    super(failure.message)
    this.name = 'CacheFailed'
  }
}
