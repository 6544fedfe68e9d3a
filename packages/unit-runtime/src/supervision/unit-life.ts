import type { ExecOutcome } from '@spectrum/guest-agent'
import type { UnitDefinition } from '@spectrum/unit-graph'
import { err, ok, type Result } from 'neverthrow'
import { type HostError, unitDied } from '../errors.js'
import type { UnitStateEvent } from '../events.js'
import type { HearState, MachineEnd, MachineState, RunningUnit } from '../running-unit.js'
import { also } from '../undo-change.js'
import type { UnitCommand, UnitEnd, UnitState, WaitOptions } from '../unit.js'
import type { FailedStart } from '../unit-start.js'
import { openWait, orAborted, type Wait } from '../wait.js'
import { Arrivals } from './arrivals.js'
import { type Ending, reasonOf } from './ending.js'
import type { Gate } from './gate.js'
import { type Next, RestartCount } from './restart-policy.js'
import { type CommandParts, LivingCommand } from './unit-command.js'

/** What the life of one unit needs of its host. */
export interface LifeParts extends CommandParts {
  readonly definition: UnitDefinition
  /** So many machines of the host start at once. */
  readonly gate: Gate
  /** Starts one machine and undoes everything when it does not come up. */
  launch(hear: HearState, wait: Wait): Promise<Result<RunningUnit, FailedStart>>
  /**
   * Gives back what every machine of the unit was started with. Called once, when the last one is gone. Resolves with what
   * went wrong.
   */
  release(): Promise<HostError | undefined>
  /** A line of the host's own in the unit's log. */
  note(text: string): void
  /** The unit has ended for good and holds nothing any more. */
  forget(): void
  tellState(event: Omit<UnitStateEvent, 'unit'>): void
}

/** Milliseconds for a machine to come up, when nobody else has said. */
export const START_MS = 180_000
const GRACE_MS = 10_000

/** Until when, and while who wants it, a machine may take to come up. */
export interface StartTerms {
  /** Milliseconds, from the moment on that it is its turn. */
  readonly deadlineMs: number
  readonly signals: readonly (AbortSignal | undefined)[]
}

/**
 * Brings the machines of one unit up, one after the other, until it ends for good. All of it happens in one sequence, so
 * nothing can start while something ends: dormant, starting, running, backing off, and again.
 */
export class UnitLife {
  readonly ended: Promise<UnitEnd>
  /** Resolves when no machine will come any more: then, or when the last one cannot be ended. */
  readonly over: Promise<void>
  readonly #parts: LifeParts
  readonly #count: RestartCount
  readonly #lazy: boolean
  readonly #command: LivingCommand | undefined
  readonly #arrivals = new Arrivals()
  /** Aborted when no machine may be started any more. */
  readonly #retiring = new AbortController()
  #wake = () => {}
  #settleEnded: (end: UnitEnd) => void = () => {}
  #settleOver: () => void = () => {}
  /** Whether its life has begun, or ended before that. */
  #begun = false
  #state: UnitState = 'starting'
  #current: RunningUnit | undefined
  /** The newest machine that came up, also when it has ended. */
  #newest: RunningUnit | undefined
  #lastEnd: MachineEnd | undefined
  /** Of the machine that runs or has run last. */
  #ending: Ending | undefined
  #next: Next | undefined
  #upAt = 0
  #starts = 0
  #retired: string | undefined
  /** Why its last machine lives on although it was to end. */
  #stuck: HostError | undefined
  /** What it has not given back at its end. */
  #unreleased: HostError | undefined

  constructor(parts: LifeParts) {
    this.#parts = parts
    this.#count = new RestartCount(parts.definition.restart)
    this.#lazy = parts.definition.start === 'lazy'
    const { command } = parts.definition
    this.#command = command === undefined ? undefined : new LivingCommand(this.name, command, parts)
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve
    })
    this.over = new Promise((resolve) => {
      this.#settleOver = resolve
    })
  }

  get name(): string {
    return this.#parts.definition.name
  }

  get state(): UnitState {
    return this.#state
  }

  get isFinal(): boolean {
    return this.#state === 'stopped' || this.#state === 'failed'
  }

  /** The machine that the unit has now, as far as it can be used. */
  get current(): RunningUnit | undefined {
    return this.#current
  }

  get newest(): RunningUnit | undefined {
    return this.#newest
  }

  get restarts(): number {
    return Math.max(0, this.#starts - 1)
  }

  get command(): UnitCommand | undefined {
    return this.#command?.shown(this.#current === undefined && !this.isFinal)
  }

  /** Whether it may come to run without anybody starting it anew. */
  get mayCome(): boolean {
    return this.#begun && this.#retired === undefined && !this.isFinal
  }

  /**
   * Begins the life: a lazy unit falls asleep; any other comes up on these terms, or ends for good. Called once.
   */
  begin(terms: StartTerms): Promise<Result<void, HostError>> {
    // Stopped before its turn came.
    if (this.#begun) return Promise.resolve(err(this.notRunning()))
    this.#begun = true
    const up = this.#lazy ? Promise.resolve(ok<void, HostError>(undefined)) : this.#arrivals.wait()
    void this.#live(terms)
    return up
  }

  /** As of {@link Unit.start}. */
  async start({ signal, deadlineMs = START_MS }: WaitOptions): Promise<Result<void, HostError>> {
    if (this.#state === 'running') return ok(undefined)
    if (!this.mayCome) return err(this.notRunning())
    using wait = openWait(this.#parts.clock, deadlineMs, signal)
    const arrival = this.#arrivals.waitWithin(wait, (reason) => this.#notYet(reason))
    this.#wake()
    return await arrival
  }

  #notYet(reason: 'timed-out' | 'aborted'): HostError {
    const unit = this.name
    if (reason === 'aborted')
      return { kind: 'aborted', message: `The wait for unit "${unit}" was aborted.`, unit }
    const message = `Unit "${unit}" is ${this.#state} still; wait longer (deadlineMs).`
    return { kind: 'timed-out', message, unit, step: 'start', lastLines: this.lastLines() }
  }

  /** No machine is started from now on; what runs goes on. A start that is under way is given up. */
  retire(why: string): void {
    if (this.#retired !== undefined) return
    this.#retired = why
    this.#retiring.abort()
    this.#wake()
    // It was never to begin: there is nobody else to end it.
    if (this.#begun) return
    this.#begun = true
    void this.#finish()
  }

  /** Ends it for good. May be tried again when it fails. */
  async stop(why: string, graceMs: number): Promise<Result<UnitEnd, HostError>> {
    this.retire(why)
    const stopped = await this.#current?.stop({ graceMs })
    if (stopped?.isErr()) return err(stopped.error)
    await this.over
    const failure = this.#stuck ?? this.#unreleased
    return failure === undefined ? ok(await this.ended) : err(failure)
  }

  lastLines(): readonly string[] {
    return this.#newest?.lastLines() ?? []
  }

  notRunning(): HostError {
    const unit = this.name
    const state = this.#state
    const message = `Unit "${unit}" is ${state}; ${WAYS[state] ?? 'start it again to use it'}.`
    return { kind: 'unit-not-running', message, unit, state }
  }

  async #live(terms: StartTerms): Promise<void> {
    if (this.#lazy) await this.#sleep()
    while (this.#retired === undefined) {
      const first = this.#starts === 0 && !this.#lazy
      const lasts = first ? await this.#try(terms) : await this.#tryAgain()
      if (lasts === 'for-ever') return
      if (this.#retired !== undefined || this.#next?.kind !== 'again') break
      await this.#backOff(this.#next)
      if (this.#lazy) await this.#sleep()
    }
    await this.#finish()
  }

  /** Until somebody calls. */
  async #sleep(): Promise<void> {
    if (this.#retired !== undefined) return
    // Somebody may have called while it backed off.
    if (this.#arrivals.any) return
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    // Whoever hears of it may wake it at once.
    this.#become('dormant')
    await woken
  }

  #tryAgain(): Promise<'ended' | 'for-ever'> {
    this.#parts.step(this.#starts === 0 ? 'lazy-start-begun' : 'restart-begun')
    return this.#try({ deadlineMs: START_MS, signals: [] })
  }

  /** One machine, from its start to its end. `for-ever`: it cannot be ended, so nothing may come after it. */
  async #try(terms: StartTerms): Promise<'ended' | 'for-ever'> {
    this.#ending = undefined
    this.#next = undefined
    this.#become('starting')
    const first = this.#starts === 0 && !this.#lazy
    const up = await this.#bringUp(terms)
    if (up.isErr()) {
      const { error, gone } = up.error
      this.#ending = { success: false, why: error.message, failure: error, notUp: true }
      // The very first start is its caller's to try again.
      this.#next = first ? { kind: 'stays-down' } : this.#count.after('failure', 0)
      if (gone === undefined) {
        // A unit that ends with it tells them when it holds nothing any more.
        if (this.#next.kind === 'again') this.#arrivals.settle(err(error))
        return 'ended'
      }
      this.#stuck = error
      this.#become('failed', this.#ending)
      this.#arrivals.settle(err(error))
      this.#settleOver()
      void gone.then(() => {
        this.#stuck = undefined
        return this.#finish()
      })
      return 'for-ever'
    }
    this.#lastEnd = await up.value.ended
    this.#current = undefined
    if (this.#ending === undefined) this.#endsBy({ success: true, why: 'It was stopped.' })
    return 'ended'
  }

  /** What is returned has been told to be up. */
  async #bringUp(terms: StartTerms): Promise<Result<RunningUnit, FailedStart>> {
    const { clock, gate, launch } = this.#parts
    const signals = [...terms.signals, this.#retiring.signal]
    using _turn = await gate.enter(...signals)
    using wait = openWait(clock, terms.deadlineMs, ...signals)
    if (wait.signal.aborted) return err({ error: this.#whyNotUp(wait), gone: undefined })
    this.#starts += 1
    let unit: RunningUnit | undefined
    const hear: HearState = (state, failure) => {
      if (unit !== undefined && unit === this.#current) this.#hear(state, failure)
    }
    const launched = await launch(hear, wait)
    if (launched.isErr()) {
      const { error, gone } = launched.error
      const given = error.kind === 'aborted' && this.#retired !== undefined
      return err({ error: given ? this.#whyNotUp(wait) : error, gone })
    }
    unit = launched.value
    this.#newest = unit
    const commanded = (await this.#command?.start(unit, wait)) ?? ok(undefined)
    if (commanded.isErr() || unit.state !== 'running' || wait.signal.aborted)
      return err(await this.#giveUp(unit, commanded, wait))
    this.#isUp(unit, commanded.value)
    return ok(unit)
  }

  /** In one go: from here on it is heard what becomes of the machine. */
  #isUp(unit: RunningUnit, outcome: Promise<ExecOutcome> | undefined): void {
    this.#current = unit
    this.#upAt = this.#parts.clock.now()
    this.#become('running')
    this.#arrivals.settle(ok(undefined))
    void outcome?.then((how) => this.#commandEnded(unit, how))
  }

  async #giveUp(unit: RunningUnit, commanded: Result<unknown, HostError>, wait: Wait): Promise<FailedStart> {
    const died = unit.state !== 'running'
    this.#command?.gone()
    const stopped = await unit.stop({ graceMs: 0 })
    if (stopped.isErr() && !unit.isGone) return { error: stopped.error, gone: unit.ended }
    this.#lastEnd = await unit.ended
    const error = died
      ? (unit.failure ?? unitDied(this.name, this.#lastEnd.exit, unit.lastLines()))
      : commanded.isErr() && !wait.signal.aborted
        ? commanded.error
        : this.#whyNotUp(wait)
    const left = stopped.isErr() ? also(error, `And it is not all gone: ${stopped.error.message}`) : error
    return { error: left, gone: undefined }
  }

  #whyNotUp(wait: Wait): HostError {
    const unit = this.name
    if (wait.reason() === 'timed-out') {
      const message = `Unit "${unit}" was not up before the deadline; give it more deadlineMs.`
      return { kind: 'timed-out', message, unit, step: 'start', lastLines: this.lastLines() }
    }
    const why = this.#retired === undefined ? '' : `: ${this.#retired}`
    return {
      kind: 'aborted',
      message: `The start of unit "${unit}" was aborted${why}; nothing of it is left.`,
      unit,
    }
  }

  /** The machine that runs tells its states. */
  #hear(state: MachineState, failure: HostError | undefined): void {
    if (state === 'failed') this.#endsBy({ success: false, why: failure!.message, failure: failure! })
    else if (state === 'stopping') this.#become('stopping', this.#ending)
    else if (state !== 'stopped') this.#become(state)
  }

  #commandEnded(unit: RunningUnit, outcome: ExecOutcome): void {
    const ending = this.#command!.ended(outcome)
    if (
      ending === undefined ||
      this.#current !== unit ||
      this.#ending !== undefined ||
      unit.state !== 'running'
    )
      return
    this.#ending = { ...ending, command: outcome }
    this.#decide(ending.success)
    void unit.stop({ graceMs: GRACE_MS })
  }

  /** The machine has ended, or is being ended. The first reason counts. */
  #endsBy(ending: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    this.#decide(ending.success)
    if (ending.success || this.#retired !== undefined) return
    if (this.#next?.kind === 'again') this.#becomeBackingOff(this.#next)
    else this.#become('failed', ending)
  }

  #decide(success: boolean): void {
    const ranMs = this.#parts.clock.now() - this.#upAt
    this.#next =
      this.#retired === undefined
        ? this.#count.after(success ? 'success' : 'failure', ranMs)
        : { kind: 'stays-down' }
  }

  async #backOff(next: Extract<Next, { kind: 'again' }>): Promise<void> {
    if (this.#state !== 'backing-off') this.#becomeBackingOff(next)
    using pause = openWait(this.#parts.clock, next.delayMs, this.#retiring.signal)
    await orAborted(new Promise<never>(() => {}), pause.signal)
  }

  #becomeBackingOff({ attempt, most, delayMs }: Extract<Next, { kind: 'again' }>): void {
    this.#become('backing-off', this.#ending, { attempt, most, delayMs })
  }

  async #finish(): Promise<void> {
    const ending = this.#ending
    const unasked = this.#retired === undefined
    this.#retired ??= 'It has ended.'
    const failed = this.#state === 'failed' || (unasked && ending?.success === false)
    const state = failed ? 'failed' : 'stopped'
    const reason = unasked || failed ? ending : undefined
    this.#unreleased = await this.#parts.release()
    if (this.#unreleased !== undefined) this.#parts.note(`not given back: ${this.#unreleased.message}`)
    if (this.#state !== state) this.#become(state, reason)
    this.#parts.forget()
    this.#arrivals.settle(err((ending?.notUp ? ending.failure : undefined) ?? this.notRunning()))
    this.#settleEnded({
      state,
      exit: this.#lastEnd?.exit ?? { kind: 'never-started' },
      graceful: this.#lastEnd?.graceful ?? true,
      ...(this.#lastEnd?.disorder === undefined ? {} : { disorder: this.#lastEnd.disorder }),
      ...(ending?.command === undefined ? {} : { command: ending.command }),
      ...reasonOf(reason),
    })
    this.#settleOver()
  }

  #become(state: UnitState, ending?: Ending, restart?: UnitStateEvent['restart']): void {
    this.#state = state
    this.#parts.tellState({
      state,
      ...reasonOf(ending),
      ...(restart === undefined ? {} : { restart }),
    })
  }
}

const WAYS: Partial<Record<UnitState, string>> = {
  dormant: 'call one of its services, or start() it',
  starting: 'wait for it with start()',
  'backing-off': 'wait for it with start()',
}
