import type { Agent, AgentError, ExecOutcome, GuestCommand, GuestProcess } from '@spectrum/guest-agent'
import type { Clock } from '@spectrum/unit-monitor'
import { err, ok, type Result } from 'neverthrow'
import { openWait, orAborted } from './wait.js'

/** A command that has ended, with what it wrote. Bytes, not text: a guest decides what is in them. */
export interface ExecResult {
  /** How it has ended. A deadline (`timed-out`), a signal (`cancelled`) and a lost unit (`unit-lost`) are ends too. */
  readonly outcome: ExecOutcome
  /** What it wrote to its standard output, from the beginning on; at most `maxBytes`. */
  readonly stdout: Uint8Array
  /** What it wrote to its standard error, from the beginning on; at most `maxBytes`. */
  readonly stderr: Uint8Array
  /** Whether bytes of either stream were dropped: more than `maxBytes`, or a stream that never ended. */
  readonly truncated: boolean
}

export interface CollectOptions {
  readonly stdin: Uint8Array | undefined
  readonly signal: AbortSignal | undefined
  readonly deadlineMs: number
  /** For each of the two streams. */
  readonly maxBytes: number
}

/** A hostile unit may never report an end: how long it gets once the command was told to stop. */
const REPORT_MS = 5_000
/** A grandchild may hold a stream open after its command has ended. */
const DRAIN_MS = 2_000

/** Runs a command to its end. The deadline and the signal end the command, and are outcomes, not errors. */
export async function collectCommand(
  clock: Clock,
  agent: Agent,
  command: GuestCommand,
  options: CollectOptions,
): Promise<Result<ExecResult, AgentError>> {
  using wait = openWait(clock, options.deadlineMs, options.signal)
  const stdin = options.stdin === undefined ? 'closed' : 'open'
  const started = await agent.exec({ ...command, stdin }, { signal: wait.signal, deadlineMs: wait.leftMs() })
  if (started.isErr()) {
    const reason = wait.reason()
    if (reason === undefined || started.error.kind === 'unit-lost') return err(started.error)
    return ok({ ...nothing, outcome: { kind: reason === 'timed-out' ? 'timed-out' : 'cancelled' } })
  }
  const process = started.value
  const stdout = new Collected(process.stdout, options.maxBytes)
  const stderr = new Collected(process.stderr, options.maxBytes)
  if (options.stdin !== undefined) void feed(process, options.stdin)
  const outcome = await outcomeWithin(clock, process, wait)
  using drain = openWait(clock, DRAIN_MS)
  await orAborted(Promise.all([stdout.ended, stderr.ended]), drain.signal)
  return ok({
    outcome,
    stdout: stdout.take(),
    stderr: stderr.take(),
    truncated: stdout.truncated || stderr.truncated,
  })
}

const nothing = { stdout: new Uint8Array(0), stderr: new Uint8Array(0), truncated: false } as const

async function outcomeWithin(
  clock: Clock,
  process: GuestProcess,
  wait: ReturnType<typeof openWait>,
): Promise<ExecOutcome> {
  const reported = await orAborted(process.outcome, wait.signal)
  if (reported !== undefined) return named(reported, wait.reason())
  // Aborting the signal that the command was started with cancels it; its end is reported like any other.
  using grace = openWait(clock, REPORT_MS)
  const late = await orAborted(process.outcome, grace.signal)
  return named(late ?? { kind: 'cancelled' }, wait.reason())
}

/** The agent reports a cancelled command as such; only here is it known whether it was the deadline. */
function named(outcome: ExecOutcome, reason: 'timed-out' | 'aborted' | undefined): ExecOutcome {
  if (reason === undefined || outcome.kind === 'unit-lost' || outcome.kind === 'not-started') return outcome
  return { kind: reason === 'timed-out' ? 'timed-out' : 'cancelled' }
}

async function feed(process: GuestProcess, bytes: Uint8Array): Promise<void> {
  // A command need not read what it is given; closing early is its right and its outcome tells the rest.
  try {
    await process.stdin?.write(bytes)
    await process.stdin?.end()
  } catch {}
}

/** One stream, read to its end so that the command never stalls, kept up to a bound. */
class Collected {
  readonly ended: Promise<void>
  /** Grows by doubling: a unit that sends byte by byte must not make the host hold an object for each. */
  #held = new Uint8Array(0)
  #bytes = 0
  #cut = false
  #open = true
  #isTaken = false

  constructor(stream: AsyncIterable<Uint8Array>, maxBytes: number) {
    this.ended = this.#read(stream, maxBytes)
  }

  get truncated(): boolean {
    return this.#cut || this.#open
  }

  async #read(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<void> {
    try {
      for await (const chunk of stream) {
        // Leaving the loop tells the stream that the rest is nobody's.
        if (this.#isTaken) break
        const kept = chunk.subarray(0, maxBytes - this.#bytes)
        if (kept.length < chunk.length) this.#cut = true
        this.#hold(kept, maxBytes)
      }
      if (!this.#isTaken) this.#open = false
    } catch {
      // The unit is lost; the outcome says so. What arrived is kept and marked as cut short.
    }
  }

  #hold(bytes: Uint8Array, maxBytes: number): void {
    const needed = this.#bytes + bytes.length
    if (needed > this.#held.length) {
      const larger = new Uint8Array(Math.min(maxBytes, Math.max(needed, this.#held.length * 2, 4096)))
      larger.set(this.#held.subarray(0, this.#bytes))
      this.#held = larger
    }
    this.#held.set(bytes, this.#bytes)
    this.#bytes = needed
  }

  /** A unit that never ends its stream keeps nothing of the host's from then on. */
  take(): Uint8Array {
    this.#isTaken = true
    const taken = this.#held.slice(0, this.#bytes)
    this.#held = new Uint8Array(0)
    return taken
  }
}
