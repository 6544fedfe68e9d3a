import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { checkPath, numberOf } from './address.js'
import {
  abortedError,
  closedError,
  errnoName,
  invalidArgument,
  systemError,
  type UnixFdError,
} from './errors.js'
import { Fd } from './fd.js'
import { inspect } from './inspection.js'
import { type SocketType, UnixSocket } from './socket.js'
import type { Pause, SystemCalls } from './system-calls.js'

const MOST_BACKLOG = 4096
const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 1_000

/** What a peer that cannot be accepted yet is waiting for, and for how long this process lets it. */
export interface BackOff {
  /** EMFILE or ENFILE: too many descriptors are open, here or on the machine. ENOBUFS, ENOMEM: memory. */
  readonly code: string
  /** Milliseconds until it is tried again. */
  readonly pauseMs: number
}

/** How a listener waits for peers. */
export interface AcceptOptions {
  /** Called before each pause: something to log, and the time to close what is idle. */
  readonly onBackOff?: (backOff: BackOff) => void
}

/** How a listener is made. */
export interface ListenOptions {
  /** How many peers may wait to be accepted: 1 to 4096, default 16. */
  readonly backlog?: number
  /**
   * Holds `PATH.lock` while listening, as Wayland's compositors do. A socket that a listener left behind when it
   * was killed is then replaced; one whose listener lives is `address-in-use`. Default false.
   */
  readonly lock?: boolean
}

/** A listening Unix socket. Closing it removes its path, and its lock. */
export class Listener implements Disposable {
  /** As it was given. */
  readonly path: string
  /** Of the sockets that it accepts. */
  readonly type: SocketType
  /** Its own descriptor; the listener's to close. */
  readonly fd: Fd
  readonly #calls: SystemCalls
  readonly #pause: Pause
  readonly #lock: Fd | undefined
  readonly #closing = new AbortController()

  constructor(
    calls: SystemCalls,
    pause: Pause,
    fd: Fd,
    path: string,
    type: SocketType,
    lock: Fd | undefined,
  ) {
    this.#calls = calls
    this.#pause = pause
    this.#lock = lock
    this.fd = fd
    this.path = path
    this.type = type
  }

  /**
   * The next peer. A peer that left before its turn is passed over. While too many descriptors are open the peer
   * stays in the queue, and this tries again after 10 ms, then after twice as long, up to 1 s, until `signal`. The socket is
   * the caller's. Errors: `closed`, `aborted`, `timed-out`, `system`.
   */
  accept(signal: AbortSignal, options: AcceptOptions = {}): ResultAsync<UnixSocket, UnixFdError> {
    return new ResultAsync(this.#accept(signal, options))
  }

  async #accept(signal: AbortSignal, options: AcceptOptions): Promise<Result<UnixSocket, UnixFdError>> {
    let pauseMs = FIRST_PAUSE_MS
    for (;;) {
      if (this.fd.closed) return err(closedError())
      if (signal.aborted) return err(abortedError(signal))
      const result = this.#calls.accept(this.fd.number)
      if (result >= 0) return ok(new UnixSocket(this.#calls, new Fd(this.#calls, result), this.type))
      const code = errnoName(result)
      if (code === 'EINTR' || code === 'ECONNABORTED') continue
      if (code === 'EAGAIN') {
        const ready = await this.fd.ready('readable', signal)
        if (ready.isErr()) return err(ready.error)
      } else if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOBUFS' || code === 'ENOMEM') {
        // The socket stays readable: waiting for that would only spin.
        options.onBackOff?.({ code, pauseMs })
        await this.#pause(pauseMs, AbortSignal.any([signal, this.#closing.signal]))
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
      } else return err(systemError('accept4', result))
    }
  }

  /** Idempotent. Waits in progress end as `closed`. */
  close(): void {
    if (this.fd.closed) return
    this.#calls.unlink(this.path)
    this.fd.close()
    this.#closing.abort()
    if (this.#lock) releaseLock(this.#calls, this.path, this.#lock)
  }

  /** Stops listening, removes the socket file that it made, and gives its lock back. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * Listens at `path`, in a directory that only the caller can write: whoever can, could replace the socket.
 * Without `lock`, a path that exists is `address-in-use`, also when its listener is gone.
 */
export function listen(
  calls: SystemCalls,
  pause: Pause,
  path: string,
  type: SocketType,
  options: ListenOptions = {},
): Result<Listener, UnixFdError> {
  const { backlog = 16 } = options
  if (!Number.isInteger(backlog) || backlog < 1 || backlog > MOST_BACKLOG) {
    return err(invalidArgument('backlog', `${backlog}: let 1 to ${MOST_BACKLOG} peers wait`))
  }
  const wrong = checkPath(path)
  if (wrong) return err(wrong)
  if (!options.lock) return bindAndListen(calls, pause, path, type, backlog, undefined)
  const lock = takeLock(calls, path)
  if (lock.isErr()) return err(lock.error)
  const cleared = removeStale(calls, path, type)
  const listener = cleared.isErr()
    ? err(cleared.error)
    : bindAndListen(calls, pause, path, type, backlog, lock.value)
  if (listener.isErr() && !lock.value.closed) releaseLock(calls, path, lock.value)
  return listener
}

function bindAndListen(
  calls: SystemCalls,
  pause: Pause,
  path: string,
  type: SocketType,
  backlog: number,
  lock: Fd | undefined,
): Result<Listener, UnixFdError> {
  const number = calls.socket(numberOf(calls, type))
  if (number < 0) return err(systemError('socket', number))
  const fd = new Fd(calls, number)
  const bound = calls.bind(number, path)
  if (bound < 0) {
    fd.close()
    if (errnoName(bound) !== 'EADDRINUSE') return err(systemError('bind', bound))
    return err(inUse(path, 'exists: remove it if its listener is gone, or listen with `lock`'))
  }
  const listener = new Listener(calls, pause, fd, path, type, lock)
  const listening = calls.listen(number, backlog)
  if (listening >= 0) return ok(listener)
  listener.close()
  return err(systemError('listen', listening))
}

function inUse(path: string, why: string): UnixFdError {
  return { kind: 'address-in-use', message: `${JSON.stringify(path)} ${why}`, path }
}

function takeLock(calls: SystemCalls, path: string): Result<Fd, UnixFdError> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = calls.constants
  for (;;) {
    const number = calls.open(`${path}.lock`, O_RDWR | O_CREAT | O_NOFOLLOW)
    if (number < 0) return err(systemError('open', number))
    const fd = new Fd(calls, number)
    const locked = calls.lock(number)
    const stat = new BigInt64Array(5)
    const found = locked < 0 ? locked : calls.inspect(number, stat)
    // Its last holder may have removed the file after we opened it: then it locks nothing.
    if (found >= 0 && stat[4]! > 0n) return ok(fd)
    fd.close()
    if (found >= 0) continue
    if (errnoName(found) === 'EAGAIN') return err(inUse(path, 'has a listener, which holds its lock'))
    return err(systemError('flock', found))
  }
}

/** Removed before it is released, so that whoever holds a lock holds the file of that name. */
function releaseLock(calls: SystemCalls, path: string, lock: Fd): void {
  calls.unlink(`${path}.lock`)
  lock.close()
}

/** Removes a socket on which nobody listens; anything else at `path` stays. The caller holds the lock. */
function removeStale(calls: SystemCalls, path: string, type: SocketType): Result<void, UnixFdError> {
  const number = calls.open(path, calls.constants.O_PATH | calls.constants.O_NOFOLLOW)
  if (number < 0) return errnoName(number) === 'ENOENT' ? ok() : err(systemError('open', number))
  using there = new Fd(calls, number)
  const found = inspect(calls, there)
  if (found.isErr()) return err(found.error)
  if (found.value.type !== 'socket') return err(inUse(path, `is a ${found.value.type}, no socket`))
  const probe = calls.socket(numberOf(calls, type))
  if (probe < 0) return err(systemError('socket', probe))
  using _probe = new Fd(calls, probe)
  const answer = calls.connect(probe, path)
  if (answer >= 0 || errnoName(answer) !== 'ECONNREFUSED') {
    return err(inUse(path, 'has a listener, which holds no lock'))
  }
  const removed = calls.unlink(path)
  return removed < 0 ? err(systemError('unlink', removed)) : ok()
}
