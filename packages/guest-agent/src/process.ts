import { errAsync, type ResultAsync } from 'neverthrow'
import type {
  Clock,
  ExecOutcome,
  GuestCommand,
  GuestProcess,
  GuestStdin,
  NotStartedReason,
  TerminalSize,
} from './agent.js'
import { ProtocolViolation } from './codec.js'
import type { AgentError } from './errors.js'
import { printable } from './escape.js'
import { codes, type Frame, type HostFrame } from './frames.js'
import { signalName } from './names.js'
import { OutputStream } from './output.js'
import { StdinWriter } from './stdin.js'

/** How long a unit may take to confirm that it has killed a command. */
const killConfirmationMs = 10_000

/** Frames of the unit that concern one command. */
export type CommandFrame = Frame<
  'started' | 'not-started' | 'output' | 'output-end' | 'stdin-credit' | 'stdin-closed' | 'ended'
>

interface ProcessPowers {
  readonly clock: Clock
  send(frame: HostFrame): void
  /** Undefined when the channel takes more; else resolves when it does. */
  clogged(): Promise<void> | undefined
  signal(number: number): ResultAsync<void, AgentError>
  resize(size: TerminalSize): ResultAsync<void, AgentError>
  hangUp(): ResultAsync<void, AgentError>
}

/** One command of a unit as the host sees it: a small state machine over the unit's frames. */
export class HostProcess implements GuestProcess {
  readonly id: number
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly outcome: Promise<ExecOutcome>
  /** Resolves when the unit started the command, could not, or is lost. */
  readonly started: Promise<void>
  readonly #powers: ProcessPowers
  readonly #terminal: boolean
  readonly #stdin: StdinWriter | undefined
  #phase: 'starting' | 'running' | 'ended' = 'starting'
  #stdinClosed = false
  #cancelled: 'cancelled' | 'timed-out' | undefined
  #confirmation: (Disposable & { readonly signal: AbortSignal }) | undefined
  #resolveStarted!: () => void
  #resolveOutcome!: (outcome: ExecOutcome) => void

  constructor(id: number, { stdin, pty }: Pick<GuestCommand, 'stdin' | 'pty'>, powers: ProcessPowers) {
    this.id = id
    this.#powers = powers
    this.#terminal = pty !== undefined
    const output = (stream: 'stdout' | 'stderr') =>
      new OutputStream((credit) =>
        powers.send({ type: 'output-credit', command: id, stream: codes.stream[stream], credit }),
      )
    this.stdout = output('stdout')
    this.stderr = output('stderr')
    // A terminal shows both on one stream: whatever comes on the other is too much.
    if (this.#terminal) this.stderr.finish()
    this.#stdin =
      stdin !== 'open'
        ? undefined
        : new StdinWriter({
            ready: () => powers.clogged(),
            data: (offset, bytes) => powers.send({ type: 'stdin', command: id, offset, bytes }),
            end: (offset) => powers.send({ type: 'stdin-end', command: id, offset }),
          })
    this.started = new Promise((resolve) => {
      this.#resolveStarted = resolve
    })
    this.outcome = new Promise((resolve) => {
      this.#resolveOutcome = resolve
    })
  }

  get stdin(): GuestStdin | undefined {
    return this.#stdin
  }

  signal(number: number): ResultAsync<void, AgentError> {
    return this.#powers.signal(number)
  }

  resize(size: TerminalSize): ResultAsync<void, AgentError> {
    return this.#terminal ? this.#powers.resize(size) : errAsync(noTerminal)
  }

  hangUp(): ResultAsync<void, AgentError> {
    return this.#terminal ? this.#powers.hangUp() : errAsync(noTerminal)
  }

  /** Kills it. The outcome follows when the unit has confirmed, or says that it did not. */
  cancel(why: 'cancelled' | 'timed-out'): void {
    if (this.#phase === 'ended' || this.#cancelled !== undefined) return
    this.#cancelled = why
    this.#powers.send({ type: 'kill', command: this.id })
    const confirmation = this.#powers.clock.deadline(killConfirmationMs)
    this.#confirmation = confirmation
    confirmation.signal.addEventListener('abort', () => {
      const message = `the unit did not confirm within ${killConfirmationMs} ms that it killed the command: stop the unit`
      this.lose(message)
    })
  }

  /** Drops all output: nobody holds this process. */
  abandon(): void {
    this.stdout.discard()
    this.stderr.discard()
  }

  /** The unit is gone, or as good as gone. */
  lose(message: string): void {
    this.#end({ kind: 'unit-lost', message })
    this.stdout.finish()
    this.stderr.finish()
  }

  /** Takes a frame of the unit. Throws ProtocolViolation when it is not legal now. True: it was the last one. */
  receive(frame: CommandFrame): boolean {
    // After a kill that was not confirmed in time the outcome is settled; the late truth is let in and dropped.
    if (this.#phase === 'ended') return frame.type === 'ended'
    switch (frame.type) {
      case 'started':
        this.#expect('starting', frame)
        this.#phase = 'running'
        this.#resolveStarted()
        return false
      case 'not-started':
        this.#expect('starting', frame)
        this.#end(notStarted(frame))
        this.stdout.finish()
        this.stderr.finish()
        return true
      case 'output':
        this.#expect('running', frame)
        this.#stream(frame.stream).push(frame.offset, frame.bytes)
        return false
      case 'output-end':
        this.#expect('running', frame)
        if (frame.how > codes.end.cut) throw new ProtocolViolation(`an output that ended by ${frame.how}`)
        this.#stream(frame.stream).end(frame.offset)
        return false
      case 'stdin-credit':
      case 'stdin-closed':
        this.#expect('running', frame)
        this.#receiveStdin(frame)
        return false
      case 'ended':
        this.#expect('running', frame)
        if (!this.stdout.ended || !this.stderr.ended) {
          throw new ProtocolViolation('a command ended before its output')
        }
        this.#end(this.#outcomeOf(frame))
        return true
    }
  }

  #receiveStdin(frame: Frame<'stdin-credit' | 'stdin-closed'>): void {
    if (this.#stdin === undefined) throw new ProtocolViolation(`${frame.type} for a command without stdin`)
    if (this.#stdinClosed) throw new ProtocolViolation(`${frame.type} after stdin-closed`)
    if (frame.type === 'stdin-credit') {
      this.#stdin.grant(frame.credit)
    } else {
      this.#stdinClosed = true
      this.#stdin.close('the command closed its stdin')
    }
  }

  #expect(phase: 'starting' | 'running', frame: CommandFrame): void {
    if (this.#phase !== phase)
      throw new ProtocolViolation(`${frame.type} for a command that is ${this.#phase}`)
  }

  #stream(number: number): OutputStream {
    if (number === codes.stream.stdout) return this.stdout
    if (number === codes.stream.stderr) return this.stderr
    throw new ProtocolViolation(`stream ${number}`)
  }

  #outcomeOf({ how, value, coreDumped }: Frame<'ended'>): ExecOutcome {
    if (coreDumped > 1) throw new ProtocolViolation(`coreDumped ${coreDumped}`)
    switch (how) {
      case codes.ended.exited:
        if (value > 255) throw new ProtocolViolation(`exit code ${value}`)
        return { kind: 'exited', code: value }
      case codes.ended.signalled:
        if (value < 1 || value > 64) throw new ProtocolViolation(`signal ${value}`)
        // What happened in fact: it may have ended by itself just before it was to be killed.
        if (this.#cancelled !== undefined && value === 9) return { kind: this.#cancelled }
        return { kind: 'signalled', signal: signalName(value), coreDumped: coreDumped === 1 }
      case codes.ended.oom:
        return { kind: 'oom' }
      default:
        throw new ProtocolViolation(`a command that ended by ${how}`)
    }
  }

  #end(outcome: ExecOutcome): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.#confirmation?.[Symbol.dispose]()
    this.#stdin?.close('the command has ended')
    this.#resolveStarted()
    this.#resolveOutcome(outcome)
  }
}

const noTerminal: AgentError = {
  kind: 'refused',
  errno: 'ENOTTY',
  message: 'the command has no terminal: start it with `pty`',
}

const reasons = new Map<number, NotStartedReason>(
  Object.entries(codes.notStarted).map(([reason, code]) => [code, reason as NotStartedReason]),
)

function notStarted(frame: Frame<'not-started'>): ExecOutcome {
  const reason = reasons.get(frame.reason)
  if (reason === undefined) throw new ProtocolViolation(`not-started reason ${frame.reason}`)
  return { kind: 'not-started', reason, message: printable(frame.message) }
}
