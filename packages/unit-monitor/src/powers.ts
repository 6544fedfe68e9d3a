/** The clock, as a power. Milliseconds. */
export interface Clock {
  /** Monotonic. */
  now(): number
  /** A signal that aborts after `ms`; dispose it to stop the timer. */
  deadline(ms: number): { readonly signal: AbortSignal } & Disposable
}

/** How a spawned process ended. */
export type ProcessExit =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: string }

export interface SpawnRequest {
  /** Absolute path or a name looked up on the search path that the power was built with. */
  readonly file: string
  readonly argv: readonly string[]
  /** What the journal calls it: `unit left: qemu`. */
  readonly role: string
}

/** A child process whose standard output and error arrive as one stream of bytes. */
export interface SpawnedProcess {
  readonly pid: number
  readonly output: AsyncIterable<Uint8Array>
  readonly exit: Promise<ProcessExit>
  /** SIGKILL to the process itself, never to a number that may have been reused. Idempotent. */
  kill(): void
}

/**
 * Starts processes that die with this program: own process group, no terminal, no inherited descriptors,
 * an empty environment apart from what the power adds. The runtime wraps this power with its journal.
 */
export interface Processes {
  spawn(request: SpawnRequest): Promise<SpawnedProcess>
}

/** A listening Unix stream socket that accepts one peer. Disposing it closes and unlinks the socket. */
export interface OneShotListener extends Disposable {
  readonly path: string
  /** Resolves with the first peer; the listener is closed and its path unlinked at that moment. */
  accept(signal: AbortSignal): Promise<import('./machine.js').ByteChannel>
}

export interface Sockets {
  listen(path: string): Promise<OneShotListener>
}

export interface MonitorPowers {
  readonly clock: Clock
  readonly processes: Processes
  readonly sockets: Sockets
}
