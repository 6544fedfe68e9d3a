import type { Agent, AgentError, AgentHello, GuestProcess, ShutdownReport } from '@spectrum/guest-agent'
import type { Attachment, Blob, Closure, DeviceFile, SharingReport } from '@spectrum/store-share'
import type { ClosureReference } from '@spectrum/unit-graph'
import type { Machine, MachineExit, MachineProcess } from '@spectrum/unit-monitor'
import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import { collectCommand, type ExecResult } from './collect.js'
import type { DebugOutput, DebugTarget } from './debug/debug-output.js'
import { heldBlobs } from './devices.js'
import { agentFailed, type HostError, monitorFailed, stateFailed } from './errors.js'
import { giveBack, killMachine, together } from './give-back.js'
import type { InjectReport } from './inject.js'
import type { MachineLimits, UnitUsage } from './limits/host-groups.js'
import type { RevokeReport } from './revoke.js'
import type { InjectionWay, StoreAccess } from './store-access.js'
import { StoreChanges } from './store-changes.js'
import { MachineWatch } from './supervision/machine-watch.js'
import type { Disorder, ExecOptions, SpawnOptions, StopOptions, WaitOptions } from './unit.js'
import { measure, type UnitContext } from './unit-context.js'
import type { UnitFiles } from './unit-files.js'
import type { UnitView } from './unit-view.js'
import type { MachineVolumes } from './volumes/host-volumes.js'
import { openWait, orAborted } from './wait.js'

const EXEC_MS = 300_000
const LISTING_MS = 30_000
const GRACE_MS = 10_000
/** Of a grace, for what comes after the programs: killing who is left, the volumes, the power. */
const TIDY_MS = 3_000
/** What an agent grants programs at most. */
const MOST_PROGRAMS_MS = 600_000
const MOST_OUTPUT = 16 * 1024 * 1024

/** What a start has put together; the unit owns all of it from then on. */
export interface UnitParts {
  readonly directory: string
  readonly machine: Machine
  readonly agent: Agent
  readonly attachment: Attachment
  readonly devices: Map<string, DeviceFile>
  readonly access: StoreAccess
  readonly way: InjectionWay
  readonly view: UnitView | undefined
  readonly dax: boolean
  readonly limits: MachineLimits
  readonly volumes: MachineVolumes
}

/** Where one machine's life is. `failed`: it ended, or is being ended, although nobody asked it to. */
export type MachineState = 'running' | 'paused' | 'stopping' | 'stopped' | 'failed'

/** How the life of one machine came to its end. */
export interface MachineEnd {
  readonly exit: MachineExit
  /** Whether the guest ended in order within its grace. */
  readonly graceful: boolean
  /** Why not, where it was asked to. */
  readonly disorder?: Disorder
}

/** Hears of each new state at once, and of `failed` with what befell the machine. Must not throw. */
export type HearState = (state: MachineState, failure?: HostError) => void

/** What a guest is told when it goes on after a pause: the time, new entropy. */
export type Awaken = (agent: Agent, options: WaitOptions) => ResultAsync<unknown, AgentError>

/** A unit while it has one machine, from the end of its start to the last trace of it. */
export class RunningUnit {
  readonly boot: AgentHello
  readonly dax: boolean
  readonly store: StoreAccess
  readonly injection: InjectionWay
  /** Resolves once, when the machine is gone and holds nothing any more. Never rejects. */
  readonly ended: Promise<MachineEnd>
  readonly #context: UnitContext
  readonly #parts: UnitParts
  readonly #hear: HearState
  readonly #changes: StoreChanges
  readonly #watch: MachineWatch
  #state: MachineState = 'running'
  #failure: HostError | undefined
  /** Aborted when the unit begins to end. */
  readonly #ending = new AbortController()
  /** Aborted when whoever stops it will not wait for the guest any longer. */
  readonly #hurry = new AbortController()
  #stopping: Promise<Result<MachineEnd, HostError>> | undefined
  #settleEnded: (end: MachineEnd) => void = () => {}
  /** Whether its guest was asked to end. */
  #asked = false
  #disorder: Disorder | undefined
  #isGone = false

  constructor(
    readonly name: string,
    context: UnitContext,
    parts: UnitParts,
    hear: HearState,
  ) {
    this.#context = context
    this.#parts = parts
    this.#hear = hear
    this.boot = parts.agent.hello
    this.dax = parts.dax
    this.store = parts.access
    this.injection = parts.way
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve
    })
    const { machine, agent, devices, access, way, view } = parts
    this.#changes = new StoreChanges(
      {
        context,
        machine: { name, machine, agent, devices, transport: access.transport, way, view },
        ending: this.#ending.signal,
        running: (work) => this.#running(work),
        notRunning: () => this.#notRunning(),
      },
      parts.attachment.closure,
    )
    const heartbeat = context.heartbeatOf(name)
    this.#watch = new MachineWatch(
      { name, clock: context.powers.clock, machine, agent, view, limits: parts.limits, heartbeat },
      (failure) => this.#befell(failure),
    )
  }

  /** What befell it, where it is `failed`. */
  get failure(): HostError | undefined {
    return this.#failure
  }

  /** Its machine has ended and holds nothing any more. */
  get isGone(): boolean {
    return this.#isGone
  }

  get state(): MachineState {
    return this.#state
  }

  get closure(): Closure {
    return this.#changes.closure
  }

  get processes(): readonly MachineProcess[] {
    return this.#parts.machine.processes
  }

  /** The blobs that its machine maps now, injected ones included; without the metadata images. */
  get blobs(): readonly Blob[] {
    return heldBlobs(this.#parts.devices)
  }

  exec(argv: readonly string[], options: ExecOptions = {}): ResultAsync<ExecResult, HostError> {
    const { env, cwd, user, signal, stdin, deadlineMs = EXEC_MS, maxBytes = MOST_OUTPUT } = options
    const input = typeof stdin === 'string' ? new TextEncoder().encode(stdin) : stdin
    return this.#running(async () => {
      if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) {
        const message = 'maxBytes must be a whole number of bytes, 0 or more.'
        return err({ kind: 'invalid-request', message, field: 'maxBytes' })
      }
      const { clock } = this.#context.powers
      const bounds = { stdin: input, signal, deadlineMs, maxBytes }
      const done = await collectCommand(clock, this.#parts.agent, { argv, env, cwd, user }, bounds)
      return done.mapErr((cause) => agentFailed(this.name, cause, this.lastLines()))
    })
  }

  spawn(argv: readonly string[], options: SpawnOptions = {}): ResultAsync<GuestProcess, HostError> {
    const { env, cwd, stdin, pty, user, signal, deadlineMs } = options
    return this.#running(async () => {
      const command = { argv, env, cwd, stdin, pty, user }
      const started = await this.#parts.agent.exec(command, { signal, deadlineMs })
      return started.mapErr((cause) => agentFailed(this.name, cause, this.lastLines()))
    })
  }

  readonly files: UnitFiles = {
    put: (file, content, options = {}) =>
      this.#running(async () => {
        const done = await this.#parts.agent.putFile(file, content, options)
        return done.mapErr((cause) => agentFailed(this.name, cause, this.lastLines()))
      }),
    get: (file, options = {}) =>
      this.#running(async () => {
        const opened = await this.#parts.agent.getFile(file, options)
        return opened.mapErr((cause) => agentFailed(this.name, cause, this.lastLines()))
      }),
  }

  inject(reference: ClosureReference, options: WaitOptions = {}): ResultAsync<InjectReport, HostError> {
    return this.#changes.inject(reference, options)
  }

  revoke(reference: ClosureReference, options: WaitOptions = {}): ResultAsync<RevokeReport, HostError> {
    return this.#changes.revoke(reference, options)
  }

  injectDebug(
    target: DebugTarget,
    options: WaitOptions = {},
  ): ResultAsync<InjectReport & DebugOutput, HostError> {
    return this.#changes.injectDebug(target, options)
  }

  storeListing(options: WaitOptions = {}): ResultAsync<readonly string[], HostError> {
    return this.#running(async () => {
      const listed = await this.#parts.agent.listStore({ deadlineMs: LISTING_MS, ...options })
      return listed.mapErr((cause) => agentFailed(this.name, cause, this.lastLines()))
    })
  }

  sharing(options: WaitOptions = {}): ResultAsync<SharingReport, HostError> {
    return this.#running(() => measure(this.#context.powers, [this], options))
  }

  usage(): ResultAsync<UnitUsage, HostError> {
    return this.#running(async () => {
      const { limits, view } = this.#parts
      const pids = this.processes.map(({ pid }) => pid)
      if (view !== undefined) pids.push(view.server.pid)
      try {
        return ok(await this.#context.groups.usage(limits.report, pids))
      } catch (cause) {
        return err(stateFailed('/proc', 'read what processes take from', cause))
      }
    })
  }

  lastLines(): readonly string[] {
    return this.#parts.machine.lastLines()
  }

  stop(options: StopOptions = {}): ResultAsync<MachineEnd, HostError> {
    const { graceMs = GRACE_MS } = options
    if (graceMs <= 0) this.#hurry.abort()
    this.#stopping ??= this.#stop(graceMs)
    return new ResultAsync(this.#stopping)
  }

  /** Stops its processors; it answers nothing until it is resumed. */
  pause(options: WaitOptions = {}): ResultAsync<void, HostError> {
    return this.#running(async () => {
      this.#watch.suspend()
      const paused = await this.#parts.machine.pause!(options)
      if (paused.isErr()) {
        this.#watch.resume()
        return err(monitorFailed(this.name, paused.error))
      }
      if (this.#state === 'running') this.#become('paused')
      return ok(undefined)
    })
  }

  /**
   * From `paused` only. `awaken` tells the guest what it has missed, before anybody else may use it. After a failure it
   * counts as paused still.
   */
  resume(options: WaitOptions = {}, awaken?: Awaken): ResultAsync<void, HostError> {
    if (this.#state !== 'paused') return errAsync(this.#notRunning())
    return new ResultAsync(this.#resume(options, awaken))
  }

  async #resume(options: WaitOptions, awaken: Awaken | undefined): Promise<Result<void, HostError>> {
    const { machine, agent } = this.#parts
    const resuming = machine.resume!(options)
    // What it is told lies in its channel when it goes on.
    const waking = awaken?.(agent, options)
    const resumed = await resuming
    if (resumed.isErr()) return err(monitorFailed(this.name, resumed.error))
    const awake = await waking
    if (awake?.isErr()) return err(agentFailed(this.name, awake.error, this.lastLines()))
    if (this.#state === 'paused') {
      this.#watch.resume()
      this.#become('running')
    }
    return this.#state === 'running' ? ok(undefined) : err(this.#notRunning())
  }

  async #stop(graceMs: number): Promise<Result<MachineEnd, HostError>> {
    const { machine } = this.#parts
    // Nobody is there to be asked while it is paused.
    const asks = graceMs > 0 && this.#state !== 'paused'
    if (this.#lives()) this.#become('stopping')
    this.#ending.abort()
    this.#watch.end()
    this.#context.step(this.name, 'stop-begun')
    if (asks && this.#watch.exit === undefined) await this.#endInOrder(graceMs)
    const killed = this.#watch.exit === undefined ? await killMachine(machine) : undefined
    if (killed?.isErr() && this.#watch.exit === undefined) {
      // Not ended: the directory and the journal stay, so that the next host can finish it, unless it ends after all.
      this.#stopping = undefined
      // Whatever made it end may be nobody who hears the error.
      this.#say(`its machine could not be ended: ${killed.error.message}`)
      void machine.exit.then((exit) => {
        this.#stopping ??= this.#release(exit)
      })
      return err(monitorFailed(this.name, killed.error))
    }
    const exit = await machine.exit
    return this.#release(exit)
  }

  /** Until the guest has ended, the grace is over, or nobody will wait any longer. A guest is asked once. */
  async #endInOrder(graceMs: number): Promise<void> {
    if (this.#asked) return
    this.#asked = true
    const { machine, agent } = this.#parts
    using grace = openWait(this.#context.powers.clock, graceMs, this.#hurry.signal)
    const programsMs = graceOfPrograms(graceMs)
    const options = { graceMs: programsMs, signal: grace.signal, deadlineMs: grace.leftMs() }
    const ended = await agent.shutDown(options)
    if (ended.isOk()) this.#sayWhatWasNotInOrder(ended.value, programsMs)
    // One that has closed its channel is off, or about to be.
    const isOff = ended.isOk() || ended.error.kind === 'unit-lost'
    if (isOff && (await orAborted(machine.exit, grace.signal)) !== undefined) return
    // Whoever is in a hurry has given it up, and not it its end.
    if (this.#hurry.signal.aborted) return
    const reached = ended.isOk() ? 'synced' : ended.error.reached
    this.#disorder = { kind: 'given-up', graceMs, ...(reached === undefined ? {} : { reached }) }
    this.#context.step(this.name, 'stop-given-up')
    const last =
      reached === undefined ? 'it told of no step of its end' : `the last step of its end was "${reached}"`
    this.#say(`it was not off within ${graceMs} ms, so its machine is killed: ${last}`)
  }

  #sayWhatWasNotInOrder({ killed, notUnmounted, synced }: ShutdownReport, programsMs: number): void {
    if (killed > 0)
      this.#say(`${killed} of its processes did not end within ${programsMs} ms and were killed`)
    if (notUnmounted > 0) this.#say(`${notUnmounted} of its volumes could not be unmounted`)
    if (!synced) this.#say('not all that it has written may be on its disks: one of them did not answer')
    if (notUnmounted > 0 || !synced) this.#disorder = { kind: 'volumes-left', notUnmounted, synced }
  }

  #say(text: string): void {
    this.#context.log(this.name, { source: 'host', text })
  }

  /** Gives back everything a machine leaves when it has ended, however it ended. */
  async #release(exit: MachineExit): Promise<Result<MachineEnd, HostError>> {
    const disorder = this.#disorder
    const graceful = exit.kind === 'powered-off' && disorder === undefined
    const end: MachineEnd = { exit, graceful, ...(disorder === undefined ? {} : { disorder }) }
    this.#context.step(this.name, 'machine-ended')
    this.#ending.abort()
    // Before the host's directories may go.
    await this.#changes.settled()
    const left = await giveBack(this.#context, this.name, this.#parts)
    const unreleased = await this.#changes.release()
    const failure = together([left, unreleased].filter((each) => each !== undefined))
    this.#isGone = true
    if (this.#state !== 'failed') this.#become('stopped')
    this.#settleEnded(end)
    return failure === undefined ? ok(end) : err(failure)
  }

  #befell(failure: HostError): void {
    this.#failure = failure
    this.#become('failed', failure)
    const { exit } = this.#watch
    this.#stopping ??= exit === undefined ? this.#stop(0) : this.#release(exit)
  }

  #lives(): boolean {
    return this.#state === 'running' || this.#state === 'paused'
  }

  #become(state: MachineState, failure?: HostError): void {
    this.#state = state
    this.#hear(state, failure)
  }

  #running<T>(work: () => Promise<Result<T, HostError>>): ResultAsync<T, HostError> {
    return this.#state === 'running' ? new ResultAsync(work()) : errAsync(this.#notRunning())
  }

  #notRunning(): HostError {
    const message = `Unit "${this.name}" is ${this.#state}; start it again to use it.`
    return { kind: 'unit-not-running', message, unit: this.name, state: this.#state }
  }
}

/** How long programs may take to end by themselves. */
function graceOfPrograms(graceMs: number): number {
  return Math.min(Math.floor(graceMs - Math.min(graceMs / 2, TIDY_MS)), MOST_PROGRAMS_MS)
}
