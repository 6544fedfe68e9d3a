import type { ExecOutcome } from '@spectrum/unit-runtime'
import type { ResultAsync } from 'neverthrow'
import { complain } from './complain.js'
import { exitStatus, signalNumber } from './exit-status.js'
import type { CommandPowers, Failure, Sink } from './powers.js'
import { TerminalText } from './terminal-text.js'

export type ExecutePowers = Pick<
  CommandPowers,
  'stdout' | 'stderr' | 'openStdin' | 'clock' | 'interrupted' | 'hurried'
>

/** A command that runs in a unit. */
export interface CommandProcess {
  readonly stdin: { write(bytes: Uint8Array): Promise<void>; end(): Promise<void> } | undefined
  readonly stdout: AsyncIterable<Uint8Array>
  readonly stderr: AsyncIterable<Uint8Array>
  readonly outcome: Promise<ExecOutcome>
  signal(number: number): unknown
}

export interface Execution {
  readonly argv: readonly string[]
  readonly timeoutMs: number | undefined
  /** Whether a terminal gets the program's bytes as they are. */
  readonly raw: boolean
  /**
   * What Ctrl-C and its like do first: end the command, or send it the signal, so that it may end in order. The second
   * one ends it in either case.
   */
  readonly interruption: 'ends' | 'is-sent'
  /** Starts the command; the signal ends it. */
  spawn(signal: AbortSignal): ResultAsync<CommandProcess, Failure>
  /** How the first Ctrl-C and its like reach it, by the name of the signal; as that signal where this is absent. */
  interrupt?(process: CommandProcess, signal: string): void
  /** Called with the running command, before anything is read of it. What it returns is disposed of at the end. */
  attach?(process: CommandProcess): Disposable
}

/** How long a command that was told to end may take to say so, before its machine is ended instead. */
const cancelMs = 3_000
/** How long output may stay away once the command has ended. */
const silenceMs = 2_000

/** Why a command was ended from our side. */
type Cut = 'interrupted' | 'timed-out' | 'unread'

/** Runs a command in a unit, passes its streams on, and resolves with the exit status. */
export async function execute(execution: Execution, powers: ExecutePowers): Promise<number> {
  const { interrupted, hurried, clock, stderr } = powers
  const cut = new AbortController()
  const cutFor = (why: Cut) => cut.abort(why)
  const interrupt = execution.interrupt ?? ((process, signal) => void process.signal(signalNumber(signal)))
  let running: CommandProcess | undefined
  using timeout = execution.timeoutMs === undefined ? undefined : clock.deadline(execution.timeoutMs)
  const onTimeout = () => cutFor('timed-out')
  const onInterrupt = () => {
    if (execution.interruption === 'ends' || running === undefined) cutFor('interrupted')
    else interrupt(running, String(interrupted.reason))
  }
  const onHurry = () => cutFor('interrupted')
  timeout?.signal.addEventListener('abort', onTimeout, { once: true })
  interrupted.addEventListener('abort', onInterrupt, { once: true })
  hurried.addEventListener('abort', onHurry, { once: true })
  if (interrupted.aborted) onInterrupt()
  try {
    const started = await execution.spawn(cut.signal)
    if (started.isErr()) {
      if (cut.signal.aborted) return await cutStatus(cut.signal.reason, powers)
      await complain(stderr, started.error.message)
      return 125
    }
    const process = started.value
    running = process
    using _attached = execution.attach?.(process)
    if (process.stdin !== undefined) void forward(powers.openStdin(), process.stdin, cut.signal)
    const passages = [
      new Passage(process.stdout, outlet(powers.stdout, execution), () => cutFor('unread')),
      new Passage(process.stderr, outlet(powers.stderr, execution), () => cutFor('unread')),
    ]
    const outcome = await outcomeOf(process, passages, cut.signal, clock)
    if (cut.signal.aborted && outcome?.kind !== 'exited') return await cutStatus(cut.signal.reason, powers)
    if (outcome === undefined) return 125
    return await report(outcome, execution, stderr)
  } finally {
    timeout?.signal.removeEventListener('abort', onTimeout)
    interrupted.removeEventListener('abort', onInterrupt)
    hurried.removeEventListener('abort', onHurry)
  }
}

/** The end of the command and of its output; `undefined` when it was cut off and would not say that it ended. */
async function outcomeOf(
  process: CommandProcess,
  passages: readonly Passage[],
  cut: AbortSignal,
  clock: ExecutePowers['clock'],
): Promise<ExecOutcome | undefined> {
  const ended = process.outcome.then(async (outcome) => {
    await drain(passages, clock)
    return outcome
  })
  const first = await Promise.race([ended, aborted(cut)])
  if (first !== undefined) return first
  using patience = clock.deadline(cancelMs)
  return await Promise.race([ended, aborted(patience.signal)])
}

/**
 * What the command wrote before it ended. A process it left behind may hold the stream open for ever: silence
 * ends the wait, a slow reader on our side does not.
 */
async function drain(passages: readonly Passage[], clock: ExecutePowers['clock']): Promise<void> {
  const all = Promise.all(passages.map((passage) => passage.ended)).then(() => 'ended' as const)
  const bytes = () => passages.reduce((sum, passage) => sum + passage.bytes, 0)
  for (;;) {
    const before = bytes()
    using patience = clock.deadline(silenceMs)
    if ((await Promise.race([all, aborted(patience.signal)])) === 'ended') return
    if (bytes() === before && passages.every((passage) => !passage.writing)) return
  }
}

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })

/** Where output goes: into a pipe as it is, onto a terminal as text, for a hostile program may have written it. */
interface Outlet {
  write(bytes: Uint8Array): Promise<void>
  end(): Promise<void>
}

function outlet(to: Sink, { raw }: Execution): Outlet {
  if (to.isTerminal && !raw) return new TerminalText(to)
  return { write: (bytes) => to.write(bytes), end: async () => {} }
}

/** Byte by byte, at the pace of whoever reads; a reader that has gone ends the command, as a pipe would. */
class Passage {
  readonly ended: Promise<void>
  bytes = 0
  writing = false

  constructor(from: AsyncIterable<Uint8Array>, to: Outlet, readerGone: () => void) {
    this.ended = this.#pass(from, to, readerGone)
  }

  async #pass(from: AsyncIterable<Uint8Array>, to: Outlet, readerGone: () => void): Promise<void> {
    let open = true
    for await (const chunk of from) {
      this.bytes += chunk.length
      if (!open) continue
      this.writing = true
      try {
        await to.write(chunk)
      } catch {
        open = false
        readerGone()
      }
      this.writing = false
    }
    if (open) await to.end().catch(() => {})
  }
}

async function forward(
  from: AsyncIterable<Uint8Array>,
  to: NonNullable<CommandProcess['stdin']>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const bytes of from) {
      if (signal.aborted) return
      await to.write(bytes)
    }
    await to.end()
  } catch {
    // The command has ended or closed its input; its outcome tells.
  }
}

async function cutStatus(why: Cut, powers: ExecutePowers): Promise<number> {
  if (why === 'interrupted') return interruptedStatus(powers.interrupted)
  if (why === 'unread') return 128 + signalNumber('SIGPIPE')
  await complain(powers.stderr, 'the command was ended: it ran longer than its --timeout')
  return exitStatus({ kind: 'timed-out' })
}

async function report(outcome: ExecOutcome, execution: Execution, stderr: Sink): Promise<number> {
  switch (outcome.kind) {
    case 'not-started':
      await complain(stderr, `cannot run ${execution.argv[0]} in the unit: ${outcome.message}`)
      break
    case 'unit-lost':
      await complain(stderr, `the unit was lost: ${outcome.message}`)
      break
    case 'oom':
      await complain(stderr, 'the command ran out of memory: give the unit more with --memory')
      break
    case 'timed-out':
      await complain(stderr, 'the command was ended: it ran too long')
      break
    case 'cancelled':
      await complain(stderr, 'the host has ended the command')
      break
    default:
      break
  }
  return exitStatus(outcome)
}

/** What a shell shows of a program that a signal ended. */
export const interruptedStatus = (interrupted: AbortSignal): number =>
  128 + signalNumber(String(interrupted.reason))
