import { err, ok, type Result } from 'neverthrow'
import { checkPath, numberOf } from './address.js'
import { errnoName, systemError, type UnixFdError } from './errors.js'
import { Fd } from './fd.js'
import { type SocketType, UnixSocket } from './socket.js'
import type { SystemCalls } from './system-calls.js'

/** Two sockets connected to each other. socketpair(2). */
export function socketpair(
  calls: SystemCalls,
  type: SocketType,
): Result<[UnixSocket, UnixSocket], UnixFdError> {
  const ends = new Int32Array(2)
  const result = calls.socketpair(numberOf(calls, type), ends)
  if (result < 0) return err(systemError('socketpair', result))
  return ok([
    new UnixSocket(calls, new Fd(calls, ends[0]!), type),
    new UnixSocket(calls, new Fd(calls, ends[1]!), type),
  ])
}

/** Connects to the listener at `path`. Unix sockets connect at once or not at all, so this does not wait. */
export function connect(calls: SystemCalls, path: string, type: SocketType): Result<UnixSocket, UnixFdError> {
  const wrong = checkPath(path)
  if (wrong) return err(wrong)
  const number = calls.socket(numberOf(calls, type))
  if (number < 0) return err(systemError('socket', number))
  const fd = new Fd(calls, number)
  const result = calls.connect(number, path)
  if (result >= 0) return ok(new UnixSocket(calls, fd, type))
  fd.close()
  const code = errnoName(result)
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return err({
      kind: 'not-listening',
      message: `nobody listens at ${JSON.stringify(path)} (${code})`,
      path,
      code,
    })
  }
  if (code === 'EAGAIN')
    return err({ kind: 'busy', message: "the listener's queue is full: connect again later" })
  return err(systemError('connect', result))
}
