import type { GuestProcess } from '@spectrum/unit-runtime'
import type { ResultAsync } from 'neverthrow'
import type { DoctorPowers } from './doctor.js'

/** Why something could not be done: `kind` for programs, `message` for people. May quote a guest. */
export interface Failure {
  readonly kind: string
  readonly message: string
}

/** Where bytes go; what is behind it may be gone. */
export interface Sink {
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
  readonly monitor: { readonly kind: string; readonly accelerator: string; readonly why: string }
  /** Starts a unit that sees exactly the closure of these store paths. */
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
      readonly env: Readonly<Record<string, string>>
      readonly stdin: 'closed' | 'open'
      readonly signal: AbortSignal
    },
  ): ResultAsync<GuestProcess, Failure>
}

/** Opening may boot a kernel to try a monitor; `onStep` is told how far it has come. */
export type OpenUnitHost = (options: {
  readonly signal: AbortSignal
  readonly onStep: (step: string) => void
}) => ResultAsync<UnitHost, Failure>

/** What a file that should hold a graph holds. */
export type GraphFile =
  | { readonly kind: 'text'; readonly text: string }
  /** What a program that was loaded exports by default. */
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'unreadable'; readonly message: string }

/** Everything that the command touches. */
export interface CommandPowers {
  readonly stdout: Sink
  readonly stderr: Sink
  /** Opened only when a command was told to read it. */
  openStdin(): AsyncIterable<Uint8Array>
  readonly clock: Clock
  readonly openHost: OpenUnitHost
  readonly doctor: DoctorPowers
  /** Reads a graph in JSON, or runs the module that makes one. */
  readonly readGraph: (file: string) => Promise<GraphFile>
  /** Milliseconds since 1970. */
  readonly timeOfDay: () => number
  /** Aborted by Ctrl-C and its like; the reason is the name of the signal. */
  readonly interrupted: AbortSignal
  readonly version: string
}
