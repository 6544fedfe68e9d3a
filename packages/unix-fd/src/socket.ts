import { err, errAsync, ok, type Result, ResultAsync } from 'neverthrow'
import {
  abortedError,
  closedError,
  errnoName,
  invalidArgument,
  systemError,
  type UnixFdError,
} from './errors.js'
import type { Fd } from './fd.js'
import { checkRoom, DEFAULT_BYTES, Inbox, type Room } from './inbox.js'
import { MOST_DESCRIPTORS, type SystemCalls } from './system-calls.js'
import { Turns } from './turns.js'

/** `stream` is a sequence of bytes; `seqpacket` keeps the boundaries of packets. Both are connected and ordered. */
export type SocketType = 'stream' | 'seqpacket'

/** What arrived. The descriptors are close-on-exec and belong to the caller, who closes each. */
export type Received =
  | {
      readonly kind: 'data'
      /** The caller's own. */
      readonly bytes: Uint8Array
      /** In the order in which they were sent; each is the caller's to close. */
      readonly fds: readonly Fd[]
    }
  /** The peer finished. An empty seqpacket packet without descriptors looks the same. */
  | { readonly kind: 'end' }

/** What `tryReceive` found: a message, nothing yet, or that the peer finished. */
export type Found = 'data' | 'empty' | 'end'

/** Descriptors to send: by their owners, or all that nobody took from an inbox, passed on as they came. */
export type Attached = readonly Fd[] | Inbox

/** Who made the other end, from SO_PEERCRED, as it was then. */
export interface PeerCredentials {
  /** Of the process that called connect or socketpair, at that time: it may have ended since. */
  readonly pid: number
  /** Its effective user then, in the user namespace of this process. */
  readonly uid: number
  /** Its effective group then. */
  readonly gid: number
}

type Sent = Result<void, UnixFdError>

const NONE: readonly Fd[] = []
const DATA = ok<Found, UnixFdError>('data')
const EMPTY = ok<Found, UnixFdError>('empty')
const END = ok<Found, UnixFdError>('end')
const DONE: Sent = ok()

/** Where the numbers of descriptors stand during one sendmsg, which takes them before it returns. */
const numbers = new Int32Array(MOST_DESCRIPTORS)

/** For receives that brought no inbox: what arrived is copied out before anything else can run. */
const shared = new WeakMap<SystemCalls, Inbox>()

function inboxFor(calls: SystemCalls, maxBytes: number): Inbox {
  // A packet must not find more room than the caller gave.
  if (maxBytes !== DEFAULT_BYTES) return new Inbox(calls, maxBytes, MOST_DESCRIPTORS)
  let inbox = shared.get(calls)
  if (inbox === undefined) {
    inbox = new Inbox(calls, DEFAULT_BYTES, MOST_DESCRIPTORS)
    shared.set(calls, inbox)
  }
  return inbox
}

/** A connected Unix socket, non-blocking and close-on-exec. Sends queue behind one another, and so do receives. */
export class UnixSocket implements Disposable {
  /** What it keeps apart: bytes (`stream`) or packets (`seqpacket`). */
  readonly type: SocketType
  /** Its own descriptor; the socket's to close. */
  readonly fd: Fd
  readonly #calls: SystemCalls
  readonly #wouldBlock: number
  readonly #sends = new Turns()
  readonly #receives = new Turns()
  #broken = false

  constructor(calls: SystemCalls, fd: Fd, type: SocketType) {
    this.#calls = calls
    this.#wouldBlock = -calls.constants.EAGAIN
    this.fd = fd
    this.type = type
  }

  /**
   * Sends all bytes, waiting while the peer does not read. `bytes` and `fds` are borrowed until it resolves;
   * the kernel gives the peer duplicates. Descriptors travel with the first byte, so at least one is needed,
   * and at most 253 fit. A stream send that failed half-way (`sentBytes` > 0) leaves the peer within a message:
   * later sends answer `broken-stream`. Errors besides: `peer-gone`, `closed`, `aborted` and `timed-out` by the signal, each with
   * `sentBytes`; `invalid-argument`, `system`.
   *
   * @example
   * ```ts
   * import type { Fd, UnixSocket } from '@spectrum/unix-fd'
   *
   * export async function pass(socket: UnixSocket, fd: Fd): Promise<void> {
   *   const sent = await socket.send(Uint8Array.of(1), { fds: [fd], signal: AbortSignal.timeout(1_000) })
   *   if (sent.isErr()) throw new Error(sent.error.message) // kind: peer-gone, timed-out …
   *   fd.close() // the peer has a duplicate
   * }
   * ```
   */
  send(
    bytes: Uint8Array,
    options: { readonly fds?: Attached; readonly signal: AbortSignal },
  ): ResultAsync<void, UnixFdError> {
    const { fds = NONE, signal } = options
    const wrong = checkMessage(bytes, fds)
    if (wrong) return errAsync(wrong)
    if (signal.aborted) return errAsync(abortedError(signal))
    if (!this.#sends.enterNow()) return new ResultAsync(this.#sendLater(bytes, fds, signal))
    // Most sends need not wait: they cost one system call and no detour through the event loop.
    const sent = this.#sendSome(bytes, 0, bytes.length, fds, 0)
    if (sent.isOk() && sent.value < bytes.length) {
      return new ResultAsync(this.#sendRest(bytes, sent.value, fds, signal))
    }
    this.#sends.leave()
    return new ResultAsync(Promise.resolve(sent.isOk() ? DONE : err(sent.error)))
  }

  /**
   * Sends what the kernel takes right now, and says how many bytes that was. 0: nothing went out, no descriptor
   * either; wait until it is writable, or use `send`. More than 0: every descriptor went with them, and on a
   * stream the rest of the bytes is still the caller's to send, without descriptors. Also 0 while a `send` waits.
   * `start` and `end` are the part of `bytes` to send, for who keeps one buffer: a view for each send would cost as much
   * as the send. Errors as `send`.
   */
  trySend(
    bytes: Uint8Array,
    fds: Attached = NONE,
    start = 0,
    end = bytes.length,
  ): Result<number, UnixFdError> {
    const wrong = checkMessage(bytes, fds, start, end)
    if (wrong) return err(wrong)
    if (!this.#sends.enterNow()) return ok(0)
    const sent = this.#sendSome(bytes, start, end, fds, 0)
    this.#sends.leave()
    return sent
  }

  /**
   * Waits for the next bytes (stream) or packet (seqpacket). At most `maxBytes` (default 64 KiB) and `maxFds`
   * (default 0, at most 253). More descriptors than that are fatal: the socket closes (`descriptors-truncated`). A packet
   * that is longer is lost (`packet-truncated`). Errors besides: `peer-gone`, `closed`, `aborted`, `timed-out`, `invalid-argument`,
   * `system`.
   *
   * @example
   * ```ts
   * import type { Fd, UnixSocket } from '@spectrum/unix-fd'
   *
   * export async function take(socket: UnixSocket): Promise<Fd | undefined> {
   *   const received = await socket.receive({ maxFds: 1, signal: AbortSignal.timeout(1_000) })
   *   if (received.isErr()) throw new Error(received.error.message)
   *   return received.value.kind === 'end' ? undefined : received.value.fds[0] // yours to close
   * }
   * ```
   */
  receive(options: Room & { readonly signal: AbortSignal }): ResultAsync<Received, UnixFdError> {
    const { maxBytes = DEFAULT_BYTES, maxFds = 0, signal } = options
    const wrong = checkRoom(options)
    if (wrong) return errAsync(wrong)
    if (signal.aborted) return errAsync(abortedError(signal))
    if (!this.#receives.enterNow()) return new ResultAsync(this.#receiveLater(maxBytes, maxFds, signal))
    const received = this.#receiveNow(maxBytes, maxFds)
    if (received === undefined) return new ResultAsync(this.#receiveWaiting(maxBytes, maxFds, signal))
    this.#receives.leave()
    return new ResultAsync(Promise.resolve(received))
  }

  /**
   * Receives what is there right now into `inbox`. With `fd.onReady` it is the cheapest way to read: call it
   * until it says `empty`, or a bounded number of times per turn and until nothing is `waiting` in the inbox. Also
   * `empty` while a `receive` waits.
   */
  tryReceive(inbox: Inbox): Result<Found, UnixFdError> {
    if (inbox.closed || this.fd.closed) return err(closedError())
    inbox.bind(this)
    if (inbox.advance()) return this.#judge(inbox)
    if (inbox.takeExhausted() || !this.#receives.enterNow()) return EMPTY
    const found = this.#receiveInto(inbox, inbox.maxFds)
    this.#receives.leave()
    return found
  }

  /** Who made the other end: SO_PEERCRED of unix(7). Errors: `closed`, `system`. */
  peerCredentials(): Result<PeerCredentials, UnixFdError> {
    if (this.fd.closed) return err(closedError())
    const out = new Int32Array(3)
    const result = this.#calls.peerCredentials(this.fd.number, out)
    if (result < 0) return err(systemError('getsockopt(SO_PEERCRED)', result))
    return ok({ pid: out[0]!, uid: out[1]! >>> 0, gid: out[2]! >>> 0 })
  }

  /** Tells the peer that nothing more will be sent (shutdown(2)): it reads an end. Receiving goes on. Errors: `closed`, `system`. */
  finish(): Result<void, UnixFdError> {
    if (this.fd.closed) return err(closedError())
    const result = this.#calls.shutdown(this.fd.number, this.#calls.constants.SHUT_WR)
    return result < 0 ? err(systemError('shutdown', result)) : ok()
  }

  /**
   * Receives no more: the peer's sends fail, and what it sent is lost, descriptors included. For who is about to close
   * without having read everything: the peer then reads what it was sent and an end. Without this it would read
   * ECONNRESET in the end's place (unix_release_sock in the kernel's net/unix/af_unix.c), which not every program takes
   * for an end. What waits to receive hears an end. Errors: `closed`, `system`.
   */
  renounce(): Result<void, UnixFdError> {
    if (this.fd.closed) return err(closedError())
    const result = this.#calls.shutdown(this.fd.number, this.#calls.constants.SHUT_RD)
    if (result < 0) return err(systemError('shutdown', result))
    const inbox = inboxFor(this.#calls, DEFAULT_BYTES)
    // No more can arrive, so this ends. The kernel closes descriptors for which there is no room.
    while (inbox.fill(this.fd.number, 0) > 0 && inbox.length > 0);
    return ok()
  }

  /** Idempotent. What waits ends as `closed`. */
  close(): void {
    this.fd.close()
  }

  /** Closes the socket, once; who waits for it hears `closed`. */
  [Symbol.dispose](): void {
    this.close()
  }

  async #sendLater(bytes: Uint8Array, fds: Attached, signal: AbortSignal): Promise<Sent> {
    if (!(await this.#sends.enter(signal))) return err(abortedError(signal))
    return this.#sendRest(bytes, 0, fds, signal)
  }

  /** In turn; ends the turn. */
  async #sendRest(bytes: Uint8Array, from: number, fds: Attached, signal: AbortSignal): Promise<Sent> {
    let sent = from
    const failed = (error: UnixFdError): Sent => {
      this.#broken ||= sent > 0
      return err('sentBytes' in error ? { ...error, sentBytes: sent } : error)
    }
    try {
      for (;;) {
        if (signal.aborted) return failed(abortedError(signal))
        const some = this.#sendSome(bytes, sent, bytes.length, sent === 0 ? fds : NONE, sent)
        if (some.isErr()) return failed(some.error)
        sent += some.value
        if (sent === bytes.length) return DONE
        // A stream that took a part may take more at once; only a full one is worth a wait.
        if (some.value > 0) continue
        const ready = await this.fd.ready('writable', signal)
        if (ready.isErr()) return failed(ready.error)
      }
    } finally {
      this.#sends.leave()
    }
  }

  /** How many bytes from `start` on the kernel took: 0 when it would have to wait. In turn. */
  #sendSome(
    bytes: Uint8Array,
    start: number,
    end: number,
    fds: Attached,
    sentBytes: number,
  ): Result<number, UnixFdError> {
    if (this.fd.closed) return err(closedError())
    if (this.#broken) {
      const message = 'an earlier send stopped in the middle of a message: close this stream and open another'
      return err({ kind: 'broken-stream', message })
    }
    for (;;) {
      // The kernel takes the descriptors with the first byte; on EAGAIN it takes neither.
      const result = this.#sendOnce(bytes, start, end, fds)
      if (result === undefined) return err(closedError())
      if (result >= 0) return ok(result)
      if (result === this.#wouldBlock) return ok(0)
      const code = errnoName(result)
      if (code === 'EINTR') continue
      if (code === 'EPIPE' || code === 'ECONNRESET' || code === 'ENOTCONN') {
        const message = `the peer has closed its end (${code})`
        return err({ kind: 'peer-gone', message, code, sentBytes })
      }
      return err(systemError('sendmsg', result))
    }
  }

  #sendOnce(bytes: Uint8Array, start: number, end: number, fds: Attached): number | undefined {
    const { number } = this.fd
    if (fds instanceof Inbox) return fds.sendFds(number, bytes, start, end - start)
    for (let i = 0; i < fds.length; i++) {
      const fd = fds[i]!
      if (fd.closed) return undefined
      numbers[i] = fd.number
    }
    return this.#calls.send(number, bytes, start, end - start, numbers, 0, fds.length)
  }

  async #receiveLater(
    maxBytes: number,
    maxFds: number,
    signal: AbortSignal,
  ): Promise<Result<Received, UnixFdError>> {
    if (!(await this.#receives.enter(signal))) return err(abortedError(signal))
    return this.#receiveWaiting(maxBytes, maxFds, signal)
  }

  /** In turn; ends the turn. */
  async #receiveWaiting(
    maxBytes: number,
    maxFds: number,
    signal: AbortSignal,
  ): Promise<Result<Received, UnixFdError>> {
    try {
      for (;;) {
        if (signal.aborted) return err(abortedError(signal))
        const received = this.#receiveNow(maxBytes, maxFds)
        if (received !== undefined) return received
        const ready = await this.fd.ready('readable', signal)
        if (ready.isErr()) return err(ready.error)
      }
    } finally {
      this.#receives.leave()
    }
  }

  /** Undefined when nothing is there. In turn. */
  #receiveNow(maxBytes: number, maxFds: number): Result<Received, UnixFdError> | undefined {
    const inbox = inboxFor(this.#calls, maxBytes)
    const found = this.#receiveInto(inbox, maxFds)
    if (found.isErr()) return err(found.error)
    if (found.value === 'empty') return undefined
    if (found.value === 'end') return ok({ kind: 'end' })
    return ok({ kind: 'data', bytes: inbox.buffer.slice(0, inbox.length), fds: inbox.takeFds() })
  }

  /** In turn. */
  #receiveInto(inbox: Inbox, maxFds: number): Result<Found, UnixFdError> {
    if (this.fd.closed) return err(closedError())
    for (;;) {
      const result = inbox.fill(this.fd.number, maxFds)
      if (result >= 0) return this.#judge(inbox)
      if (result === this.#wouldBlock) return EMPTY
      const code = errnoName(result)
      if (code === 'EINTR') continue
      if (code === 'ECONNRESET' || code === 'ENOTCONN') {
        return err({ kind: 'peer-gone', message: `the peer has gone (${code})`, code, sentBytes: 0 })
      }
      return err(systemError('recvmsg', result))
    }
  }

  #judge(inbox: Inbox): Result<Found, UnixFdError> {
    const { MSG_CTRUNC, MSG_TRUNC } = this.#calls.constants
    const { flags } = inbox
    if (flags & MSG_CTRUNC) {
      inbox.discard()
      this.close()
      const message = 'descriptors were lost: more arrived than there was room for, or too many are open here'
      return err({ kind: 'descriptors-truncated', message })
    }
    if (flags & MSG_TRUNC) {
      inbox.closeFds()
      const message = `a packet is longer than the ${inbox.maxBytes} bytes of room: raise maxBytes`
      return err({ kind: 'packet-truncated', message })
    }
    return inbox.length === 0 && inbox.fdCount === 0 ? END : DATA
  }
}

function checkMessage(
  bytes: Uint8Array,
  fds: Attached,
  start = 0,
  end = bytes.length,
): UnixFdError | undefined {
  if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end > bytes.length) {
    return invalidArgument('start', `${start} to ${end} is no part of ${bytes.length} bytes`)
  }
  if (end <= start) {
    return invalidArgument('bytes', 'nothing to send: a message needs at least one byte')
  }
  if (!(fds instanceof Inbox) && fds.length > MOST_DESCRIPTORS) {
    return invalidArgument('fds', `${fds.length} descriptors: send at most ${MOST_DESCRIPTORS} at once`)
  }
  return undefined
}
