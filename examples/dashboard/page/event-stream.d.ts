/** One event of a stream of server-sent events. */
export interface ServerSentEvent {
  readonly event: string
  readonly data: string
}

/** Reads server-sent events from bytes, to their end. Leaving the loop cancels the stream. */
export function readEvents(stream: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent>
