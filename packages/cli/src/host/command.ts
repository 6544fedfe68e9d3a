import type { Architecture } from '../words.js'

/** What is said to a host that runs, or makes one run. */
export type HostCommand =
  | RunCommand
  | {
      readonly kind: 'up'
      readonly file: string
      readonly json: boolean
      /** Of all units; undefined: this machine's own. */
      readonly architecture: Architecture | undefined
      readonly graceMs: number | undefined
    }
  | { readonly kind: 'ps'; readonly host: string | undefined; readonly json: boolean }
  | ExecCommand
  | {
      readonly kind: 'inject'
      readonly host: string | undefined
      readonly unit: string
      readonly paths: readonly string[]
      readonly timeoutMs: number | undefined
      readonly json: boolean
    }
  | LogsCommand
  | {
      readonly kind: 'stop'
      readonly host: string | undefined
      /** Absent: the whole host. */
      readonly unit: string | undefined
      readonly graceMs: number | undefined
      readonly json: boolean
    }
  | { readonly kind: 'gc'; readonly dryRun: boolean; readonly json: boolean }

/** `spectrum run`: one unit, one command in it. */
export interface RunCommand {
  readonly kind: 'run'
  /** Store paths whose closure the unit sees. */
  readonly closure: readonly string[]
  /** At least one; `argv[0]` is an absolute path in the unit. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly memoryBytes: number | undefined
  /** Undefined: this machine's own. */
  readonly architecture: Architecture | undefined
  /** For the command itself, once the unit runs. */
  readonly timeoutMs: number | undefined
  readonly stdin: 'closed' | 'open'
  /** Whether a terminal gets the program's bytes as they are. */
  readonly raw: boolean
}

/** `spectrum exec`: a command in a unit of a running host. */
export interface ExecCommand {
  readonly kind: 'exec'
  readonly host: string | undefined
  readonly unit: string
  /** At least one; `argv[0]` is an absolute path in the unit. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string | undefined
  readonly timeoutMs: number | undefined
  readonly stdin: 'closed' | 'open'
  /** Whether the command gets a terminal of its own. */
  readonly terminal: boolean
  /** Whether a terminal gets the program's bytes as they are. */
  readonly raw: boolean
}

/** `spectrum logs`: what a running unit and its monitor have said. */
export interface LogsCommand {
  readonly kind: 'logs'
  readonly host: string | undefined
  /** Absent: all units. */
  readonly unit: string | undefined
  readonly follow: boolean
  readonly lines: number | undefined
  readonly json: boolean
}
