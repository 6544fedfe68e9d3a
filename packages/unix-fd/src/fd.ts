import { err, ok, type Result, ResultAsync } from 'neverthrow'
import { abortedError, closedError, errnoName, systemError, type UnixFdError } from './errors.js'
import { type Looked, type Lookout, lookoutOf } from './looking/lookout.js'
import { READABLE, type SystemCalls, WRITABLE } from './system-calls.js'

/** What a descriptor is waited for. */
export type Interest = 'readable' | 'writable'

interface Waiter {
  readonly interest: number
  /** Whose abort ends it; undefined for one that only its owner ends. */
  readonly signal: AbortSignal | undefined
  settle(result: Result<void, UnixFdError>): void
}

/** Calls back until it is closed, by itself or with its descriptor. */
export interface ReadyWatch extends Disposable {
  /** Idempotent. */
  close(): void
}

const READY: Result<void, UnixFdError> = ok()

let live = 0

/** For descriptors that are owned without an {@link Fd}: those in an inbox. */
export function countLive(change: number): void {
  live += change
}

/** How many descriptors this program's owners hold right now. Tests hold it against /proc/self/fd. */
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
  /** What the waiters wait for, all together. */
  #wanted = 0
  #held = true
  /** Made when first needed: most descriptors are only passed on. */
  #waiters: Waiter[] | undefined
  /** The signal of the last wait, on which the listener stays: who reads in a loop brings the same one again. */
  #signal: AbortSignal | undefined
  #onAbort: (() => void) | undefined
  /** Present while it is patient. */
  #looking: { readonly lookout: Lookout; readonly looked: Looked } | undefined

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

  /**
   * Whether this program looks again for a moment for what comes next, before it sleeps in the event loop: for channels
   * on which messages follow one another closely, such as requests and their answers, where two wake-ups cost more than
   * the messages do. Default false.
   *
   * After the event loop told of one patient descriptor, and what was waited for has been dealt with (promises that it
   * settled, too), all of them that are waited for (the 8 told of last) are looked at together, for at most 50 us. What
   * is found is told at once, to each its turn, and looking begins again. The event loop gets its turn after 1 ms at the
   * latest, and one more call of whoever is told. Looking goes on while it finds something; in vain it takes no more time
   * than what was found has saved, and a twentieth of the time besides. A descriptor on which nothing happens, or on
   * which things are further apart than 200 us, costs nothing.
   */
  get patient(): boolean {
    return this.#looking !== undefined
  }

  /** Using a closed descriptor throws. */
  set patient(on: boolean) {
    if (on === this.patient) return
    if (!on) {
      this.#forget()
      return
    }
    if (this.closed) throw new Error('this descriptor is closed: nothing comes on it any more')
    const self = this
    const looked: Looked = {
      get number() {
        return self.#number
      },
      get wanted() {
        return self.#wanted
      },
      report: (events) => this.#report(0, events),
    }
    this.#looking = { lookout: lookoutOf(this.#calls), looked }
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

  /** Closes the descriptor, once; after `take` there is none to close. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** A second descriptor for the same open file (F_DUPFD_CLOEXEC), owned by the caller. Errors: `closed`, `system`. */
  duplicate(): Result<Fd, UnixFdError> {
    if (this.closed) return err(closedError())
    const result = this.#calls.duplicate(this.#number)
    return result < 0 ? err(systemError('fcntl(F_DUPFD_CLOEXEC)', result)) : ok(new Fd(this.#calls, result))
  }

  /**
   * Resolves when a call of that direction would not block, or when the descriptor has an error or an end to
   * report. It may resolve spuriously: call again on EAGAIN. `signal` bounds the wait. Errors: `closed` (also while it waits),
   * `aborted`, `timed-out`, `system`.
   */
  ready(interest: Interest, signal: AbortSignal): ResultAsync<void, UnixFdError> {
    return new ResultAsync(this.#wait(interest === 'readable' ? READABLE : WRITABLE, signal))
  }

  /**
   * Calls back in every turn of the event loop in which a call of that direction would not block, or the
   * descriptor has an error or an end to report: until the watch or the descriptor closes. Cheaper than
   * `ready` for whoever reads all the time, because nothing is made per wait. It keeps the program alive. Errors: `closed`,
   * `system`.
   */
  onReady(interest: Interest, callback: () => void): Result<ReadyWatch, UnixFdError> {
    if (this.closed) return err(closedError())
    const waiter: Waiter = {
      interest: interest === 'readable' ? READABLE : WRITABLE,
      signal: undefined,
      settle: (result) => {
        if (result.isOk()) callback()
      },
    }
    const close = () => {
      this.#drop(waiter)
      this.#update()
    }
    this.#add(waiter)
    const failure = this.#update()
    if (failure === undefined) return ok({ close, [Symbol.dispose]: close })
    close()
    return err(failure)
  }

  #add(waiter: Waiter): void {
    this.#waiters ??= []
    this.#waiters.push(waiter)
    this.#wanted |= waiter.interest
  }

  #drop(waiter: Waiter): void {
    const waiters = this.#waiters
    const index = waiters?.indexOf(waiter) ?? -1
    if (waiters === undefined || index < 0) return
    waiters.splice(index, 1)
    let wanted = 0
    for (const other of waiters) wanted |= other.interest
    this.#wanted = wanted
  }

  #wait(interest: number, signal: AbortSignal): Promise<Result<void, UnixFdError>> {
    if (this.closed) return Promise.resolve(err(closedError()))
    if (signal.aborted) return Promise.resolve(err(abortedError(signal)))
    return new Promise((resolve) => {
      const waiter: Waiter = {
        interest,
        signal,
        settle: (result) => {
          this.#drop(waiter)
          this.#deafen(signal)
          resolve(result)
        },
      }
      this.#add(waiter)
      this.#listen(signal)
      const failure = this.#update()
      if (failure) waiter.settle(err(failure))
    })
  }

  #listen(signal: AbortSignal): void {
    if (this.#signal === signal) return
    this.#onAbort ??= () => {
      for (const waiter of this.#waiters ? [...this.#waiters] : []) {
        if (waiter.signal?.aborted) waiter.settle(err(abortedError(waiter.signal)))
      }
      this.#update()
    }
    const before = this.#signal
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort)
    if (before) this.#deafen(before)
  }

  /** Takes the listener from a signal that no wait needs any more. */
  #deafen(signal: AbortSignal): void {
    if (signal === this.#signal || this.#onAbort === undefined) return
    if (this.#waiters) for (const waiter of this.#waiters) if (waiter.signal === signal) return
    signal.removeEventListener('abort', this.#onAbort)
  }

  /**
   * Makes the watch look for all that the waiters wait for. What nobody waits for any more stays watched until
   * it happens, without keeping the program alive: whoever reads in a loop waits for it again right away, and
   * each change would cost two calls of epoll_ctl.
   */
  #update(): UnixFdError | undefined {
    if (this.closed) return undefined
    const wanted = this.#wanted
    if ((wanted & ~this.#watched) !== 0) {
      if (this.#watch === undefined) {
        const watch = this.#calls.watchOpen(this.#number, (status, events, turn) =>
          this.#onReady(status, events, turn),
        )
        // A regular file is always ready and cannot be watched: epoll answers EPERM.
        if (typeof watch === 'number') return systemError('epoll_ctl', watch)
        this.#watch = watch
      }
      const result = this.#calls.watchSet(this.#watch, wanted)
      if (result < 0) return systemError('epoll_ctl', result)
      this.#watched = wanted
    }
    this.#hold(wanted !== 0)
    return undefined
  }

  #hold(on: boolean): void {
    if (this.#held === on || this.#watch === undefined) return
    this.#calls.watchHold(this.#watch, on ? 1 : 0)
    this.#held = on
  }

  /** Whether to be called again, with no events, when all that this set off has run. */
  #onReady(status: number, events: number, turn: number): boolean {
    if (status === 0 && events === 0) return this.#looking?.lookout.look() ?? false
    this.#looking?.lookout.told(this.#looking.looked, turn)
    this.#report(status, events)
    return this.#looking?.lookout.goesOn() ?? false
  }

  #report(status: number, events: number): void {
    const wanted = this.#wanted
    if (status < 0) {
      // On an error condition libuv stops the watch; the next call on the descriptor learns which error.
      this.#watched = 0
    } else if ((events & ~wanted) !== 0 && this.#watch !== undefined) {
      this.#calls.watchSet(this.#watch, wanted)
      this.#watched = wanted
    }
    const waiters = this.#waiters
    // Mostly there is one: then nothing is made.
    if (waiters?.length === 1) this.#tell(waiters[0]!, status, events)
    else if (waiters !== undefined) {
      // A callback before this one may have closed it.
      for (const waiter of [...waiters]) if (waiters.includes(waiter)) this.#tell(waiter, status, events)
    }
    this.#update()
  }

  #tell(waiter: Waiter, status: number, events: number): void {
    if (status < 0 || (waiter.interest & events) !== 0) waiter.settle(READY)
  }

  #forget(): void {
    this.#looking?.lookout.forget(this.#looking.looked)
    this.#looking = undefined
  }

  #release(): void {
    live -= 1
    this.#number = -1
    this.#forget()
    // Before the descriptor closes: epoll would otherwise watch whatever gets the number next.
    if (this.#watch !== undefined) this.#calls.watchClose(this.#watch)
    this.#watch = undefined
    const waiters = this.#waiters
    this.#waiters = undefined
    this.#wanted = 0
    if (waiters) for (const waiter of waiters.splice(0)) waiter.settle(err(closedError()))
    const signal = this.#signal
    this.#signal = undefined
    if (signal) this.#deafen(signal)
  }
}
