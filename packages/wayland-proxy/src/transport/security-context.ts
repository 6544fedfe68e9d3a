import type { Fd, Listener, Pipe, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import { type ProtocolTable, protocolTable, standardInterfaces } from '../protocol/table.js'
import { escaped } from '../relay/endings.js'
import { decodeArguments } from '../wire/decode.js'
import { encodeMessage } from '../wire/encode.js'
import { nextFrame } from '../wire/framing.js'
import type { Argument } from '../wire/signature.js'

const MANAGER = 'wp_security_context_manager_v1'
const ENGINE = 'org.spectrum'
const [DISPLAY, REGISTRY, FIRST_SYNC, MANAGER_ID, CONTEXT, LAST_SYNC] = [1, 2, 3, 4, 5, 6]

/** What opening a security context needs of the world. */
export interface SecurityContextPowers {
  /** Connects to a socket by its absolute path, to the compositor's own and to the context's. */
  readonly connect: (path: string) => Result<UnixSocket, UnixFdError>
  /** Listens at an absolute path. */
  readonly listen: (path: string) => Result<Listener, UnixFdError>
  /** Both ends of a pipe: closing the writer tells the compositor that the context is over. */
  readonly pipe: () => Result<Pipe, UnixFdError>
}

/** Whose clients the compositor is told they are. */
export interface SecurityContextRequest {
  /** Absolute path of the compositor's socket. */
  readonly compositor: string
  /** Absolute path for the context's own socket, in a directory that only the caller can write. */
  readonly path: string
  /** The unit, as `wp_security_context_v1.set_app_id` has it. */
  readonly appId: string
  /** This run of it, as `wp_security_context_v1.set_instance_id` has it. */
  readonly instanceId: string
}

/** Why there is no security context. */
export type SecurityContextError =
  /** The compositor has no `wp_security_context_manager_v1`: do without, or use one that has. */
  | { readonly kind: 'not-offered'; readonly message: string }
  /** The compositor answered with an error, which the message quotes, or closed the connection. */
  | { readonly kind: 'refused'; readonly message: string }
  /** A socket or a pipe could not be made, or the signal aborted; `cause` is what unix-fd says. */
  | { readonly kind: 'system'; readonly message: string; readonly cause: UnixFdError }

/** Connections made here are known to the compositor as the unit's, until it is closed. */
export interface SecurityContext extends Disposable {
  /** A connection for one client, which the compositor knows for sandboxed. The caller owns it. */
  connect(): Result<UnixSocket, UnixFdError>
  /** The compositor takes no more connections. Idempotent. */
  close(): void
}

/**
 * Makes a socket through which the compositor knows that a client is the unit's, and keeps its privileged
 * interfaces from it as well (security-context-v1). The caller closes it.
 * Errors: `not-offered` where the compositor lacks that, `refused`, and `system`, also when `signal` aborts.
 */
export async function openSecurityContext(
  powers: SecurityContextPowers,
  request: SecurityContextRequest,
  signal: AbortSignal,
): Promise<Result<SecurityContext, SecurityContextError>> {
  const socket = powers.connect(request.compositor)
  if (socket.isErr()) return err(systemError(socket.error))
  using connection = socket.value
  const talk = new Talk(connection, signal)
  await talk.say(DISPLAY, 'wl_display', 'get_registry', [{ kind: 'new-id', id: REGISTRY }])
  await talk.say(DISPLAY, 'wl_display', 'sync', [{ kind: 'new-id', id: FIRST_SYNC }])
  const seen = await talk.until(FIRST_SYNC)
  if (seen.isErr()) return err(seen.error)
  const name = talk.globals.get(MANAGER)
  if (name === undefined) {
    return err({ kind: 'not-offered', message: `the compositor has no ${MANAGER}` })
  }
  const listener = powers.listen(request.path)
  if (listener.isErr()) return err(systemError(listener.error))
  const pipe = powers.pipe()
  if (pipe.isErr()) {
    listener.value.close()
    return err(systemError(pipe.error))
  }
  const close = () => {
    pipe.value.writer.close()
    listener.value.close()
  }
  // The compositor sees an end on the reading side as soon as the writing one is closed.
  using reader = pipe.value.reader
  const text = (value: string): Argument<Fd> => ({ kind: 'string', bytes: new TextEncoder().encode(value) })
  await talk.say(REGISTRY, 'wl_registry', 'bind', [
    { kind: 'uint', value: name },
    { kind: 'untyped-new-id', interface: new TextEncoder().encode(MANAGER), version: 1, id: MANAGER_ID },
  ])
  await talk.say(MANAGER_ID, MANAGER, 'create_listener', [
    { kind: 'new-id', id: CONTEXT },
    { kind: 'fd', descriptor: listener.value.fd },
    { kind: 'fd', descriptor: reader },
  ])
  await talk.say(CONTEXT, 'wp_security_context_v1', 'set_sandbox_engine', [text(ENGINE)])
  await talk.say(CONTEXT, 'wp_security_context_v1', 'set_app_id', [text(request.appId)])
  await talk.say(CONTEXT, 'wp_security_context_v1', 'set_instance_id', [text(request.instanceId)])
  await talk.say(CONTEXT, 'wp_security_context_v1', 'commit', [])
  await talk.say(DISPLAY, 'wl_display', 'sync', [{ kind: 'new-id', id: LAST_SYNC }])
  const made = await talk.until(LAST_SYNC)
  if (made.isErr()) {
    close()
    return err(made.error)
  }
  return ok({ connect: () => powers.connect(request.path), close, [Symbol.dispose]: close })
}

function systemError(cause: UnixFdError): SecurityContextError {
  return { kind: 'system', message: cause.message, cause }
}

/** The few words that this needs of the protocol. What fails is remembered, and told by `until`. */
class Talk {
  readonly globals = new Map<string, number>()
  readonly #socket: UnixSocket
  readonly #signal: AbortSignal
  readonly #table: ProtocolTable = protocolTable(standardInterfaces())
  #left: Uint8Array = new Uint8Array()
  #failure: SecurityContextError | undefined

  constructor(socket: UnixSocket, signal: AbortSignal) {
    this.#socket = socket
    this.#signal = signal
  }

  async say(id: number, type: string, name: string, values: readonly Argument<Fd>[]): Promise<void> {
    const message = this.#table.find(type)!.requests.find((one) => one.name === name)!
    const { bytes, descriptors } = encodeMessage(
      message.signature,
      id,
      message.opcode,
      values,
    )._unsafeUnwrap()
    const sent = await this.#socket.send(bytes, { fds: descriptors, signal: this.#signal })
    if (sent.isErr()) this.#failure ??= systemError(sent.error)
  }

  /** Reads until the callback is answered. */
  async until(callback: number): Promise<Result<void, SecurityContextError>> {
    for (;;) {
      const frame = nextFrame(this.#left)
      if (frame.isErr()) return err({ kind: 'refused', message: frame.error.message })
      if (frame.value !== undefined) {
        this.#left = this.#left.subarray(frame.value.bytes.length)
        if (frame.value.objectId === callback) return ok()
        const refused = this.#hear(frame.value.objectId, frame.value.opcode, frame.value.bytes)
        if (refused !== undefined) return err(refused)
        continue
      }
      // What the compositor still said counts more than that it is gone.
      const received = await this.#socket.receive({ signal: this.#signal })
      if (received.isErr()) return err(this.#failure ?? systemError(received.error))
      if (received.value.kind === 'end') {
        return err({ kind: 'refused', message: 'the compositor closed the connection' })
      }
      const joined = new Uint8Array(this.#left.length + received.value.bytes.length)
      joined.set(this.#left)
      joined.set(received.value.bytes, this.#left.length)
      this.#left = joined
    }
  }

  #hear(objectId: number, opcode: number, bytes: Uint8Array): SecurityContextError | undefined {
    const type = objectId === DISPLAY ? 'wl_display' : objectId === REGISTRY ? 'wl_registry' : undefined
    const message = type && this.#table.find(type)?.events[opcode]
    if (!message) return undefined
    const decoded = decodeArguments<Fd>(message.signature, { objectId, opcode, bytes }, [])
    if (decoded.isErr()) return { kind: 'refused', message: decoded.error.message }
    const values = decoded.value.arguments
    const last = values.find((value) => value.kind === 'string')
    const text = new TextDecoder().decode(last?.bytes ?? new Uint8Array())
    if (message.fullName === 'wl_display.error') return { kind: 'refused', message: escaped(text) }
    const [name] = values
    if (message.fullName === 'wl_registry.global' && name?.kind === 'uint') this.globals.set(text, name.value)
    return undefined
  }
}
