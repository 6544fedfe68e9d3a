import { errorCode, throwIfAborted } from '../failure.js'
import { pause } from '../pause.js'
import type { Clock } from '../powers.js'
import { quote } from '../quote.js'
import type { CacheFailed, CacheTransport } from './cache-transport.js'
import {
  certificateRefused,
  failed,
  failRedirect,
  failStatus,
  failTooLarge,
  shown,
  stalled,
  statusFailure,
  unreachable,
} from './http-failures.js'

/** One request; nothing is followed, decoded or repeated. Rejects with the system's error when there is no answer. */
export interface HttpClient {
  /** One request; redirects are not followed. Rejects when no answer comes, or when `signal` aborts. */
  get(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpResponse>
}

/** The head of an answer, and its body as it comes. */
export interface HttpResponse {
  /** Of HTTP: 200, 404 … */
  readonly status: number
  /** By its name in lower case. */
  header(name: string): string | undefined
  /** Fails when the connection ends before the answer does. To be read once, or cancelled. */
  readonly body: AsyncIterable<Uint8Array>
  /** Ends the connection, if the answer has not been read to its end. Idempotent. */
  cancel(): void
}

/** How patient a transport is. */
export interface HttpTuning {
  /** Until the head of an answer is there. Default 30 s. */
  readonly answerMs?: number | undefined
  /** Between two chunks of an answer. Default 30 s. */
  readonly stallMs?: number | undefined
  /** How often a request is made in all before it has failed; progress in a long answer counts anew. Default 5. */
  readonly attempts?: number | undefined
  /** Before the second attempt; doubled for each further one, up to 10 s. Default 250 ms. */
  readonly backOffMs?: number | undefined
}

/** A request that failed and will be made again. */
export interface Retry {
  /** Without credentials. */
  readonly url: string
  /** Which one failed, from 1. */
  readonly attempt: number
  /** Milliseconds until the next one. */
  readonly delayMs: number
  /** For people; escaped. */
  readonly why: string
}

const MAX_REDIRECTS = 5
const MAX_BACK_OFF_MS = 10_000
/** The longest that a server may ask for. */
const MAX_RETRY_AFTER_MS = 30_000
/** Busy, or broken for the moment. */
const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504])
/** A bucket that may not be listed answers 403 for what it does not have; Nix takes it so too. */
const ABSENT_STATUS = new Set([403, 404, 410])
/** What Node calls a server whose certificate does not convince (node:tls); it will not do so the next time either. */
const CERTIFICATE_CODE =
  /^(?:CERT_|ERR_TLS_CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA$|PATH_LENGTH_)/
/** So much of a long answer is progress. */
const PROGRESS_BYTES = 1 << 20

/** Worth another attempt. */
class Transient extends Error {
  constructor(
    readonly failed: CacheFailed,
    readonly afterMs = 0,
  ) {
    super(failed.message)
  }
}

/** A binary cache over HTTP. */
export class HttpTransport implements CacheTransport {
  readonly #answerMs: number
  readonly #stallMs: number
  readonly #attempts: number
  readonly #backOffMs: number

  constructor(
    /** Ends with a slash. */
    readonly base: URL,
    readonly http: HttpClient,
    readonly clock: Clock,
    readonly onRetry: (retry: Retry) => void,
    { answerMs = 30_000, stallMs = 30_000, attempts = 5, backOffMs = 250 }: HttpTuning = {},
  ) {
    this.#answerMs = answerMs
    this.#stallMs = stallMs
    this.#attempts = attempts
    this.#backOffMs = backOffMs
  }

  read(name: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const url = this.#resolve(name)
    return this.#retrying(url, signal, async () => {
      const response = await this.#ask(url, {}, signal)
      try {
        if (ABSENT_STATUS.has(response.status)) return undefined
        this.#checkWhole(url, response, maxBytes)
        const chunks: Uint8Array[] = []
        let length = 0
        for await (const chunk of this.#body(url, response, signal)) {
          length += chunk.length
          if (length > maxBytes) failTooLarge(url, maxBytes)
          chunks.push(chunk)
        }
        return concatenate(chunks, length)
      } finally {
        response.cancel()
      }
    })
  }

  async stream(
    name: string,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<Uint8Array> | undefined> {
    const url = this.#resolve(name)
    const first = await this.#retrying(url, signal, async () => {
      const response = await this.#ask(url, {}, signal)
      try {
        if (ABSENT_STATUS.has(response.status)) {
          response.cancel()
          return undefined
        }
        this.#checkWhole(url, response, maxBytes)
        return response
      } catch (thrown) {
        response.cancel()
        throw thrown
      }
    })
    return first === undefined ? undefined : this.#resuming(url, first, maxBytes, signal)
  }

  /** The chunks of a file, going on where a connection broke. */
  async *#resuming(
    url: URL,
    first: HttpResponse,
    maxBytes: number,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const total = contentLength(first)
    const validator = first.header('etag') ?? first.header('last-modified')
    let response = first
    let position = 0
    /** Bytes of the present answer that are here already. */
    let skip = 0
    let attempt = 1
    let progress = 0
    for (;;) {
      let broken: Transient
      try {
        for await (const chunk of this.#body(url, response, signal)) {
          const fresh = chunk.subarray(Math.min(skip, chunk.length))
          skip -= chunk.length - fresh.length
          if (fresh.length === 0) continue
          position += fresh.length
          if (position > maxBytes) failTooLarge(url, maxBytes)
          progress += fresh.length
          yield fresh
        }
        if (position === (total ?? position)) return
        broken = new Transient(unreachable(url, 'the answer ended early'))
      } catch (thrown) {
        if (!(thrown instanceof Transient)) throw thrown
        broken = thrown
      } finally {
        response.cancel()
      }
      if (progress >= PROGRESS_BYTES) attempt = 1
      progress = 0
      await this.#beforeNext(url, attempt++, broken, signal)
      ;({ response, skip } = await this.#resume(url, position, total, validator, signal, attempt))
    }
  }

  async #resume(
    url: URL,
    position: number,
    total: number | undefined,
    validator: string | undefined,
    signal: AbortSignal,
    attempt: number,
  ): Promise<{ readonly response: HttpResponse; readonly skip: number }> {
    const headers = {
      range: `bytes=${position}-`,
      // A weak validator may not be used for a part (RFC 9110, 13.1.5).
      ...(validator === undefined || validator.startsWith('W/') ? {} : { 'if-range': validator }),
    }
    return this.#retrying(
      url,
      signal,
      async () => {
        const response = await this.#ask(url, headers, signal)
        if (response.status === 206) {
          const [, start, all] =
            /^bytes ([0-9]+)-[0-9]+\/([0-9]+|\*)$/.exec(response.header('content-range') ?? '') ?? []
          if (Number(start) === position && (total === undefined || all === '*' || Number(all) === total)) {
            return { response, skip: 0 }
          }
        }
        // The whole file once more: what is here already is passed over, and the hash tells if it has changed.
        if (response.status === 200 && (total === undefined || contentLength(response) === total)) {
          return { response, skip: position }
        }
        response.cancel()
        return failStatus(url, response.status, 'the file changed while it was fetched')
      },
      attempt,
    )
  }

  async #retrying<T>(url: URL, signal: AbortSignal, work: () => Promise<T>, from = 1): Promise<T> {
    for (let attempt = from; ; attempt++) {
      throwIfAborted(signal)
      try {
        return await work()
      } catch (thrown) {
        if (!(thrown instanceof Transient)) throw thrown
        await this.#beforeNext(url, attempt, thrown, signal)
      }
    }
  }

  async #beforeNext(url: URL, attempt: number, broken: Transient, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    if (attempt >= this.#attempts) throw broken.failed
    const delayMs = Math.max(broken.afterMs, Math.min(this.#backOffMs * 2 ** (attempt - 1), MAX_BACK_OFF_MS))
    this.onRetry({ url: shown(url), attempt, delayMs, why: broken.message })
    await pause(this.clock, delayMs, signal)
    throwIfAborted(signal)
  }

  /** Follows redirects; the head of the answer is there when this resolves, and its status is final. */
  async #ask(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    let target = url
    for (let redirects = 0; ; redirects++) {
      const response = await this.#answer(url, target, headers, signal)
      const { status } = response
      if (status < 300 || status > 399) {
        if (!TRANSIENT_STATUS.has(status)) return response
        response.cancel()
        throw new Transient(statusFailure(url, status), retryAfterMs(response))
      }
      response.cancel()
      if (redirects >= MAX_REDIRECTS) failRedirect(url, `it was redirected more than ${MAX_REDIRECTS} times`)
      target = redirected(url, target, response.header('location'))
    }
  }

  async #answer(
    url: URL,
    target: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const controller = new AbortController()
    const abort = () => controller.abort()
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    const deadline = this.clock.deadline(this.#answerMs)
    deadline.signal.addEventListener('abort', abort, { once: true })
    try {
      // What is compressed on the way besides would be another thing than FileHash and FileSize are about.
      return await this.http.get(target, { 'accept-encoding': 'identity', ...headers }, controller.signal)
    } catch (thrown) {
      throwIfAborted(signal)
      if (deadline.signal.aborted) throw new Transient(stalled(url, `no answer within ${this.#answerMs} ms`))
      const code = errorCode(thrown)
      if (code === undefined) throw thrown
      if (CERTIFICATE_CODE.test(code)) throw certificateRefused(url, code, thrown)
      throw new Transient(unreachable(url, quote((thrown as Error).message), thrown))
    } finally {
      signal.removeEventListener('abort', abort)
      deadline[Symbol.dispose]()
    }
  }

  async *#body(url: URL, response: HttpResponse, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const iterator = response.body[Symbol.asyncIterator]()
    const cancel = () => response.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      for (;;) {
        throwIfAborted(signal)
        const next = await this.#next(url, iterator, response, signal)
        if (next.done === true) return
        yield next.value
      }
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  async #next(
    url: URL,
    iterator: AsyncIterator<Uint8Array>,
    response: HttpResponse,
    signal: AbortSignal,
  ): Promise<IteratorResult<Uint8Array>> {
    const deadline = this.clock.deadline(this.#stallMs)
    const cancel = () => response.cancel()
    deadline.signal.addEventListener('abort', cancel, { once: true })
    try {
      const next = await iterator.next()
      // An answer that is cancelled may also just end.
      throwIfAborted(signal)
      if (!deadline.signal.aborted) return next
    } catch (thrown) {
      throwIfAborted(signal)
      if (!deadline.signal.aborted) {
        if (errorCode(thrown) === undefined) throw thrown
        throw new Transient(unreachable(url, quote((thrown as Error).message), thrown))
      }
    } finally {
      deadline[Symbol.dispose]()
    }
    throw new Transient(stalled(url, `nothing came for ${this.#stallMs} ms`))
  }

  #checkWhole(url: URL, response: HttpResponse, maxBytes: number): void {
    if (response.status !== 200) failStatus(url, response.status)
    const encoding = response.header('content-encoding') ?? 'identity'
    if (encoding !== 'identity') {
      throw failed(
        url,
        'unsupported',
        `the server encodes it (${quote(encoding)}) although it was asked not to`,
      )
    }
    if ((contentLength(response) ?? 0) > maxBytes) failTooLarge(url, maxBytes)
  }

  #resolve(name: string): URL {
    const url = parseUrl(name, this.base)
    const allowed =
      url?.protocol === 'https:' || (url?.protocol === 'http:' && this.base.protocol === 'http:')
    if (url === undefined || !allowed || url.username !== '' || url.password !== '') {
      throw failed(
        this.base,
        'unsupported',
        `it says that a file is at ${quote(name)}, where none is fetched from`,
      )
    }
    return url
  }
}

function parseUrl(text: string, base: URL): URL | undefined {
  try {
    return new URL(text, base)
  } catch {
    return undefined
  }
}

function redirected(asked: URL, from: URL, location: string | undefined): URL {
  const url = location === undefined ? undefined : parseUrl(location, from)
  if (url === undefined) return failRedirect(asked, 'it was redirected to nowhere')
  const downgrade = from.protocol === 'https:' && url.protocol !== 'https:'
  if (downgrade || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    return failRedirect(
      asked,
      `it was redirected to ${quote(url.protocol)}//${quote(url.host)}, which is not followed`,
    )
  }
  return url
}

function contentLength(response: HttpResponse): number | undefined {
  const text = response.header('content-length') ?? ''
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined
}

function retryAfterMs(response: HttpResponse): number {
  const text = response.header('retry-after') ?? ''
  return /^[0-9]{1,6}$/.test(text) ? Math.min(Number(text) * 1000, MAX_RETRY_AFTER_MS) : 0
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
