import { ResultAsync } from 'neverthrow'
import type { StoreError } from './errors.js'
import type { Clock } from './powers.js'
import { quote } from './quote.js'

/** Carries an expected failure up to the public operation, which turns it into a value. */
export class StoreFailure extends Error {
  constructor(readonly failure: StoreError) {
    super(failure.message)
    this.name = 'StoreFailure'
  }
}

export function fail(failure: StoreError): never {
  throw new StoreFailure(failure)
}

/** Runs `body` and yields what it throws as a value. What is not a failure of the outside world rejects. */
export function asResult<T>(body: () => Promise<T>): ResultAsync<T, StoreError> {
  return ResultAsync.fromPromise(body(), (thrown) => {
    if (thrown instanceof StoreFailure) return thrown.failure
    const code = errorCode(thrown)
    if (code === undefined) throw thrown
    return systemError(thrown, code, 'The operation failed')
  })
}

/** Awaits a power and says what was being done when the system refused. */
export async function doing<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    if (thrown instanceof StoreFailure) throw thrown
    const code = errorCode(thrown)
    if (code === undefined) throw thrown
    return fail(systemError(thrown, code, what))
  }
}

/** As `doing`, for writes into `file`: a full disk or quota is a failure of its own. */
export async function writing<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    const code = errorCode(thrown)
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      fail({
        kind: 'no-space',
        file,
        message: `No space left to write ${quote(file)}; free space there, or open the blob cache in a directory on a larger file system. Nothing was left behind.`,
      })
    }
    if (code === undefined || thrown instanceof StoreFailure) throw thrown
    return fail(systemError(thrown, code, `Writing ${quote(file)} failed`))
  }
}

export function errorCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}

function systemError(cause: unknown, code: string, what: string): StoreError {
  return {
    kind: 'system',
    code,
    cause,
    message: `${what}: ${cause instanceof Error ? quote(cause.message) : code}`,
  }
}

/** Throws `aborted` or `timed-out`, whichever ended the operation. */
export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return
  if (signal.reason instanceof StoreFailure) throw signal.reason
  fail({ kind: 'aborted', message: 'The caller aborted the operation; nothing was left behind.' })
}

/** Gives `body` one signal for the caller's abort and for the deadline; always stops the timer. */
export async function withDeadline<T>(
  clock: Clock,
  what: string,
  deadlineMs: number,
  signal: AbortSignal | undefined,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const deadline = clock.deadline(deadlineMs)
  // Whose deadline it was is still said when one operation is part of another.
  const onAbort = () => controller.abort(signal?.reason)
  const onDeadline = () =>
    controller.abort(
      new StoreFailure({
        kind: 'timed-out',
        message: `${what} took longer than ${deadlineMs} ms; pass a larger deadlineMs if the store is slow.`,
      }),
    )
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  deadline.signal.addEventListener('abort', onDeadline, { once: true })
  try {
    throwIfAborted(controller.signal)
    return await body(controller.signal)
  } finally {
    signal?.removeEventListener('abort', onAbort)
    deadline[Symbol.dispose]()
  }
}
