import { err, type Result } from 'neverthrow'
import type { AgentOptions, Clock } from '../agent.js'
import { ProtocolViolation } from '../codec.js'
import type { AgentError } from '../errors.js'
import type { Frame, HostFrame } from '../frames.js'
import type { Link } from '../link.js'
import { lost } from '../lost.js'
import { type Ended, patience, unlessAborted } from '../patience.js'

const requestMs = 30_000
/** What the unit's answer to a change may still take once nobody wants the change any more. */
const lastAnswerMs = 5_000
/** Requests and commands whose answers are still due, also of callers that gave up. Beyond it, the unit is stuck. */
const maxOutstanding = 1_024

/** Frames that answer a request. */
export type Answer = Frame<
  | 'signalled'
  | 'mounted'
  | 'unbound'
  | 'failed'
  | 'offered'
  | 'powering-off'
  | 'store-names'
  | 'done'
  | 'clock-set'
  | 'shutdown-step'
>

export interface Question<T> {
  /** Named in errors: `mounting a volume in the unit`. */
  readonly what: string
  readonly options: AgentOptions
  readonly answers: readonly Answer['type'][]
  /** What is sent under this number; or why nothing is. */
  readonly frames: (id: number) => readonly HostFrame[] | AgentError
  /** Undefined: more frames follow. Throws ProtocolViolation when the answer makes no sense. */
  readonly read: (answer: Answer) => Result<T, AgentError> | undefined
  /** Called once, when the unit has answered or never will, or nothing was asked. */
  readonly onSettled?: (() => void) | undefined
  /** Whoever gives it up asks the unit to leave it, and waits a little for what became of it. */
  readonly canBeCancelled?: boolean | undefined
}

interface Pending {
  readonly answers: readonly Answer['type'][]
  /** True: it was the last answer. */
  readonly settle: (answer: Answer) => boolean
  /** There will be no answer. */
  readonly lose: (error: AgentError) => void
}

/** What was asked of one unit and not answered yet. */
export class Outstanding {
  readonly #link: Link
  readonly #clock: Clock
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  /** Commands that run count as well: set by whoever knows them. */
  others: () => number = () => 0

  constructor(link: Link, clock: Clock) {
    this.#link = link
    this.#clock = clock
  }

  /** A number for a request or a command: one counter for both. */
  nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  /** Why nothing can be asked of this unit now. */
  refusal(): AgentError | undefined {
    const closed = this.#link.closedAs
    if (closed !== undefined) return lost(closed)
    if (this.#pending.size + this.others() < maxOutstanding) return undefined
    const message = `${maxOutstanding} commands and requests of this unit are not finished: wait for some, or stop the unit`
    return { kind: 'refused', errno: 'EAGAIN', message }
  }

  /**
   * Sends a request and waits for its answer. A caller that gives up leaves the request outstanding, because the
   * unit's answer is still to come.
   */
  async ask<T>(question: Question<T>): Promise<Result<T, AgentError>> {
    const { what, options, onSettled } = question
    const id = this.#lastId + 1
    const refused = this.refusal()
    const frames = refused ?? question.frames(id)
    if ('kind' in frames) {
      onSettled?.()
      return err(frames)
    }
    this.nextId()
    using wait = patience(this.#clock, {
      signal: options.signal,
      deadlineMs: options.deadlineMs ?? requestMs,
    })
    const answered = this.#expect(id, question)
    for (const frame of frames) this.#link.send(frame)
    const result = await unlessAborted(answered, wait.signal)
    if (result !== 'aborted') return result
    const error = wait.error(what)
    return question.canBeCancelled === true ? this.#cancel(id, answered, error) : err(error)
  }

  /** Takes an answer. Throws ProtocolViolation when nobody asked for it. */
  receive(answer: Answer): void {
    const pending = this.#pending.get(answer.request)
    if (pending?.answers.includes(answer.type) !== true) {
      throw new ProtocolViolation(`${answer.type} for no request of that kind`)
    }
    if (pending.settle(answer)) this.#pending.delete(answer.request)
  }

  /** The channel has ended. */
  lose(error: AgentError): void {
    for (const request of this.#pending.values()) request.lose(error)
    this.#pending.clear()
  }

  #expect<T>(id: number, { answers, read, onSettled }: Question<T>): Promise<Result<T, AgentError>> {
    return new Promise((resolve) => {
      this.#pending.set(id, {
        answers,
        settle: (answer) => {
          const result = read(answer)
          if (result === undefined) return false
          resolve(result)
          onSettled?.()
          return true
        },
        lose: (error) => {
          resolve(err(error))
          onSettled?.()
        },
      })
    })
  }

  /** The change may have been made before the unit hears that nobody wants it. Only its answer tells. */
  async #cancel<T>(
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
}
