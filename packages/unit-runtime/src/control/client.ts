import { errAsync, type Result, ResultAsync } from 'neverthrow'
import { ClientCommand, type ControlledCommand } from './client-command.js'
import type { ClientStreams } from './client-streams.js'
import { Connection, type ControlWait, faultOf } from './connection.js'
import { type ControlError, violated } from './errors.js'
import { LineReader } from './line-reader.js'
import type { ControlPowers, ControlSocket } from './powers.js'
import {
  type Injected,
  type LogLine,
  readAct,
  readInjected,
  readNothing,
  readStopped,
  readUnitList,
  type Stopped,
  type UnitStatus,
  type Welcome,
} from './requests.js'

export type { ControlWait } from './connection.js'

/** How a command in a unit is run through a host's control socket. */
export interface ControlExec extends ControlWait {
  /** The command's whole environment; empty by default. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Absolute path in the unit; `/` by default. */
  readonly cwd?: string | undefined
  /** `closed` (default): the command reads end-of-file at once. `open`: it reads what is written to its `stdin`. */
  readonly stdin?: 'closed' | 'open' | undefined
  /** Gives the command a terminal of this size. What it writes is all standard output then. */
  readonly pty?:
    | {
        /** Lines of text. */
        readonly rows: number
        /** Characters of a line. */
        readonly columns: number
      }
    | undefined
}

/** The log of a unit, or of all, as it comes over a host's control socket. */
export interface ControlledLog {
  /** One consumer; leaving the loop early ends the log. */
  readonly lines: AsyncIterable<LogLine>
  /** Whether it came to its end, or the host was lost. Never rejects. */
  readonly ended: Promise<Result<void, ControlError>>
}

/** A connection to a host that serves control. Disposing it ends what was started through it. */
export interface ControlClient extends AsyncDisposable {
  /** What the host said of itself in its greeting: its process, its directory and its monitor. */
  readonly host: Welcome['host']
  /** The units of the host, also some that have ended. Default deadline: 10 s. */
  list(options?: ControlWait): ResultAsync<readonly UnitStatus[], ControlError>
  /**
   * Runs a command in a unit; `argv[0]` is an absolute path there. `deadlineMs` (60 s) bounds its start, the signal
   * cancels it at any time.
   */
  exec(
    unit: string,
    argv: readonly string[],
    options?: ControlExec,
  ): ResultAsync<ControlledCommand, ControlError>
  /**
   * Adds store paths (`/nix/store/HASH-NAME`), with what they reference, to a running unit. Default deadline: 180 s.
   */
  inject(unit: string, paths: readonly string[], options?: ControlWait): ResultAsync<Injected, ControlError>
  /**
   * The newest `lines` (100) of a unit or of all, then, with `follow`, those that come until the unit ends, the signal
   * aborts or the reader leaves the loop. A reader that is too slow is told how many lines it has missed.
   */
  logs(options?: {
    /** Name of the unit; all of them by default. */
    readonly unit?: string | undefined
    /** How many of the lines that were said already, the newest; 100 by default. */
    readonly lines?: number | undefined
    /** Go on with what is said from now on; false by default. */
    readonly follow?: boolean | undefined
    /** Ends the log; that is no error. Before the host has begun with it, it fails as `aborted`. */
    readonly signal?: AbortSignal | undefined
  }): ResultAsync<ControlledLog, ControlError>
  /**
   * Stops one unit, or the whole host. Default deadline: 600 s beyond the grace. Goes on when it is aborted here; a second one with
   * `graceMs: 0` ends the grace.
   */
  stop(
    options?: {
      /** Name of the unit; the whole host by default. */
      readonly unit?: string | undefined
      /** Milliseconds for the guests to end in order, as in `StopOptions`; 0 kills at once. */
      readonly graceMs?: number | undefined
    } & ControlWait,
  ): ResultAsync<Stopped, ControlError>
  /** Resolves once, with why the connection ended. Never rejects. */
  readonly closed: Promise<ControlError>
}

const LIST_MS = 10_000
const SPAWN_MS = 60_000
const INJECT_MS = 180_000
const STOP_MS = 600_000

/** Greets the host at the other end of the socket, which is the client's from then on. */
export function connectControlWith(
  socket: ControlSocket,
  powers: ControlPowers,
  options: ControlWait = {},
): ResultAsync<ControlClient, ControlError> {
  return new ResultAsync(Connection.open(socket, powers, options)).map((connection) => new Client(connection))
}

class Client implements ControlClient {
  constructor(private readonly connection: Connection) {}

  get host(): Welcome['host'] {
    return this.connection.host
  }

  get closed(): Promise<ControlError> {
    return this.connection.closed
  }

  list(options: ControlWait = {}): ResultAsync<readonly UnitStatus[], ControlError> {
    return this.connection
      .ask({ ask: 'list' }, readUnitList, within(LIST_MS, options), 'The list')
      .map(({ units }) => units)
  }

  inject(
    unit: string,
    paths: readonly string[],
    options: ControlWait = {},
  ): ResultAsync<Injected, ControlError> {
    const wait = within(INJECT_MS, options)
    return this.connection.ask({ ask: 'inject', unit, paths }, readInjected, wait, 'The injection')
  }

  stop({
    unit,
    graceMs,
    ...options
  }: Parameters<ControlClient['stop']>[0] = {}): ResultAsync<Stopped, ControlError> {
    const wait = within(STOP_MS + (graceMs ?? 0), options)
    return this.connection.ask({ ask: 'stop', unit, graceMs }, readStopped, wait, 'The stop')
  }

  exec(
    unit: string,
    argv: readonly string[],
    options: ControlExec = {},
  ): ResultAsync<ControlledCommand, ControlError> {
    const { env = {}, cwd, stdin = 'closed', pty, signal, deadlineMs = SPAWN_MS } = options
    const begun = this.connection.begin({ ask: 'exec', unit, argv, env, cwd, stdin, pty }, readNothing)
    if (begun.isErr()) return errAsync(begun.error)
    const { streams, outcome, answer, send } = begun.value
    const command = new ClientCommand(streams, outcome, answer, {
      stdin,
      act: (act) => {
        const fault = faultOf(act, readAct)
        if (fault !== undefined) throw new RangeError(`${act.act}: ${fault}`)
        void send({ kind: 'act', value: act })
      },
      input: (bytes) => send({ kind: 'input', bytes }),
      endInput: () => void send({ kind: 'input-end' }),
      cancel: () => void send({ kind: 'cancel' }),
    })
    const up = this.connection.untilStarted(begun.value, { signal, deadlineMs }, 'The start of the command')
    return new ResultAsync(up)
      .mapErr((error) => {
        command.cancel()
        return error
      })
      .map(() => {
        command.cancelWith(signal)
        return command
      })
  }

  logs(options: Parameters<ControlClient['logs']>[0] = {}): ResultAsync<ControlledLog, ControlError> {
    const { unit, lines = 100, follow = false, signal } = options
    const begun = this.connection.begin({ ask: 'logs', unit, lines, follow }, readNothing)
    if (begun.isErr()) return errAsync(begun.error)
    const { streams, answer, send } = begun.value
    const cancel = () => void send({ kind: 'cancel' })
    const up = this.connection.untilStarted(begun.value, { signal, deadlineMs: LIST_MS }, 'The log')
    return new ResultAsync(up)
      .mapErr((error) => {
        // It may be on its way still, and nobody is there to read it.
        cancel()
        return error
      })
      .map(() => {
        if (signal?.aborted) cancel()
        signal?.addEventListener('abort', cancel, { once: true })
        void answer.then(() => signal?.removeEventListener('abort', cancel))
        const violation = (what: string) => this.connection.end(violated(what))
        return {
          lines: linesOf(streams, answer, cancel, violation),
          ended: answer.then((end) => end.map(() => undefined)),
        }
      })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection[Symbol.asyncDispose]()
  }
}

const within = (defaultMs: number, { signal, deadlineMs = defaultMs }: ControlWait) => ({
  signal,
  deadlineMs,
})

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
