import type { Fd, Received, UnixFdError } from '@spectrum/unix-fd'
import { err, ok, type Result, type ResultAsync } from 'neverthrow'
import type { ControlError } from './errors.js'
import { LONGEST_REPLY } from './reply.js'

/** The clock, as a power. Milliseconds. */
export interface Clock {
  /** A signal that aborts after `ms`, with a reason named `TimeoutError`; dispose it to stop the timer. */
  deadline(ms: number): { readonly signal: AbortSignal } & Disposable
}

/** A connected SEQPACKET socket. `UnixSocket` of @spectrum/unix-fd is one. */
export interface PacketSocket {
  /** Sends one packet, with descriptors that stay the caller's. Fails when `signal` aborts. */
  send(
    bytes: Uint8Array,
    options: { readonly fds?: readonly Fd[]; readonly signal: AbortSignal },
  ): ResultAsync<void, UnixFdError>
  /**
   * The next packet, or the end. What descriptors come with it belong to the caller. A packet that is longer than
   * `maxBytes`, or brings more than `maxFds`, is an error. Fails when `signal` aborts.
   */
  receive(options: {
    readonly maxBytes?: number
    readonly maxFds?: number
    readonly signal: AbortSignal
  }): ResultAsync<Received, UnixFdError>
  /** Closes the socket, once. */
  close(): void
}

/** `UnixFd` of @spectrum/unix-fd is one. */
export interface PacketSockets {
  /** Connects to a SEQPACKET socket by its path, at once: unix(7). The socket is the caller's to close. */
  connect(path: string, type: 'seqpacket'): Result<PacketSocket, UnixFdError>
}

export interface Packet {
  readonly bytes: Uint8Array
  readonly fds: readonly Fd[]
}

/** The most descriptors that crosvm puts into one packet: TUBE_MAX_FDS. */
const MOST_FDS = 32

/**
 * One request at a time over one connection, which is made when it is needed and dropped whenever it is not
 * sure that the next packet would be the answer to the next request.
 */
export class Connection implements Disposable {
  readonly #sockets: PacketSockets
  readonly #clock: Clock
  readonly #path: string
  #socket: PacketSocket | undefined
  #last: Promise<unknown> = Promise.resolve()
  readonly #closing = new AbortController()

  constructor(sockets: PacketSockets, clock: Clock, path: string) {
    this.#sockets = sockets
    this.#clock = clock
    this.#path = path
  }

  /** Sends a packet and waits for the next, all within `timeoutMs`, the wait for earlier requests included. */
  exchange(
    request: string,
    packet: Packet,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Result<Packet, ControlError>> {
    return this.#bounded(request, timeoutMs, signal, async (bound) => {
      const sent = await this.#send(request, packet, bound)
      return sent.isErr() ? err(sent.error) : this.#receive(request, sent.value, bound)
    })
  }

  /** Sends a packet that is never answered. */
  tell(
    request: string,
    packet: Packet,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Result<void, ControlError>> {
    return this.#bounded(request, timeoutMs, signal, async (bound) => {
      const sent = await this.#send(request, packet, bound)
      return sent.map(() => undefined)
    })
  }

  /** Idempotent. A request in progress ends as `closed`. */
  close(): void {
    this.#closing.abort()
    this.#drop()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #drop(): void {
    this.#socket?.close()
    this.#socket = undefined
  }

  async #bounded<T>(
    request: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    run: (bound: AbortSignal) => Promise<Result<T, ControlError>>,
  ): Promise<Result<T, ControlError>> {
    using deadline = this.#clock.deadline(timeoutMs)
    const bound = AbortSignal.any([deadline.signal, this.#closing.signal, ...(signal ? [signal] : [])])
    const before = this.#last
    let leave!: () => void
    this.#last = new Promise<void>((resolve) => {
      leave = resolve
    })
    try {
      await settledOrAborted(before, bound)
      if (bound.aborted) {
        // Whoever comes next still waits for the one before.
        void before.then(leave)
        return err(this.#stopped(request, deadline.signal, signal, timeoutMs))
      }
      const result = await run(bound)
      // After a failure an answer may still be on its way: it would be taken for the next one's.
      if (result.isErr()) this.#drop()
      leave()
      return result.isErr() && bound.aborted
        ? err(this.#stopped(request, deadline.signal, signal, timeoutMs))
        : result
    } catch (cause) {
      leave()
      throw cause
    }
  }

  #stopped(
    request: string,
    deadline: AbortSignal,
    caller: AbortSignal | undefined,
    ms: number,
  ): ControlError {
    if (this.#closing.signal.aborted) {
      return { kind: 'closed', request, message: `${request}: this client was closed; open another` }
    }
    if (caller?.aborted && !deadline.aborted) {
      return { kind: 'aborted', request, message: `${request}: the caller aborted it` }
    }
    const message = `${request}: no answer within ${ms} ms; crosvm may be busy, or never answers this`
    return { kind: 'no-reply', request, message }
  }

  async #send(
    request: string,
    packet: Packet,
    bound: AbortSignal,
  ): Promise<Result<PacketSocket, ControlError>> {
    const reused = this.#socket !== undefined
    const socket = this.#connected(request)
    if (socket.isErr()) return err(socket.error)
    const sent = await socket.value.send(packet.bytes, { fds: packet.fds, signal: bound })
    if (sent.isOk()) return ok(socket.value)
    // An idle connection that crosvm closed is found out here: nothing was sent, so another may be tried once.
    if (!reused || sent.error.kind !== 'peer-gone') return err(controlError(request, sent.error))
    this.#drop()
    const again = this.#connected(request)
    if (again.isErr()) return err(again.error)
    const resent = await again.value.send(packet.bytes, { fds: packet.fds, signal: bound })
    return resent.isErr() ? err(controlError(request, resent.error)) : ok(again.value)
  }

  #connected(request: string): Result<PacketSocket, ControlError> {
    if (this.#socket) return ok(this.#socket)
    return this.#sockets
      .connect(this.#path, 'seqpacket')
      .map((socket) => {
        this.#socket = socket
        return socket
      })
      .mapErr((error) => controlError(request, error))
  }

  async #receive(
    request: string,
    socket: PacketSocket,
    bound: AbortSignal,
  ): Promise<Result<Packet, ControlError>> {
    const received = await socket.receive({ maxBytes: LONGEST_REPLY, maxFds: MOST_FDS, signal: bound })
    if (received.isErr()) return err(controlError(request, received.error))
    if (received.value.kind === 'end') {
      const message = `${request}: crosvm closed the connection without an answer`
      return err({ kind: 'disconnected', request, message })
    }
    return ok(received.value)
  }
}

function settledOrAborted(before: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', done, { once: true })
    void before.then(done)
  })
}

function controlError(request: string, error: UnixFdError): ControlError {
  const message = `${request}: ${error.message}`
  switch (error.kind) {
    case 'not-listening':
    case 'busy':
      return { kind: 'not-listening', request, message }
    case 'peer-gone':
      return { kind: 'disconnected', request, message }
    case 'packet-truncated':
    case 'descriptors-truncated':
      return { kind: 'malformed-reply', request, message }
    default:
      return { kind: 'socket-failed', request, message, cause: error }
  }
}
