import type { Fd } from '@spectrum/unix-fd'
import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { printArgv } from '../argv.js'
import { namedDescriptors } from '../constraints.js'
import { CrosvmControl } from '../control/client.js'
import type { ControlFeature } from '../control/unsupported.js'
import type { LogLine } from '../log.js'
import { absentOptions } from '../probe.js'
import type { CrosvmSpec } from '../spec.js'
import type { SpawnError } from './errors.js'
import { missingPrerequisites } from './missing.js'
import type { CrosvmProcess, SpawnPowers } from './powers.js'
import { RunningCrosvm } from './running.js'

/** How a machine is started. */
export interface SpawnOptions {
  /** Absolute path of the crosvm. */
  readonly binary: string
  /**
   * What the machine names as `/proc/self/fd/N` or as `tapFd`, by that number. They stay the caller's, who may
   * close them once this has resolved.
   */
  readonly descriptors?: ReadonlyMap<number, Pick<Fd, 'number'>> | undefined
  /**
   * Each line of standard error, as it comes. What it throws does not stop the log: it becomes an uncaught
   * exception.
   */
  readonly onLog?: ((line: LogLine) => void) | undefined
  /** What the binary was built with, as far as control requests depend on it. Default: none of these. */
  readonly features?: readonly ControlFeature[] | undefined
  /** Milliseconds for the whole start, up to the first answer of crosvm's main loop. Default 30 000. */
  readonly timeoutMs?: number | undefined
  /** Ends the start, with `aborted`. A machine that runs is not affected. */
  readonly signal?: AbortSignal | undefined
}

const START_MS = 30_000
/** Descriptors get their numbers as an array that long. */
const HIGHEST_DESCRIPTOR = 1023

/**
 * Starts crosvm for a machine: in a process group of its own, without a terminal or an environment, with nothing
 * inherited but the descriptors that the machine names, and so that it dies with this program. The options of the
 * binary and the prerequisites on the host are looked at first. Resolves once the main loop answers on the
 * control socket, or, for a machine without one, once the program runs.
 *
 * Errors, in the order in which they are met: `wrong-descriptors`, `probe-failed`, `absent-options`,
 * `prerequisites`, `not-executed`, then `ended`, `not-ready`; `aborted` between any of them. The running machine is the
 * caller's to end: `stop()`, `kill()` or `await using`.
 *
 * @example
 * ```ts
 * import type { CrosvmSpec } from '@spectrum/crosvm-spec'
 * import { linuxSpawnPowers } from '@spectrum/crosvm-spec/linux'
 * import { spawnCrosvm } from '@spectrum/crosvm-spec/spawn'
 *
 * export async function runUntilItEnds(spec: CrosvmSpec, signal: AbortSignal) {
 *   const powers = linuxSpawnPowers()._unsafeUnwrap()
 *   const started = await spawnCrosvm(spec, powers, { binary: '/usr/bin/crosvm', signal })
 *   if (started.isErr()) throw new Error(started.error.message) // absent-options, prerequisites …
 *   await using machine = started.value
 *   return (await machine.ended).exit // { kind: 'stopped' } …
 * }
 * ```
 */
export function spawnCrosvm(
  spec: CrosvmSpec,
  powers: SpawnPowers,
  options: SpawnOptions,
): ResultAsync<RunningCrosvm, SpawnError> {
  return new ResultAsync(start(spec, powers, options))
}

async function start(
  spec: CrosvmSpec,
  powers: SpawnPowers,
  options: SpawnOptions,
): Promise<Result<RunningCrosvm, SpawnError>> {
  const timeoutMs = options.timeoutMs ?? START_MS
  using deadline = powers.clock.deadline(timeoutMs)
  const signal = options.signal ? AbortSignal.any([deadline.signal, options.signal]) : deadline.signal

  const descriptors = chosenDescriptors(spec, options)
  if (descriptors.isErr()) return err(descriptors.error)
  const fits = await optionsAreThere(spec, powers, options.binary, signal)
  if (fits !== undefined) return err(fits)
  // A file system that does not answer must not hold the start for longer than it may take.
  const missing = await Promise.race([missingPrerequisites(spec, powers.host), abortOf(signal)])
  if (missing !== undefined && missing.length > 0) {
    const message = missing.map((item) => item.message).join('; ')
    return err({ kind: 'prerequisites', message, missing })
  }
  if (signal.aborted) return err(abortedBefore(options))

  let process: CrosvmProcess
  try {
    const request = { file: options.binary, argv: printArgv(spec), descriptors: descriptors.value }
    process = await powers.processes.spawn(request)
  } catch (cause) {
    const message = `${options.binary} could not be executed: give the path of a crosvm for this machine`
    return err({ kind: 'not-executed', message, cause })
  }
  return untilReady(new Attempt(spec, powers, options, process), timeoutMs, signal)
}

/** One process, and what of it is still to be cleaned up if the start fails. */
class Attempt {
  readonly running: RunningCrosvm

  constructor(
    readonly spec: CrosvmSpec,
    powers: SpawnPowers,
    readonly options: SpawnOptions,
    process: CrosvmProcess,
  ) {
    const { socket } = spec
    const control =
      socket === undefined || socket.startsWith('/proc/self/fd/')
        ? undefined
        : new CrosvmControl(powers, { spec, features: options.features ?? [] })
    // Nothing was there before the start, so what is there afterwards is what a killed crosvm left.
    const cleanUp = async () => {
      if (control !== undefined) await powers.host.removeSocket(socket!)
    }
    this.running = new RunningCrosvm(process, control, powers.clock, options.onLog, cleanUp)
  }
}

async function untilReady(
  { running, options }: Attempt,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Result<RunningCrosvm, SpawnError>> {
  if (running.control === undefined) return ok(running)
  const gone = new AbortController()
  void running.ended.then(() => gone.abort())
  const bound = AbortSignal.any([signal, gone.signal])
  const answered = await running.control.ready({ timeoutMs, signal: bound })
  if (answered.isOk()) return ok(running)
  // Asked before it is killed: afterwards every one has ended. Nobody but its own end closes the client by now.
  const byItself = gone.signal.aborted || answered.error.kind === 'closed'
  const end = await running.kill()
  if (byItself) {
    const said = end.lastLines.findLast((line) => line.kind === 'record' && line.level === 'error')
    const message = `crosvm ended before it answered (${end.exit.kind}): ${said?.message ?? 'it said nothing'}`
    return err({ kind: 'ended', message, end })
  }
  if (options.signal?.aborted) return err({ kind: 'aborted', message: 'the caller aborted the start' })
  const cause = answered.error
  const message = signal.aborted
    ? `crosvm ran for ${timeoutMs} ms and its main loop did not answer: give it longer, or see its log`
    : cause.message
  return err({ kind: 'not-ready', message, cause })
}

function abortOf(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}

function abortedBefore(options: SpawnOptions): SpawnError {
  const message = options.signal?.aborted
    ? 'the caller aborted the start'
    : 'looking at the binary and the host took all the time there was: give the start longer'
  return { kind: 'aborted', message }
}

async function optionsAreThere(
  spec: CrosvmSpec,
  powers: SpawnPowers,
  binary: string,
  signal: AbortSignal,
): Promise<SpawnError | undefined> {
  if (powers.probe === undefined) return undefined
  const probed = await powers.probe.probe(binary, signal)
  if (probed.isErr()) return { kind: 'probe-failed', message: probed.error.message, cause: probed.error }
  const options = absentOptions(spec, probed.value)
  if (options.length === 0) return undefined
  return { kind: 'absent-options', message: options.map(({ message }) => message).join('; '), options }
}

/** The numbers in the child and the numbers here: all that the machine names, and no other. */
function chosenDescriptors(
  spec: CrosvmSpec,
  options: SpawnOptions,
): Result<ReadonlyMap<number, number>, SpawnError> {
  const given = options.descriptors ?? new Map<number, Pick<Fd, 'number'>>()
  const taps = (spec.net ?? []).flatMap(({ backend }) => (backend.kind === 'tap-fd' ? [backend.tapFd] : []))
  const named = new Set([...namedDescriptors(spec), ...taps])
  const wrong = (numbers: readonly number[], why: string) =>
    err({ kind: 'wrong-descriptors', message: `descriptor ${numbers.join(', ')}: ${why}`, numbers } as const)
  const missing = [...named].filter((number) => !given.has(number))
  if (missing.length > 0) return wrong(missing, 'the machine names it, and it is not given')
  const unnamed = [...given.keys()].filter((number) => !named.has(number))
  if (unnamed.length > 0) return wrong(unnamed, 'it is given, and the machine does not name it')
  const taken = [...named].filter((number) => number < 3 || number > HIGHEST_DESCRIPTOR)
  if (taken.length > 0) return wrong(taken, `name one from 3 to ${HIGHEST_DESCRIPTOR}: the rest is taken`)
  return ok(new Map([...given].map(([number, fd]) => [number, fd.number])))
}
