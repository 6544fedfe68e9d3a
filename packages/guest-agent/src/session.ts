import { err, errAsync, ok, okAsync, type Result, ResultAsync } from 'neverthrow'
import type {
  Agent,
  AgentClosed,
  AgentHello,
  AgentOptions,
  Clock,
  GuestCall,
  GuestCommand,
  GuestProcess,
  GuestStream,
  StoreMount,
  StoreMountReport,
  StoreUnbindReport,
  ViewMount,
} from './agent.js'
import { ProtocolViolation } from './codec.js'
import type { AgentError } from './errors.js'
import { printable } from './escape.js'
import { type Frame, type HostFrame, limits, type UnitFrame } from './frames.js'
import type { Link } from './link.js'
import { lost } from './lost.js'
import { errnoName } from './names.js'
import { type Ended, type Patience, patience, unlessAborted } from './patience.js'
import { HostProcess } from './process.js'
import {
  boundPaths,
  execFrame,
  failureOf,
  mountFrames,
  offerFrames,
  unbindFrames,
  unboundReport,
  viewFrames,
} from './requests.js'
import { HostStreams } from './streams.js'

const startMs = 30_000
const requestMs = 30_000
/** What the unit's answer to a change of its store may still take once nobody wants the change any more. */
const lastAnswerMs = 5_000
/** Requests and commands whose answers are still due, also of callers that gave up. Beyond it, the unit is stuck. */
const maxOutstanding = 1_024
/** Characters of one listing once they are escaped, which multiplies: as many as unescaped names may have. */
const maxListedCharacters = limits.listedNames * limits.listedNameBytes

type Answer = Frame<
  'signalled' | 'mounted' | 'unbound' | 'failed' | 'offered' | 'powering-off' | 'store-names'
>

interface PendingRequest {
  /** Frames that answer it. */
  readonly answers: readonly Answer['type'][]
  /** True: it was the last answer. Throws ProtocolViolation when it makes no sense. */
  readonly settle: (answer: Answer) => boolean
  /** There will be no answer. */
  readonly lose: (error: AgentError) => void
}

/** The host's end of one unit's control channel, once the version is settled. */
export class AgentSession implements Agent {
  readonly hello: AgentHello
  readonly closed: Promise<AgentClosed>
  readonly #link: Link
  readonly #clock: Clock
  readonly #commands = new Map<number, HostProcess>()
  readonly #requests = new Map<number, PendingRequest>()
  readonly #streams: HostStreams
  #nextId = 1
  /** The unit takes one change or listing of its store at a time: resolves when it has answered the last one. */
  #storeTurn: Promise<unknown> = Promise.resolve()

  constructor(link: Link, clock: Clock, hello: AgentHello) {
    this.#link = link
    this.#clock = clock
    this.#streams = new HostStreams(link, clock)
    this.hello = hello
    this.closed = link.closed
    void link.closed.then((closed) => {
      const error = lost(closed)
      for (const command of this.#commands.values()) command.lose(error.message)
      for (const request of this.#requests.values()) request.lose(error)
      this.#commands.clear()
      this.#requests.clear()
      this.#streams.lose(closed)
    })
  }

  exec(command: GuestCommand, options: AgentOptions = {}): ResultAsync<GuestProcess, AgentError> {
    return new ResultAsync(this.#exec(command, options))
  }

  mountStore(mount: StoreMount, options: AgentOptions = {}): ResultAsync<StoreMountReport, AgentError> {
    const what = 'mounting store paths in the unit'
    return new ResultAsync(
      this.#changeStore(
        what,
        options,
        'mounted',
        (id, deadlineMs) => mountFrames(mount, id, deadlineMs),
        (answer) => mountReport(answer as Frame<'mounted'>, mount.paths),
      ),
    )
  }

  mountView(view: ViewMount, options: AgentOptions = {}): ResultAsync<StoreMountReport, AgentError> {
    return new ResultAsync(
      this.#changeStore(
        'binding paths of the view in the unit',
        options,
        'mounted',
        (id, deadlineMs) => viewFrames(view, id, deadlineMs),
        (answer) => mountReport(answer as Frame<'mounted'>, view.paths),
      ),
    )
  }

  unbindStore(
    paths: readonly string[],
    options: AgentOptions = {},
  ): ResultAsync<StoreUnbindReport, AgentError> {
    return new ResultAsync(
      this.#changeStore(
        'taking store paths out of the unit',
        options,
        'unbound',
        (id) => unbindFrames(paths, id),
        (answer) => unboundReport(answer as Frame<'unbound'>, paths),
      ),
    )
  }

  listStore(options: AgentOptions = {}): ResultAsync<readonly string[], AgentError> {
    return new ResultAsync(this.#listStore(options))
  }

  offerServices(
    names: readonly string[],
    onCall: (call: GuestCall) => void,
    options: AgentOptions = {},
  ): ResultAsync<void, AgentError> {
    return new ResultAsync(this.#offerServices(names, onCall, options))
  }

  connect(path: string, options: AgentOptions = {}): ResultAsync<GuestStream, AgentError> {
    const refused = this.#refusal()
    return refused === undefined ? new ResultAsync(this.#streams.connect(path, options)) : errAsync(refused)
  }

  powerOff(options: AgentOptions = {}): ResultAsync<void, AgentError> {
    const request = (id: number): readonly HostFrame[] => [{ type: 'power-off', request: id }]
    return new ResultAsync(
      this.#ask('asking the unit to power off', options, ['powering-off'], request, () => ok(undefined)),
    ).orElse((error) =>
      // It may be off before its last words arrive.
      error.kind === 'unit-lost' && error.closed.kind === 'closed-by-unit'
        ? okAsync(undefined)
        : errAsync(error),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#link.close({ kind: 'closed-by-host' })
  }

  /** Takes a frame of the unit. Throws ProtocolViolation when it is not legal now. */
  receive(frame: UnitFrame): void {
    switch (frame.type) {
      case 'hello':
        throw new ProtocolViolation('hello a second time')
      case 'signalled':
      case 'mounted':
      case 'unbound':
      case 'failed':
      case 'offered':
      case 'powering-off':
      case 'store-names': {
        const pending = this.#requests.get(frame.request)
        if (pending?.answers.includes(frame.type) !== true) {
          throw new ProtocolViolation(`${frame.type} for no request of that kind`)
        }
        if (pending.settle(frame)) this.#requests.delete(frame.request)
        return
      }
      case 'call':
      case 'connected':
      case 'received':
      case 'received-end':
      case 'send-credit':
      case 'send-closed':
      case 'closed':
        this.#streams.receive(frame)
        return
      default: {
        const command = this.#commands.get(frame.command)
        if (command === undefined) throw new ProtocolViolation(`${frame.type} for no command`)
        if (command.receive(frame)) this.#commands.delete(frame.command)
      }
    }
  }

  async #exec(command: GuestCommand, options: AgentOptions): Promise<Result<GuestProcess, AgentError>> {
    const refused = this.#refusal()
    if (refused !== undefined) return err(refused)
    const id = this.#nextId++
    const frame = execFrame(command, id)
    if ('kind' in frame) return err(frame)
    const what = 'starting a command in the unit'
    const starting = patience(this.#clock, {
      signal: options.signal,
      deadlineMs: options.deadlineMs ?? startMs,
    })
    if (starting.signal.aborted) {
      starting[Symbol.dispose]()
      return err(starting.error(what))
    }
    const process = new HostProcess(id, command.stdin ?? 'closed', {
      clock: this.#clock,
      send: (out) => this.#link.send(out),
      clogged: () => this.#link.clogged(),
      signal: (target, number) => this.#signal(target, number),
    })
    this.#commands.set(id, process)
    this.#link.send(frame)
    if ((await unlessAborted(process.started, starting.signal)) === 'aborted') {
      const error = starting.error(what)
      starting[Symbol.dispose]()
      process.abandon()
      process.cancel(starting.reason === 'aborted' ? 'cancelled' : 'timed-out')
      return err(error)
    }
    const closed = this.#link.closedAs
    if (closed !== undefined) {
      starting[Symbol.dispose]()
      return err(lost(closed))
    }
    // A deadline that the caller set is the command's; the default one was only for its start.
    let life: Patience = starting
    if (options.deadlineMs === undefined) {
      starting[Symbol.dispose]()
      life = patience(this.#clock, { signal: options.signal })
    }
    void unlessAborted(process.outcome, life.signal).then((end) => {
      life[Symbol.dispose]()
      if (end === 'aborted') process.cancel(life.reason === 'aborted' ? 'cancelled' : 'timed-out')
    })
    return ok(process)
  }

  async #offerServices(
    names: readonly string[],
    onCall: (call: GuestCall) => void,
    options: AgentOptions,
  ): Promise<Result<void, AgentError>> {
    const twice = names.find(
      (name, index) => names.indexOf(name) !== index || this.#streams.offered.has(name),
    )
    const tooMany = names.length + this.#streams.offered.size > limits.services
    if (twice !== undefined || tooMany) {
      const message = tooMany
        ? `a unit has at most ${limits.services} services`
        : `${JSON.stringify(printable(twice ?? '', 80))} is offered already`
      return err({ kind: 'invalid-request', field: 'names', message })
    }
    let invalid: AgentError | undefined
    const answer = await this.#ask(
      'offering services to the unit',
      options,
      ['offered', 'failed'],
      (id) => {
        const built = offerFrames(names, id)
        if ('kind' in built) {
          invalid = built
          return []
        }
        // Programs may call before the answer is here.
        this.#streams.expect(names, onCall)
        return built
      },
      (frame): Result<void, AgentError> => {
        if (frame.type !== 'failed') return ok(undefined)
        this.#streams.forget(names)
        return err(failureOf(frame))
      },
    )
    return invalid === undefined ? answer : err(invalid)
  }

  #signal(command: number, signal: number): ResultAsync<void, AgentError> {
    if (!Number.isInteger(signal) || signal < 1 || signal > 64) {
      return errAsync({
        kind: 'invalid-request',
        field: 'signal',
        message: `${signal} is not the number of a signal (1 to 64)`,
      })
    }
    // After its end the unit has forgotten the command; asking would be no request of the protocol.
    const gone: AgentError = { kind: 'refused', errno: 'ESRCH', message: 'the command has ended' }
    if (!this.#commands.has(command)) {
      const closed = this.#link.closedAs
      return errAsync(closed === undefined ? gone : lost(closed))
    }
    const request = (id: number): readonly HostFrame[] => [{ type: 'signal', request: id, command, signal }]
    return new ResultAsync(
      this.#ask('signalling a command', {}, ['signalled'], request, (answer): Result<void, AgentError> => {
        const { errno } = answer as Frame<'signalled'>
        if (errno === 0) return ok(undefined)
        const name = errnoName(errno)
        return err(
          name === 'ESRCH'
            ? gone
            : { kind: 'refused', errno: name, message: `the unit did not signal it: ${name}` },
        )
      }),
    )
  }

  async #changeStore<T>(
    what: string,
    options: AgentOptions,
    answeredBy: 'mounted' | 'unbound',
    frames: (id: number, deadlineMs: number) => readonly HostFrame[] | AgentError,
    read: (answer: Answer) => T,
  ): Promise<Result<T, AgentError>> {
    const deadlineMs = options.deadlineMs ?? requestMs
    const begin = this.#clock.now()
    using wait = patience(this.#clock, { signal: options.signal, deadlineMs })
    const before = this.#storeTurn
    let done!: () => void
    this.#storeTurn = new Promise<void>((resolve) => {
      done = resolve
    })
    if ((await unlessAborted(before, wait.signal)) === 'aborted') {
      void before.then(done)
      return err(wait.error(what))
    }
    const left = Math.max(0, deadlineMs - (this.#clock.now() - begin))
    let invalid: AgentError | undefined
    let asked: number | undefined
    const answer = this.#ask(
      what,
      { signal: options.signal, deadlineMs: left },
      [answeredBy, 'failed'],
      (id) => {
        // The unit gives up a little earlier, so that its words about what is missing still arrive.
        const built = frames(id, left * 0.9)
        if ('kind' in built) {
          invalid = built
          return []
        }
        asked = id
        return built
      },
      (frame): Result<T, AgentError> => (frame.type === 'failed' ? err(failureOf(frame)) : ok(read(frame))),
      { onSettled: done, changesStore: true },
    )
    if (invalid !== undefined || asked === undefined) done()
    return invalid === undefined ? answer : err(invalid)
  }

  async #listStore(options: AgentOptions): Promise<Result<readonly string[], AgentError>> {
    const what = "listing the unit's store"
    using wait = patience(this.#clock, {
      signal: options.signal,
      deadlineMs: options.deadlineMs ?? requestMs,
    })
    const before = this.#storeTurn
    let done!: () => void
    this.#storeTurn = new Promise<void>((resolve) => {
      done = resolve
    })
    if ((await unlessAborted(before, wait.signal)) === 'aborted') {
      void before.then(done)
      return err(wait.error(what))
    }
    const names: string[] = []
    let characters = 0
    let asked = false
    const request = (id: number): readonly HostFrame[] => {
      asked = true
      return [{ type: 'list-store', request: id }]
    }
    const read = (answer: Answer): Result<readonly string[], AgentError> | undefined => {
      if (answer.type === 'failed') return err(failureOf(answer))
      const frame = answer as Frame<'store-names'>
      if (frame.last > 1 || (frame.last === 0 && frame.names.length === 0)) {
        throw new ProtocolViolation('store-names: an empty frame that is not the last')
      }
      for (const name of frame.names.map((each) => printable(each))) {
        names.push(name)
        characters += name.length
      }
      if (names.length > limits.listedNames || characters > maxListedCharacters) {
        throw new ProtocolViolation('store-names: too many')
      }
      return frame.last === 1 ? ok(names.sort()) : undefined
    }
    // The signal stands for the deadline too: one patience covers the turn and the answer.
    const limit = { signal: wait.signal, deadlineMs: options.deadlineMs }
    const result = this.#ask(what, limit, ['store-names', 'failed'], request, read, {
      onSettled: done,
    })
    if (!asked) done()
    return (await result).mapErr((error) => (wait.signal.aborted ? wait.error(what) : error))
  }

  /**
   * Sends a request and waits for its answer. A caller that gives up leaves the request outstanding, because
   * the unit's answer is still to come; `onSettled` is called once that came or never will.
   */
  async #ask<T>(
    what: string,
    options: AgentOptions,
    answers: readonly Answer['type'][],
    frames: (id: number) => readonly HostFrame[],
    read: (answer: Answer) => Result<T, AgentError> | undefined,
    more: { readonly onSettled?: () => void; readonly changesStore?: boolean } = {},
  ): Promise<Result<T, AgentError>> {
    const refused = this.#refusal()
    if (refused !== undefined) return err(refused)
    const id = this.#nextId++
    const toSend = frames(id)
    if (toSend.length === 0) return err({ kind: 'aborted', message: `${what}: nothing was sent` })
    using wait = patience(this.#clock, {
      signal: options.signal,
      deadlineMs: options.deadlineMs ?? requestMs,
    })
    let resolve!: (result: Result<T, AgentError>) => void
    const answered = new Promise<Result<T, AgentError>>((settle) => {
      resolve = settle
    })
    this.#requests.set(id, {
      answers,
      settle: (answer) => {
        const result = read(answer)
        if (result === undefined) return false
        resolve(result)
        more.onSettled?.()
        return true
      },
      lose: (error) => {
        resolve(err(error))
        more.onSettled?.()
      },
    })
    for (const frame of toSend) this.#link.send(frame)
    const result = await unlessAborted(answered, wait.signal)
    if (result !== 'aborted') return result
    const error = wait.error(what)
    return more.changesStore === true ? this.#cancelChange(id, answered, error) : err(error)
  }

  /** The change may have been made before the unit hears that nobody wants it. Only its answer tells. */
  async #cancelChange<T>(
    id: number,
    answered: Promise<Result<T, AgentError>>,
    error: Ended,
  ): Promise<Result<T, AgentError>> {
    this.#link.send({ type: 'mount-cancel', request: id })
    using last = this.#clock.deadline(lastAnswerMs)
    const result = await unlessAborted(answered, last.signal)
    if (result === 'aborted') return err({ ...error, outcome: 'unknown' })
    return result.isOk() ? result : err(error)
  }

  /** Why nothing can be asked of this unit now. */
  #refusal(): AgentError | undefined {
    const closed = this.#link.closedAs
    if (closed !== undefined) return lost(closed)
    if (this.#commands.size + this.#requests.size >= maxOutstanding) {
      return {
        kind: 'refused',
        errno: 'EAGAIN',
        message: `${maxOutstanding} commands and requests of this unit are not finished: wait for some, or stop the unit`,
      }
    }
    return undefined
  }
}

function mountReport(mounted: Frame<'mounted'>, paths: readonly string[]): StoreMountReport {
  return { dax: mounted.dax === 1, bound: boundPaths(mounted, paths) }
}
