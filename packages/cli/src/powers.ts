import type { Graph } from '@spectrum/unit-graph'
import type { GuestProcess, HostService } from '@spectrum/unit-runtime'
import type { ControlClient, ControlServer, ServedHost } from '@spectrum/unit-runtime/control'
import type { Result, ResultAsync } from 'neverthrow'
import type { DoctorPowers } from './doctor.js'
import type { Architecture } from './words.js'

/**
 * Why something could not be done: `kind` for programs, `message` for people. May quote a guest, unescaped:
 * escape it before a terminal gets it.
 */
export interface Failure {
  readonly kind: string
  readonly message: string
}

/** Where bytes go; what is behind it may be gone. */
export interface Sink {
  /** Whether what is written can command a terminal (isatty(3)): it is then escaped. */
  readonly isTerminal: boolean
  /** Resolves when the bytes are accepted; rejects once nobody reads any more. */
  write(bytes: Uint8Array | string): Promise<void>
}

/** The clock, as a power. Milliseconds. */
export interface Clock {
  /** Milliseconds of a clock that never goes back; only differences mean something. */
  now(): number
  /** A signal that aborts after so many milliseconds. Disposing it early frees its timer. */
  deadline(ms: number): { readonly signal: AbortSignal } & Disposable
}

/** What `run` wants of a host. */
export interface UnitHost {
  /**
   * `kind`: `qemu` or `crosvm`. `accelerator`: `kvm` or `emulation`. `why`: why this one and none before it,
   * in a sentence.
   */
  readonly monitor: { readonly kind: string; readonly accelerator: string; readonly why: string }
  /**
   * Starts a unit that sees exactly the closure of these store paths, with so many bytes of memory;
   * undefined: the runtime's default. Aborting `signal` gives it up, and leaves nothing of it.
   */
  startUnit(
    grant: { readonly closure: readonly string[]; readonly memoryBytes: number | undefined },
    signal: AbortSignal,
  ): ResultAsync<StartedUnit, Failure>
  /** Ends everything that was started and removes every trace of it. */
  stop(): ResultAsync<void, Failure>
}

/** The running unit of `spectrum run`, as far as the command needs it. */
export interface StartedUnit {
  /** Starts a program in the unit; `argv[0]` is an absolute path there. Aborting `signal` kills it. */
  spawn(
    argv: readonly string[],
    options: {
      /** The whole environment of the program. */
      readonly env: Readonly<Record<string, string>>
      /** `closed`: it reads end-of-file at once. */
      readonly stdin: 'closed' | 'open'
      /** Aborting it kills the program. */
      readonly signal: AbortSignal
    },
  ): ResultAsync<GuestProcess, Failure>
}

/** Opening may boot a kernel to try a monitor; `onStep` is told how far it has come. */
export type OpenUnitHost = (options: {
  /** Aborting it, now or later, ends the host at once. */
  readonly signal: AbortSignal
  /** What the unit's programs are compiled for; undefined: this machine's own. */
  readonly architecture: Architecture | undefined
  /** Words for people, as soon as a step begins. */
  readonly onStep: (step: string) => void
}) => ResultAsync<UnitHost, Failure>

/** What a file that should hold a graph holds. */
export type GraphFile =
  | { readonly kind: 'text'; readonly text: string }
  /** What a program that was loaded exports by default, and as `services`. */
  | { readonly kind: 'value'; readonly value: unknown; readonly services?: unknown }
  | { readonly kind: 'unreadable'; readonly message: string }

/** What has become of a unit. */
export interface UnitChange {
  /** Its name in the graph. */
  readonly unit: string
  /** One of unit-runtime's `UnitState`: `starting`, `running` …; `stopped` and `failed` are final. */
  readonly state: string
  /** Why it failed, when it did. May quote a guest. */
  readonly why?: string
}

/** What `up` wants of a host. */
export interface GraphHost {
  /** Of the process that is the host: this one. */
  readonly pid: number
  /** Absolute path of its own directory, which it makes and removes. */
  readonly directory: string
  /** As for `UnitHost`. */
  readonly monitor: { readonly kind: string; readonly accelerator: string; readonly why: string }
  /**
   * Lets other programs of this user find and use it. The caller disposes what comes of it; `stopped`
   * resolves when somebody had the host stopped.
   */
  serve(): Result<Pick<ControlServer, 'stopped' | typeof Symbol.asyncDispose>, Failure>
  /** Resolves with the names of the units that were started, once they run. Aborting gives it up. */
  start(graph: Graph, signal: AbortSignal): ResultAsync<readonly string[], Failure>
  /**
   * Stops the units in the reverse order of their starts, each with so many milliseconds to end by itself
   * (undefined: 10,000; 0: at once), then the host.
   */
  stop(options: { readonly graceMs: number | undefined }): ResultAsync<void, Failure>
}

/** Aborting the signal, now or later, ends the host at once. */
export type OpenGraphHost = (options: {
  /** Aborting it, now or later, ends the host at once. */
  readonly signal: AbortSignal
  /** Of all units; undefined: this machine's own. */
  readonly architecture: Architecture | undefined
  /** The functions of the host program that the graph is wired to, by name. */
  readonly services: Readonly<Record<string, HostService>>
  /** Told of every change of a unit's state. */
  readonly onUnit: (change: UnitChange) => void
}) => ResultAsync<GraphHost, Failure>

/** The hosts of this user that run. */
export interface RunningHosts {
  /** The hosts of this user that run and are served. Never rejects. */
  find(): Promise<readonly ServedHost[]>
  /**
   * The control socket in the directory of a host; a path that is a socket is one. Whether anybody listens
   * there is not asked. Never rejects.
   */
  socketOf(path: string): Promise<string>
  /** Connects to a host's control socket, by its path. The caller closes the client. */
  connect(socket: string, signal: AbortSignal): ResultAsync<ControlClient, Failure>
}

/** The kernel that units boot. */
export interface FetchedKernel {
  /** Where it is: an absolute path of the host. */
  readonly place: string
  /** Whether it was fetched now; else it was there already. */
  readonly isNew: boolean
}

/** What a collection of the cache has removed, or would. */
export interface Collected {
  /** Device files by their absolute paths, each with the bytes that it took on the disk. */
  readonly removed: readonly { readonly file: string; readonly freedBytes: number }[]
  /** All of them together. */
  readonly freedBytes: number
  /** How many files stay, by why: `leased`, `open`, `inUse` or `wanted`. */
  readonly kept: Readonly<Record<string, number>>
}

/** The terminal that standard input and output are. */
export interface OwnTerminal {
  /** Which kind it is, as programs know it: TERM. */
  readonly type: string | undefined
  /** Characters, as the terminal has them now: each 1 to 65,535. */
  size(): { readonly rows: number; readonly columns: number }
  /** Calls back when the size has changed, until it is disposed. */
  onResize(changed: () => void): Disposable
  /** What is typed is read as it comes; disposing it makes the terminal what it was, and so does the program's end. */
  raw(): Disposable
}

/**
 * Everything that the command touches. Tests give fakes; `linuxCommandPowers` of `@spectrum/cli/linux` is
 * this machine.
 */
export interface CommandPowers {
  /** What was asked for, and what programs of units write to theirs. */
  readonly stdout: Sink
  /** Complaints, progress, and what programs of units write to theirs. */
  readonly stderr: Sink
  /** Opened only when a command was told to read it. */
  openStdin(): AsyncIterable<Uint8Array>
  /** For deadlines and progress. */
  readonly clock: Clock
  /** For `run`. */
  readonly openHost: OpenUnitHost
  /** For `up`. */
  readonly openGraphHost: OpenGraphHost
  /** For `ps`, `exec`, `inject`, `logs` and `stop`. */
  readonly hosts: RunningHosts
  /** Removes cached files that nobody uses. */
  collect(options: {
    readonly dryRun: boolean
    readonly signal: AbortSignal
  }): ResultAsync<Collected, Failure>
  /** Fetches a kernel for units into the cache, where there is none yet; `say` is told what it does, a line at a time. */
  fetchKernel(options: {
    readonly signal: AbortSignal
    readonly say: (line: string) => void
  }): ResultAsync<FetchedKernel, Failure>
  /** Absent when standard input or output is none. */
  readonly terminal: OwnTerminal | undefined
  /** For `doctor`. */
  readonly doctor: DoctorPowers
  /** Reads a graph in JSON, or runs the module that makes one, with this program's rights. Never rejects. */
  readonly readGraph: (file: string) => Promise<GraphFile>
  /** Milliseconds since 1970. */
  readonly timeOfDay: () => number
  /** Aborted by Ctrl-C and its like; the reason is the name of the signal: `SIGINT`. */
  readonly interrupted: AbortSignal
  /** Aborted by the second of them. */
  readonly hurried: AbortSignal
  /** Of this package, without a `v`. */
  readonly version: string
}
