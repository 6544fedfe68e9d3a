import type { CrosvmControl } from '../control/client.js'
import type { Clock } from '../control/connection.js'
import { type CrosvmExit, type DeadChild, deadChild, decodeExit, type ProcessEnd } from '../exit-status.js'
import { type LogLine, parseLog } from '../log.js'
import type { CrosvmProcess } from './powers.js'

/** How a crosvm ended. */
export interface CrosvmEnd {
  /** What its end means. */
  readonly exit: CrosvmExit
  /** As the kernel told it, of which `exit` is the meaning. */
  readonly status: ProcessEnd
  /** The process of a device whose death ended the machine, where that was the cause. */
  readonly deadChild: DeadChild | undefined
  /** The end of its log, 50 lines at most. */
  readonly lastLines: readonly LogLine[]
}

/** How many of its last lines are kept. */
const LAST_LINES = 50
/** Ended processes may leave their pipe to a device that is still ending. */
const LAST_WORDS_MS = 2_000
/** From SIGKILL to the end of a group: more than the kernel takes on a busy machine. */
const KILL_MS = 10_000
const STOP_MS = 10_000

/** A crosvm that runs, and everything it started. */
export class RunningCrosvm implements AsyncDisposable {
  /** Of its main process. */
  readonly pid: number
  /**
   * The client of its control socket, closed at the machine's end. Absent where the machine has none, or an
   * inherited one.
   */
  readonly control: CrosvmControl | undefined
  /** Resolves once, when no process of the machine is left and its log is read. Never rejects. */
  readonly ended: Promise<CrosvmEnd>
  readonly #process: CrosvmProcess
  readonly #clock: Clock
  readonly #lastLines: LogLine[] = []
  #deadChild: DeadChild | undefined

  /** Takes over the process and the client. `cleanUp` runs after everything has ended. */
  constructor(
    process: CrosvmProcess,
    control: CrosvmControl | undefined,
    clock: Clock,
    onLog: ((line: LogLine) => void) | undefined,
    cleanUp: () => Promise<void>,
  ) {
    this.pid = process.pid
    this.control = control
    this.#process = process
    this.#clock = clock
    this.ended = this.#awaitEnd(this.#follow(onLog), cleanUp)
  }

  /** The lines that crosvm wrote last, 50 at most. */
  get lastLines(): readonly LogLine[] {
    return [...this.#lastLines]
  }

  /**
   * Asks crosvm to end, which it does without telling the guest, and waits until everything has. What does not
   * end in `timeoutMs` (milliseconds, default 10 000) is killed, and so is a machine without a control socket.
   * Resolves with how it ended in any case, also a second time. Never rejects.
   */
  stop(options: { readonly timeoutMs?: number } = {}): Promise<CrosvmEnd> {
    return this.#stop(options.timeoutMs ?? STOP_MS)
  }

  /** SIGKILL to crosvm and its devices. Resolves when they are gone, with how it ended. Never rejects. */
  kill(): Promise<CrosvmEnd> {
    this.#process.killGroup()
    return this.ended
  }

  /** As `kill`: the guest is not told, and nothing is waited for but the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  async #stop(timeoutMs: number): Promise<CrosvmEnd> {
    using deadline = this.#clock.deadline(timeoutMs)
    const { signal } = deadline
    // Whatever it answers, its end is what counts. Without a socket there is nobody to ask.
    const asked = await this.control?.exit({ timeoutMs, signal })
    if (asked?.isOk()) await Promise.race([this.#process.end, aborted(signal)])
    return this.kill()
  }

  async #follow(onLog: ((line: LogLine) => void) | undefined): Promise<void> {
    try {
      for await (const line of parseLog(this.#process.stderr)) {
        this.#lastLines.push(line)
        if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift()
        // crosvm ends the others when the first has died: that one is the cause.
        this.#deadChild ??= deadChild(line)
        tell(onLog, line)
      }
    } catch {
      // A pipe that broke has said all it will.
    }
  }

  async #awaitEnd(log: Promise<void>, cleanUp: () => Promise<void>): Promise<CrosvmEnd> {
    const end = await this.#process.end
    this.control?.close()
    // Devices end when the main process has: those that do not must not outlive it.
    this.#process.killGroup()
    using gone = this.#clock.deadline(KILL_MS)
    await this.#process.groupGone(gone.signal)
    using words = this.#clock.deadline(LAST_WORDS_MS)
    await Promise.race([log, aborted(words.signal)])
    await cleanUp()
    return { exit: decodeExit(end), status: end, deadChild: this.#deadChild, lastLines: this.lastLines }
  }
}

/** A listener that throws is its owner's mistake: it does not stop the log. */
function tell(onLog: ((line: LogLine) => void) | undefined, line: LogLine): void {
  try {
    onLog?.(line)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
