import type { ExecOutcome } from '@spectrum/guest-agent'
import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import { openWait, orAborted } from '../wait.js'
import { ClientCommand, type ControlledCommand } from './client-command.js'
import { ClientStreams } from './client-streams.js'
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
import { LineReader } from './line-reader.js'
import type { ControlPowers, ControlSocket } from './powers.js'
import {
  type Injected,
  type LogLine,
  readAnswer,
  readInjected,
  readNothing,
  readOutcome,
  readRefusal,
  readStopped,
  readUnitList,
  readWelcome,
  type Stopped,
  type UnitStatus,
  type Welcome,
} from './requests.js'
import { type Reader, ShapeFault } from './shape.js'

/** For one request: who may give it up, and when it is given up by itself. */
export interface ControlWait {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds; every operation that waits for the host alone has a default. */
  readonly deadlineMs?: number | undefined
}

/** How a command in a unit is run through a host's control socket. */
export interface ControlExec extends ControlWait {
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Absolute path in the unit; `/` by default. */
  readonly cwd?: string | undefined
  /** `closed` (default): the command reads end-of-file at once. */
  readonly stdin?: 'closed' | 'open' | undefined
  /** Gives the command a terminal of this size. What it writes is all standard output then. */
  readonly pty?: { readonly rows: number; readonly columns: number } | undefined
}

/** A log as it comes. */
export interface ControlledLog {
  /** One consumer. */
  readonly lines: AsyncIterable<LogLine>
  /** Whether it came to its end, or the host was lost. Never rejects. */
  readonly ended: Promise<Result<void, ControlError>>
}

/** A connection to a host that serves control. Disposing it ends what was started through it. */
export interface ControlClient extends AsyncDisposable {
  /** What the host said of itself. */
  readonly host: Welcome['host']
  /** The units of the host, also some that have ended. */
  list(options?: ControlWait): ResultAsync<readonly UnitStatus[], ControlError>
  /** Runs a command in a unit. `deadlineMs` bounds its start, the signal cancels it at any time. */
  exec(
    unit: string,
    argv: readonly string[],
    options?: ControlExec,
  ): ResultAsync<ControlledCommand, ControlError>
  /** Adds store paths, with what they reference, to a running unit. */
  inject(unit: string, paths: readonly string[], options?: ControlWait): ResultAsync<Injected, ControlError>
  /**
   * The newest `lines` (100) of a unit or of all, then, with `follow`, those that come until the unit ends, the signal
   * aborts or the reader leaves the loop. A reader that is too slow is told how many lines it has missed.
   */
  logs(options?: {
    readonly unit?: string | undefined
    readonly lines?: number | undefined
    readonly follow?: boolean | undefined
    readonly signal?: AbortSignal | undefined
  }): ResultAsync<ControlledLog, ControlError>
  /** Stops one unit, or the whole host. Goes on when it is aborted here; a second one with `graceMs: 0` ends the grace. */
  stop(
    options?: { readonly unit?: string | undefined; readonly graceMs?: number | undefined } & ControlWait,
  ): ResultAsync<Stopped, ControlError>
  /** Resolves once, with why the connection ended. Never rejects. */
  readonly closed: Promise<ControlError>
}

const GREETING_MS = 10_000
const LIST_MS = 10_000
const SPAWN_MS = 60_000
const INJECT_MS = 180_000
const STOP_MS = 600_000

/** A request that the host has not answered. */
interface Asked {
  readonly streams: ClientStreams
  started(): void
  outcome(outcome: ExecOutcome): void
  answered(answer: Result<unknown, ControlError>): void
}

/** Greets the host at the other end of the socket, which is the client's from then on. */
export function connectControlWith(
  socket: ControlSocket,
  powers: ControlPowers,
  options: ControlWait = {},
): ResultAsync<ControlClient, ControlError> {
  return new ResultAsync(Connection.open(socket, powers, options))
}

class Connection implements ControlClient {
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
  ): Promise<Result<ControlClient, ControlError>> {
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

  list(options: ControlWait = {}): ResultAsync<readonly UnitStatus[], ControlError> {
    return this.#ask({ ask: 'list' }, readUnitList, { deadlineMs: LIST_MS, ...options }, 'The list').map(
      ({ units }) => units,
    )
  }

  inject(
    unit: string,
    paths: readonly string[],
    options: ControlWait = {},
  ): ResultAsync<Injected, ControlError> {
    const wait = { deadlineMs: INJECT_MS, ...options }
    return this.#ask({ ask: 'inject', unit, paths }, readInjected, wait, 'The injection')
  }

  stop(
    options: { readonly unit?: string | undefined; readonly graceMs?: number | undefined } & ControlWait = {},
  ): ResultAsync<Stopped, ControlError> {
    const { unit, graceMs, ...wait } = options
    return this.#ask(
      { ask: 'stop', unit, graceMs },
      readStopped,
      { deadlineMs: STOP_MS, ...wait },
      'The stop',
    )
  }

  exec(
    unit: string,
    argv: readonly string[],
    options: ControlExec = {},
  ): ResultAsync<ControlledCommand, ControlError> {
    const { env = {}, cwd, stdin = 'closed', pty, signal, deadlineMs = SPAWN_MS } = options
    const request = { ask: 'exec', unit, argv, env, cwd, stdin, pty }
    const begun = this.#begin(request, readNothing)
    if (begun.isErr()) return errAsync(begun.error)
    const { id, streams, started, outcome, answer } = begun.value
    const command = new ClientCommand(streams, outcome, answer, {
      stdin,
      act: (act) => this.#send({ kind: 'act', id, value: act }),
      input: (bytes) => this.#send({ kind: 'input', id, bytes }),
      endInput: () => void this.#send({ kind: 'input-end', id }),
      cancel: () => void this.#send({ kind: 'cancel', id }),
    })
    return new ResultAsync(
      this.#untilStarted(started, answer, { signal, deadlineMs }, 'The start of the command').then(
        (result) => {
          if (result.isErr()) {
            command.cancel()
            return err(result.error)
          }
          command.cancelWith(signal)
          return ok(command)
        },
      ),
    )
  }

  logs(
    options: {
      readonly unit?: string | undefined
      readonly lines?: number | undefined
      readonly follow?: boolean | undefined
      readonly signal?: AbortSignal | undefined
    } = {},
  ): ResultAsync<ControlledLog, ControlError> {
    const { unit, lines = 100, follow = false, signal } = options
    const begun = this.#begin({ ask: 'logs', unit, lines, follow }, readNothing)
    if (begun.isErr()) return errAsync(begun.error)
    const { id, streams, started, answer } = begun.value
    const cancel = () => void this.#send({ kind: 'cancel', id })
    return new ResultAsync(
      this.#untilStarted(started, answer, { signal, deadlineMs: LIST_MS }, 'The log').then((result) => {
        if (result.isErr()) {
          // It may be on its way still, and nobody is there to read it.
          cancel()
          return err(result.error)
        }
        if (signal?.aborted) cancel()
        signal?.addEventListener('abort', cancel, { once: true })
        void answer.then(() => signal?.removeEventListener('abort', cancel))
        const lines = linesOf(streams, answer, cancel, (what) => this.#end(violated(what)))
        return ok({ lines, ended: answer.then((end) => end.map(() => undefined)) })
      }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end({ kind: 'aborted', message: 'This connection was closed here; open another one.' })
    await this.#reading
  }

  #ask<T>(
    request: object,
    of: Reader<T>,
    wait: ControlWait & { readonly deadlineMs?: number | undefined },
    what: string,
  ): ResultAsync<T, ControlError> {
    return new ResultAsync(
      (async () => {
        const begun = this.#begin(request, of)
        if (begun.isErr()) return err(begun.error)
        using patience = openWait(this.#powers.clock, wait.deadlineMs ?? STOP_MS, wait.signal)
        const answer = await orAborted(begun.value.answer, patience.signal)
        if (answer !== undefined) return answer as Result<T, ControlError>
        this.#send({ kind: 'cancel', id: begun.value.id })
        return err(ended(patience.reason(), `${what} was not done`))
      })(),
    )
  }

  async #untilStarted(
    started: Promise<void>,
    answer: Promise<Result<unknown, ControlError>>,
    options: ControlWait & { readonly deadlineMs: number },
    what: string,
  ): Promise<Result<void, ControlError>> {
    using wait = openWait(this.#powers.clock, options.deadlineMs, options.signal)
    const refused = answer.then(
      (result): Result<void, ControlError> => (result.isErr() ? err(result.error) : ok(undefined)),
    )
    const first = await orAborted(
      Promise.race([started.then(() => ok<void, ControlError>(undefined)), refused]),
      wait.signal,
    )
    return first ?? err(ended(wait.reason(), `${what} did not come about`))
  }

  /** Sends a request, and gives what becomes of it. */
  #begin<T>(request: object, of: Reader<T>) {
    if (this.#why !== undefined) return err<never, ControlError>(this.#why)
    if (this.#asked.size >= controlLimits.openRequests) {
      const message = `More than ${controlLimits.openRequests} requests at once; wait for one of them, or connect again.`
      return err<never, ControlError>({ kind: 'invalid-request', message })
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
      return err<never, ControlError>({ kind: 'invalid-request', message })
    }
    this.#asked.set(id, { streams, ...settle })
    this.#send(frame)
    return ok({ id, streams, started, outcome, answer })
  }

  #judge<T>(value: unknown, of: Reader<T>): Result<T, ControlError> {
    try {
      const answer = readAnswer(value, of)
      return 'failure' in answer ? err(failed(answer.failure)) : ok(answer.value)
    } catch (cause) {
      if (!(cause instanceof ShapeFault)) throw cause
      const error = violated(cause.message)
      this.#end(error)
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
      if (fault !== undefined) this.#end(violated(fault))
      if (this.#why !== undefined) break
      await this.#powers.nextTurn()
    }
    this.#end(hostLost)
  }

  /** What is wrong with the frame; undefined when nothing is. */
  #take(frame: FrameFrom<'host'>): string | undefined {
    try {
      if (frame.kind === 'refused') {
        this.#end({ kind: 'refused', message: readRefusal(frame.value, '').message })
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

  #end(why: ControlError): void {
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

function ended(reason: 'timed-out' | 'aborted' | undefined, what: string): ControlError {
  return reason === 'aborted'
    ? { kind: 'aborted', message: `${what}: it was aborted.` }
    : { kind: 'timed-out', message: `${what} in time; look at the host, or allow more with deadlineMs.` }
}

async function* linesOf(
  streams: ClientStreams,
  answer: Promise<Result<unknown, ControlError>>,
  cancel: () => void,
  violation: (what: string) => void,
): AsyncGenerator<LogLine, void, undefined> {
  const lines = new LineReader()
  let done = false
  void answer.then(() => {
    done = true
  })
  try {
    for await (const bytes of streams.output[0]) {
      const found = lines.take(bytes)
      if (typeof found === 'string') {
        violation(found)
        return
      }
      yield* found
    }
  } finally {
    if (!done) cancel()
  }
}
