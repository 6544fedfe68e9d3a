import type { ExecOutcome, GuestProcess } from '@spectrum/unit-runtime'
import type { RunCommand } from './arguments.js'
import { escapeLines } from './escape.js'
import { exitStatus, signalNumber } from './exit-status.js'
import type { CommandPowers, Failure, Sink, StartedUnit, UnitHost } from './powers.js'
import { Progress } from './progress.js'
import { TerminalText } from './terminal-text.js'

type RunPowers = Pick<CommandPowers, 'stdout' | 'stderr' | 'openStdin' | 'clock' | 'openHost' | 'interrupted'>

/** How long a command that was told to end may take to say so, before its machine is ended instead. */
const cancelMs = 3_000
/** How long output may stay away once the command has ended. */
const silenceMs = 2_000

/** Starts one unit, runs one command in it and removes the unit. Resolves with the exit status. */
export async function run(command: RunCommand, powers: RunPowers): Promise<number> {
  const { interrupted, stderr } = powers
  const progress = new Progress(stderr, powers.clock)
  const opened = await powers.openHost({ signal: interrupted, onStep: (step) => progress.show(step) })
  if (opened.isErr()) return failed(opened.error, powers, progress)
  const host = opened.value
  let status: number
  try {
    status = await runOn(host, command, powers, progress)
  } finally {
    progress.clear()
    const stopped = await host.stop()
    if (stopped.isErr()) await complain(stderr, stopped.error.message)
  }
  return status
}

async function runOn(
  host: UnitHost,
  command: RunCommand,
  powers: RunPowers,
  progress: Progress,
): Promise<number> {
  progress.show(`starting the unit (${host.monitor.kind}, ${host.monitor.accelerator})`)
  const unit = await host.startUnit(command, powers.interrupted)
  if (unit.isErr()) return failed(unit.error, powers, progress)
  progress.clear()
  return execute(unit.value, command, powers)
}

/** Why a command was ended from our side. */
type Cut = 'interrupted' | 'timed-out' | 'unread'

async function execute(unit: StartedUnit, command: RunCommand, powers: RunPowers): Promise<number> {
  const { interrupted, clock, stderr } = powers
  const cut = new AbortController()
  const cutFor = (why: Cut) => cut.abort(why)
  using timeout = command.timeoutMs === undefined ? undefined : clock.deadline(command.timeoutMs)
  const onTimeout = () => cutFor('timed-out')
  const onInterrupt = () => cutFor('interrupted')
  timeout?.signal.addEventListener('abort', onTimeout, { once: true })
  interrupted.addEventListener('abort', onInterrupt, { once: true })
  if (interrupted.aborted) onInterrupt()
  try {
    const { argv, env, stdin } = command
    const started = await unit.spawn(argv, { env, stdin, signal: cut.signal })
    if (started.isErr()) {
      if (cut.signal.aborted) return await cutStatus(cut.signal.reason, powers)
      await complain(stderr, started.error.message)
      return 125
    }
    const process = started.value
    if (process.stdin !== undefined) void forward(powers.openStdin(), process.stdin, cut.signal)
    const passages = [
      new Passage(process.stdout, outlet(powers.stdout, command), () => cutFor('unread')),
      new Passage(process.stderr, outlet(powers.stderr, command), () => cutFor('unread')),
    ]
    const outcome = await outcomeOf(process, passages, cut.signal, clock)
    if (cut.signal.aborted && outcome?.kind !== 'exited') return await cutStatus(cut.signal.reason, powers)
    if (outcome === undefined) return 125
    return await report(outcome, command, stderr)
  } finally {
    timeout?.signal.removeEventListener('abort', onTimeout)
    interrupted.removeEventListener('abort', onInterrupt)
  }
}

/** The end of the command and of its output; `undefined` when it was cut off and would not say that it ended. */
async function outcomeOf(
  process: GuestProcess,
  passages: readonly Passage[],
  cut: AbortSignal,
  clock: RunPowers['clock'],
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
async function drain(passages: readonly Passage[], clock: RunPowers['clock']): Promise<void> {
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

function outlet(to: Sink, { raw }: RunCommand): Outlet {
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
  to: NonNullable<GuestProcess['stdin']>,
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

async function cutStatus(why: Cut, powers: RunPowers): Promise<number> {
  if (why === 'interrupted') return interruptedStatus(powers.interrupted)
  if (why === 'unread') return 128 + signalNumber('SIGPIPE')
  await complain(powers.stderr, 'the command was ended: it ran longer than its --timeout')
  return exitStatus({ kind: 'timed-out' })
}

async function report(outcome: ExecOutcome, command: RunCommand, stderr: Sink): Promise<number> {
  switch (outcome.kind) {
    case 'not-started':
      await complain(stderr, `cannot run ${command.argv[0]} in the unit: ${outcome.message}`)
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
    default:
      break
  }
  return exitStatus(outcome)
}

async function failed(error: Failure, powers: RunPowers, progress: Progress): Promise<number> {
  progress.clear()
  if (powers.interrupted.aborted) return interruptedStatus(powers.interrupted)
  await complain(powers.stderr, error.message)
  return 125
}

const interruptedStatus = (interrupted: AbortSignal): number => 128 + signalNumber(String(interrupted.reason))

async function complain(stderr: Sink, message: string): Promise<void> {
  await stderr.write(`spectrum: ${escapeLines(message)}\n`).catch(() => {})
}
