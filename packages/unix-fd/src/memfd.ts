import { Buffer } from 'node:buffer'
import { err, ok, type Result } from 'neverthrow'
import { closedError, errnoName, invalidArgument, systemError, type UnixFdError } from './errors.js'
import { Fd } from './fd.js'
import type { SystemCalls } from './system-calls.js'

/** What nobody may do to a memfd any more, whoever holds it. fcntl(2), F_ADD_SEALS. */
export type Seal = 'seal' | 'shrink' | 'grow' | 'write' | 'future-write' | 'exec'

const MOST_NAME_BYTES = 249

function sealBits(calls: SystemCalls): readonly (readonly [Seal, number])[] {
  const { F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_FUTURE_WRITE, F_SEAL_EXEC } =
    calls.constants
  return [
    ['seal', F_SEAL_SEAL],
    ['shrink', F_SEAL_SHRINK],
    ['grow', F_SEAL_GROW],
    ['write', F_SEAL_WRITE],
    ['future-write', F_SEAL_FUTURE_WRITE],
    ['exec', F_SEAL_EXEC],
  ]
}

/** An anonymous file in memory that can be passed to another process and sealed against change. */
export class Memfd implements Disposable {
  /** Its own descriptor, to be sent or mapped; the memfd's to close. */
  readonly fd: Fd
  readonly #calls: SystemCalls

  constructor(calls: SystemCalls, fd: Fd) {
    this.#calls = calls
    this.fd = fd
  }

  /** Appends at the descriptor's offset. `permission-denied` once sealed against writing. */
  write(bytes: Uint8Array): Result<void, UnixFdError> {
    let written = 0
    while (written < bytes.length) {
      if (this.fd.closed) return err(closedError(written))
      const result = this.#calls.write(this.fd.number, bytes.subarray(written))
      if (result >= 0) written += result
      else if (errnoName(result) !== 'EINTR') return err(systemError('write', result))
    }
    return ok()
  }

  /** Makes it `bytes` long: new ones are zero. `permission-denied` once sealed against growing or shrinking. */
  resize(bytes: number): Result<void, UnixFdError> {
    if (this.fd.closed) return err(closedError())
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      return err(invalidArgument('bytes', `${bytes} is no size of a file: use 0 or more`))
    }
    const result = this.#calls.resize(this.fd.number, bytes)
    return result < 0 ? err(systemError('ftruncate', result)) : ok()
  }

  /**
   * Adds seals; none can be taken back. `write` fails with EBUSY while a writable mapping exists: seal with
   * `future-write` to keep writing through a mapping that is there already. `exec` needs Linux 6.3.
   */
  addSeals(...seals: readonly Seal[]): Result<void, UnixFdError> {
    if (this.fd.closed) return err(closedError())
    const bits = sealBits(this.#calls).reduce(
      (sum, [seal, bit]) => (seals.includes(seal) ? sum | bit : sum),
      0,
    )
    const result = this.#calls.fcntl(this.fd.number, this.#calls.constants.F_ADD_SEALS, bits)
    return result < 0 ? err(systemError('fcntl(F_ADD_SEALS)', result)) : ok()
  }

  /** What is forbidden from now on, from F_GET_SEALS. Errors: `closed`, `system`. */
  seals(): Result<readonly Seal[], UnixFdError> {
    return sealsOf(this.#calls, this.fd)
  }

  /** Idempotent. */
  close(): void {
    this.fd.close()
  }

  /** Closes the descriptor. Mappings of the memory go on. */
  [Symbol.dispose](): void {
    this.close()
  }
}

/** The seals of a descriptor that came from somewhere else. `system` with EINVAL when it is no memfd. */
export function sealsOf(calls: SystemCalls, fd: Fd): Result<readonly Seal[], UnixFdError> {
  if (fd.closed) return err(closedError())
  const result = calls.fcntl(fd.number, calls.constants.F_GET_SEALS, 0)
  if (result < 0) return err(systemError('fcntl(F_GET_SEALS)', result))
  return ok(sealBits(calls).flatMap(([seal, bit]) => (result & bit ? [seal] : [])))
}

/** `name` appears as /memfd:NAME in /proc/PID/maps and means nothing else. memfd_create(2). */
export function createMemfd(
  calls: SystemCalls,
  name: string,
  options: { readonly size?: number } = {},
): Result<Memfd, UnixFdError> {
  if (name.includes('\0') || Buffer.byteLength(name) > MOST_NAME_BYTES) {
    return err(invalidArgument('name', `a memfd's name has at most ${MOST_NAME_BYTES} bytes and no NUL`))
  }
  const result = calls.memfdCreate(name, calls.constants.MFD_ALLOW_SEALING)
  if (result < 0) return err(systemError('memfd_create', result))
  const memfd = new Memfd(calls, new Fd(calls, result))
  const sized = options.size === undefined ? ok() : memfd.resize(options.size)
  if (sized.isOk()) return ok(memfd)
  memfd.close()
  return err(sized.error)
}
