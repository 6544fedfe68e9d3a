import { Buffer } from 'node:buffer'
import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import { LineSplitter } from '../line-splitter.js'
import type { ByteChannel, OperationOptions } from '../machine.js'
import type { Clock } from '../powers.js'
import { escapeAndCut } from '../printable.js'
import { Patience, WaitEnded } from '../waiting.js'

/** Why a QMP command has no answer. */
export type QmpFailure =
  /** QEMU understood and declined. */
  | { readonly kind: 'declined'; readonly errorClass: string; readonly message: string }
  /** QEMU said something that is not QMP; the connection is closed, the machine runs on. */
  | { readonly kind: 'garbled'; readonly message: string }
  | { readonly kind: 'closed'; readonly message: string }
  | { readonly kind: 'timed-out'; readonly message: string }
  | { readonly kind: 'aborted'; readonly message: string }

export interface QmpEvent {
  readonly name: string
  readonly data: Readonly<Record<string, unknown>>
}

/** QEMU's longest answers to what we ask are well under a kilobyte. */
const MAX_LINE_BYTES = 64 * 1024
const TOO_LONG = `a line of more than ${MAX_LINE_BYTES} bytes`
const MAX_PENDING = 64
const DEFAULT_DEADLINE_MS = 10_000

type Reply = Result<unknown, QmpFailure>

/**
 * A client for QEMU's monitor protocol (docs/interop/qmp-spec): one JSON object per line, replies matched by
 * id. QEMU is trusted but fallible: what it says is checked and bounded, and nothing waits for it for ever.
 */
export class QmpClient {
  readonly #pending = new Map<number, (reply: Reply) => void>()
  /** Commands given up: their late replies are expected and ignored. */
  readonly #abandoned = new Set<number>()
  #nextId = 1
  #greeted: (result: Result<void, QmpFailure>) => void = () => {}
  readonly #greeting: Promise<Result<void, QmpFailure>>
  #failure: QmpFailure | undefined
  /** Resolves when the last event has been delivered and the connection is gone. Never rejects. */
  readonly closed: Promise<void>

  constructor(
    private readonly channel: ByteChannel,
    private readonly clock: Clock,
    private readonly onEvent: (event: QmpEvent) => void,
  ) {
    this.#greeting = new Promise((resolve) => {
      this.#greeted = resolve
    })
    this.closed = this.#read()
  }

  /** Waits for the greeting and leaves negotiation mode. */
  negotiate(options?: OperationOptions): ResultAsync<void, QmpFailure> {
    return new ResultAsync(this.#awaitGreeting(options))
      .andThen(() => this.execute('qmp_capabilities', {}, options))
      .map(() => undefined)
  }

  /** The `return` value of one command. A declined command leaves the connection usable. */
  execute(
    command: string,
    args: Readonly<Record<string, unknown>> = {},
    options?: OperationOptions,
  ): ResultAsync<unknown, QmpFailure> {
    if (this.#failure !== undefined) return errAsync(this.#failure)
    if (this.#pending.size >= MAX_PENDING)
      return errAsync({ kind: 'closed', message: `QMP: ${MAX_PENDING} commands wait already` })
    return new ResultAsync(this.#execute(command, args, options))
  }

  close(): void {
    this.#fail({ kind: 'closed', message: 'QMP: closed by us' })
  }

  async #execute(
    command: string,
    args: Readonly<Record<string, unknown>>,
    options: OperationOptions | undefined,
  ): Promise<Reply> {
    const id = this.#nextId++
    using patience = new Patience(this.clock, options, DEFAULT_DEADLINE_MS)
    if (patience.signal.aborted) return err(ended(patience.signal.reason, command, patience))
    const reply = new Promise<Reply>((resolve) => this.#pending.set(id, resolve))
    const line = Buffer.from(`${JSON.stringify({ execute: command, arguments: args, id })}\n`)
    this.channel.write(line).catch((cause: unknown) => {
      this.#fail({ kind: 'closed', message: `QMP: writing ${command} failed: ${shown(String(cause))}` })
    })
    try {
      return await patience.race(reply)
    } catch (why) {
      this.#pending.delete(id)
      this.#abandoned.add(id)
      if (this.#abandoned.size > MAX_PENDING)
        this.#fail({ kind: 'closed', message: 'QMP: too many commands were given up' })
      return err(ended(why, command, patience))
    }
  }

  async #awaitGreeting(options: OperationOptions | undefined): Promise<Result<void, QmpFailure>> {
    using patience = new Patience(this.clock, options, DEFAULT_DEADLINE_MS)
    try {
      return await patience.race(this.#greeting)
    } catch (why) {
      return err(ended(why, 'the greeting', patience))
    }
  }

  async #read(): Promise<void> {
    const splitter = new LineSplitter(MAX_LINE_BYTES, (line, truncated) => {
      if (this.#failure !== undefined) return
      if (truncated) this.#garbled(TOO_LONG)
      else this.#take(Buffer.from(line).toString('utf8'))
    })
    try {
      for await (const chunk of this.channel.incoming) {
        splitter.push(chunk)
        if (splitter.overflowing) this.#garbled(TOO_LONG)
        if (this.#failure !== undefined) break
      }
    } catch {
      // The same as an end: the failure below says that nobody answers any more.
    }
    this.#fail({ kind: 'closed', message: 'QMP: QEMU has closed the connection' })
  }

  #take(line: string): void {
    if (line.trim() === '') return
    const message = parseObject(line)
    const reply = message === undefined ? undefined : replyIn(message)
    if (message === undefined) this.#garbled(`a line that is no JSON object: ${shown(line)}`)
    else if (isObject(message['QMP'])) this.#greeted(ok(undefined))
    else if (typeof message['event'] === 'string')
      this.onEvent({ name: message['event'], data: isObject(message['data']) ? message['data'] : {} })
    else if (reply === undefined) this.#garbled(`an unknown kind of message: ${shown(line)}`)
    else this.#settle(message['id'], reply, line)
  }

  #settle(id: unknown, reply: Reply, line: string): void {
    if (typeof id === 'number' && this.#abandoned.delete(id)) return
    const settle = typeof id === 'number' ? this.#pending.get(id) : undefined
    if (typeof id !== 'number' || settle === undefined) {
      this.#garbled(`a reply to a command that nobody sent: ${shown(line)}`)
      return
    }
    this.#pending.delete(id)
    settle(reply)
  }

  #garbled(what: string): void {
    this.#fail({ kind: 'garbled', message: `QMP: QEMU sent ${what}` })
  }

  #fail(failure: QmpFailure): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    this.#greeted(err(failure))
    for (const settle of this.#pending.values()) settle(err(failure))
    this.#pending.clear()
    this.channel.close()
  }
}

function replyIn(message: Readonly<Record<string, unknown>>): Reply | undefined {
  const error = message['error']
  if (isObject(error)) {
    const { class: errorClass, desc } = error
    if (typeof errorClass !== 'string' || typeof desc !== 'string') return undefined
    return err({
      kind: 'declined',
      errorClass: escapeAndCut(errorClass, 80),
      message: escapeAndCut(desc, 400),
    })
  }
  return 'return' in message ? ok(message['return']) : undefined
}

function ended(why: unknown, command: string, patience: Patience): QmpFailure {
  if (!(why instanceof WaitEnded)) throw why
  return why.why === 'aborted'
    ? { kind: 'aborted', message: `QMP: the wait for ${command} was aborted` }
    : { kind: 'timed-out', message: `QMP: no answer to ${command} within ${patience.deadlineMs} ms` }
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(text: string): string {
  return `"${escapeAndCut(text, 200)}"`
}
