import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { closedError, errnoName, invalidArgument, systemError, type UnixFdError } from './errors.js'
import { Fd } from './fd.js'
import { inspect } from './inspection.js'
import type { SystemCalls } from './system-calls.js'

const MOST = 0xffff_ffff_ffff_fffen
const ONE = new Uint8Array(BigUint64Array.of(1n).buffer)
const DONE: Result<void, UnixFdError> = ok()
/** Where a counter is taken to by those who only want it to be zero. */
const taken = new Uint8Array(8)

/** A counter in the kernel: the cheapest way for one process to wake another. eventfd(2), non-blocking. */
export class EventFd implements Disposable {
  /** Its own descriptor, to be sent or waited for; the counter's to close. */
  readonly fd: Fd
  readonly #calls: SystemCalls

  constructor(calls: SystemCalls, fd: Fd) {
    this.#calls = calls
    this.fd = fd
  }

  /**
   * Adds 1 to 2^64 - 2. Errors: `busy` when the sum would exceed that, and somebody has to take first; `invalid-argument`, `closed`,
   * `system`.
   */
  add(amount: bigint): Result<void, UnixFdError> {
    if (amount < 1n || amount > MOST) return err(invalidArgument('amount', `add 1 to ${MOST}`))
    return this.#write(new Uint8Array(BigUint64Array.of(amount).buffer))
  }

  /** Adds 1, and makes nothing while it does. Errors as `add`. */
  signal(): Result<void, UnixFdError> {
    return this.#write(ONE)
  }

  /** Makes the counter zero without waiting. Whether it was not; also false when it is closed or broken. */
  clear(): boolean {
    return !this.fd.closed && this.#calls.read(this.fd.number, taken) > 0
  }

  #write(amount: Uint8Array): Result<void, UnixFdError> {
    if (this.fd.closed) return err(closedError())
    const result = this.#calls.write(this.fd.number, amount)
    if (result >= 0) return DONE
    if (errnoName(result) !== 'EAGAIN') return err(systemError('write', result))
    return err({ kind: 'busy', message: 'the counter is full: take from it first' })
  }

  /** Waits until the counter is not zero, and takes all of it. Errors: `closed`, `aborted`, `timed-out`, `system`. */
  take(signal: AbortSignal): ResultAsync<bigint, UnixFdError> {
    return new ResultAsync(this.#take(signal))
  }

  async #take(signal: AbortSignal): Promise<Result<bigint, UnixFdError>> {
    const count = new BigUint64Array(1)
    for (;;) {
      const ready = await this.fd.ready('readable', signal)
      if (ready.isErr()) return err(ready.error)
      if (this.fd.closed) return err(closedError())
      const result = this.#calls.read(this.fd.number, new Uint8Array(count.buffer))
      if (result >= 0) return ok(count[0]!)
      // Another taker was faster.
      if (errnoName(result) !== 'EAGAIN') return err(systemError('read', result))
    }
  }

  /** Idempotent. */
  close(): void {
    this.fd.close()
  }

  /** Closes it, once. */
  [Symbol.dispose](): void {
    this.close()
  }
}

export function createEventFd(calls: SystemCalls): Result<EventFd, UnixFdError> {
  const result = calls.eventfd(0, 0)
  return result < 0 ? err(systemError('eventfd', result)) : ok(new EventFd(calls, new Fd(calls, result)))
}

export function adoptEventFd(calls: SystemCalls, fd: Fd): Result<EventFd, UnixFdError> {
  const found = inspect(calls, fd)
  if (found.isErr()) return err(found.error)
  if (found.value.type !== 'anonymous') {
    return err(invalidArgument('fd', `a ${found.value.type} is no eventfd`))
  }
  const { F_GETFL, F_SETFL, O_NONBLOCK } = calls.constants
  const flags = calls.fcntl(fd.number, F_GETFL, 0)
  const set = flags < 0 ? flags : calls.fcntl(fd.number, F_SETFL, flags | O_NONBLOCK)
  return set < 0 ? err(systemError('fcntl(F_SETFL)', set)) : ok(new EventFd(calls, fd))
}
