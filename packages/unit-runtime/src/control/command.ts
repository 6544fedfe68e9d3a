import type { GuestProcess } from '@spectrum/guest-agent'
import type { Clock } from '@spectrum/unit-monitor'
import type { Unit } from '../unit.js'
import { openWait, orAborted } from '../wait.js'
import type { Credit } from './flow.js'
import type { Frame, StreamNumber } from './frames.js'
import { type Act, bounded, type RequestOf } from './requests.js'
import type { Streams } from './streams.js'

/** What a request is answered with: what was asked for, or `{ failure }`. */
export type Answered = Readonly<Record<string, unknown>>

/** How long a command that was cancelled may take to say so. */
const CANCEL_MS = 5_000

export interface RunningCommand {
  act(act: Act): void
}

/** A frame of a request, whose number is known. */
export type Unnumbered<F> = F extends unknown ? Omit<F, 'id'> : never

interface CommandPowers {
  readonly clock: Clock
  /** Aborted when the client cancels the command, or is gone. */
  readonly signal: AbortSignal
  readonly streams: Streams
  send(frame: Unnumbered<Frame>): Promise<void>
  started(command: RunningCommand): void
}

/** Runs a command in a unit for a client. Resolves when its outcome and all its output were sent, or it was cancelled. */
export async function runCommand(
  unit: Unit,
  request: RequestOf<'exec'>,
  powers: CommandPowers,
): Promise<Answered> {
  const { signal, streams, send, clock } = powers
  const { argv, env, cwd, stdin, pty } = request
  // A lazy unit is started by this, and one that starts is waited for.
  const up = await unit.start({ signal })
  if (up.isErr()) return { failure: { kind: up.error.kind, message: bounded(up.error.message, 8_000) } }
  const begun = await unit.spawn(argv, { env, cwd, stdin, pty, signal })
  if (begun.isErr()) {
    const { kind, message } = begun.error
    return { failure: { kind, message: bounded(message, 8_000) } }
  }
  const process = begun.value
  powers.started({ act: (act) => perform(act, process) })
  await send({ kind: 'started' })
  if (process.stdin !== undefined) void passInput(streams, process.stdin)
  const passages = [
    passOutput(process.stdout, 0, streams.credit[0], powers),
    passOutput(process.stderr, 1, streams.credit[1], powers),
  ]
  const ended = process.outcome.then(async (outcome) => {
    const told = 'message' in outcome ? { ...outcome, message: bounded(outcome.message) } : outcome
    await send({ kind: 'outcome', value: told })
  })
  await orAborted(Promise.all([ended, ...passages]), signal)
  if (signal.aborted) {
    // A process that the command left behind may hold its streams for ever; the command itself is gone soon.
    using patience = openWait(clock, CANCEL_MS)
    await orAborted(ended, patience.signal)
  }
  return {}
}

/** Whoever does something to a command that has just ended is told by its outcome. */
function perform(act: Act, process: GuestProcess): void {
  switch (act.act) {
    case 'signal':
      return void process.signal(act.number)
    case 'resize':
      return void process.resize({ rows: act.rows, columns: act.columns })
    case 'hang-up':
      return void process.hangUp()
  }
}

async function passInput(streams: Streams, to: NonNullable<GuestProcess['stdin']>): Promise<void> {
  try {
    for await (const bytes of streams.input) await to.write(bytes)
    await to.end()
  } catch {
    // The command has ended or closed its input: what still comes is dropped.
    streams.input.drop()
  }
}

async function passOutput(
  from: AsyncIterable<Uint8Array>,
  stream: StreamNumber,
  credit: Credit,
  { send }: CommandPowers,
): Promise<void> {
  for await (const bytes of from) {
    if (!(await credit.send(bytes, (chunk) => send({ kind: 'output', stream, bytes: chunk })))) return
  }
  await send({ kind: 'output-end', stream })
}
