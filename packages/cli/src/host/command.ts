import type { Architecture } from '../words.js'

/**
 * What is said to a host that runs, or makes one run. `host`: which one, by its name, the pid of its process,
 * or the path of its directory or socket; undefined: the only one that runs. `json`: one JSON object instead
 * of text, or one a line.
 */
export type HostCommand =
  | RunCommand
  | {
      readonly kind: 'up'
      /** The path of a file with a graph: JSON, or a module, which is run with the rights of whoever asks. */
      readonly file: string
      /** One JSON object a line. */
      readonly json: boolean
      /** Of all units; undefined: this machine's own. */
      readonly architecture: Architecture | undefined
      /**
       * Milliseconds for each unit to end in order before it is ended: 0 (at once) to 2,000,000,000;
       * undefined: 10,000.
       */
      readonly graceMs: number | undefined
    }
  /** Lists the units of a host; without `host`, of all hosts of this user. */
  | { readonly kind: 'ps'; readonly host: string | undefined; readonly json: boolean }
  | ExecCommand
  | {
      readonly kind: 'inject'
      /** Undefined: the only one that runs. */
      readonly host: string | undefined
      /** Its name in the graph. */
      readonly unit: string
      /** Store paths, at least one: they and all that they reference become visible to the unit. */
      readonly paths: readonly string[]
      /** Milliseconds; undefined: as long as the host gives it. */
      readonly timeoutMs: number | undefined
      /** One JSON object instead of text. */
      readonly json: boolean
    }
  | LogsCommand
  | {
      readonly kind: 'stop'
      /** Undefined: the only one that runs. */
      readonly host: string | undefined
      /** Absent: the whole host. */
      readonly unit: string | undefined
      /** Milliseconds to end in order before it is ended: 0 (at once) to 2,000,000,000; undefined: 10,000. */
      readonly graceMs: number | undefined
      /** One JSON object instead of text. */
      readonly json: boolean
    }
  /** Removes files of the cache that no unit uses. `dryRun`: only says which. */
  | { readonly kind: 'gc'; readonly dryRun: boolean; readonly json: boolean }

/** `spectrum run`: one unit, one command in it. */
export interface RunCommand {
  readonly kind: 'run'
  /** Store paths (`/nix/store/…`), at least one, whose closure the unit sees. */
  readonly closure: readonly string[]
  /** At least one; `argv[0]` is an absolute path in the unit. No shell is involved. */
  readonly argv: readonly string[]
  /** The whole environment of the command; empty by default. */
  readonly env: Readonly<Record<string, string>>
  /** Of the unit: 64 MiB to 1 TiB in whole MiB; undefined: 256 MiB. */
  readonly memoryBytes: number | undefined
  /** Undefined: this machine's own. */
  readonly architecture: Architecture | undefined
  /**
   * Milliseconds for the command itself, once the unit runs: more than 0, at most 2,000,000,000; undefined:
   * no end. What takes longer is killed, and the exit status is 124.
   */
  readonly timeoutMs: number | undefined
  /** `closed`: the command reads end-of-file at once. `open`: it reads this one's standard input. */
  readonly stdin: 'closed' | 'open'
  /** Whether a terminal gets the program's bytes as they are; else what would command it is spelt. */
  readonly raw: boolean
}

/** `spectrum exec`: a command in a unit of a running host. */
export interface ExecCommand {
  readonly kind: 'exec'
  /** Undefined: the only one that runs. */
  readonly host: string | undefined
  /** Its name in the graph. */
  readonly unit: string
  /** At least one; `argv[0]` is an absolute path in the unit. No shell is involved. */
  readonly argv: readonly string[]
  /** The whole environment of the command; empty by default. */
  readonly env: Readonly<Record<string, string>>
  /** An absolute path in the unit; undefined: `/`. */
  readonly cwd: string | undefined
  /** Milliseconds, more than 0, at most 2,000,000,000; undefined: no end. */
  readonly timeoutMs: number | undefined
  /** `closed`: the command reads end-of-file at once. `open`: it reads this one's standard input. */
  readonly stdin: 'closed' | 'open'
  /** Whether the command gets a terminal of its own. */
  readonly terminal: boolean
  /** Whether a terminal gets the program's bytes as they are; else what would command it is spelt. */
  readonly raw: boolean
}

/** `spectrum logs`: what a running unit and its monitor have said. */
export interface LogsCommand {
  readonly kind: 'logs'
  /** Undefined: the only one that runs. */
  readonly host: string | undefined
  /** Absent: all units. */
  readonly unit: string | undefined
  /** Whether to go on until the unit has ended. */
  readonly follow: boolean
  /** How many of the newest lines: 0 to 100,000; undefined: 100. */
  readonly lines: number | undefined
  /** One JSON object a line. */
  readonly json: boolean
}
