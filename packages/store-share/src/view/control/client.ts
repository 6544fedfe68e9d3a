import type { Fd, UnixSocket } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import type { Clock } from '../../powers.js'
import { quote } from '../../quote.js'
import type { ViewError } from '../errors.js'
import type { ViewCounters } from '../serve.js'
import type { ViewOptions } from '../view.js'
import {
  type ControlAnswer,
  type ControlRequest,
  encode,
  type FrontEndGone,
  MOST_PACKET_BYTES,
  parseAnswer,
} from './messages.js'

type Outcome = Result<ViewCounters | undefined, ViewError>

const DEADLINE_MS = 10_000

/** The host's end of a view's control channel. The program at the other end is not trusted to keep to it. */
export class ControlClient implements Disposable {
  readonly #socket: UnixSocket
  readonly #clock: Clock
  readonly #waiting = new Map<number, (outcome: Outcome) => void>()
  readonly #ended = new AbortController()
  #lastId = 0
  /**
   * What was asked and not answered yet, by its number; also what was given up. Each is answered once, and each front end
   * goes once: so no more comes from the program than it was asked for.
   */
  readonly #open = new Map<number, ControlRequest['do']>()
  /** Front ends that it was given and that have not gone. */
  #frontEnds = 0
  #onGone: ((gone: FrontEndGone) => void) | undefined
  /** Resolves when the channel has ended, for whatever reason: a sentence. */
  readonly ended: Promise<string>

  constructor(socket: UnixSocket, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
    this.ended = this.#listen()
  }

  /** Called each time a front end has been served. */
  onFrontEndGone(callback: (gone: FrontEndGone) => void): void {
    this.#onGone = callback
  }

  async ask(
    request: ControlRequest,
    fds: readonly Fd[],
    { signal, deadlineMs = DEADLINE_MS }: ViewOptions = {},
  ): Promise<Outcome> {
    if (signal?.aborted) return err(aborted())
    if (this.#ended.signal.aborted) return err(lost('its program has ended'))
    this.#lastId += 1
    const id = this.#lastId
    using deadline = this.#clock.deadline(deadlineMs)
    const signals = [deadline.signal, this.#ended.signal, ...(signal === undefined ? [] : [signal])]
    const waiting = AbortSignal.any(signals)
    const answered = new Promise<Outcome>((resolve) => {
      this.#waiting.set(id, resolve)
      const giveUp = () => resolve(err(this.#why(signal, deadlineMs)))
      if (waiting.aborted) giveUp()
      else waiting.addEventListener('abort', giveUp, { once: true })
    })
    try {
      this.#open.set(id, request.do)
      if (request.do === 'attach') this.#frontEnds += 1
      const sent = await this.#socket.send(encode({ id, ...request }), { fds, signal: waiting })
      // A packet goes out whole or not at all.
      if (sent.isErr()) this.#forget(id)
      if (sent.isErr() && !waiting.aborted) return err(lost(sent.error.message))
      return await answered
    } finally {
      this.#waiting.delete(id)
    }
  }

  /** False when nothing of that number is open. The program has no front end of a request that came to nothing. */
  #forget(id: number, answer: ControlAnswer | undefined = undefined): boolean {
    const request = this.#open.get(id)
    const failed = answer === undefined || 'failure' in answer
    if (request === 'attach' && failed) this.#frontEnds -= 1
    return this.#open.delete(id)
  }

  /** Idempotent. */
  close(): void {
    this.#ended.abort()
    this.#socket.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #why(signal: AbortSignal | undefined, deadlineMs: number): ViewError {
    if (signal?.aborted) return aborted()
    if (this.#ended.signal.aborted) return lost('its program ended while it was asked')
    const message = `the view did not answer within ${deadlineMs} ms: it may be waiting for a slow disk; try again, or close it`
    return { kind: 'timed-out', message }
  }

  async #listen(): Promise<string> {
    try {
      for (;;) {
        const received = await this.#socket.receive({
          maxBytes: MOST_PACKET_BYTES,
          signal: this.#ended.signal,
        })
        if (received.isErr()) return received.error.message
        if (received.value.kind === 'end') return 'its program closed the control channel'
        const answer = parseAnswer(received.value.bytes)
        if (answer.isErr()) return `its program said ${answer.error}`
        if ('event' in answer.value) {
          if (this.#frontEnds <= 0) return 'its program told of a front end that it does not have'
          this.#frontEnds -= 1
          this.#onGone?.({ ...answer.value, message: quote(answer.value.message) })
          continue
        }
        if (!this.#forget(answer.value.id, answer.value)) return 'its program answered what was not asked'
        // One to a question that was given up is no news.
        this.#waiting.get(answer.value.id)?.(outcomeOf(answer.value))
      }
    } finally {
      this.close()
    }
  }
}

function outcomeOf(
  answer:
    | { readonly counters?: ViewCounters }
    | { readonly failure: { kind: ViewError['kind']; message: string } },
): Outcome {
  if (!('failure' in answer)) return ok(answer.counters)
  const { kind, message } = answer.failure
  return err({ kind, message: quote(message) } as ViewError)
}

const aborted = (): ViewError => ({ kind: 'aborted', message: 'the caller aborted the operation' })

const lost = (why: string): ViewError => ({
  kind: 'view-lost',
  message: `the view is gone (${quote(why)}): close it and open another one`,
})
