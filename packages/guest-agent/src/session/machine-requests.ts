import { err, errAsync, ok, okAsync, type Result, ResultAsync } from 'neverthrow'
import type {
  AgentOptions,
  Clock,
  ClockStep,
  ShutdownOptions,
  ShutdownReport,
  ShutdownStep,
  VolumeMount,
} from '../agent.js'
import { ProtocolViolation } from '../codec.js'
import type { AgentError } from '../errors.js'
import { codes, type Frame, limits } from '../frames.js'
import { failureOf, faultOfClock, faultOfEntropy, volumeFrames } from '../requests.js'
import type { Answer, Outstanding } from './outstanding.js'
import { Turns } from './turns.js'

const requestMs = 30_000
/** What an orderly end may take beyond its grace: killing, unmounting, writing back. */
const shutdownMs = 30_000
const defaultGraceMs = 10_000
/** Of what comes after the grace, the unit's own part. */
const REST_OF_UNIT = 0.75

/** What is asked of the unit as a machine: its volumes, its clock, its randomness, its end. */
export class MachineRequests {
  readonly #outstanding: Outstanding
  readonly #volumes: Turns

  constructor(outstanding: Outstanding, clock: Clock) {
    this.#outstanding = outstanding
    this.#volumes = new Turns(clock)
  }

  async mountVolume(volume: VolumeMount, options: AgentOptions): Promise<Result<void, AgentError>> {
    const what = 'mounting a volume in the unit'
    const turn = await this.#volumes.take(what, options, options.deadlineMs ?? requestMs)
    if ('kind' in turn) return err(turn)
    return this.#outstanding.ask<void>({
      what,
      options: { signal: options.signal, deadlineMs: turn.leftMs },
      answers: ['done', 'failed'],
      frames: (id) => volumeFrames(volume, id, turn.leftMs * 0.9),
      read: readDone,
      onSettled: turn.done,
      canBeCancelled: true,
    })
  }

  setClock(epochMs: number, options: AgentOptions): Promise<Result<ClockStep, AgentError>> {
    const microseconds = Math.round(epochMs * 1_000)
    return this.#outstanding.ask<ClockStep>({
      what: "setting the unit's clock",
      options,
      answers: ['clock-set', 'failed'],
      frames: (request) => faultOfClock(epochMs) ?? [{ type: 'set-clock', request, microseconds }],
      read: (answer) =>
        answer.type === 'failed'
          ? err(failureOf(answer))
          : ok({ stepMs: (microseconds - (answer as Frame<'clock-set'>).before) / 1_000 }),
    })
  }

  addEntropy(bytes: Uint8Array, options: AgentOptions): Promise<Result<void, AgentError>> {
    return this.#outstanding.ask<void>({
      what: "reseeding the unit's random numbers",
      options,
      answers: ['done', 'failed'],
      frames: (request) => faultOfEntropy(bytes) ?? [{ type: 'add-entropy', request, bytes }],
      read: readDone,
    })
  }

  powerOff(options: AgentOptions): ResultAsync<void, AgentError> {
    return new ResultAsync(
      this.#outstanding.ask<void>({
        what: 'asking the unit to power off',
        options,
        answers: ['powering-off'],
        frames: (id) => [{ type: 'power-off', request: id }],
        read: () => ok(undefined),
      }),
    ).orElse((error) => (isOff(error) ? okAsync(undefined) : errAsync(error)))
  }

  async shutDown(options: ShutdownOptions): Promise<Result<ShutdownReport, AgentError>> {
    const graceMs = Math.ceil(options.graceMs ?? defaultGraceMs)
    const deadlineMs = options.deadlineMs ?? graceMs + shutdownMs
    const progress = new ShutdownProgress(options.onStep)
    const result = await this.#outstanding.ask<ShutdownReport>({
      what: 'shutting the unit down',
      options: { signal: options.signal, deadlineMs },
      answers: ['shutdown-step', 'powering-off', 'failed'],
      frames: (request) =>
        graceMs >= 0 && graceMs <= limits.shutdownGraceMs
          ? [{ type: 'shut-down', request, graceMs, deadlineMs: deadlineOfUnit(graceMs, deadlineMs) }]
          : { kind: 'invalid-request', field: 'graceMs', message: `0 to ${limits.shutdownGraceMs} ms` },
      read: (answer) => progress.read(answer),
    })
    if (result.isOk()) return result
    const { reached, report } = progress
    // It may be off before its last words arrive.
    if (reached === 'synced' && isOff(result.error)) return ok(report)
    return err(reached === undefined ? result.error : { ...result.error, reached })
  }
}

/** The unit gives up before the host does, so that it can say what it did not do, and its power can go. */
function deadlineOfUnit(graceMs: number, deadlineMs: number): number {
  const rest = Math.max(0, deadlineMs - graceMs)
  return Math.min(Math.floor(graceMs + rest * REST_OF_UNIT), limits.shutdownDeadlineMs)
}

const readDone = (answer: Answer): Result<void, AgentError> =>
  answer.type === 'failed' ? err(failureOf(answer)) : ok(undefined)

const isOff = (error: AgentError): boolean =>
  error.kind === 'unit-lost' && error.closed.kind === 'closed-by-unit'

/** How far the unit has come with its own end. Its steps come in order, each once. */
class ShutdownProgress {
  readonly #onStep: ((step: ShutdownStep) => void) | undefined
  #step = 0
  #report: ShutdownReport = { asked: 0, killed: 0, unmounted: 0, notUnmounted: 0, synced: false }

  constructor(onStep: ((step: ShutdownStep) => void) | undefined) {
    this.#onStep = onStep
  }

  get reached(): ShutdownStep | undefined {
    return stepNames[this.#step - 1]
  }

  get report(): ShutdownReport {
    return this.#report
  }

  read(answer: Answer): Result<ShutdownReport, AgentError> | undefined {
    if (answer.type === 'failed') return err(failureOf(answer))
    if (answer.type === 'powering-off') {
      if (this.reached !== 'synced') throw new ProtocolViolation('powering-off before the last step')
      return ok(this.#report)
    }
    const { step, count, left } = answer as Frame<'shutdown-step'>
    if (step !== this.#step + 1 || this.reached === 'synced') {
      throw new ProtocolViolation(`shutdown-step: step ${step} after ${this.#step}`)
    }
    if (left > count && step === codes.shutdownStep.unmounted) {
      throw new ProtocolViolation('shutdown-step: more left than there were')
    }
    this.#step = step
    if (step === codes.shutdownStep.asked) this.#report = { ...this.#report, asked: count }
    if (step === codes.shutdownStep.killed) this.#report = { ...this.#report, killed: count }
    if (step === codes.shutdownStep.unmounted) {
      this.#report = { ...this.#report, unmounted: count - left, notUnmounted: left }
    }
    if (step === codes.shutdownStep.synced) this.#report = { ...this.#report, synced: left === 0 }
    this.#onStep?.(this.reached!)
    return undefined
  }
}

const stepNames = ['asked', 'killed', 'unmounted', 'synced'] as const
