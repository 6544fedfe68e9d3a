import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { abortedError, closedError, errnoName, systemError, type UnixFdError } from './errors.js'
import { READABLE, type SystemCalls, WRITABLE } from './system-calls.js'

export type Interest = 'readable' | 'writable'

interface Waiter {
  readonly interest: number
  settle(result: Result<void, UnixFdError>): void
}

let live = 0

/** How many descriptors this program's {@link Fd} objects own right now. Tests hold it against /proc/self/fd. */
export function liveFds(): number {
  return live
}

/**
 * The owner of one descriptor. It closes once: by `close()`, by the end of a `using` block, or not at all
 * when `take()` handed the number to another owner. It is not closed by garbage collection.
 */
export class Fd implements Disposable {
  readonly #calls: SystemCalls
  #number: number
  #watch: object | undefined
  #watched = 0
  readonly #waiters = new Set<Waiter>()

  /** Takes over the ownership of `number`. */
  constructor(calls: SystemCalls, number: number) {
    if (!Number.isInteger(number) || number < 0) throw new RangeError(`${number} is not a descriptor`)
    this.#calls = calls
    this.#number = number
    live += 1
  }

  /** Whether this object no longer owns a descriptor. */
  get closed(): boolean {
    return this.#number < 0
  }

  /** The number, borrowed: valid until this object closes. Using a closed descriptor throws. */
  get number(): number {
    if (this.closed) throw new Error('this descriptor is closed: its number may already be another file')
    return this.#number
  }

  /** Gives the number to the caller, who now has to close it. Waits in progress end as `closed`. */
  take(): number {
    const { number } = this
    this.#release()
    return number
  }

  /** Closes the descriptor. Idempotent. Waits in progress end as `closed`. */
  close(): void {
    if (this.closed) return
    const number = this.#number
    this.#release()
    const result = this.#calls.close(number)
    // Whatever else close(2) reports, Linux has released the descriptor. EBADF is a second owner somewhere.
    if (result < 0 && errnoName(result) === 'EBADF') {
      throw new Error(`descriptor ${number} was closed behind its owner's back`)
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** A second descriptor for the same open file (F_DUPFD_CLOEXEC), owned by the caller. */
  duplicate(): Result<Fd, UnixFdError> {
    if (this.closed) return err(closedError())
    const result = this.#calls.duplicate(this.#number)
    return result < 0 ? err(systemError('fcntl(F_DUPFD_CLOEXEC)', result)) : ok(new Fd(this.#calls, result))
  }

  /**
   * Resolves when a call of that direction would not block, or when the descriptor has an error or an end to
   * report. It may resolve spuriously: call again on EAGAIN. `signal` bounds the wait.
   */
  ready(interest: Interest, signal: AbortSignal): ResultAsync<void, UnixFdError> {
    return new ResultAsync(this.#wait(interest === 'readable' ? READABLE : WRITABLE, signal))
  }

  #wait(interest: number, signal: AbortSignal): Promise<Result<void, UnixFdError>> {
    if (this.closed) return Promise.resolve(err(closedError()))
    if (signal.aborted) return Promise.resolve(err(abortedError(signal)))
    return new Promise((resolve) => {
      const onAbort = () => {
        waiter.settle(err(abortedError(signal)))
        this.#update()
      }
      const waiter: Waiter = {
        interest,
        settle: (result) => {
          this.#waiters.delete(waiter)
          signal.removeEventListener('abort', onAbort)
          resolve(result)
        },
      }
      this.#waiters.add(waiter)
      signal.addEventListener('abort', onAbort, { once: true })
      const failure = this.#update()
      if (failure) waiter.settle(err(failure))
    })
  }

  /** Makes the watch look for what the waiters wait for: nothing, when there are none. */
  #update(): UnixFdError | undefined {
    let wanted = 0
    for (const waiter of this.#waiters) wanted |= waiter.interest
    if (wanted === this.#watched || this.closed) return undefined
    if (this.#watch === undefined) {
      const watch = this.#calls.watchOpen(this.#number, (status, events) => this.#onReady(status, events))
      // A regular file is always ready and cannot be watched: epoll answers EPERM.
      if (typeof watch === 'number') return systemError('epoll_ctl', watch)
      this.#watch = watch
    }
    const result = this.#calls.watchSet(this.#watch, wanted)
    if (result < 0) return systemError('epoll_ctl', result)
    this.#watched = wanted
    return undefined
  }

  #onReady(status: number, events: number): void {
    // On an error condition libuv stops the watch; the next call on the descriptor learns which error.
    if (status < 0) this.#watched = 0
    for (const waiter of [...this.#waiters]) {
      if (status < 0 || (waiter.interest & events) !== 0) waiter.settle(ok())
    }
    this.#update()
  }

  #release(): void {
    live -= 1
    this.#number = -1
    // Before the descriptor closes: epoll would otherwise watch whatever gets the number next.
    if (this.#watch !== undefined) this.#calls.watchClose(this.#watch)
    this.#watch = undefined
    for (const waiter of [...this.#waiters]) waiter.settle(err(closedError()))
  }
}
