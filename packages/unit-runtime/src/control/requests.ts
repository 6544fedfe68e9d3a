import type { ExecOutcome, NotStartedReason } from '@spectrum/guest-agent'
import {
  entries,
  flag,
  integer,
  list,
  object,
  oneOf,
  optional,
  type Reader,
  ShapeFault,
  text,
} from './shape.js'

/** What a client may ask. Every bound is here: the broker of it is a program that somebody else wrote. */
const unit = text(64, 1)
const path = text(4_095, 1)
const mostMs = 2_000_000_000
const mostNumber = Number.MAX_SAFE_INTEGER

/** The size of a terminal, in characters. */
const size = { rows: integer(1, 65_535), columns: integer(1, 65_535) }

const execRequest = object({
  ask: oneOf('exec'),
  unit,
  argv: list(text(131_072), 1_024, 1),
  env: entries(text(131_072, 1), text(131_072), 1_024),
  cwd: optional(path),
  stdin: oneOf('closed', 'open'),
  /** The command gets a terminal of this size; what it writes is all standard output. */
  pty: optional(object(size)),
})
const injectRequest = object({ ask: oneOf('inject'), unit, paths: list(path, 256, 1) })
const logsRequest = object({
  ask: oneOf('logs'),
  unit: optional(unit),
  /** The newest so many of those that are kept. */
  lines: integer(0, 100_000),
  follow: flag,
})
const stopRequest = object({
  ask: oneOf('stop'),
  /** Absent: the whole host. */
  unit: optional(unit),
  graceMs: optional(integer(0, mostMs)),
})
const listRequest = object({ ask: oneOf('list') })

const requestReaders = {
  list: listRequest,
  exec: execRequest,
  inject: injectRequest,
  logs: logsRequest,
  stop: stopRequest,
} as const

export type Request = {
  readonly [Ask in keyof typeof requestReaders]: ReturnType<(typeof requestReaders)[Ask]>
}[keyof typeof requestReaders]
export type RequestOf<Ask extends Request['ask']> = Extract<Request, { readonly ask: Ask }>

export const readRequest: Reader<Request> = (value, at) =>
  requestReaders[nameIn(value, 'ask', requestReaders)](value, at)

/** Which of the readers a field names. */
function nameIn<R extends object>(value: unknown, field: string, readers: R): keyof R {
  const found =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined
  if (typeof found === 'string' && Object.hasOwn(readers, found)) return found as keyof R
  throw new ShapeFault(`${field} must be one of ${Object.keys(readers).join(', ')}`)
}

const actReaders = {
  signal: object({ act: oneOf('signal'), number: integer(1, 64) }),
  resize: object({ act: oneOf('resize'), ...size }),
  'hang-up': object({ act: oneOf('hang-up') }),
} as const

/** What is done to a command that runs. */
export type Act = {
  readonly [Name in keyof typeof actReaders]: ReturnType<(typeof actReaders)[Name]>
}[keyof typeof actReaders]

export const readAct: Reader<Act> = (value, at) => actReaders[nameIn(value, 'act', actReaders)](value, at)

export const readHello = object({ versions: list(integer(1, 65_535), 16, 1) })

const words = text(2_048)
const message = text(65_536)

/** What a host says first to who connects to its control socket. */
export interface Welcome {
  /** Of the protocol that is spoken: the highest that both know. */
  readonly version: number
  /** The host itself. Its words come over a socket: escape them before they are printed. */
  readonly host: {
    /** Process number of the host program. */
    readonly pid: number
    /** Absolute path of its directory of state. */
    readonly directory: string
    /** `qemu`, `crosvm` … */
    readonly monitor: string
    /** `kvm`, `tcg` … */
    readonly accelerator: string
    /** Why that monitor was chosen, in words. */
    readonly why: string
  }
}
export const readWelcome: Reader<Welcome> = object({
  version: integer(1, 65_535),
  host: object({
    pid: integer(1, mostNumber),
    directory: path,
    monitor: words,
    accelerator: words,
    why: words,
  }),
})

/** One unit of a host, as `list` tells it. Text in it may come from a guest: escape it before it is printed. */
export interface UnitStatus {
  /** As its definition has it. */
  readonly name: string
  /** A `UnitState`, also one that this release does not know yet. */
  readonly state: string
  /** When it came to this state: milliseconds since 1970. */
  readonly since: number
  /** Why it is in this state, where that needs words. */
  readonly why: string | undefined
  /** How often it came up again. */
  readonly restarts: number | undefined
  /** Present while its machine runs. */
  readonly running:
    | {
        /** The guest's own id of this boot (`/proc/sys/kernel/random/boot_id`). */
        readonly bootId: string | undefined
        /** Release of the guest's kernel, as the guest says it. */
        readonly kernel: string | undefined
        /** How many store paths it sees. */
        readonly paths: number
        /** Whether its memory of the store is the host's own. */
        readonly shared: boolean
        /** How store paths can be added while it runs. */
        readonly injection: 'devices' | 'view' | 'none'
        /** Processes of the host that run it. */
        readonly processes: readonly {
          /** Process number on the host. */
          readonly pid: number
          /** What it does: the monitor, a view … */
          readonly role: string
        }[]
      }
    | undefined
}
const readUnitStatus: Reader<UnitStatus> = object({
  name: unit,
  /** A `UnitState`, also one that this release does not know yet. */
  state: text(32, 1),
  /** Milliseconds since 1970. */
  since: integer(0, mostNumber),
  why: optional(message),
  /** How often it came up again. */
  restarts: optional(integer(0, mostNumber)),
  running: optional(
    object({
      bootId: optional(text(64)),
      kernel: optional(text(256)),
      /** Store paths that it sees. */
      paths: integer(0, mostNumber),
      shared: flag,
      injection: oneOf('devices', 'view', 'none'),
      processes: list(object({ pid: integer(1, mostNumber), role: text(64) }), 64),
    }),
  ),
})

export const readUnitList = object({ units: list(readUnitStatus, 1_024) })

const storePaths = list(path, 65_536)
/** What a host answers to an injection that it was asked for over its control socket. */
export interface Injected {
  /** Absolute store paths that the unit did not see before. */
  readonly added: readonly string[]
  /** How they came to it; `none` when there was nothing to add. */
  readonly way: 'devices' | 'view' | 'none'
  /** How many devices were plugged in. */
  readonly devices: number
  /** Milliseconds that it took. */
  readonly ms: number
}
export const readInjected: Reader<Injected> = object({
  added: storePaths,
  way: oneOf('devices', 'view', 'none'),
  devices: integer(0, mostNumber),
  /** Milliseconds that it took. */
  ms: (value, at): number => {
    if (typeof value === 'number' && value >= 0) return value
    throw new ShapeFault(`${at} must be a number`)
  },
})

/** Which units were ended. */
export interface Stopped {
  /** One for each. */
  readonly stopped: readonly {
    /** Its name. */
    readonly unit: string
    /** Whether the guest ended in order, so that nothing had to be killed. */
    readonly graceful: boolean
  }[]
}
export const readStopped: Reader<Stopped> = object({ stopped: list(object({ unit, graceful: flag }), 1_024) })

export const readNothing = object({})

/** A line of a unit, or how many lines are missing here because the reader was too slow. */
export type LogLine =
  | {
      /** Name of the unit. */
      readonly unit: string
      /** Who wrote it: `console`, `monitor` … */
      readonly source: string
      /** Without its end of line. The host has escaped it. */
      readonly text: string
      /** When the host had it: milliseconds since 1970. */
      readonly at: number
    }
  /** `lost`: how many lines. */
  | { readonly lost: number }
const lineOf = object({
  unit,
  /** `console`, `monitor` … */
  source: text(32, 1),
  /** Escaped by the host. */
  text: text(16_384),
  at: integer(0, mostNumber),
})
const lost = object({ lost: integer(1, mostNumber) })
export const readLogLine: Reader<LogLine> = (value, at) =>
  typeof value === 'object' && value !== null && 'lost' in value ? lost(value, at) : lineOf(value, at)

const outcomeReaders: {
  readonly [Kind in ExecOutcome['kind']]: Reader<Extract<ExecOutcome, { kind: Kind }>>
} = {
  exited: object({ kind: oneOf('exited'), code: integer(0, 255) }),
  signalled: object({ kind: oneOf('signalled'), signal: text(32), coreDumped: flag }),
  'not-started': object({
    kind: oneOf('not-started'),
    reason: text(32) as Reader<NotStartedReason>,
    message,
  }),
  oom: object({ kind: oneOf('oom') }),
  cancelled: object({ kind: oneOf('cancelled') }),
  'timed-out': object({ kind: oneOf('timed-out') }),
  'unit-lost': object({ kind: oneOf('unit-lost'), message }),
}
export const readOutcome: Reader<ExecOutcome> = (value, at) =>
  outcomeReaders[nameIn(value, 'kind', outcomeReaders)](value, at)

/** What the host could not do: `kind` as the host's own errors have it. */
export interface RemoteFailure {
  readonly kind: string
  /** What to do next. It came over the socket: escape it before it is printed. */
  readonly message: string
}
const readFailure: Reader<{ readonly failure: RemoteFailure }> = object({
  failure: object({ kind: text(64, 1), message }),
})

/** An answer is what was asked for, or `{ failure }`. */
export function readAnswer<T>(
  value: unknown,
  of: Reader<T>,
): { readonly value: T } | { readonly failure: RemoteFailure } {
  const failed = typeof value === 'object' && value !== null && 'failure' in value
  return failed ? readFailure(value, 'answer') : { value: of(value, 'answer') }
}

export const readRefusal = object({ message })

/** Cuts text so that it fits into a note, however it is escaped there (six bytes for a character of UTF-16). */
export function bounded(message: string, most = 1_000): string {
  const clean = message.replaceAll('\0', '')
  return clean.length <= most ? clean : `${clean.slice(0, most)}…`
}
