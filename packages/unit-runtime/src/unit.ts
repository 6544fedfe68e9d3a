import type {
  AgentHello,
  ExecOutcome,
  GuestProcess,
  GuestUser,
  ShutdownStep,
  TerminalSize,
} from '@spectrum/guest-agent'
import type { Attachment, Closure, SharingReport } from '@spectrum/store-share'
import type { ClosureReference } from '@spectrum/unit-graph'
import type { MachineExit, MachineProcess } from '@spectrum/unit-monitor'
import type { ResultAsync } from 'neverthrow'
import type TypedEmitter from 'typed-emitter'
import type { ExecResult } from './collect.js'
import type { DebugOutput, DebugTarget } from './debug/debug-output.js'
import type { HostError } from './errors.js'
import type { InjectReport } from './inject.js'
import type { UnitUsage } from './limits/host-groups.js'
import type { RevokeReport } from './revoke.js'
import type { InjectionWay, StoreAccess } from './store-access.js'
import type { LogLine, LogOptions } from './supervision/log-line.js'
import type { UnitFiles } from './unit-files.js'

/**
 * - `dormant`: it has no machine; a call of one of its services starts it, or `start()`.
 * - `starting`: its machine boots, or it waits for its turn to do so.
 * - `running`
 * - `paused`: its processors are held still. Only units of a disposables' pool are.
 * - `backing-off`: its machine has ended, and it gets another one after a pause.
 * - `stopping`: its machine is being ended.
 * - `stopped`: it has ended because it was asked to, died with another unit, or its command ended well. Final.
 * - `failed`: it has ended although nobody asked it to, and its restart policy lets it stay down. Final.
 */
export type UnitState =
  | 'dormant'
  | 'starting'
  | 'running'
  | 'paused'
  | 'backing-off'
  | 'stopping'
  | 'stopped'
  | 'failed'

/** Options of everything that waits: who may give it up, and when it is given up by itself. */
export interface WaitOptions {
  /** Aborting it ends the wait, as `aborted`. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds; every operation has a default. */
  readonly deadlineMs?: number | undefined
}

/** How a command is started whose streams the caller follows. Without `deadlineMs` it runs as long as it likes. */
export interface SpawnOptions extends WaitOptions {
  /** The whole environment of the command; empty by default. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Absolute path inside the unit; `/` by default. */
  readonly cwd?: string | undefined
  /** `closed` (default): the command reads end-of-file at once. */
  readonly stdin?: 'closed' | 'open' | undefined
  /** A terminal of the command's own; what it shows comes on `stdout`. */
  readonly pty?: TerminalSize | undefined
  /** By number, in no other group; root by default. */
  readonly user?: GuestUser | undefined
}

/** How a command is run to its end. `deadlineMs` (300 s) and `signal` end it, which are outcomes and no errors. */
export interface ExecOptions extends WaitOptions {
  /** The whole environment of the command; empty by default. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Absolute path inside the unit; `/` by default. */
  readonly cwd?: string | undefined
  /** By number, in no other group; root by default. */
  readonly user?: GuestUser | undefined
  /** Everything that the command may read; text is encoded as UTF-8. Nothing by default. */
  readonly stdin?: Uint8Array | string | undefined
  /** Bytes kept of each of the two streams; the rest is read and dropped. 16 MiB by default. */
  readonly maxBytes?: number | undefined
}

/** How a unit is stopped. */
export interface StopOptions {
  /**
   * Milliseconds for the guest to end in order before its machine is killed: SIGTERM for its programs (SIGHUP where there
   * is a terminal), volumes unmounted, power off. 10 000 by default; 0 kills at once. Programs that end by themselves may
   * use all but the last 3 s of it, or the first half where it is shorter than 6 s.
   */
  readonly graceMs?: number | undefined
}

/** What the end of a guest that was asked to end in order was short of; by its own word, as far as it goes. */
export type Disorder =
  /**
   * It was not off when the grace was over, so its machine was killed: a disk did not answer, or it needed longer. `reached`:
   * the last step that it told of; absent: none.
   */
  | { readonly kind: 'given-up'; readonly graceMs: number; readonly reached?: ShutdownStep }
  /**
   * It went off by itself, and left volumes mounted, made read-only where its kernel let it: something in it kept them, or
   * their disks did not answer. Their file systems are mended when they are mounted next.
   */
  | {
      readonly kind: 'volumes-left'
      /** How many. */
      readonly notUnmounted: number
      /** Whether all that was written is on the disks. */
      readonly synced: boolean
    }

/** How a unit came to its final end. */
export interface UnitEnd {
  /** `failed` when it ended although nobody asked it to and stays down; otherwise `stopped`. */
  readonly state: 'stopped' | 'failed'
  /** How the process of its last machine ended. */
  readonly exit: MachineExit | { readonly kind: 'never-started' }
  /** Whether the guest ended in order within its grace; also where there was none. */
  readonly graceful: boolean
  /** Why not, where its guest was asked to end in order. */
  readonly disorder?: Disorder
  /** How its command has ended, where that was the end of the unit. */
  readonly command?: ExecOutcome
  /** What it ended of, when nobody asked it to. */
  readonly why?: string
  /** The same as a value, where its machine failed or did not come up; what its command did is in `command`. */
  readonly failure?: HostError
}

/** The program that a unit runs. */
export interface UnitCommand {
  /** An absolute path in the unit, and its arguments. */
  readonly argv: readonly string[]
  /** `waiting`: for the unit to be up, for the first time or again. */
  readonly state: 'waiting' | 'running' | 'ended'
  /** Of the last run that has ended; absent until one has. */
  readonly outcome?: ExecOutcome
}

/** What a unit tells while it lives. */
export type UnitEvents = {
  /** The unit is in another state now. */
  state: (state: UnitState) => void
  /** A line that the unit or its monitor has said; escaped and bounded. */
  log: (line: LogLine) => void
}

/**
 * One unit of a graph, with exactly the software it was granted. The same object for its whole life, whatever machines it
 * has one after the other. A restarted unit is a fresh machine: it has what its graph grants it, and nothing that was
 * injected or written before. Disposing it stops it.
 *
 * Whatever needs its machine is refused as `unit-not-running` while it has none; `state` in the error says why.
 */
export interface Unit<Name extends string = string> extends AsyncDisposable {
  /** As its definition has it; no other unit of the host that has not ended bears it. */
  readonly name: Name
  /** What it does now, as a `UnitState`. */
  readonly state: UnitState
  /** What the unit sees: its own closure, and what was injected since. */
  readonly closure: Closure
  /** What its machines are started with: the metadata image and the blobs of its own closure. */
  readonly attachment: Attachment
  /** The agent's first answer, of the newest machine that came up. */
  readonly boot: AgentHello | undefined
  /** Whether the guest maps file data directly, without copies in its page cache. Undefined until it was up once. */
  readonly dax: boolean | undefined
  /** How its store reaches it, and whether anything of it is shared with other units. */
  readonly store: StoreAccess
  /** How software is added to it while it runs. */
  readonly injection: InjectionWay
  /** The host processes of its machine; none while it has no machine. */
  readonly processes: readonly MachineProcess[]
  /** Its program, where its definition names one: the unit ends when that does. */
  readonly command: UnitCommand | undefined
  /** How often it came, or was to come, up again. */
  readonly restarts: number
  /** Regular files of the unit: what is put and got goes by the agent. */
  readonly files: UnitFiles
  /** What it tells while it lives: `state` and `log`. */
  readonly events: TypedEmitter<UnitEvents>
  /** Resolves once, when the unit has ended for good, for whatever reason, and holds nothing any more. Never rejects. */
  readonly ended: Promise<UnitEnd>

  /**
   * Resolves when the unit runs: starts it when it is dormant, waits when it starts or backs off. Its error is that of
   * the start (see `Host.start`), or `unit-not-running` when it has ended for good. The deadline (180 s) and the signal end
   * this wait and not the start.
   */
  start(options?: WaitOptions): ResultAsync<void, HostError>
  /**
   * Runs a command to its end by argument vector; `argv[0]` is an absolute path in the unit. A command that
   * fails, cannot be started, is cancelled by the signal or cut by the deadline (300 s) is an outcome, not an error; so is a
   * unit that is lost meanwhile.
   *
   * Fails with `unit-not-running`, `invalid-request` and `agent-failed` (an argument vector that cannot be sent, too many
   * requests at once).
   *
   * @example
   * ```ts
   * import type { Unit } from '@spectrum/unit-runtime'
   *
   * export async function version(unit: Unit, program: string): Promise<string> {
   *   const run = await unit.exec([program, '--version'], { deadlineMs: 10_000, maxBytes: 4_096 })
   *   if (run.isErr()) throw new Error(run.error.message) // the unit or the host failed
   *   const { outcome, stdout } = run.value
   *   if (outcome.kind !== 'exited' || outcome.code !== 0) throw new Error(`it ended: ${outcome.kind}`)
   *   return new TextDecoder().decode(stdout) // a hostile program may have written it: escape it
   * }
   * ```
   */
  exec(argv: readonly string[], options?: ExecOptions): ResultAsync<ExecResult, HostError>
  /**
   * Starts a command whose streams and end the caller follows: both streams are to be read or the command stalls when they are
   * full. The signal cancels it, and `deadlineMs` where it is given. Fails as `exec` does.
   */
  spawn(argv: readonly string[], options?: SpawnOptions): ResultAsync<GuestProcess, HostError>
  /**
   * Adds store paths and everything they reference while the unit runs; programs that run already see them too.
   * Paths the unit has are left alone, so doing it again is harmless. Default deadline: 120 s.
   *
   * After a failure the unit sees what it saw before: `store-failed` (no such path, a damaged one, a full disk), `monitor-failed`
   * (also `unsupported` as its cause: this host's monitor adds nothing to a running machine), `no-slot-left`, `no-memory-left`,
   * `view-failed`, `agent-failed`, `kernel-lacks`, `unit-not-running`, `timed-out`, `aborted`.
   *
   * @example
   * ```ts
   * import { closure, type Unit } from '@spectrum/unit-runtime'
   *
   * export async function lendDebugger(unit: Unit, work: () => Promise<void>): Promise<void> {
   *   const gdb = closure('/nix/store/…-gdb-13')
   *   const { added, way } = (await unit.inject(gdb))._unsafeUnwrap()
   *   console.log(`${added.length} paths by ${way}`)
   *   await work()
   *   const { stays } = (await unit.revoke(gdb))._unsafeUnwrap()
   *   console.log('not taken back:', stays)
   * }
   * ```
   */
  inject(reference: ClosureReference, options?: WaitOptions): ResultAsync<InjectReport, HostError>
  /**
   * Finds the debug output of a program or a build in the local store, and injects it. `invalid-request`
   * when the target is none of the unit's, `no-debug-output` when no store path has it, `state` when the store cannot be
   * looked into; besides, as `inject`.
   */
  injectDebug(target: DebugTarget, options?: WaitOptions): ResultAsync<InjectReport & DebugOutput, HostError>
  /**
   * Takes roots away that the unit was started or injected with, and whatever only they needed. The report says what
   * cannot be taken back from a unit that runs. Default deadline: 120 s. After a failure the unit sees what it saw before:
   * `not-granted`, `store-failed`, `agent-failed`, `view-failed`, `unit-not-running`, `timed-out`, `aborted`.
   */
  revoke(reference: ClosureReference, options?: WaitOptions): ResultAsync<RevokeReport, HostError>
  /**
   * Base names in the unit's `/nix/store`, sorted, as the guest itself reads them: its claim, escaped and bounded. Default deadline:
   * 30 s. Fails with `unit-not-running` and `agent-failed`, `timed-out`, `aborted`.
   */
  storeListing(options?: WaitOptions): ResultAsync<readonly string[], HostError>
  /**
   * What this unit's processes map, in bytes, read from `/proc/PID/smaps` and `/proc/PID/pagemap` of the host. Default deadline: 60 s.
   * Fails with `store-failed` where those cannot be read, `unit-not-running`, `timed-out`, `aborted`.
   */
  sharing(options?: WaitOptions): ResultAsync<SharingReport, HostError>
  /**
   * What its processes on the host take now, in bytes and milliseconds, read from `/proc`, and whether the limits of its definition
   * are kept. Fails with `unit-not-running`, and `state` where `/proc` cannot be read.
   */
  usage(): ResultAsync<UnitUsage, HostError>
  /** The newest lines of console and monitor, oldest first; bounded. */
  lastLines(): readonly string[]
  /** What it and its command have said, of all its machines; see {@link LogLine}. Kept until the host stops. */
  logs(options?: LogOptions): AsyncIterable<LogLine>
  /**
   * Ends the unit for good: first what dies with it, then its guest in order, then kills. Idempotent; a second call with
   * `graceMs: 0` ends the grace of the first. Fails when something of it could not be ended or removed, and says what: the next
   * host that opens finds it in the journal.
   */
  stop(options?: StopOptions): ResultAsync<UnitEnd, HostError>
}
