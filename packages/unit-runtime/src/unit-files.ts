import type { FileContent, FileGet, FilePut, GuestFile } from '@spectrum/guest-agent'
import type { ResultAsync } from 'neverthrow'
import type { HostError } from './errors.js'
import type { WaitOptions } from './unit.js'

/**
 * Regular files of a unit, as its agent sees them. What the unit says of a file is its claim. A failure that it told is
 * `agent-failed`, whose cause is `file-failed` with a reason.
 */
export interface UnitFiles {
  /**
   * Whole or not at all, flushed to its disk; over a file or a link that was there. Fails with `agent-failed`, `unit-not-running`,
   * `timed-out` and `aborted`, with nothing left behind unless the cause says `outcome: 'unknown'`.
   */
  put(file: FilePut, content: FileContent, options?: WaitOptions): ResultAsync<void, HostError>
  /**
   * Whoever gets a file reads it to its end or cancels it. The signal and the deadline cover it to its end. Fails with `agent-failed`,
   * `unit-not-running`, `timed-out` and `aborted`; what comes later is in the file's `ended`.
   */
  get(file: FileGet, options?: WaitOptions): ResultAsync<GuestFile, HostError>
}
