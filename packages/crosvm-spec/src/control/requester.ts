import { getSystemErrorName } from 'node:util'
import type { Fd } from '@spectrum/unix-fd'
import { err, ok, type Result, ResultAsync } from 'neverthrow'
import type { CrosvmSpec } from '../spec.js'
import { type Clock, Connection, type PacketSockets } from './connection.js'
import type { ControlError } from './errors.js'
import { type ControlReply, decodeReply, type VcpuThread } from './reply.js'
import { type ControlRequest, encodeRequest } from './request.js'
import { type ControlFeature, pointless, unsendable } from './unsupported.js'

/** What the client of a control socket needs of the world. */
export interface ControlPowers {
  /** Connects to the control socket. */
  readonly sockets: PacketSockets
  /** Ends what takes too long. */
  readonly clock: Clock
}

/** How the client reaches its machine and how long it waits. */
export interface ControlOptions {
  /** What the machine is: decides which requests make sense. */
  readonly spec: CrosvmSpec
  /** Absolute, below 108 bytes. Default: the spec's own `socket`. */
  readonly path?: string
  /** What the binary was built with, as far as requests depend on it. Default: none of these. */
  readonly features?: readonly ControlFeature[]
  /** Milliseconds for each request, the wait behind earlier ones included. Default 5000. */
  readonly timeoutMs?: number
}

/** For one request. */
export interface RequestOptions {
  /**
   * Milliseconds, the wait behind earlier requests included; then it is `no-reply`. Default: the client's.
   */
  readonly timeoutMs?: number
  /** Ends the wait with `aborted`. What was sent by then may still be done. */
  readonly signal?: AbortSignal
}

/** What every request of the control client gives: crosvm's answer, or why there is none. */
export type Answer<T> = ResultAsync<T, ControlError>

/** How long to wait before connecting again to a crosvm that does not listen yet. */
const RETRY_MS = 20

/** Sends requests of one machine and reads their replies, whatever they are about. */
export class Requester {
  readonly #connection: Connection
  readonly #spec: CrosvmSpec
  readonly #features: readonly ControlFeature[]
  readonly #clock: Clock
  readonly #timeoutMs: number

  constructor(powers: ControlPowers, options: ControlOptions) {
    const path = options.path ?? options.spec.socket
    if (path === undefined)
      throw new Error('this machine has no control socket: describe one, or give a path')
    this.#connection = new Connection(powers.sockets, powers.clock, path)
    this.#spec = options.spec
    this.#features = options.features ?? []
    this.#clock = powers.clock
    this.#timeoutMs = options.timeoutMs ?? 5000
  }

  close(): void {
    this.#connection.close()
  }

  untilReady(options: RequestOptions): Answer<readonly VcpuThread[]> {
    return new ResultAsync(this.#untilReady(options))
  }

  /** A request whose only good answer is `Ok`. */
  ok(request: ControlRequest<Fd>, options: RequestOptions | undefined): Answer<void> {
    return this.expect(request, options, (reply) => (reply.kind === 'ok' ? null : undefined)).map(
      () => undefined,
    )
  }

  /** `pick` gives undefined for a reply that is no answer to this request. */
  expect<T>(
    request: ControlRequest<Fd>,
    options: RequestOptions | undefined,
    pick: (reply: ControlReply) => T | undefined,
  ): Answer<T> {
    return this.#picked(request, options, (reply, fds) => {
      for (const fd of fds) fd.close()
      return pick(reply)
    })
  }

  /** As {@link expect}, for an answer that comes with a descriptor, which becomes the caller's. */
  expectWithFd<T>(
    request: ControlRequest<Fd>,
    options: RequestOptions | undefined,
    pick: (reply: ControlReply, fd: Fd) => T | undefined,
  ): Answer<T> {
    return this.#picked(request, options, (reply, fds) => {
      const [fd] = fds
      const picked = fd && pick(reply, fd)
      if (picked === undefined) for (const unwanted of fds) unwanted.close()
      return picked
    })
  }

  /** A request that is never answered: resolves when it was sent. */
  tell(request: ControlRequest<Fd>, options: RequestOptions = {}): Answer<void> {
    const refused = this.#refusal(request)
    if (refused) return new ResultAsync(Promise.resolve(err(refused)))
    const { timeoutMs = this.#timeoutMs, signal } = options
    return new ResultAsync(this.#connection.tell(request.kind, packetOf(request), timeoutMs, signal))
  }

  async #untilReady(options: RequestOptions): Promise<Result<readonly VcpuThread[], ControlError>> {
    const ms = options.timeoutMs ?? this.#timeoutMs
    using deadline = this.#clock.deadline(ms)
    const signal = AbortSignal.any([deadline.signal, ...(options.signal ? [options.signal] : [])])
    for (;;) {
      const answered = await this.expect({ kind: 'vcpu-threads' }, { timeoutMs: ms, signal }, threads)
      if (answered.isOk()) return answered
      const { kind } = answered.error
      const mayCome = kind === 'not-listening' || kind === 'disconnected'
      if (!mayCome) {
        // Here the caller's signal and the deadline of the whole wait look alike.
        return kind === 'aborted' && !options.signal?.aborted ? err(this.#late(ms)) : answered
      }
      await this.#pause(signal)
      if (options.signal?.aborted) {
        return err({ kind: 'aborted', request: 'ready', message: 'ready: the caller aborted it' })
      }
      if (deadline.signal.aborted) return err(this.#late(ms, answered.error.message))
    }
  }

  #late(ms: number, last?: string): ControlError {
    const why = last === undefined ? '' : ` (${last})`
    const message = `crosvm was not ready within ${ms} ms${why}: look at its standard error`
    return { kind: 'no-reply', request: 'ready', message }
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.deadline(RETRY_MS)
      const either = AbortSignal.any([timer.signal, signal])
      const done = () => {
        timer[Symbol.dispose]()
        resolve()
      }
      if (either.aborted) done()
      else either.addEventListener('abort', done, { once: true })
    })
  }

  #picked<T>(
    request: ControlRequest<Fd>,
    options: RequestOptions | undefined,
    pick: (reply: ControlReply, fds: readonly Fd[]) => T | undefined,
  ): Answer<T> {
    return new ResultAsync(
      this.#request(request, options).then((answered) =>
        answered.andThen(({ reply, fds }) => {
          const picked = pick(reply, fds)
          return picked === undefined ? err(notThat(request.kind, reply)) : ok(picked)
        }),
      ),
    )
  }

  #refusal(request: ControlRequest<Fd>): ControlError | undefined {
    const argument = unsendable(request)
    if (argument === undefined) return pointless(request, this.#spec, this.#features)
    const message = `${request.kind}: ${argument} is out of the range that the protocol can hold`
    return { kind: 'invalid-argument', argument, message }
  }

  async #request(
    request: ControlRequest<Fd>,
    options: RequestOptions = {},
  ): Promise<Result<{ readonly reply: ControlReply; readonly fds: readonly Fd[] }, ControlError>> {
    const refused = this.#refusal(request)
    if (refused) return err(refused)
    const { timeoutMs = this.#timeoutMs, signal } = options
    const received = await this.#connection.exchange(request.kind, packetOf(request), timeoutMs, signal)
    if (received.isErr()) return err(received.error)
    const { bytes, fds } = received.value
    const reply = decodeReply(bytes, fds.length)
    if (reply.isOk()) return ok({ reply: reply.value, fds })
    for (const fd of fds) fd.close()
    return err({ ...reply.error, request: request.kind })
  }
}

export const threads = (reply: ControlReply) => (reply.kind === 'vcpu-threads' ? reply.threads : undefined)

function packetOf(request: ControlRequest<Fd>): { readonly bytes: Uint8Array; readonly fds: readonly Fd[] } {
  const { text, descriptors } = encodeRequest(request)
  return { bytes: new TextEncoder().encode(text), fds: descriptors }
}

/** A reply that is a failure, or that answers another question. */
function notThat(request: string, reply: ControlReply): ControlError {
  const refused = (why: string, code?: string): ControlError => {
    return { kind: 'refused', request, code, message: `${request}: crosvm refused: ${why}` }
  }
  switch (reply.kind) {
    case 'errno': {
      const code = errnoName(reply.errno)
      return refused(code, code)
    }
    case 'error-text':
      return refused(reply.text)
    case 'usb-failure':
    case 'gpu-failure':
    case 'battery-failure':
      return refused(reply.reason)
    default:
      return {
        kind: 'malformed-reply',
        request,
        message: `${request}: crosvm answered '${reply.kind}', which answers something else`,
      }
  }
}

function errnoName(errno: number): string {
  // 0 is no error, and Node throws for it.
  return errno === 0 ? 'errno 0' : getSystemErrorName(-errno)
}
