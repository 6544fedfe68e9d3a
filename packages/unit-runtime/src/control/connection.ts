import type { ExecOutcome } from '@spectrum/guest-agent'
import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import { openWait, orAborted } from '../wait.js'
import { ClientStreams } from './client-streams.js'
import type { Unnumbered } from './command.js'
import { type ControlError, failed, hostLost, violated } from './errors.js'
import {
  CONTROL_VERSION,
  controlFrames,
  controlLimits,
  encodeFrame,
  type Frame,
  type FrameFrom,
  FrameReader,
} from './frames.js'
import type { ControlPowers, ControlSocket } from './powers.js'
import { readAnswer, readOutcome, readRefusal, readRequest, readWelcome, type Welcome } from './requests.js'
import { type Reader, ShapeFault } from './shape.js'

/** For one request: who may give it up, and when it is given up by itself. */
export interface ControlWait {
  /** Gives the request up, as `aborted`. */
  readonly signal?: AbortSignal | undefined
  /**
   * Milliseconds, after which it fails as `timed-out`. Every operation that waits for the host alone has a default; the
   * greeting has 10 s.
   */
  readonly deadlineMs?: number | undefined
}

const GREETING_MS = 10_000

/** A request that the host has not answered. */
interface Asked {
  readonly streams: ClientStreams
  started(): void
  outcome(outcome: ExecOutcome): void
  answered(answer: Result<unknown, ControlError>): void
}

/** A request on its way. */
export interface Begun<T> {
  readonly streams: ClientStreams
  /** Resolves when the host has begun with it; never, when it does not. */
  readonly started: Promise<void>
  /** Of a command; never, when it was answered without. */
  readonly outcome: Promise<ExecOutcome>
  readonly answer: Promise<Result<T, ControlError>>
  /** Something about it; false when the connection has ended. */
  send(frame: Unnumbered<Frame>): Promise<boolean>
}

/** The client's end of a connection: it greets, asks, and hears what becomes of each request. */
export class Connection implements AsyncDisposable {
  /** Resolves once, with why it ended. Never rejects. */
  readonly closed: Promise<ControlError>
  readonly #socket: ControlSocket
  readonly #powers: ControlPowers
  readonly #ending = new AbortController()
  readonly #asked = new Map<number, Asked>()
  #ids = 0
  #welcome: Welcome | undefined
  #settleGreeted: () => void = () => {}
  readonly #greeted: Promise<void>
  #why: ControlError | undefined
  readonly #reading: Promise<void>
  #settleClosed: (why: ControlError) => void = () => {}

  private constructor(socket: ControlSocket, powers: ControlPowers) {
    this.#socket = socket
    this.#powers = powers
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
    this.#greeted = new Promise((resolve) => {
      this.#settleGreeted = resolve
    })
    this.#reading = this.#read()
  }

  static async open(
    socket: ControlSocket,
    powers: ControlPowers,
    { signal, deadlineMs = GREETING_MS }: ControlWait,
  ): Promise<Result<Connection, ControlError>> {
    using wait = openWait(powers.clock, deadlineMs, signal)
    const connection = new Connection(socket, powers)
    connection.#send({ kind: 'hello', id: 0, value: { versions: [CONTROL_VERSION] } })
    await orAborted(connection.#greeted, wait.signal)
    if (connection.#welcome !== undefined) return ok(connection)
    const why = connection.#why
    await connection[Symbol.asyncDispose]()
    return err(why ?? ended(wait.reason(), 'The host does not greet'))
  }

  get host(): Welcome['host'] {
    return this.#welcome!.host
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end({ kind: 'aborted', message: 'This connection was closed here; open another one.' })
    await this.#reading
  }

  /** Asks, and waits for the answer; the host is told when nobody waits for it any longer. */
  ask<T>(
    request: object,
    of: Reader<T>,
    { deadlineMs, signal }: ControlWait & { readonly deadlineMs: number },
    what: string,
  ): ResultAsync<T, ControlError> {
    const begun = this.begin(request, of)
    if (begun.isErr()) return errAsync(begun.error)
    const { answer, send } = begun.value
    return new ResultAsync(
      (async () => {
        using patience = openWait(this.#powers.clock, deadlineMs, signal)
        const answered = await orAborted(answer, patience.signal)
        if (answered !== undefined) return answered
        void send({ kind: 'cancel' })
        return err(ended(patience.reason(), `${what} was not done`))
      })(),
    )
  }

  /** Resolves when the host has begun with it, or why it has not. */
  async untilStarted(
    { started, answer }: Pick<Begun<unknown>, 'started' | 'answer'>,
    { deadlineMs, signal }: ControlWait & { readonly deadlineMs: number },
    what: string,
  ): Promise<Result<void, ControlError>> {
    using wait = openWait(this.#powers.clock, deadlineMs, signal)
    const begun = started.then(() => ok<void, ControlError>(undefined))
    const answered = answer.then((result): Result<void, ControlError> => result.map(() => undefined))
    const first = await orAborted(Promise.race([begun, answered]), wait.signal)
    return first ?? err(ended(wait.reason(), `${what} did not come about`))
  }

  /** Sends a request, and gives what becomes of it. */
  begin<T>(request: object, of: Reader<T>): Result<Begun<T>, ControlError> {
    if (this.#why !== undefined) return err(this.#why)
    // The host would send this client away for it, with everything else that goes on here.
    const fault = faultOf(request, readRequest)
    if (fault !== undefined)
      return err({ kind: 'invalid-request', message: `This cannot be asked: ${fault}.` })
    if (this.#asked.size >= controlLimits.openRequests) {
      const message = `More than ${controlLimits.openRequests} requests at once; wait for one of them, or connect again.`
      return err({ kind: 'invalid-request', message })
    }
    this.#ids += 1
    const id = this.#ids
    const streams = new ClientStreams((stream, count) => {
      if (this.#asked.has(id)) this.#send({ kind: 'output-credit', id, stream, count })
    })
    let settle = {
      started() {},
      outcome(_: ExecOutcome) {},
      answered(_: Result<unknown, ControlError>) {},
    }
    const started = new Promise<void>((resolve) => {
      settle = { ...settle, started: resolve }
    })
    const outcome = new Promise<ExecOutcome>((resolve) => {
      settle = { ...settle, outcome: resolve }
    })
    const answer = new Promise<Result<T, ControlError>>((resolve) => {
      settle = {
        ...settle,
        answered: (raw) => {
          streams.close()
          resolve(raw.andThen((value) => this.#judge(value, of)))
        },
      }
    })
    const frame: Frame = { kind: 'request', id, value: request }
    try {
      encodeFrame(frame)
    } catch {
      const message = `The request is longer than ${controlLimits.requestBytes} bytes; shorten the arguments.`
      return err({ kind: 'invalid-request', message })
    }
    this.#asked.set(id, { streams, ...settle })
    this.#send(frame)
    const send: Begun<T>['send'] = (frame) => this.#send({ ...frame, id } as Frame)
    return ok({ streams, started, outcome, answer, send })
  }

  #judge<T>(value: unknown, of: Reader<T>): Result<T, ControlError> {
    try {
      const answer = readAnswer(value, of)
      return 'failure' in answer ? err(failed(answer.failure)) : ok(answer.value)
    } catch (cause) {
      if (!(cause instanceof ShapeFault)) throw cause
      const error = violated(cause.message)
      this.end(error)
      return err(error)
    }
  }

  #send(frame: Frame): Promise<boolean> {
    return this.#socket.send(encodeFrame(frame), this.#ending.signal)
  }

  async #read(): Promise<void> {
    const reader = new FrameReader('host')
    for (;;) {
      const bytes = await this.#socket.receive(this.#ending.signal)
      if (bytes === undefined) break
      let fault: string | undefined
      for (const frame of reader.take(bytes)) {
        fault = this.#take(frame)
        if (fault !== undefined) break
      }
      fault ??= reader.fault
      if (fault !== undefined) this.end(violated(fault))
      if (this.#why !== undefined) break
      await this.#powers.nextTurn()
    }
    this.end(hostLost)
  }

  /** What is wrong with the frame; undefined when nothing is. */
  #take(frame: FrameFrom<'host'>): string | undefined {
    try {
      if (frame.kind === 'refused') {
        this.end({ kind: 'refused', message: readRefusal(frame.value, '').message })
        return undefined
      }
      if ((controlFrames[frame.kind].when === 'first') !== (this.#welcome === undefined))
        return `a frame ${frame.kind} out of its turn`
      if (frame.kind === 'welcome') {
        this.#welcome = readWelcome(frame.value, '')
        this.#settleGreeted()
        return undefined
      }
      const asked = this.#asked.get(frame.id)
      if (asked === undefined) return `a frame ${frame.kind} for request ${frame.id}, which is not open`
      switch (frame.kind) {
        case 'started':
          asked.started()
          return undefined
        case 'output':
          return asked.streams.output[frame.stream].push(frame.bytes) ? undefined : 'more output than allowed'
        case 'output-end':
          asked.streams.output[frame.stream].end()
          return undefined
        case 'input-credit':
          return asked.streams.input.add(frame.count) ? undefined : 'more credit than a window'
        case 'outcome':
          asked.outcome(readOutcome(frame.value, 'outcome'))
          return undefined
        case 'answer':
          this.#asked.delete(frame.id)
          asked.answered(ok(frame.value))
          return undefined
      }
    } catch (cause) {
      if (!(cause instanceof ShapeFault)) throw cause
      return `a frame ${frame.kind}: ${cause.message}`
    }
  }

  /** Hangs up: whatever was asked is answered with this. The first reason counts. */
  end(why: ControlError): void {
    if (this.#why !== undefined) return
    this.#why = why
    this.#ending.abort()
    this.#socket.close()
    for (const asked of this.#asked.values()) asked.answered(err(why))
    this.#asked.clear()
    this.#settleGreeted()
    this.#settleClosed(why)
  }
}

/** What is wrong with a value; undefined when nothing is. */
export function faultOf(value: unknown, of: Reader<unknown>): string | undefined {
  try {
    of(value, '')
    return undefined
  } catch (cause) {
    if (cause instanceof ShapeFault) return cause.message
    throw cause
  }
}

function ended(reason: 'timed-out' | 'aborted' | undefined, what: string): ControlError {
  return reason === 'aborted'
    ? { kind: 'aborted', message: `${what}: it was aborted.` }
    : { kind: 'timed-out', message: `${what} in time; look at the host, or allow more with deadlineMs.` }
}
