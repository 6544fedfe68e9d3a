import type { ByteChannel } from './machine.js'

/** The clock, as a power. Milliseconds. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number
  /**
   * A signal that aborts after `ms` milliseconds; dispose it to stop the timer. Whoever asked for it disposes
   * it.
   */
  deadline(ms: number): { readonly signal: AbortSignal } & Disposable
}

/** How a spawned process ended. */
export type ProcessExit =
  /** By itself, with this exit status: 0 to 255. */
  | { readonly kind: 'exited'; readonly code: number }
  /** By this signal, by its name: `SIGKILL` (signal(7)). */
  | { readonly kind: 'signalled'; readonly signal: string }

/** A process that is to be started. */
export interface SpawnRequest {
  /** Absolute path or a name looked up on the search path that the power was built with. */
  readonly file: string
  /** What follows the program's name. No shell reads it. */
  readonly argv: readonly string[]
  /** What the journal calls it: `unit left: qemu`. */
  readonly role: string
  /**
   * The complete environment of the process; empty by default. A journal puts its marker here, and whatever
   * the power wraps around the program keeps it and the pid.
   */
  readonly environment?: Readonly<Record<string, string>> | undefined
  /**
   * For a program that starts processes of its own: none of them outlives it, whatever they do. Its `pid` is then
   * that of a process around it, which leads the process group of all of them and ends as the program does.
   * `kill` ends them all, and `exit` resolves when the last of them is reaped. With `without-capabilities` the
   * program has none either, and sees no network, no System V IPC and no processes but its own.
   */
  readonly enclosed?: 'as-it-is' | 'without-capabilities' | undefined
  /**
   * For a program that starts no other: it has no capability, and sees no network and no System V IPC. `pid`, `kill`
   * and `exit` are those of the program itself. Where the kernel grants nobody namespaces it has no capability all the
   * same, and the first line of its output says what it lacks.
   */
  readonly powerless?: boolean | undefined
}

/** A child process whose standard output and error arrive as one stream of bytes. */
export interface SpawnedProcess {
  /** In the PID namespace of the host program. */
  readonly pid: number
  /** One consumer; not reading is back-pressure. Ends when the last process that holds it has gone. */
  readonly output: AsyncIterable<Uint8Array>
  /** Resolves once it is reaped; never rejects. */
  readonly exit: Promise<ProcessExit>
  /** SIGKILL to the process itself (or all that are enclosed), never to a number that may have been reused. Idempotent. */
  kill(): void
}

/**
 * Starts processes that die with this program: own process group, no terminal, no inherited descriptors,
 * an empty environment apart from what the power adds. The runtime wraps this power with its journal.
 */
export interface Processes {
  /** Rejects with an error whose `code` is `ENOENT` when there is no such program. */
  spawn(request: SpawnRequest): Promise<SpawnedProcess>
}

/** A listening Unix stream socket that accepts one peer. Disposing it closes and unlinks the socket. */
export interface OneShotListener extends Disposable {
  /** Absolute path of the socket. */
  readonly path: string
  /**
   * Resolves with the first peer, whose channel is the caller's; the listener is closed and its path unlinked
   * at that moment. Rejects when `signal` aborts or the listener is disposed.
   */
  accept(signal: AbortSignal): Promise<ByteChannel>
}

/** Makes sockets on which a monitor finds its host. */
export interface Sockets {
  /**
   * At an absolute path: mode 0600 in a directory that only its owner may enter. Rejects with an error whose
   * `code` is `EADDRINUSE` when the path exists: it is somebody's, so it is not removed.
   */
  listen(path: string): Promise<OneShotListener>
}

/** Looks at what a description names, before anything is started. */
export interface Files {
  /** At an absolute path. Follows symbolic links; undefined when nothing is there or it may not be read. */
  inspect(path: string): Promise<FileFacts | undefined>
}

/** What is known of a file before a machine is given it. */
export interface FileFacts {
  readonly kind: 'file' | 'directory' | 'other'
  /** As stat(2) has it. */
  readonly sizeBytes: number
  /** Permission bits, as stat(2) has them: `0o600`. */
  readonly mode: number
}

/** Whether the kernel's KVM is worth a trial at all; finds no more than a cheap look can. */
export interface KvmProbe {
  /**
   * Opens the device, asks its version, runs a tiny guest. Bounded by `signal`. Never rejects. `unknown` when
   * the look itself did not work out, which says nothing about KVM.
   */
  probe(signal: AbortSignal): Promise<{
    /** `unusable`: not worth a trial. `usable`: a tiny guest ran, which does not say that a kernel boots. */
    readonly verdict: 'usable' | 'unusable' | 'unknown'
    /** A sentence for people. */
    readonly reason: string
  }>
}

/** What every driver needs of the world. */
export interface MonitorPowers {
  /** For deadlines, and how much of a log is said per second. */
  readonly clock: Clock
  /** Starts the monitor's programs. */
  readonly processes: Processes
  /** On which the monitor's channels arrive. */
  readonly sockets: Sockets
  /** Absent: what a description names is not looked at, and the monitor itself complains. */
  readonly files?: Files | undefined
}
