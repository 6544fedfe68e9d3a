import { Buffer } from 'node:buffer'
import { err, ok, type Result, ResultAsync } from 'neverthrow'
import {
  abortedError,
  closedError,
  errnoName,
  invalidArgument,
  systemError,
  type UnixFdError,
} from './errors.js'
import { Fd } from './fd.js'
import { type SocketType, UnixSocket } from './socket.js'
import type { SystemCalls } from './system-calls.js'

/** sockaddr_un holds 108 bytes with the terminating NUL. */
const MOST_PATH_BYTES = 107
const MOST_BACKLOG = 4096

function checkPath(path: string): UnixFdError | undefined {
  if (!path.startsWith('/')) return invalidArgument('path', 'the path of a socket must be absolute')
  if (path.includes('\0')) return invalidArgument('path', 'the path of a socket cannot hold a NUL')
  const length = Buffer.byteLength(path)
  if (length > MOST_PATH_BYTES) {
    return invalidArgument(
      'path',
      `${length} bytes: a socket's path has at most ${MOST_PATH_BYTES}; use a shorter directory`,
    )
  }
  return undefined
}

function numberOf(calls: SystemCalls, type: SocketType): number {
  return type === 'stream' ? calls.constants.SOCK_STREAM : calls.constants.SOCK_SEQPACKET
}

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

/** A listening Unix socket. Closing it removes its path. */
export class Listener implements Disposable {
  readonly path: string
  readonly type: SocketType
  readonly fd: Fd
  readonly #calls: SystemCalls

  constructor(calls: SystemCalls, fd: Fd, path: string, type: SocketType) {
    this.#calls = calls
    this.fd = fd
    this.path = path
    this.type = type
  }

  /** The next peer. A `system` error with EMFILE leaves the peer in the queue: wait before accepting again. */
  accept(signal: AbortSignal): ResultAsync<UnixSocket, UnixFdError> {
    return new ResultAsync(this.#accept(signal))
  }

  async #accept(signal: AbortSignal): Promise<Result<UnixSocket, UnixFdError>> {
    for (;;) {
      if (this.fd.closed) return err(closedError())
      if (signal.aborted) return err(abortedError(signal))
      const result = this.#calls.accept(this.fd.number)
      if (result >= 0) return ok(new UnixSocket(this.#calls, new Fd(this.#calls, result), this.type))
      const code = errnoName(result)
      if (code === 'EINTR' || code === 'ECONNABORTED') continue
      if (code !== 'EAGAIN') return err(systemError('accept4', result))
      const ready = await this.fd.ready('readable', signal)
      if (ready.isErr()) return err(ready.error)
    }
  }

  /** Idempotent. Waits in progress end as `closed`. */
  close(): void {
    if (this.fd.closed) return
    this.#calls.unlink(this.path)
    this.fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * Listens at `path`, in a directory that only the caller can write: whoever can, could replace the socket.
 * `backlog` bounds the peers that wait to be accepted. A path that exists is `address-in-use`, also when its
 * listener is gone.
 */
export function listen(
  calls: SystemCalls,
  path: string,
  type: SocketType,
  options: { readonly backlog?: number } = {},
): Result<Listener, UnixFdError> {
  const { backlog = 16 } = options
  if (!Number.isInteger(backlog) || backlog < 1 || backlog > MOST_BACKLOG) {
    return err(invalidArgument('backlog', `${backlog}: let 1 to ${MOST_BACKLOG} peers wait`))
  }
  const wrong = checkPath(path)
  if (wrong) return err(wrong)
  const number = calls.socket(numberOf(calls, type))
  if (number < 0) return err(systemError('socket', number))
  const fd = new Fd(calls, number)
  const bound = calls.bind(number, path)
  if (bound < 0) {
    fd.close()
    if (errnoName(bound) !== 'EADDRINUSE') return err(systemError('bind', bound))
    const message = `${JSON.stringify(path)} exists: remove it if its listener is gone`
    return err({ kind: 'address-in-use', message, path })
  }
  const listener = new Listener(calls, fd, path, type)
  const listening = calls.listen(number, backlog)
  if (listening >= 0) return ok(listener)
  listener.close()
  return err(systemError('listen', listening))
}
