import type { Result } from 'neverthrow'
import type { UnixFdError } from './errors.js'
import { Fd } from './fd.js'
import { openPidfd, type Pidfd } from './pidfd.js'
import type { ReadStartTime, SystemCalls } from './system-calls.js'

/** The calls Node lacks, as one power. */
export interface UnixFd {
  /** Takes over the ownership of a number that something else opened. */
  adopt(number: number): Fd
  /**
   * A process by its number, from now on safe from reuse of that number. With `startTime` only the process
   * that started then. Errors: `no-such-process`, `reused-process-id`, `permission-denied`, `system`.
   */
  openPidfd(pid: number, options?: { readonly startTime?: bigint }): Result<Pidfd, UnixFdError>
}

export function createUnixFd(calls: SystemCalls, readStartTime: ReadStartTime): UnixFd {
  return {
    adopt: (number) => new Fd(calls, number),
    openPidfd: (pid, options) => openPidfd(calls, readStartTime, pid, options),
  }
}
