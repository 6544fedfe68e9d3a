import type { ResultAsync } from 'neverthrow'
import type { GuestCommand, GuestProcess } from './agent/command.js'
import type { FileContent, FileGet, FilePut, GuestFile } from './agent/file.js'
import type {
  StoreMount,
  StoreMountReport,
  StoreUnbindReport,
  ViewMount,
  VolumeMount,
} from './agent/mount.js'
import type { GuestCall, GuestStream } from './agent/stream.js'
import type { AgentError } from './errors.js'

export type * from './agent/command.js'
export type * from './agent/file.js'
export type * from './agent/mount.js'
export type * from './agent/stream.js'

/** The agent's first message: readiness is this answer, never the existence of a socket. */
export interface AgentHello {
  /** The protocol version both sides will speak: the lower of the two offers. */
  readonly version: number
  /** The guest kernel's random boot id, 36 characters; it changes with every boot. */
  readonly bootId: string
  /** `uname -r` of the guest, escaped and bounded. */
  readonly kernelRelease: string
  /** Machine name as `uname -m` prints it. */
  readonly machine: string
}

/** What became of the unit's clock. */
export interface ClockStep {
  /** How far the clock was moved, by the unit's word: positive when it was behind. */
  readonly stepMs: number
}

/** How often a unit is asked, and who hears what of it. */
export interface HeartbeatOptions {
  /** Milliseconds between two beats; 5 000 by default. */
  readonly intervalMs?: number | undefined
  /** So many intervals without an answer make a unit unresponsive; 3 by default. */
  readonly missedBeats?: number | undefined
  /** Called with each new state. Must not throw. */
  readonly onChange?: ((state: HeartbeatState) => void) | undefined
}

/** `ended`: disposed, or the channel has ended. */
export type HeartbeatState = 'responsive' | 'unresponsive' | 'suspended' | 'ended'

/** Whether a unit's agent answers. Disposing it stops asking. */
export interface Heartbeat extends Disposable {
  /** What is known now. */
  readonly state: HeartbeatState
  /** A machine that is about to be paused cannot answer, and is not to be counted as dead. */
  suspend(): void
  /** Counts from the beginning. */
  resume(): void
}

/** How long the unit's processes may take, and who hears how far it has come. */
export interface ShutdownOptions extends AgentOptions {
  /** How long processes may take to end by themselves: 0 to 600 000 ms, 10 000 by default. */
  readonly graceMs?: number | undefined
  /** Called with each step when it is done. Must not throw. */
  readonly onStep?: ((step: ShutdownStep) => void) | undefined
}

/** What is done: everybody was asked and has ended or used up the grace; was killed; volumes; caches. */
export type ShutdownStep = 'asked' | 'killed' | 'unmounted' | 'synced'

/** What an end in order came to, by the unit's word. */
export interface ShutdownReport {
  /** How many processes were asked to end. */
  readonly asked: number
  /** How many of them had to be killed when the grace was over. */
  readonly killed: number
  /** How many volumes were unmounted, with all their data on the disk. */
  readonly unmounted: number
  /** How many could not be, or not in time; they were made read-only where the kernel let it. */
  readonly notUnmounted: number
  /** Whether all that was written is on the disks. False where a disk did not answer in time. */
  readonly synced: boolean
}

/**
 * For one request: who may give it up, and after how many milliseconds it is given up by itself. It is cancelled in the
 * unit then. A change of the store or a mount that the unit had made by then is a success all the same: its answer is waited for up
 * to 5 s more.
 */
export interface AgentOptions {
  /** Gives the request up, as `aborted`. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds, after which it fails as `timed-out`. */
  readonly deadlineMs?: number | undefined
}

/**
 * The host's end of one unit's control channel, of which it is the owner. Disposing it closes the channel, and so ends the unit.
 *
 * Every request can fail with `unit-lost`, `timed-out`, `aborted`, `invalid-request` (nothing was sent) and `refused`; what
 * more each can fail with stands beside it. What comes from the unit is its claim, escaped and bounded.
 */
export interface Agent extends AsyncDisposable {
  /** The unit's first answer. */
  readonly hello: AgentHello
  /**
   * Resolves when the command was started or could not be, which is an outcome of its own (`not-started`); aborting later cancels
   * the command. `deadlineMs` bounds start and life of the command; by default the start has 30 s and its life no bound. The streams
   * are the caller's to read or to leave.
   */
  exec(command: GuestCommand, options?: AgentOptions): ResultAsync<GuestProcess, AgentError>
  /**
   * Mounts an image and binds the named paths into `/nix/store`, all or none. The devices are waited for, so they may be plugged
   * meanwhile. Fails also with `kernel-lacks`: `erofs`, `virtio_pmem`, `dax` …
   */
  mountStore(mount: StoreMount, options?: AgentOptions): ResultAsync<StoreMountReport, AgentError>
  /** Binds paths of the view. On failure nothing of the call is left, with the errors of `mountStore`. */
  mountView(view: ViewMount, options?: AgentOptions): ResultAsync<StoreMountReport, AgentError>
  /**
   * Takes base names out of `/nix/store`; names that are not there are passed over. On failure all are there as
   * before. Devices stay in the machine: a unit's root can read them still.
   */
  unbindStore(paths: readonly string[], options?: AgentOptions): ResultAsync<StoreUnbindReport, AgentError>
  /**
   * The names that the agent itself reads in the unit's `/nix/store`, sorted; no program of the unit is needed.
   * They are the unit's claim: escaped, bounded in length and count, not checked against what was mounted.
   */
  listStore(options?: AgentOptions): ResultAsync<readonly string[], AgentError>
  /**
   * Lets programs of the unit call these names: each becomes a socket in `/run/spectrum/services`. `onCall` is called
   * for each connection, at most 64 of which are open at once; it must not throw. All names or none.
   */
  offerServices(
    names: readonly string[],
    onCall: (call: GuestCall) => void,
    options?: AgentOptions,
  ): ResultAsync<void, AgentError>
  /**
   * Connects to a Unix stream socket (absolute path) on which a program of the unit listens. The stream is the caller's to end.
   * `refused` has what connect(2) says: ENOENT, ECONNREFUSED …
   */
  connect(path: string, options?: AgentOptions): ResultAsync<GuestStream, AgentError>
  /**
   * Mounts a volume, nosuid and nodev. Its disk is waited for, so it may be plugged meanwhile. A kernel that was read
   * with `needs: { volumes: true }` can do it; another fails with `kernel-lacks`. At most 16 volumes.
   */
  mountVolume(volume: VolumeMount, options?: AgentOptions): ResultAsync<void, AgentError>
  /** Sets the unit's wall clock to so many milliseconds since 1970 (2020 to 2200). */
  setClock(epochMs: number, options?: AgentOptions): ResultAsync<ClockStep, AgentError>
  /** Gives the unit's kernel 32 to 512 random bytes, credited, and makes it draw from them at once. */
  addEntropy(bytes: Uint8Array, options?: AgentOptions): ResultAsync<void, AgentError>
  /**
   * Puts a file, whole or not at all: it is written beside its place, flushed to the disk, then renamed over what was
   * there. Directories above it must exist. `file-failed` says why not, with nothing left behind. Without a deadline it
   * may take 30 s, and a second more for each MiB. Given up after all was sent: `outcome: 'unknown'`.
   */
  putFile(file: FilePut, content: FileContent, options?: AgentOptions): ResultAsync<void, AgentError>
  /**
   * Opens a file. Its size is known first; signal and deadline cover it to its end. Whoever has it reads it to its end or cancels
   * it. `file-failed` says why it is not got, with nothing sent.
   */
  getFile(file: FileGet, options?: AgentOptions): ResultAsync<GuestFile, AgentError>
  /** Asks at intervals whether the agent is alive. One at a time; it ends with the channel. */
  startHeartbeat(options?: HeartbeatOptions): Heartbeat
  /**
   * Ends the unit in order: SIGTERM for every process (SIGHUP for terminals), SIGKILL after the grace, volumes
   * unmounted, caches written, power off. An error says how far it had come by then, as `reached`.
   */
  shutDown(options?: ShutdownOptions): ResultAsync<ShutdownReport, AgentError>
  /**
   * Asks the unit to kill its processes, unmount, sync, and power off, without a grace. Resolves when the unit has acknowledged, which is
   * before it is off: `closed` tells that.
   */
  powerOff(options?: AgentOptions): ResultAsync<void, AgentError>
  /** Resolves once, with why the channel ended. Never rejects. */
  readonly closed: Promise<AgentClosed>
}

/** Why the control channel has ended, and with it the unit. */
export type AgentClosed =
  | { readonly kind: 'closed-by-host' }
  | { readonly kind: 'closed-by-unit' }
  /** The unit broke the protocol; it is cut off alone. */
  | {
      readonly kind: 'protocol-violation'
      /** What it did. */
      readonly message: string
    }

/** What the agent needs from the channel; every monitor's control channel fits. */
export interface ByteChannel {
  /** What the unit sends, in chunks of any size; it ends with the channel. One consumer. */
  readonly incoming: AsyncIterable<Uint8Array>
  /**
   * Resolves when the bytes were handed over, not when the unit has read them. Rejects once the channel has ended.
   */
  write(bytes: Uint8Array): Promise<void>
  /** Ends the channel, and so the unit. May be called again. */
  close(): void
}

/** The clock, as a power. Milliseconds. */
export interface Clock {
  /** Milliseconds of a clock that never goes back; only differences mean something. */
  now(): number
  /** A signal that aborts after so many milliseconds. Disposing it early frees its timer. */
  deadline(ms: number): {
    /** Aborts when the milliseconds have passed. */
    readonly signal: AbortSignal
  } & Disposable
}

/** `connectAgent(channel, { clock }, options)` waits for the hello and resolves with the agent. */
export type ConnectAgent = (
  channel: ByteChannel,
  powers: {
    /** Deadlines of the requests. */
    readonly clock: Clock
  },
  options?: AgentOptions,
) => ResultAsync<Agent, AgentError>
