import type { Agent, AgentError, AgentHello, GuestProcess } from '@spectrum/guest-agent'
import type { Attachment, Blob, Closure, DeviceFile, SharingReport } from '@spectrum/store-share'
import { type ClosureReference, closure } from '@spectrum/unit-graph'
import type { Machine, MachineExit, MachineProcess } from '@spectrum/unit-monitor'
import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import { collectCommand, type ExecResult } from './collect.js'
import { buildIdOf, type DebugOutput, type DebugTarget, findDebugOutput } from './debug/debug-output.js'
import { heldBlobs } from './devices.js'
import { agentFailed, type HostError, monitorFailed, stateFailed, storeFailed, unitDied } from './errors.js'
import type { Step } from './events.js'
import { type Changeable, type InjectReport, injectClosure } from './inject.js'
import type { MachineLimits, UnitUsage } from './limits/host-groups.js'
import { type RevokeReport, revokeClosure } from './revoke.js'
import type { InjectionWay, StoreAccess } from './store-access.js'
import type { ExecOptions, SpawnOptions, StopOptions, WaitOptions } from './unit.js'
import { measure, type UnitContext } from './unit-context.js'
import type { UnitFiles } from './unit-files.js'
import type { UnitView } from './unit-view.js'
import type { MachineVolumes } from './volumes/host-volumes.js'
import { openWait, orAborted, type Wait } from './wait.js'

const EXEC_MS = 300_000
const CHANGE_MS = 120_000
const LISTING_MS = 30_000
const GRACE_MS = 10_000
/** How long a machine gets to end by itself after its agent went away. */
const FOLLOW_MS = 3_000
/** How long a change of the store that was given up may take to leave nothing behind. */
const GIVE_UP_MS = 10_000
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
}

/** Hears of each new state at once, and of `failed` with why. Must not throw. */
export type HearState = (state: MachineState, why?: string) => void

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
  #state: MachineState = 'running'
  #closure: Closure
  /** What the cache gave out for it since its start, which its machine maps; nothing is any more once that is gone. */
  #attachments: Attachment[] | undefined = []
  /** The change of its store that was begun last. */
  #change: Promise<unknown> = Promise.resolve()
  /** Aborted when the unit begins to end. */
  readonly #ending = new AbortController()
  /** Aborted when whoever stops it will not wait for the guest any longer. */
  readonly #hurry = new AbortController()
  #stopping: Promise<Result<MachineEnd, HostError>> | undefined
  #settleEnded: (end: MachineEnd) => void = () => {}
  #exit: MachineExit | undefined

  constructor(
    readonly name: string,
    context: UnitContext,
    parts: UnitParts,
    hear: HearState,
  ) {
    this.#context = context
    this.#parts = parts
    this.#hear = hear
    this.#closure = parts.attachment.closure
    this.boot = parts.agent.hello
    this.dax = parts.dax
    this.store = parts.access
    this.injection = parts.way
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve
    })
    void this.#watchMachine()
    void this.#watchAgent()
    void this.#watchView()
  }

  get state(): MachineState {
    return this.#state
  }

  get closure(): Closure {
    return this.#closure
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
    return this.#changeStore('injection into', options, (unit, wait) =>
      injectClosure(this.#changePowers(), unit, reference, wait),
    )
  }

  revoke(reference: ClosureReference, options: WaitOptions = {}): ResultAsync<RevokeReport, HostError> {
    return this.#changeStore('revocation from', options, (unit, wait) =>
      revokeClosure(this.#changePowers(), unit, reference, wait),
    )
  }

  injectDebug(
    target: DebugTarget,
    options: WaitOptions = {},
  ): ResultAsync<InjectReport & DebugOutput, HostError> {
    return this.#changeStore('injection into', options, async (unit, wait) => {
      const { store, storeFiles: files } = this.#context.powers
      const held = { name: this.name, closure: unit.closure() }
      const id = await buildIdOf({ store, files }, held, target, wait)
      if (id.isErr()) return err(id.error)
      const output = await findDebugOutput({ store, files }, this.name, id.value, wait)
      if (output.isErr()) return err(output.error)
      const reference = closure(output.value.storePath)
      const injected = await injectClosure(this.#changePowers(), unit, reference, wait)
      return injected.map((report) => ({ ...report, ...output.value }))
    })
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
      const { machine } = this.#parts
      const paused = await machine.pause!(options)
      if (paused.isErr()) return err(monitorFailed(this.name, paused.error))
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
    const resumed = await machine.resume!(options)
    if (resumed.isErr()) return err(monitorFailed(this.name, resumed.error))
    const awake = await awaken?.(agent, options)
    if (awake?.isErr()) return err(agentFailed(this.name, awake.error, this.lastLines()))
    if (this.#state === 'paused') this.#become('running')
    return this.#state === 'running' ? ok(undefined) : err(this.#notRunning())
  }

  /** One change at a time: two of them could otherwise both take the last slot. */
  #changeStore<Report extends object>(
    what: string,
    options: WaitOptions,
    change: (unit: Changeable, wait: Wait) => Promise<Result<Report, HostError>>,
  ): ResultAsync<Report & { readonly ms: number }, HostError> {
    const before = this.#change
    const turn = this.#changeAfter(before, what, options, change)
    this.#change = Promise.allSettled([before, turn])
    return new ResultAsync(turn)
  }

  async #changeAfter<Report extends object>(
    before: Promise<unknown>,
    what: string,
    options: WaitOptions,
    change: (unit: Changeable, wait: Wait) => Promise<Result<Report, HostError>>,
  ): Promise<Result<Report & { readonly ms: number }, HostError>> {
    const { signal, deadlineMs = CHANGE_MS } = options
    const { clock } = this.#context.powers
    using wait = openWait(clock, deadlineMs, signal, this.#ending.signal)
    const whyNot = (error: HostError) => this.#whyNotChanged(error, what, wait, signal)
    const turn = await orAborted(
      before.then(() => 'come' as const),
      wait.signal,
    )
    const done =
      turn === undefined
        ? err(aborted(what, this.name))
        : await this.#running(async () => {
            const began = clock.now()
            return (await change(this.#changeable(whyNot), wait)).map((report) => ({
              ...report,
              ms: clock.now() - began,
            }))
          })
    return done.mapErr(whyNot)
  }

  /** The caller's signal and deadline and the unit's own end outrank the "aborted" that they provoked below. */
  #whyNotChanged(error: HostError, what: string, wait: Wait, signal: AbortSignal | undefined): HostError {
    if (error.kind !== 'aborted' || signal?.aborted === true) return error
    if (this.#ending.signal.aborted) return this.#notRunning()
    if (wait.reason() !== 'timed-out') return error
    const message = `The ${what} unit "${this.name}" was not done before its deadline; give it more deadlineMs.`
    const step = what.startsWith('injection') ? 'inject' : 'revoke'
    return { kind: 'timed-out', message, unit: this.name, step, lastLines: this.lastLines() }
  }

  #changeable(whyNot: Changeable['whyNot']): Changeable {
    const { machine, agent, devices, access, way, view } = this.#parts
    return {
      name: this.name,
      machine,
      agent,
      devices,
      transport: access.transport,
      way,
      view,
      closure: () => this.#closure,
      granted: (closure) => {
        this.#closure = closure
      },
      attached: (attachment) => {
        // A change that goes on after the machine's end plugs nothing in.
        if (this.#attachments === undefined) void this.#context.powers.cache.release(attachment)
        else this.#attachments.push(attachment)
      },
      ending: this.#ending.signal,
      whyNot,
    }
  }

  #changePowers() {
    const { powers, step } = this.#context
    return { ...powers, step: (name: Step) => step(this.name, name) }
  }

  async #stop(graceMs: number): Promise<Result<MachineEnd, HostError>> {
    const { machine, agent } = this.#parts
    const { clock } = this.#context.powers
    // Nobody is there to be asked while it is paused.
    const asks = graceMs > 0 && this.#state !== 'paused'
    if (this.#lives()) this.#become('stopping')
    this.#ending.abort()
    this.#context.step(this.name, 'stop-begun')
    if (asks && this.#exit === undefined) {
      using grace = openWait(clock, graceMs, this.#hurry.signal)
      const asked = await agent.powerOff({ signal: grace.signal, deadlineMs: grace.leftMs() })
      if (asked.isOk()) await orAborted(machine.exit, grace.signal)
    }
    const killed = this.#exit === undefined ? await machine.kill() : undefined
    if (killed?.isErr()) {
      // Not ended: the directory and the journal stay, so that the next host can finish it.
      this.#stopping = undefined
      return err(monitorFailed(this.name, killed.error))
    }
    const exit = await machine.exit
    return this.#release(exit)
  }

  /** Gives back everything a machine leaves when it has ended, however it ended. */
  async #release(exit: MachineExit): Promise<Result<MachineEnd, HostError>> {
    const { machine, agent, directory, view, limits, volumes } = this.#parts
    const end: MachineEnd = { exit, graceful: exit.kind === 'powered-off' }
    this.#context.step(this.name, 'machine-ended')
    await this.#giveUpChanges()
    await agent[Symbol.asyncDispose]()
    await machine[Symbol.asyncDispose]()
    // The next machine may have them, whatever else goes wrong here.
    await volumes[Symbol.asyncDispose]()
    let failure: HostError | undefined
    try {
      await view?.[Symbol.asyncDispose]()
      await limits[Symbol.asyncDispose]()
      await this.#context.directory.remove(directory)
    } catch (cause) {
      failure = stateFailed(directory, 'remove', cause)
    }
    const attachments = this.#attachments ?? []
    this.#attachments = undefined
    for (const attachment of attachments) {
      const released = await this.#context.powers.cache.release(attachment)
      if (released.isErr()) failure ??= storeFailed(this.name, released.error)
    }
    if (this.#state !== 'failed') this.#become('stopped')
    this.#settleEnded(end)
    return failure === undefined ? ok(end) : err(failure)
  }

  /** What an injection writes into the cache goes with it, before the host's directories may go. */
  async #giveUpChanges(): Promise<void> {
    this.#ending.abort()
    using wait = openWait(this.#context.powers.clock, GIVE_UP_MS)
    await orAborted(this.#change, wait.signal)
  }

  async #watchMachine(): Promise<void> {
    this.#exit = await this.#parts.machine.exit
    if (!this.#lives()) return
    this.#become('failed', unitDied(this.name, this.#exit, this.lastLines()).message)
    this.#stopping ??= this.#release(this.#exit)
  }

  async #watchAgent(): Promise<void> {
    const closed = await this.#parts.agent.closed
    if (!this.#lives()) return
    using follow = openWait(this.#context.powers.clock, FOLLOW_MS)
    if ((await orAborted(this.#parts.machine.exit, follow.signal)) !== undefined) return
    if (!this.#lives()) return
    const why =
      closed.kind === 'protocol-violation' ? `it broke the protocol: ${closed.message}` : closed.kind
    this.#become('failed', `Unit "${this.name}" lost its control channel (${why}) and is ended.`)
    this.#stopping ??= this.#stop(0)
  }

  /** Whoever reads a path that came by the view would wait for its server for ever. */
  async #watchView(): Promise<void> {
    const { view } = this.#parts
    if (view === undefined) return
    await view.server.ended
    if (!this.#lives()) return
    this.#become('failed', `Unit "${this.name}" lost the server of its view and is ended.`)
    this.#stopping ??= this.#stop(0)
  }

  #lives(): boolean {
    return this.#state === 'running' || this.#state === 'paused'
  }

  #become(state: MachineState, why?: string): void {
    this.#state = state
    this.#hear(state, why)
  }

  #running<T>(work: () => Promise<Result<T, HostError>>): ResultAsync<T, HostError> {
    return this.#state === 'running' ? new ResultAsync(work()) : errAsync(this.#notRunning())
  }

  #notRunning(): HostError {
    const message = `Unit "${this.name}" is ${this.#state}; start it again to use it.`
    return { kind: 'unit-not-running', message, unit: this.name, state: this.#state }
  }
}

function aborted(what: string, unit: string): HostError {
  return { kind: 'aborted', message: `The ${what} unit "${unit}" was aborted.`, unit }
}
