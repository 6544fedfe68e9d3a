import { err, ok, type Result, type ResultAsync } from 'neverthrow'
import { closedError, errnoName, invalidArgument, systemError, type UnixFdError } from './errors.js'
import { Fd } from './fd.js'
import type { ReadStartTime, SystemCalls } from './system-calls.js'

const MOST_SIGNAL = 64

/** How a child ended. */
export type ProcessEnd =
  | {
      readonly kind: 'exited'
      /** Exit status, 0 to 255. */
      readonly code: number
    }
  | {
      readonly kind: 'killed'
      /** Number of the signal (signal(7)). */
      readonly signal: number
      /** Whether it left a core dump. */
      readonly coreDumped: boolean
    }

function noSuchProcess(pid: number): UnixFdError {
  return { kind: 'no-such-process', message: `process ${pid} has ended and was reaped, or never existed` }
}

/** A process by a descriptor, which no other process can come to stand behind. pidfd_open(2). */
export class Pidfd implements Disposable {
  /** The number it had when it was opened. Once reaped, the number may be somebody else's. */
  readonly pid: number
  /** Clock ticks after boot at which the process started (field 22 of /proc/PID/stat). With the boot id and
   * `pid` it names a process for good: write it to a journal, and pass it to `openPidfd` later. */
  readonly startTime: bigint
  /** Its own descriptor; the pidfd's to close. */
  readonly fd: Fd
  readonly #calls: SystemCalls

  constructor(calls: SystemCalls, fd: Fd, pid: number, startTime: bigint) {
    this.#calls = calls
    this.fd = fd
    this.pid = pid
    this.startTime = startTime
  }

  /**
   * Sends signal `number` (0 to 64; 0 only asks whether it exists, and a zombie does). pidfd_send_signal(2). Errors:
   * `no-such-process`, `permission-denied`, `invalid-argument`, `closed`, `system`.
   */
  sendSignal(number: number): Result<void, UnixFdError> {
    if (!Number.isInteger(number) || number < 0 || number > MOST_SIGNAL) {
      return err(invalidArgument('number', `${number} is not a signal: use 0 to ${MOST_SIGNAL}`))
    }
    if (this.fd.closed) return err(closedError())
    const result = this.#calls.pidfdSendSignal(this.fd.number, number)
    if (result >= 0) return ok()
    return err(
      errnoName(result) === 'ESRCH' ? noSuchProcess(this.pid) : systemError('pidfd_send_signal', result),
    )
  }

  /**
   * Resolves when the process has ended, whoever's child it is; reaping is its parent's. `signal` bounds the wait. Errors: `closed`,
   * `aborted`, `timed-out`, `system`.
   */
  exited(signal: AbortSignal): ResultAsync<void, UnixFdError> {
    return this.fd.ready('readable', signal)
  }

  /**
   * Waits until a child of this process has ended, and says how. waitid(2). `not-a-child` when it is somebody
   * else's, or was reaped before: Node reaps the children that it spawned itself, soon after they end, so
   * listen to those with `ChildProcess`. Without `reap` the child stays a zombie, for whoever has to reap it.
   */
  wait(signal: AbortSignal, options: { readonly reap?: boolean } = {}): ResultAsync<ProcessEnd, UnixFdError> {
    const flags = options.reap ? 0 : this.#calls.constants.WNOWAIT
    return this.exited(signal).andThen(() => this.#collect(flags))
  }

  #collect(flags: number): Result<ProcessEnd, UnixFdError> {
    if (this.fd.closed) return err(closedError())
    const { CLD_EXITED, CLD_DUMPED } = this.#calls.constants
    const out = new Int32Array(3)
    const result = this.#calls.wait(this.fd.number, flags, out)
    if (result < 0 && errnoName(result) !== 'ECHILD') return err(systemError('waitid', result))
    const [pid, code, status] = out as unknown as [number, number, number]
    if (result < 0 || pid === 0) {
      const message = `process ${this.pid} is no child of this one, or was reaped: ask its parent how it ended`
      return err({ kind: 'not-a-child', message })
    }
    if (code === CLD_EXITED) return ok({ kind: 'exited', code: status })
    return ok({ kind: 'killed', signal: status, coreDumped: code === CLD_DUMPED })
  }

  /** Closes the descriptor; the process is not touched. Idempotent. */
  close(): void {
    this.fd.close()
  }

  /** Closes the descriptor; the process goes on. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * Opens process `pid`. With `startTime`, only the process that started then: another one that got the same
 * number since is `reused-process-id`.
 */
export function openPidfd(
  calls: SystemCalls,
  readStartTime: ReadStartTime,
  pid: number,
  options: { readonly startTime?: bigint } = {},
): Result<Pidfd, UnixFdError> {
  if (!Number.isInteger(pid) || pid < 1 || pid > 0x7fffffff) {
    return err(invalidArgument('pid', `${pid} is not a process number: use 1 or more`))
  }
  const result = calls.pidfdOpen(pid)
  if (result < 0) {
    return err(errnoName(result) === 'ESRCH' ? noSuchProcess(pid) : systemError('pidfd_open', result))
  }
  const fd = new Fd(calls, result)
  const startTime = readStartTime(pid)
  // The process behind the descriptor still exists after the number was looked up, so the number was its own.
  const exists = calls.pidfdSendSignal(fd.number, 0)
  if (startTime === undefined || (exists < 0 && errnoName(exists) === 'ESRCH')) {
    fd.close()
    return err(noSuchProcess(pid))
  }
  if (options.startTime !== undefined && options.startTime !== startTime) {
    fd.close()
    const message = `process ${pid} is not the one that was meant: it started at tick ${startTime}, not ${options.startTime}`
    return err({ kind: 'reused-process-id', message, startTime })
  }
  return ok(new Pidfd(calls, fd, pid, startTime))
}
