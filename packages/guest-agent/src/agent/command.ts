import type { ResultAsync } from 'neverthrow'
import type { AgentError } from '../errors.js'

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
