import { setMaxListeners } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { err, ok, type Result, ResultAsync } from 'neverthrow'
import type { CommandRefusal } from '../board/snapshot.js'
import type { Source } from '../board/source.js'
import { aborted, type Clock } from '../clock.js'
import { readBody, readCommand } from './body.js'
import { type StreamLimits, streamEvents } from './event-stream.js'
import { type Asked, admit, type Route } from './guard.js'
import type { PageFile } from './page-files.js'
import type { Refusal } from './refusal.js'

export interface ServeLimits extends StreamLimits {
  readonly connections: number
  /** Pages that are told what happens, at the same time. */
  readonly streams: number
  /** Milliseconds for a request to arrive, first its head, then all of it. */
  readonly requestMs: number
  /** Milliseconds for answers to leave when the server is closed. */
  readonly farewellMs: number
}

export const SERVE_LIMITS: ServeLimits = {
  connections: 64,
  streams: 8,
  requestMs: 5_000,
  farewellMs: 500,
  gapMs: 100,
  silenceMs: 15_000,
  stallMs: 10_000,
}

export interface ServeOptions {
  /** 0: one that is free. */
  readonly port: number
  readonly token: string
  readonly page: ReadonlyMap<string, PageFile>
  readonly clock: Clock
  readonly limits?: Partial<ServeLimits>
}

export interface ServeError {
  readonly kind: 'not-listening'
  readonly message: string
}

/** Serves pages until it is disposed of. */
export interface WebServer extends AsyncDisposable {
  readonly port: number
  /** Pages that are being told what happens. */
  readonly streams: number
}

const ADDRESS = '127.0.0.1'

/** Listens on loopback, for this machine alone. */
export function serve(source: Source, options: ServeOptions): ResultAsync<WebServer, ServeError> {
  const { port } = options
  const limits = { ...SERVE_LIMITS, ...options.limits }
  const server = createServer({
    maxHeaderSize: 8_192,
    headersTimeout: limits.requestMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: Math.min(1_000, limits.requestMs),
  })
  server.maxConnections = limits.connections
  // One request each: nobody holds a connection by asking on and on without reading.
  server.maxRequestsPerSocket = 1
  const listening = new Promise<Result<WebServer, ServeError>>((resolve) => {
    server.once('error', ({ code }: NodeJS.ErrnoException) => {
      const why = code === 'EADDRINUSE' ? 'it is taken' : `the system says ${code}`
      const message = `Port ${port} of ${ADDRESS} cannot be used, ${why}. Name another one, or none.`
      resolve(err({ kind: 'not-listening', message }))
    })
    server.listen({ host: ADDRESS, port }, () => {
      // A connection that cannot be accepted for lack of descriptors is that connection's misfortune.
      server.on('error', () => {})
      resolve(ok(new LoopbackServer(server, source, { ...options, limits })))
    })
  })
  return new ResultAsync(listening)
}

class LoopbackServer implements WebServer {
  readonly port: number
  readonly #server: Server
  readonly #source: Source
  readonly #options: ServeOptions & { readonly limits: ServeLimits }
  readonly #names: readonly string[]
  readonly #files: ReadonlySet<string>
  readonly #streams = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()

  constructor(server: Server, source: Source, options: ServeOptions & { readonly limits: ServeLimits }) {
    // Every stream listens to it.
    setMaxListeners(0, this.#closing.signal)
    this.port = (server.address() as AddressInfo).port
    this.#server = server
    this.#source = source
    this.#options = options
    this.#names = [ADDRESS, 'localhost'].map((name) => `${name}:${this.port}`)
    this.#files = new Set(options.page.keys())
    server.on('request', (request, response) => void this.#answer(request, response))
  }

  get streams(): number {
    return this.#streams.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    const { clock, limits } = this.#options
    using late = clock.deadline(limits.farewellMs)
    await Promise.race([closed, aborted(late.signal)])
    this.#server.closeAllConnections()
    await closed
    await Promise.all(this.#streams)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Of a peer that hangs up: its business.
    request.on('error', () => {})
    response.on('error', () => {})
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
    response.setHeader('connection', 'close')
    const { token } = this.#options
    const admitted = admit(readAsked(request), { names: this.#names, token, files: this.#files })
    if (admitted.isErr()) return refuse(response, admitted.error)
    switch (admitted.value.kind) {
      case 'file':
        return this.#sendFile(request, response, admitted.value.path)
      case 'events':
        return await this.#stream(response)
      case 'command':
        return await this.#command(request, response, admitted.value)
    }
  }

  #sendFile(request: IncomingMessage, response: ServerResponse, path: string): void {
    const { type, bytes } = this.#options.page.get(path)!
    response.writeHead(200, { 'content-type': type, 'content-length': bytes.length })
    response.end(request.method === 'HEAD' ? undefined : bytes)
  }

  async #stream(response: ServerResponse): Promise<void> {
    const { limits, clock } = this.#options
    if (this.#streams.size >= limits.streams)
      return refuse(response, {
        status: 503,
        kind: 'too-many-pages',
        message: 'The page is open too often. Close one.',
      })
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    const stream = streamEvents(this.#source, response, { clock, limits, signal: this.#closing.signal })
    this.#streams.add(stream)
    await stream
    this.#streams.delete(stream)
  }

  async #command(
    request: IncomingMessage,
    response: ServerResponse,
    { unit, verb }: Route & { kind: 'command' },
  ): Promise<void> {
    const body = await readBody(request)
    const command = body.andThen((bytes) => readCommand(verb, bytes))
    if (command.isErr()) return refuse(response, command.error)
    const begun = this.#source.command(unit, command.value)
    if (begun.isErr()) return refuse(response, { status: STATUS[begun.error.kind], ...begun.error })
    send(response, 202, { notice: begun.value })
  }
}

const STATUS: Readonly<Record<CommandRefusal['kind'], number>> = {
  'unknown-unit': 404,
  'unknown-software': 400,
  'not-now': 409,
  closing: 503,
}

/** On every answer. The page runs its own scripts and no other, shows its own styles, and asks nobody but this server. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // Text becomes markup nowhere: the browser refuses innerHTML and its like.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

function readAsked(request: IncomingMessage): Asked {
  const all = (name: string) => request.headersDistinct[name] ?? []
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    host: all('host'),
    origin: all('origin'),
    fetchSite: all('sec-fetch-site'),
    authorization: all('authorization'),
    contentType: all('content-type'),
  }
}

function refuse(response: ServerResponse, { status, kind, message }: Refusal): void {
  send(response, status, { kind, message })
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const bytes = Buffer.from(JSON.stringify(value))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length })
  response.end(bytes)
}
