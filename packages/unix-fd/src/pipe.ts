import { err, ok, type Result } from 'neverthrow'
import { systemError, type UnixFdError } from './errors.js'
import { Fd } from './fd.js'
import type { SystemCalls } from './system-calls.js'

/** Both ends of a pipe; each is closed by itself. */
export interface Pipe {
  readonly reader: Fd
  readonly writer: Fd
}

/** A pipe, close-on-exec. Blocking unless asked otherwise, as a child that inherits an end expects. pipe2(2). */
export function createPipe(
  calls: SystemCalls,
  options: { readonly nonBlocking?: boolean } = {},
): Result<Pipe, UnixFdError> {
  const ends = new Int32Array(2)
  const result = calls.pipe(ends, options.nonBlocking ? calls.constants.O_NONBLOCK : 0)
  if (result < 0) return err(systemError('pipe2', result))
  return ok({ reader: new Fd(calls, ends[0]!), writer: new Fd(calls, ends[1]!) })
}
