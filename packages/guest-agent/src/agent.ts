import type { ResultAsync } from 'neverthrow'
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
}

/** How a command ended. A command that fails is an outcome, not an error. */
export type ExecOutcome =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: string; readonly coreDumped: boolean }
  /** The unit could not start it: no such file, not executable, a bad working directory … */
  | { readonly kind: 'not-started'; readonly reason: NotStartedReason; readonly message: string }
  /** The guest kernel's out-of-memory killer ended it. */
  | { readonly kind: 'oom' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'unit-lost'; readonly message: string }

/** Why a program did not start; `missing-interpreter` names the ELF interpreter that its store lacks. */
export type NotStartedReason =
  | 'not-found'
  | 'not-executable'
  | 'permission'
  | 'bad-cwd'
  | 'resources'
  | 'other'

/** A command that runs in a unit. */
export interface GuestProcess {
  readonly id: number
  /** Present when the command was started with `stdin: 'open'`. */
  readonly stdin: GuestStdin | undefined
  /** Byte-exact; one consumer each; not reading one of them stops neither the other nor other commands. */
  readonly stdout: AsyncIterable<Uint8Array>
  readonly stderr: AsyncIterable<Uint8Array>
  /** Resolves once; never rejects. Settles only when the unit has reported it or is lost. */
  readonly outcome: Promise<ExecOutcome>
  /** Sends a signal by number to the command's process group. */
  signal(number: number): ResultAsync<void, AgentError>
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

/**
 * The host's end of a Unix stream socket in the unit: a duplex stream, byte-exact, each direction with a credit of
 * its own. Whoever gets one ends both directions or resets it.
 */
export interface GuestStream {
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
  | { readonly kind: 'unit-lost'; readonly message: string }

/** A program of the unit has connected to one of its services. It waits: serve it, or `reset` it. */
export interface GuestCall extends GuestStream {
  /** One of the names that were offered. */
  readonly service: string
}

/**
 * For one request: who may give it up, and after how many milliseconds it is given up by itself. It is cancelled in the
 * unit then. A change of the store that the unit had made by then is a success all the same: its answer is waited for up
 * to 5 s more.
 */
export interface AgentOptions {
  readonly signal?: AbortSignal | undefined
  readonly deadlineMs?: number | undefined
}

/** The host's end of one unit's control channel. Disposing it closes the channel. */
export interface Agent extends AsyncDisposable {
  readonly hello: AgentHello
  /** Resolves when the command was started or could not be; aborting later cancels the command. */
  exec(command: GuestCommand, options?: AgentOptions): ResultAsync<GuestProcess, AgentError>
  /** Mounts an image and binds the named paths into `/nix/store`, all or none. */
  mountStore(mount: StoreMount, options?: AgentOptions): ResultAsync<StoreMountReport, AgentError>
  /** Binds paths of the view. On failure nothing of the call is left, as with `mountStore`. */
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
  /** Connects to a Unix stream socket (absolute path) on which a program of the unit listens. */
  connect(path: string, options?: AgentOptions): ResultAsync<GuestStream, AgentError>
  /** Asks the unit to kill its processes, sync, and power off. Resolves when the unit has acknowledged. */
  powerOff(options?: AgentOptions): ResultAsync<void, AgentError>
  /** Resolves once, with why the channel ended. Never rejects. */
  readonly closed: Promise<AgentClosed>
}

/** Why the control channel has ended, and with it the unit. */
export type AgentClosed =
  | { readonly kind: 'closed-by-host' }
  | { readonly kind: 'closed-by-unit' }
  /** The unit broke the protocol; it is cut off alone. */
  | { readonly kind: 'protocol-violation'; readonly message: string }

/** What the agent needs from the channel; every monitor's control channel fits. */
export interface ByteChannel {
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
  deadline(ms: number): { readonly signal: AbortSignal } & Disposable
}

/** `connectAgent(channel, { clock }, options)` waits for the hello and resolves with the agent. */
export type ConnectAgent = (
  channel: ByteChannel,
  powers: { readonly clock: Clock },
  options?: AgentOptions,
) => ResultAsync<Agent, AgentError>
