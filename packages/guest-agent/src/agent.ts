import type { Result, ResultAsync } from 'neverthrow'
import type { AgentError } from './errors.js'

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

/** A command by argument vector. There is no shell anywhere on its way. */
export interface GuestCommand {
  /** `argv[0]` is the absolute path of the program inside the unit. */
  readonly argv: readonly string[]
  /** The whole environment of the command; empty by default. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Absolute path inside the unit; `/` by default. */
  readonly cwd?: string | undefined
  /** `closed` (default): the command reads end-of-file at once. */
  readonly stdin?: 'closed' | 'open' | undefined
  /**
   * A terminal of the command's own, which is its controlling terminal and its stdin, stdout and stderr. What it shows
   * comes on `stdout`; `stderr` is empty. The end of stdin is typed as the terminal's end-of-file character, so in raw
   * mode there is none. Its end hangs up whoever is still on the terminal.
   */
  readonly pty?: TerminalSize | undefined
  /**
   * By number; both, and no supplementary group. By default the command runs as the agent does: as root. Not started
   * with `bad-user` where the agent may not.
   */
  readonly user?: GuestUser | undefined
}

/** The size of a terminal, as its programs read it (TIOCGWINSZ). */
export interface TerminalSize {
  /** Characters, 1 to 65 535. */
  readonly rows: number
  /** Characters, 1 to 65 535. */
  readonly columns: number
}

/** By number: a unit has no list of users. 0 is root. */
export interface GuestUser {
  /** Number of the user. */
  readonly uid: number
  /** Number of its only group. */
  readonly gid: number
}

/** How a command ended. A command that fails is an outcome, not an error. */
export type ExecOutcome =
  | {
      readonly kind: 'exited'
      /** 0 to 255. */
      readonly code: number
    }
  | {
      readonly kind: 'signalled'
      /** Linux's name of it: `SIGKILL` (signal(7)). */
      readonly signal: string
      /** Whether the kernel wrote a core file. */
      readonly coreDumped: boolean
    }
  /** The unit could not start it: no such file, not executable, a bad working directory … */
  | {
      readonly kind: 'not-started'
      /** For programs. */
      readonly reason: NotStartedReason
      /** For people; what the unit said is escaped and bounded in it. */
      readonly message: string
    }
  /** The guest kernel's out-of-memory killer ended it. */
  | { readonly kind: 'oom' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'timed-out' }
  | {
      readonly kind: 'unit-lost'
      /** Why it is lost. */
      readonly message: string
    }

/** Why a command did not start; the message says what is missing, down to the ELF interpreter. */
export type NotStartedReason =
  | 'not-found'
  | 'not-executable'
  | 'permission'
  | 'bad-cwd'
  | 'resources'
  | 'other'
  | 'bad-user'

/** A command that runs in a unit. */
export interface GuestProcess {
  /** Of this channel, never used again on it. It is no process id of the unit. */
  readonly id: number
  /** Present when the command was started with `stdin: 'open'`. */
  readonly stdin: GuestStdin | undefined
  /** Byte-exact; one consumer each; not reading one of them stops neither the other nor other commands. */
  readonly stdout: AsyncIterable<Uint8Array>
  /** As `stdout`. */
  readonly stderr: AsyncIterable<Uint8Array>
  /** Resolves once; never rejects. Settles only when the unit has reported it or is lost. */
  readonly outcome: Promise<ExecOutcome>
  /**
   * Sends a signal by its number (Linux's, 1 to 64) to the command's process group. Fails with `refused` (ESRCH) when the command
   * has ended, `invalid-request` for another number, `unit-lost`.
   */
  signal(number: number): ResultAsync<void, AgentError>
  /** Gives its terminal another size; whoever is in the foreground hears SIGWINCH. `refused` (ENOTTY) without one. */
  resize(size: TerminalSize): ResultAsync<void, AgentError>
  /**
   * Takes its terminal away, as when a line is cut: SIGHUP for the command and the foreground, stdout ends. The
   * outcome follows when the command has ended. `refused` (ENOTTY) without a terminal.
   */
  hangUp(): ResultAsync<void, AgentError>
}

/** The writing end of a command's standard input. */
export interface GuestStdin {
  /** Resolves when the unit has granted credit for the bytes. */
  write(bytes: Uint8Array): Promise<void>
  /** No more will be written: the command reads end-of-file. May be called again. */
  end(): Promise<void>
}

/** What to mount: one EROFS metadata image over blob devices, and which of its entries become visible. */
export interface StoreMount {
  /** Id in the trailer of the device that holds the metadata image. */
  readonly image: string
  /** Ids of the blob devices, in the order of the image's device table. */
  readonly devices: readonly string[]
  /** Base names (`HASH-NAME`) in the image's root to bind into `/nix/store`. Already bound names are kept. */
  readonly paths: readonly string[]
}

/** A live view: a virtio-fs device whose server grows and shrinks while the unit runs. */
export interface ViewMount {
  /** The device's tag: 1 to 36 characters of ASCII. A unit has one view. */
  readonly tag: string
  /** Base names (`HASH-NAME`) in the view's root to bind into `/nix/store`. Already bound names are kept. */
  readonly paths: readonly string[]
}

/** What the agent did when it was asked to mount. */
export interface StoreMountReport {
  /**
   * Whether the guest kernel really maps file data directly (`dax=always` stuck and a file proves it). Never for
   * a view or for block devices: their data is copied into the guest's page cache.
   */
  readonly dax: boolean
  /** Names that were bound by this call. */
  readonly bound: readonly string[]
}

/** What the unit says of names it took away. It is the unit's claim; a hostile one may keep what it had. */
export interface StoreUnbindReport {
  /** Names that were visible and no longer are. */
  readonly removed: readonly string[]
  /**
   * Those of them that processes run from, hold open, map or stand in. What a process holds it keeps until it lets
   * go; nothing new is found under the name.
   */
  readonly inUse: readonly string[]
  /** How many processes that are. */
  readonly processes: number
}

/** A file system on a disk of the unit's own. */
export interface VolumeMount {
  /** Serial number of the virtio disk: 1 to 20 characters of letters, digits, `-`, `_` and `.`. */
  readonly device: string
  /** What the disk has to hold; it is not made. */
  readonly fileSystem: 'ext4'
  /**
   * Where: absolute and canonical, at most 255 bytes; not `/` or `/run`, nor anything at or below `/proc`, `/sys`,
   * `/dev`, `/nix` and `/run/spectrum`. Directories that are not there are made.
   */
  readonly path: string
  /** False by default. */
  readonly readOnly?: boolean | undefined
}

/** What became of the unit's clock. */
export interface ClockStep {
  /** How far the clock was moved, by the unit's word: positive when it was behind. */
  readonly stepMs: number
}

/** A regular file in the unit. */
export interface GuestFilePlace {
  /** Absolute path of a directory out of which `path` must not lead, not by links either. `/` by default. */
  readonly below?: string | undefined
  /** Path below that. Where `below` is `/` it may begin with one. */
  readonly path: string
}

/** A file to put, and what it is to be. */
export interface FilePut extends GuestFilePlace {
  /** Permission bits; 0o644 by default. */
  readonly mode?: number | undefined
  /** Its owner; root by default. */
  readonly owner?: GuestUser | undefined
}

/** What goes into a file. The size is the promise: more or less is a failure, and nothing is put. */
export type FileContent =
  | Uint8Array
  | {
      /** Bytes that `content` yields in all. */
      readonly size: number
      /** Read once, chunk by chunk, as the unit takes it. */
      readonly content: AsyncIterable<Uint8Array>
    }

/** A file to get. */
export interface FileGet extends GuestFilePlace {
  /** A larger file is not got: `file-failed`, `too-large`. 1 TiB by default. */
  readonly maxBytes?: number | undefined
}

/** A file that arrives. Whoever gets one reads it to its end or cancels it. */
export interface GuestFile {
  /** Bytes, as it was opened. */
  readonly size: number
  /** Permission bits (0 to 0o7777), by the unit's word. */
  readonly mode: number
  /** One consumer; leaving its loop cancels. Never more than `size` bytes; less only when `ended` says why. */
  readonly content: AsyncIterable<Uint8Array>
  /** Resolves once, when all of it was read, or with why it ended early. Never rejects. */
  readonly ended: Promise<Result<void, AgentError>>
  /** Nobody wants the rest. */
  cancel(): void
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
 * The host's end of a Unix stream socket in the unit: a duplex stream, byte-exact, each direction with a credit of
 * its own. Whoever gets one ends both directions or resets it.
 */
export interface GuestStream {
  /** Of this channel, never used again on it. */
  readonly id: number
  /**
   * What the program sends; one consumer. Ends when the program shuts its end for writing, and when the stream is
   * gone. Leaving the loop is `stop`. Nothing is taken from the program before somebody reads.
   */
  readonly incoming: AsyncIterable<Uint8Array>
  /** Resolves when the unit has room for the bytes. Rejects once the program reads no more. */
  write(bytes: Uint8Array): Promise<void>
  /** The program reads end-of-file after what was written; it may still send. */
  end(): Promise<void>
  /** Takes no more from the program: its writes fail with EPIPE. */
  stop(): void
  /** Closes both directions at once; what was not delivered is lost. */
  reset(): void
  /** Resolves when the program reads no more: it has gone, shut that end, or the stream is closed. */
  readonly readerGone: Promise<void>
  /** Resolves once, when the unit holds nothing of it any more. Never rejects. */
  readonly closed: Promise<StreamEnd>
}

/** How a stream between a unit and its host ended. */
export type StreamEnd =
  /** Both directions have ended, and the program took in all that was written, or has left it. */
  | { readonly kind: 'finished' }
  /** By this host's `reset`. */
  | { readonly kind: 'reset' }
  | {
      readonly kind: 'unit-lost'
      /** Why it is lost. */
      readonly message: string
    }

/** A program of the unit has connected to one of its services. It waits: serve it, or `reset` it. */
export interface GuestCall extends GuestStream {
  /** One of the names that were offered. */
  readonly service: string
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
