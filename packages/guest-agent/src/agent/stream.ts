/**
 * The host's end of a Unix stream socket in the unit: a duplex stream, byte-exact, each direction with a credit of
 * its own. Whoever gets one ends both directions or resets it.
 */
export interface GuestStream {
  /** Of this channel, never used again on it. */
  readonly id: number
  /**
   * What the program sends; one consumer. Ends when the program shuts its end for writing, and when the stream is
   * gone. Leaving the loop is `stop`. Nothing is taken from the program before somebody reads.
   */
  readonly incoming: AsyncIterable<Uint8Array>
  /** Resolves when the unit has room for the bytes. Rejects once the program reads no more. */
  write(bytes: Uint8Array): Promise<void>
  /** The program reads end-of-file after what was written; it may still send. */
  end(): Promise<void>
  /** Takes no more from the program: its writes fail with EPIPE. */
  stop(): void
  /** Closes both directions at once; what was not delivered is lost. */
  reset(): void
  /** Resolves when the program reads no more: it has gone, shut that end, or the stream is closed. */
  readonly readerGone: Promise<void>
  /** Resolves once, when the unit holds nothing of it any more. Never rejects. */
  readonly closed: Promise<StreamEnd>
}

/** How a stream between a unit and its host ended. */
export type StreamEnd =
  /** Both directions have ended, and the program took in all that was written, or has left it. */
  | { readonly kind: 'finished' }
  /** By this host's `reset`. */
  | { readonly kind: 'reset' }
  | {
      readonly kind: 'unit-lost'
      /** Why it is lost. */
      readonly message: string
    }

/** A program of the unit has connected to one of its services. It waits: serve it, or `reset` it. */
export interface GuestCall extends GuestStream {
  /** One of the names that were offered. */
  readonly service: string
}
