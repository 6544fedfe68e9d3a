import type { ExecOutcome } from '@spectrum/guest-agent'
import type { Result } from 'neverthrow'
import type { ClientStreams } from './client-streams.js'
import type { ControlError } from './errors.js'
import type { Act } from './requests.js'

/** A command that runs in a unit of another program's host. It is cancelled when this connection ends. */
export interface ControlledCommand {
  /** Present when it was started with `stdin: 'open'`. A write resolves when the host has room for the bytes. */
  readonly stdin:
    | {
        /** Resolves when the host has room for the bytes. */
        write(bytes: Uint8Array): Promise<void>
        /** The command reads end-of-file behind what was written. */
        end(): Promise<void>
      }
    | undefined
  /** Byte-exact; one consumer each; not reading one of them stops neither the other nor other commands. */
  readonly stdout: AsyncIterable<Uint8Array>
  /** As `stdout`; empty where the command has a terminal. */
  readonly stderr: AsyncIterable<Uint8Array>
  /** Resolves once, with how the command ended; never rejects. `unit-lost` as well when the host itself was lost. */
  readonly outcome: Promise<ExecOutcome>
  /**
   * Sends a signal by its number (1 to 64, signal(7); throws a RangeError for others) to the command's process group. One
   * that has ended gets none.
   */
  signal(number: number): void
  /**
   * Tells a command that was started with `pty` how large its terminal is now: 1 to 65,535 each way; throws a RangeError for
   * others.
   */
  resize(size: {
    /** Lines of text. */
    readonly rows: number
    /** Characters of a line. */
    readonly columns: number
  }): void
  /** The terminal of a command that was started with `pty` is gone. */
  hangUp(): void
  /** Ends the command and lets go of its output. Harmless when it has ended. */
  cancel(): void
}

interface Sender {
  readonly stdin: 'closed' | 'open'
  act(act: Act): void
  input(bytes: Uint8Array): Promise<boolean>
  endInput(): void
  cancel(): void
}

export class ClientCommand implements ControlledCommand {
  readonly stdin: ControlledCommand['stdin']
  readonly stdout: AsyncIterable<Uint8Array>
  readonly stderr: AsyncIterable<Uint8Array>
  readonly outcome: Promise<ExecOutcome>
  readonly #sender: Sender
  #done = false

  constructor(
    streams: ClientStreams,
    outcome: Promise<ExecOutcome>,
    answer: Promise<Result<unknown, ControlError>>,
    sender: Sender,
  ) {
    this.#sender = sender
    this.stdout = streams.output[0]
    this.stderr = streams.output[1]
    this.stdin = sender.stdin === 'open' ? inputOf(streams, sender) : undefined
    // The outcome comes before the answer, unless the command was cancelled and its unit would not say.
    this.outcome = Promise.race([
      outcome,
      answer.then((result): ExecOutcome => {
        this.#done = true
        return result.isOk() ? { kind: 'cancelled' } : { kind: 'unit-lost', message: result.error.message }
      }),
    ])
  }

  signal(number: number): void {
    if (!this.#done) this.#sender.act({ act: 'signal', number })
  }

  resize({ rows, columns }: { readonly rows: number; readonly columns: number }): void {
    if (!this.#done) this.#sender.act({ act: 'resize', rows, columns })
  }

  hangUp(): void {
    if (!this.#done) this.#sender.act({ act: 'hang-up' })
  }

  cancel(): void {
    if (!this.#done) this.#sender.cancel()
  }

  /** Cancels it when the signal aborts, as long as it runs. */
  cancelWith(signal: AbortSignal | undefined): void {
    if (signal === undefined) return
    const cancel = () => this.cancel()
    if (signal.aborted) cancel()
    else signal.addEventListener('abort', cancel, { once: true })
    void this.outcome.then(() => signal.removeEventListener('abort', cancel))
  }
}

function inputOf(streams: ClientStreams, sender: Sender): ControlledCommand['stdin'] {
  let ended = false
  return {
    async write(bytes) {
      const sent =
        !ended && (await streams.input.send(bytes, async (chunk) => void (await sender.input(chunk))))
      if (!sent) throw new Error('the command reads no more')
    },
    async end() {
      if (ended) return
      ended = true
      await streams.input.flushed()
      sender.endInput()
    },
  }
}
