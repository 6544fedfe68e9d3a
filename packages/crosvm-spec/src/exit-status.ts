import type { LogLine } from './log.js'

/**
 * How crosvm ended: what its exit status means when it was started with `--extended-status`, as {@link printArgv}
 * does. `meaning` is for people. Source: `CommandStatus` of crosvm's main.rs.
 */
export type CrosvmExit =
  /** Status 0. The guest powered off, or `stop` was asked for. */
  | { readonly kind: 'stopped' }
  /** Status 1. Set-up failed, or an option's combination was refused: standard error says why. */
  | { readonly kind: 'failed' }
  /** Status 32. The guest asked to be reset: start crosvm again. */
  | { readonly kind: 'guest-reset' }
  /** Status 33. The machine crashed, or a jailed device process died. */
  | { readonly kind: 'crashed' }
  /** Status 34. The guest's kernel panicked, and told so by pvpanic. */
  | { readonly kind: 'guest-panicked' }
  /** Status 35. crosvm did not understand its arguments: this package and the binary disagree. */
  | { readonly kind: 'arguments-refused' }
  /** Status 36. The watchdog saw a vCPU that stood still. */
  | { readonly kind: 'watchdog' }
  /** A signal ended it. SIGABRT is a panic of crosvm itself, SIGSYS a system call that its filter forbids. */
  | {
      readonly kind: 'signalled'
      /** Its name: `SIGABRT` … (signal(7)). */
      readonly signal: string
      /** In words. */
      readonly meaning: string
    }
  /** A status that crosvm is not known to give. 101 is a Rust panic. */
  | {
      readonly kind: 'unknown-status'
      /** 0 to 255. */
      readonly status: number
      /** In words. */
      readonly meaning: string
    }

/**
 * The process ended with a status (0 to 255) or by a signal; `signal` is its name, such as `SIGABRT`: wait(2).
 */
export type ProcessEnd =
  | {
      readonly kind: 'exited'
      /** Exit status, 0 to 255. */
      readonly code: number
    }
  | {
      readonly kind: 'signalled'
      /** Its name: `SIGABRT` … (signal(7)). */
      readonly signal: string
    }

const STATUSES: ReadonlyMap<number, CrosvmExit['kind'] & ('stopped' | 'failed')> = new Map([
  [0, 'stopped'],
  [1, 'failed'],
])

const EXTENDED: ReadonlyMap<
  number,
  'guest-reset' | 'crashed' | 'guest-panicked' | 'arguments-refused' | 'watchdog'
> = new Map([
  [32, 'guest-reset'],
  [33, 'crashed'],
  [34, 'guest-panicked'],
  [35, 'arguments-refused'],
  [36, 'watchdog'],
] as const)

const SIGNALS: Readonly<Record<string, string>> = {
  SIGABRT: 'crosvm panicked: its standard error has the place',
  SIGSYS: 'a system call that the seccomp policy forbids',
  SIGKILL: 'killed, by its owner or for want of memory',
  SIGTERM: 'terminated: crosvm has no handler, so its socket file may be left',
  SIGINT: 'interrupted: crosvm has no handler, so its socket file may be left',
  SIGBUS: 'a mapped file was truncated',
  SIGSEGV: 'crosvm crashed',
}

/** A process of a device that ended before its machine. crosvm then ends too, with status 33. */
export interface DeadChild {
  /** What it was: `pcivirtio-block`; undefined where crosvm did not know it. */
  readonly device: string | undefined
  /** As crosvm saw it. */
  readonly pid: number
  /** The number of the signal that killed it. 31 is SIGSYS: a system call that its filter forbids. */
  readonly signal: number | undefined
  /** The status it exited with, where it was not killed. 101 is a Rust panic. */
  readonly status: number | undefined
}

const KILLED = /^child (?:(.{1,200}) \()?pid ([0-9]{1,10})\)? killed by signal ([0-9]{1,3})\b/
const EXITED = /^child (?:(.{1,200}) \()?pid ([0-9]{1,10})\)? exited: signo [0-9]+, status ([0-9]{1,10}),/

/** Reads the line with which crosvm says that one of its processes died. Source: `Token::ChildSignal` in linux.rs. */
export function deadChild(line: LogLine): DeadChild | undefined {
  if (line.kind !== 'record' || line.level !== 'error') return undefined
  const killed = KILLED.exec(line.message)
  const found = killed ?? EXITED.exec(line.message)
  if (!found) return undefined
  const [, device, pid, number] = found
  const cause = killed
    ? { signal: Number(number), status: undefined }
    : { signal: undefined, status: Number(number) }
  return { device, pid: Number(pid), ...cause }
}

/** Decodes the end of a `crosvm --extended-status run`. */
export function decodeExit(end: ProcessEnd): CrosvmExit {
  if (end.kind === 'signalled') {
    const meaning = Object.hasOwn(SIGNALS, end.signal) ? SIGNALS[end.signal]! : 'ended by a signal'
    return { kind: 'signalled', signal: end.signal, meaning }
  }
  const kind = STATUSES.get(end.code) ?? EXTENDED.get(end.code)
  if (kind !== undefined) return { kind }
  const meaning = end.code === 101 ? 'a Rust panic of a process that does not abort' : 'no status of crosvm'
  return { kind: 'unknown-status', status: end.code, meaning }
}
