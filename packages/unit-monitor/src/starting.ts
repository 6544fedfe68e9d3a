import { err, ok, type Result } from 'neverthrow'
import type { MonitorError } from './errors.js'
import type { MachineDescription, MachineExit } from './machine.js'
import type { Processes, SpawnedProcess, SpawnRequest } from './powers.js'
import { escapeAndCut } from './printable.js'
import { type Patience, WaitEnded } from './waiting.js'

/** Starts a monitor's process; `product` is what to install when it is missing. */
export async function spawn(
  processes: Processes,
  product: string,
  request: SpawnRequest,
): Promise<Result<SpawnedProcess, MonitorError>> {
  try {
    return ok(await processes.spawn(request))
  } catch (cause) {
    return err(notExecuted(cause, product, request))
  }
}

/** What `Processes.spawn` rejected with, as an error for whoever wanted a machine. */
export function notExecuted(
  cause: unknown,
  product: string,
  { file, role }: Pick<SpawnRequest, 'file' | 'role'>,
): MonitorError {
  const code = codeOf(cause)
  if (code === 'ENOENT' || code === 'EACCES')
    return {
      kind: 'monitor-missing',
      binary: file,
      message: `${file} cannot be run (${code}): ${messageOf(cause)}. Install ${product} or name its binary`,
    }
  return systemError(`${role}: could not start ${file}`, cause)
}

/** The monitor ended before its machine could be handed out. Thrown inside this package only. */
export class DiedAtStart extends Error {
  constructor(readonly exit: MachineExit) {
    super('the monitor died while it was starting')
  }
}

/** Whatever was thrown during a start, as an error for its caller. */
export function whyNotStarted(
  why: unknown,
  description: MachineDescription,
  patience: Patience,
  lastLines: readonly string[],
): MonitorError {
  const name = `machine ${description.name}`
  if (why instanceof DiedAtStart) {
    const status = statusOf(why.exit)
    const said =
      lastLines.length === 0 ? 'It said nothing.' : `Its last words: ${lastLines.slice(-3).join(' | ')}`
    return {
      kind: 'monitor-died',
      status,
      lastLines,
      message: `${name}: the monitor ${status} while it was starting. ${said}`,
    }
  }
  const ended = patience.signal.aborted ? patience.signal.reason : why
  if (ended instanceof WaitEnded) {
    if (ended.why === 'aborted') return { kind: 'aborted', message: `${name}: its start was aborted` }
    const message = `${name}: the monitor did not connect within ${patience.deadlineMs} ms`
    return { kind: 'timed-out', message, lastLines }
  }
  if (codeOf(why) === 'EADDRINUSE')
    return systemError(`${name}: its directory holds a socket already: give every machine a fresh one`, why)
  return systemError(`${name}: its sockets could not be made in ${description.directory}`, why)
}

function statusOf(exit: MachineExit): string {
  switch (exit.kind) {
    case 'failed':
      return `exited with ${exit.code}`
    case 'signalled':
      return `was ended by ${exit.signal}`
    case 'killed':
      return 'was killed'
    case 'powered-off':
      return 'powered off'
  }
}

function systemError(what: string, cause: unknown): MonitorError {
  const code = codeOf(cause)
  const message = `${what}: ${messageOf(cause)}`
  return { kind: 'system', message, cause, ...(code === undefined ? {} : { code }) }
}

function codeOf(cause: unknown): string | undefined {
  const code: unknown =
    typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : undefined
}

function messageOf(cause: unknown): string {
  return escapeAndCut(cause instanceof Error ? cause.message : String(cause), 300)
}

/** What a start has acquired so far; disposed in reverse order unless the start succeeds. */
export class Acquired implements Disposable {
  readonly #owned: Disposable[] = []
  released = false

  own<T extends Disposable>(thing: T): T {
    this.#owned.push(thing)
    return thing
  }

  release(): void {
    this.released = true
    this.#owned.length = 0
  }

  [Symbol.dispose](): void {
    for (const thing of this.#owned.splice(0).reverse()) thing[Symbol.dispose]()
  }
}
