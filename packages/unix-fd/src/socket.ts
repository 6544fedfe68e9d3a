import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import {
  abortedError,
  closedError,
  errnoName,
  invalidArgument,
  systemError,
  type UnixFdError,
} from './errors.js'
import { Fd } from './fd.js'
import { MOST_DESCRIPTORS, type SystemCalls } from './system-calls.js'
import { Turns } from './turns.js'

/** `stream` is a sequence of bytes; `seqpacket` keeps the boundaries of packets. Both are connected and ordered. */
export type SocketType = 'stream' | 'seqpacket'

/** What arrived. The descriptors are close-on-exec and belong to the caller, who closes each. */
export type Received =
  | { readonly kind: 'data'; readonly bytes: Uint8Array; readonly fds: readonly Fd[] }
  /** The peer finished. An empty seqpacket packet without descriptors looks the same. */
  | { readonly kind: 'end' }

export interface PeerCredentials {
  /** Of the process that called connect or socketpair, at that time: it may have ended since. */
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

const MOST_BYTES = 16 * 1024 * 1024
const DEFAULT_BYTES = 64 * 1024

/** A connected Unix socket, non-blocking and close-on-exec. Sends queue behind one another, and so do receives. */
export class UnixSocket implements Disposable {
  readonly type: SocketType
  readonly fd: Fd
  readonly #calls: SystemCalls
  readonly #sends = new Turns()
  readonly #receives = new Turns()
  #broken = false

  constructor(calls: SystemCalls, fd: Fd, type: SocketType) {
    this.#calls = calls
    this.fd = fd
    this.type = type
  }

  /**
   * Sends all bytes, waiting while the peer does not read. `bytes` and `fds` are borrowed until it resolves;
   * the kernel gives the peer duplicates. Descriptors travel with the first byte, so at least one is needed,
   * and at most 253 fit. A stream send that failed half-way (`sentBytes` > 0) leaves the peer within a message:
   * later sends answer `broken-stream`.
   */
  send(
    bytes: Uint8Array,
    options: { readonly fds?: readonly Fd[]; readonly signal: AbortSignal },
  ): ResultAsync<void, UnixFdError> {
    const fds = options.fds ?? []
    if (bytes.length === 0) {
      return errAsync(invalidArgument('bytes', 'nothing to send: a message needs at least one byte'))
    }
    if (fds.length > MOST_DESCRIPTORS) {
      return errAsync(
        invalidArgument('fds', `${fds.length} descriptors: send at most ${MOST_DESCRIPTORS} at once`),
      )
    }
    return new ResultAsync(this.#send(bytes, fds, options.signal))
  }

  /**
   * Waits for the next bytes (stream) or packet (seqpacket). At most `maxBytes` (default 64 KiB) and `maxFds`
   * (default 0, at most 253). More descriptors than that are fatal: the socket closes.
   */
  receive(options: {
    readonly maxBytes?: number
    readonly maxFds?: number
    readonly signal: AbortSignal
  }): ResultAsync<Received, UnixFdError> {
    const { maxBytes = DEFAULT_BYTES, maxFds = 0, signal } = options
    return new ResultAsync(this.#receive(maxBytes, maxFds, signal))
  }

  /** Who made the other end: SO_PEERCRED. */
  peerCredentials(): Result<PeerCredentials, UnixFdError> {
    if (this.fd.closed) return err(closedError())
    const out = new Int32Array(3)
    const result = this.#calls.peerCredentials(this.fd.number, out)
    if (result < 0) return err(systemError('getsockopt(SO_PEERCRED)', result))
    return ok({ pid: out[0]!, uid: out[1]! >>> 0, gid: out[2]! >>> 0 })
  }

  /** Tells the peer that nothing more will be sent: it reads an end. Receiving goes on. */
  finish(): Result<void, UnixFdError> {
    if (this.fd.closed) return err(closedError())
    const result = this.#calls.shutdown(this.fd.number, this.#calls.constants.SHUT_WR)
    return result < 0 ? err(systemError('shutdown', result)) : ok()
  }

  /** Idempotent. What waits ends as `closed`. */
  close(): void {
    this.fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #send(
    bytes: Uint8Array,
    fds: readonly Fd[],
    signal: AbortSignal,
  ): Promise<Result<void, UnixFdError>> {
    if (!(await this.#sends.enter(signal))) return err(abortedError(signal))
    try {
      return await this.#sendInTurn(bytes, fds, signal)
    } finally {
      this.#sends.leave()
    }
  }

  async #sendInTurn(
    bytes: Uint8Array,
    fds: readonly Fd[],
    signal: AbortSignal,
  ): Promise<Result<void, UnixFdError>> {
    if (this.#broken) {
      const message = 'an earlier send stopped in the middle of a message: close this stream and open another'
      return err({ kind: 'broken-stream', message })
    }
    let sent = 0
    const failed = (error: UnixFdError): Result<void, UnixFdError> => {
      this.#broken ||= sent > 0
      return err('sentBytes' in error ? { ...error, sentBytes: sent } : error)
    }
    while (sent < bytes.length) {
      if (this.fd.closed) return failed(closedError())
      if (signal.aborted) return failed(abortedError(signal))
      // The kernel took the descriptors with the first byte; on EAGAIN it took neither.
      const attached = sent > 0 ? [] : fds
      if (attached.some((fd) => fd.closed)) return failed(closedError())
      const numbers = Int32Array.from(attached, (fd) => fd.number)
      const result = this.#calls.send(this.fd.number, bytes.subarray(sent), numbers)
      if (result >= 0) {
        sent += result
        continue
      }
      const code = errnoName(result)
      if (code === 'EINTR') continue
      if (code !== 'EAGAIN') return failed(this.#sendError(code, result, sent))
      const ready = await this.fd.ready('writable', signal)
      if (ready.isErr()) return failed(ready.error)
    }
    return ok()
  }

  #sendError(code: string, result: number, sentBytes: number): UnixFdError {
    if (code === 'EPIPE' || code === 'ECONNRESET' || code === 'ENOTCONN') {
      return { kind: 'peer-gone', message: `the peer has closed its end (${code})`, code, sentBytes }
    }
    return systemError('sendmsg', result)
  }

  async #receive(
    maxBytes: number,
    maxFds: number,
    signal: AbortSignal,
  ): Promise<Result<Received, UnixFdError>> {
    if (!Number.isInteger(maxBytes) || maxBytes < 1 || maxBytes > MOST_BYTES) {
      return err(invalidArgument('maxBytes', `${maxBytes}: make room for 1 to ${MOST_BYTES} bytes`))
    }
    if (!Number.isInteger(maxFds) || maxFds < 0 || maxFds > MOST_DESCRIPTORS) {
      return err(invalidArgument('maxFds', `${maxFds}: make room for 0 to ${MOST_DESCRIPTORS} descriptors`))
    }
    if (!(await this.#receives.enter(signal))) return err(abortedError(signal))
    try {
      return await this.#receiveInTurn(maxBytes, maxFds, signal)
    } finally {
      this.#receives.leave()
    }
  }

  async #receiveInTurn(
    maxBytes: number,
    maxFds: number,
    signal: AbortSignal,
  ): Promise<Result<Received, UnixFdError>> {
    const bytes = new Uint8Array(maxBytes)
    const out = new Int32Array(2 + maxFds)
    for (;;) {
      if (this.fd.closed) return err(closedError())
      if (signal.aborted) return err(abortedError(signal))
      const result = this.#calls.receive(this.fd.number, bytes, out, maxFds)
      if (result >= 0) return this.#received(bytes.subarray(0, result), out)
      const code = errnoName(result)
      if (code === 'EINTR') continue
      if (code === 'ECONNRESET' || code === 'ENOTCONN') {
        return err({ kind: 'peer-gone', message: `the peer has gone (${code})`, code, sentBytes: 0 })
      }
      if (code !== 'EAGAIN') return err(systemError('recvmsg', result))
      const ready = await this.fd.ready('readable', signal)
      if (ready.isErr()) return err(ready.error)
    }
  }

  #received(bytes: Uint8Array, out: Int32Array): Result<Received, UnixFdError> {
    const { MSG_CTRUNC, MSG_TRUNC } = this.#calls.constants
    const flags = out[0]!
    const fds = Array.from(out.subarray(2, 2 + out[1]!), (number) => new Fd(this.#calls, number))
    const refuse = (error: UnixFdError): Result<Received, UnixFdError> => {
      for (const fd of fds) fd.close()
      return err(error)
    }
    if (flags & MSG_CTRUNC) {
      this.close()
      const message = 'descriptors were lost: more arrived than there was room for, or too many are open here'
      return refuse({ kind: 'descriptors-truncated', message })
    }
    if (flags & MSG_TRUNC) {
      const message = `a packet is longer than the ${bytes.length} bytes of room: raise maxBytes`
      return refuse({ kind: 'packet-truncated', message })
    }
    if (bytes.length === 0 && fds.length === 0) return ok({ kind: 'end' })
    return ok({ kind: 'data', bytes, fds })
  }
}
