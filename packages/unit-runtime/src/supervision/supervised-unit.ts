import { EventEmitter } from 'node:events'
import type { AgentHello, GuestProcess } from '@spectrum/guest-agent'
import type { Attachment, Blob, Closure, SharingReport } from '@spectrum/store-share'
import type { ClosureReference } from '@spectrum/unit-graph'
import type { MachineProcess } from '@spectrum/unit-monitor'
import { errAsync, type Result, ResultAsync } from 'neverthrow'
import type TypedEmitter from 'typed-emitter'
import type { ExecResult } from '../collect.js'
import type { DebugOutput, DebugTarget } from '../debug/debug-output.js'
import type { HostError } from '../errors.js'
import type { InjectReport } from '../inject.js'
import type { UnitUsage } from '../limits/host-groups.js'
import type { RevokeReport } from '../revoke.js'
import type { Awaken, RunningUnit } from '../running-unit.js'
import type { InjectionWay, StoreAccess } from '../store-access.js'
import type {
  ExecOptions,
  SpawnOptions,
  StopOptions,
  Unit,
  UnitCommand,
  UnitEnd,
  UnitEvents,
  UnitState,
  WaitOptions,
} from '../unit.js'
import type { UnitFiles } from '../unit-files.js'
import type { LogLine, LogOptions } from './log-line.js'
import type { UnitLife } from './unit-life.js'
import type { UnitLog } from './unit-log.js'

const GRACE_MS = 10_000

/** What a unit has whether it has a machine or not. */
export interface UnitFacts {
  readonly attachment: Attachment
  readonly log: UnitLog
  /** How a machine that was started now would have its store, and take more. */
  readonly plan: { readonly store: StoreAccess; readonly injection: InjectionWay }
  /** Stops it and what dies with it. */
  stop(graceMs: number): Promise<Result<UnitEnd, HostError>>
}

/** A unit for those who use it: what it is asked for goes to the machine that it has now. */
export class SupervisedUnit implements Unit {
  readonly events = new EventEmitter() as TypedEmitter<UnitEvents>

  constructor(
    readonly life: UnitLife,
    private readonly facts: UnitFacts,
  ) {}

  get name(): string {
    return this.life.name
  }

  get state(): UnitState {
    return this.life.state
  }

  get attachment(): Attachment {
    return this.facts.attachment
  }

  get closure(): Closure {
    return this.life.current?.closure ?? this.facts.attachment.closure
  }

  get boot(): AgentHello | undefined {
    return this.life.newest?.boot
  }

  get dax(): boolean | undefined {
    return this.life.newest?.dax
  }

  get store(): StoreAccess {
    return this.life.newest?.store ?? this.facts.plan.store
  }

  get injection(): InjectionWay {
    return this.life.newest?.injection ?? this.facts.plan.injection
  }

  get processes(): readonly MachineProcess[] {
    return this.life.current?.processes ?? []
  }

  get blobs(): readonly Blob[] {
    return this.life.current?.blobs ?? []
  }

  get command(): UnitCommand | undefined {
    return this.life.command
  }

  get restarts(): number {
    return this.life.restarts
  }

  get ended(): Promise<UnitEnd> {
    return this.life.ended
  }

  start(options: WaitOptions = {}): ResultAsync<void, HostError> {
    return new ResultAsync(this.life.start(options))
  }

  exec(argv: readonly string[], options?: ExecOptions): ResultAsync<ExecResult, HostError> {
    return this.#now((unit) => unit.exec(argv, options))
  }

  spawn(argv: readonly string[], options?: SpawnOptions): ResultAsync<GuestProcess, HostError> {
    return this.#now((unit) => unit.spawn(argv, options))
  }

  readonly files: UnitFiles = {
    put: (file, content, options) => this.#now((unit) => unit.files.put(file, content, options)),
    get: (file, options) => this.#now((unit) => unit.files.get(file, options)),
  }

  inject(reference: ClosureReference, options?: WaitOptions): ResultAsync<InjectReport, HostError> {
    return this.#now((unit) => unit.inject(reference, options))
  }

  injectDebug(
    target: DebugTarget,
    options?: WaitOptions,
  ): ResultAsync<InjectReport & DebugOutput, HostError> {
    return this.#now((unit) => unit.injectDebug(target, options))
  }

  revoke(reference: ClosureReference, options?: WaitOptions): ResultAsync<RevokeReport, HostError> {
    return this.#now((unit) => unit.revoke(reference, options))
  }

  storeListing(options?: WaitOptions): ResultAsync<readonly string[], HostError> {
    return this.#now((unit) => unit.storeListing(options))
  }

  sharing(options?: WaitOptions): ResultAsync<SharingReport, HostError> {
    return this.#now((unit) => unit.sharing(options))
  }

  usage(): ResultAsync<UnitUsage, HostError> {
    return this.#now((unit) => unit.usage())
  }

  /** Stops its processors; it answers nothing until it is resumed. */
  pause(options?: WaitOptions): ResultAsync<void, HostError> {
    return this.#now((unit) => unit.pause(options))
  }

  /** `awaken` tells the guest what it has missed before anybody else may use it. */
  resume(options?: WaitOptions, awaken?: Awaken): ResultAsync<void, HostError> {
    const { current } = this.life
    return current === undefined ? errAsync(this.life.notRunning()) : current.resume(options, awaken)
  }

  lastLines(): readonly string[] {
    return this.life.lastLines()
  }

  logs(options?: LogOptions): AsyncIterable<LogLine> {
    return this.facts.log.read(options)
  }

  stop({ graceMs = GRACE_MS }: StopOptions = {}): ResultAsync<UnitEnd, HostError> {
    return new ResultAsync(this.facts.stop(graceMs))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #now<T>(work: (unit: RunningUnit) => ResultAsync<T, HostError>): ResultAsync<T, HostError> {
    const { current, state } = this.life
    return current === undefined || state !== 'running' ? errAsync(this.life.notRunning()) : work(current)
  }
}
