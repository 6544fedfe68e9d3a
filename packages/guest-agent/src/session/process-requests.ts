import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import type { AgentOptions, Clock, GuestCommand, GuestProcess, TerminalSize } from '../agent.js'
import { ProtocolViolation } from '../codec.js'
import type { AgentError } from '../errors.js'
import type { Frame, HostFrame } from '../frames.js'
import type { Link } from '../link.js'
import { lost } from '../lost.js'
import { errnoName } from '../names.js'
import { type Patience, patience, unlessAborted } from '../patience.js'
import { type CommandFrame, HostProcess } from '../process.js'
import { execFrame, failureOf, faultOfSize } from '../requests.js'
import type { Answer, Outstanding } from './outstanding.js'

const startMs = 30_000

/** The commands of one unit. */
export class ProcessRequests {
  readonly #link: Link
  readonly #clock: Clock
  readonly #outstanding: Outstanding
  readonly #commands = new Map<number, HostProcess>()

  constructor(link: Link, clock: Clock, outstanding: Outstanding) {
    this.#link = link
    this.#clock = clock
    this.#outstanding = outstanding
    outstanding.others = () => this.#commands.size
  }

  /** Takes a frame of the unit. Throws ProtocolViolation when it is not legal now. */
  receive(frame: CommandFrame): void {
    const command = this.#commands.get(frame.command)
    if (command === undefined) throw new ProtocolViolation(`${frame.type} for no command`)
    if (command.receive(frame)) this.#commands.delete(frame.command)
  }

  /** The channel has ended. */
  lose(message: string): void {
    for (const command of this.#commands.values()) command.lose(message)
    this.#commands.clear()
  }

  async exec(command: GuestCommand, options: AgentOptions): Promise<Result<GuestProcess, AgentError>> {
    const refused = this.#outstanding.refusal()
    if (refused !== undefined) return err(refused)
    const id = this.#outstanding.nextId()
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
    const process = this.#add(id, command)
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

  #add(id: number, command: GuestCommand): HostProcess {
    const process = new HostProcess(id, command, {
      clock: this.#clock,
      send: (out) => this.#link.send(out),
      clogged: () => this.#link.clogged(),
      signal: (number) => this.#signal(id, number),
      resize: (size) => this.#resize(id, size),
      hangUp: () => this.#askAboutTerminal('hanging up a terminal', id, { type: 'hang-up', command: id }),
    })
    this.#commands.set(id, process)
    return process
  }

  /** After its end the unit has forgotten the command; asking would be no request of the protocol. */
  #gone(command: number): AgentError | undefined {
    if (this.#commands.has(command)) return undefined
    const closed = this.#link.closedAs
    return closed === undefined ? ended : lost(closed)
  }

  #signal(command: number, signal: number): ResultAsync<void, AgentError> {
    if (!Number.isInteger(signal) || signal < 1 || signal > 64) {
      const message = `${signal} is not the number of a signal (1 to 64)`
      return errAsync({ kind: 'invalid-request', field: 'signal', message })
    }
    const gone = this.#gone(command)
    if (gone !== undefined) return errAsync(gone)
    return new ResultAsync(
      this.#outstanding.ask<void>({
        what: 'signalling a command',
        options: {},
        answers: ['signalled'],
        frames: (id) => [{ type: 'signal', request: id, command, signal }],
        read: readSignalled,
      }),
    )
  }

  #resize(command: number, size: TerminalSize): ResultAsync<void, AgentError> {
    const wrong = faultOfSize(size)
    if (wrong !== undefined) return errAsync(wrong)
    const { rows, columns } = size
    return this.#askAboutTerminal('resizing a terminal', command, { type: 'resize', command, rows, columns })
  }

  #askAboutTerminal(
    what: string,
    command: number,
    frame: Omit<Frame<'resize'>, 'request'> | Omit<Frame<'hang-up'>, 'request'>,
  ): ResultAsync<void, AgentError> {
    const gone = this.#gone(command)
    if (gone !== undefined) return errAsync(gone)
    return new ResultAsync(
      this.#outstanding.ask<void>({
        what,
        options: {},
        answers: ['done', 'failed'],
        frames: (request) => [{ ...frame, request } as HostFrame],
        read: (answer) => (answer.type === 'failed' ? err(failureOf(answer)) : ok(undefined)),
      }),
    )
  }
}

const ended: AgentError = { kind: 'refused', errno: 'ESRCH', message: 'the command has ended' }

function readSignalled(answer: Answer): Result<void, AgentError> {
  const { errno } = answer as Frame<'signalled'>
  if (errno === 0) return ok(undefined)
  const name = errnoName(errno)
  if (name === 'ESRCH') return err(ended)
  return err({ kind: 'refused', errno: name, message: `the unit did not signal it: ${name}` })
}
