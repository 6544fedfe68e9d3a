import type { GuestCall } from '@spectrum/guest-agent'
import type { StreamSchema } from '@spectrum/unit-graph'
import type { Clock } from '@spectrum/unit-monitor'
import { orAborted } from '../wait.js'
import type { CallEnd } from './events.js'

/** The bytes of one allowed call: counted, bounded, and ended together with the first reason to end it. */
export class Exchange implements Disposable {
  /** Aborts with the first end that is not `completed`. */
  readonly signal: AbortSignal
  requestBytes = 0
  responseBytes = 0
  readonly #call: GuestCall
  readonly #request: AsyncIterable<Uint8Array> | undefined
  readonly #schemas: {
    readonly request: StreamSchema | undefined
    readonly response: StreamSchema | undefined
  }
  readonly #clock: Clock
  readonly #ended = new AbortController()
  #end: CallEnd | undefined
  /** The answer has ended: a caller that goes away now leaves nothing behind. */
  #answered: boolean
  #moved: number
  #watch: (Disposable & { readonly signal: AbortSignal }) | undefined

  constructor(
    call: GuestCall,
    /** What is left of the caller's stream after the argument. */
    request: AsyncIterable<Uint8Array>,
    schemas: { readonly request: StreamSchema | undefined; readonly response: StreamSchema | undefined },
    clock: Clock,
    idleMs: number,
  ) {
    this.#call = call
    this.#schemas = schemas
    this.#clock = clock
    this.#request = schemas.request === undefined ? undefined : request
    this.signal = this.#ended.signal
    this.#moved = clock.now()
    this.#answered = schemas.response === undefined
    // A direction that the service does not have is closed from the start.
    if (schemas.request === undefined) call.stop()
    if (schemas.response === undefined) void call.end().catch(() => {})
    if (Number.isFinite(idleMs)) this.#watchIdle(idleMs)
    void call.readerGone.then(() => {
      if (!this.#answered) this.fail({ kind: 'caller-gone' })
    })
    void call.closed.then(({ kind }) => {
      if (kind === 'unit-lost') this.fail({ kind: 'caller-gone' })
    })
  }

  get end(): CallEnd | undefined {
    return this.#end
  }

  /** Whether the caller may send anything. */
  get hasRequest(): boolean {
    return this.#request !== undefined
  }

  /** Gives all that the caller sends to `write`, then calls `end`. Whoever rejects takes no more, and the caller learns it. */
  async sendRequest(write: (bytes: Uint8Array) => Promise<void>, end: () => Promise<void>): Promise<void> {
    try {
      for await (const chunk of this.request()) await write(chunk)
      await end()
    } catch {
      this.#call.stop()
    }
  }

  async *request(): AsyncGenerator<Uint8Array, void, undefined> {
    const max = this.#schemas.request?.max ?? Number.POSITIVE_INFINITY
    for await (const chunk of this.#request ?? nothing) {
      this.#moved = this.#clock.now()
      if (this.requestBytes + chunk.length > max) {
        this.fail({ kind: 'too-long', stream: 'request' })
        return
      }
      this.requestBytes += chunk.length
      yield chunk
      this.#moved = this.#clock.now()
    }
  }

  /** Bytes of the provider for the caller. */
  async respond(bytes: Uint8Array): Promise<void> {
    if (this.signal.aborted) throw new Error('the call has ended')
    if (this.#schemas.response === undefined) return
    const max = this.#schemas.response.max ?? Number.POSITIVE_INFINITY
    if (this.responseBytes + bytes.length > max) {
      this.fail({ kind: 'too-long', stream: 'response' })
      throw new Error('the answer is longer than the service allows')
    }
    this.#moved = this.#clock.now()
    await this.#call.write(bytes)
    this.responseBytes += bytes.length
    this.#moved = this.#clock.now()
  }

  /** The provider has said all; the caller may still be heard. */
  async endResponse(): Promise<void> {
    this.#answered = true
    await this.#call.end().catch(() => {})
  }

  /** The provider reads no more. */
  stopRequest(): void {
    this.#call.stop()
  }

  /** Ends the call in disorder. The first reason counts. */
  fail(end: CallEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#call.reset()
    this.#ended.abort()
  }

  /** The provider is done in order: waits until the caller has everything, or until the call fails. */
  async complete(end: CallEnd): Promise<CallEnd> {
    if (this.#end === undefined) {
      await this.endResponse()
      this.#call.stop()
      await orAborted(this.#call.closed, this.signal)
      this.#end ??= end
    }
    return this.#end
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]()
    this.#watch = undefined
  }

  #watchIdle(idleMs: number): void {
    const wait = (ms: number) => {
      const watch = this.#clock.deadline(ms)
      this.#watch = watch
      watch.signal.addEventListener('abort', () => {
        if (this.#watch !== watch) return
        watch[Symbol.dispose]()
        const left = this.#moved + idleMs - this.#clock.now()
        if (left > 0) wait(left)
        else this.fail({ kind: 'stalled' })
      })
    }
    wait(idleMs)
  }
}

const nothing: AsyncIterable<Uint8Array> = {
  async *[Symbol.asyncIterator]() {},
}
