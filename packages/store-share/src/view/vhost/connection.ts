import type { Fd, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import { pause } from '../../pause.js'
import type { Clock } from '../../powers.js'
import type { Device } from './device.js'
import {
  decodeHeader,
  decodePayload,
  encodeReply,
  HEADER_BYTES,
  type Header,
  MOST_MESSAGE_FDS,
  numberPayload,
} from './message.js'

/** Why a front end is no longer served. */
export type ConnectionEnd =
  | { readonly kind: 'finished'; readonly message: string }
  /** It broke the rules of vhost-user: `message` says which. */
  | { readonly kind: 'protocol-error'; readonly message: string }
  /** A message that it began, or the answer to one, took too long. */
  | { readonly kind: 'timed-out'; readonly message: string }
  | { readonly kind: 'aborted'; readonly message: string }
  | {
      readonly kind: 'lost'
      readonly message: string
      /** What the socket failed with. */
      readonly cause: UnixFdError
    }

export interface ConnectionOptions {
  readonly clock: Clock
  /** Ends the connection. */
  readonly signal: AbortSignal
  /** For the rest of a message that has begun, and for the front end to take an answer. */
  readonly messageDeadlineMs: number
}

/** So many messages of a front end that always has another one are taken until all else gets its turn. A start has fewer. */
const TURN = 64

interface Part {
  readonly bytes: Uint8Array
  readonly fds: readonly Fd[]
}

/**
 * Serves one front end until it leaves or breaks a rule. Messages are taken one at a time and answered in order.
 * The socket stays the caller's.
 */
export async function serveConnection(
  socket: UnixSocket,
  device: Device,
  options: ConnectionOptions,
): Promise<ConnectionEnd> {
  for (let taken = 1; ; taken += 1) {
    if (taken % TURN === 0) await pause(options.clock, 0, options.signal)
    const head = await readExactly(socket, HEADER_BYTES, options, 'between messages')
    if (head.isErr()) return head.error
    const { bytes, fds } = head.value
    try {
      const end = await serveMessage(socket, device, options, bytes, fds)
      if (end !== undefined) return end
    } finally {
      // Those that the device owns now are its to close.
      for (const fd of fds) if (!kept.delete(fd)) fd.close()
    }
  }
}

/** Descriptors that a device owns from now on. Emptied as soon as the message is done. */
const kept = new WeakSet<Fd>()

async function serveMessage(
  socket: UnixSocket,
  device: Device,
  options: ConnectionOptions,
  headerBytes: Uint8Array,
  fds: readonly Fd[],
): Promise<ConnectionEnd | undefined> {
  const header = decodeHeader(headerBytes)
  if (header.isErr()) return broken(header.error)
  const rest = await readExactly(socket, header.value.payloadBytes, options, 'within a message')
  if (rest.isErr()) return rest.error
  const payload = decodePayload(header.value.request, rest.value.bytes, fds.length)
  if (payload.isErr()) return broken(payload.error)
  const answer = device.handle(header.value.request, payload.value, fds)
  if (answer.isOk() && payload.value.kind === 'vring-file') for (const fd of fds) kept.add(fd)
  const reply = replyTo(header.value, device, answer)
  if (reply.isErr()) return broken(reply.error)
  return reply.value === undefined ? undefined : send(socket, reply.value, options)
}

/** The bytes to send, if any; an error ends the connection, because the front end could not learn of it. */
function replyTo(
  header: Header,
  device: Device,
  answer: Result<Uint8Array | undefined, string>,
): Result<Uint8Array | undefined, string> {
  const acknowledged = header.needReply && device.acknowledges
  if (answer.isErr()) {
    return acknowledged ? ok(encodeReply(header.number, numberPayload(1n))) : err(answer.error)
  }
  if (answer.value !== undefined) return ok(encodeReply(header.number, answer.value))
  return ok(acknowledged ? encodeReply(header.number, numberPayload(0n)) : undefined)
}

/**
 * Exactly `length` bytes, with the descriptors that came with the first. Between two messages a front end may be
 * silent for ever; one that has begun has to go on.
 */
async function readExactly(
  socket: UnixSocket,
  length: number,
  options: ConnectionOptions,
  where: 'between messages' | 'within a message',
): Promise<Result<Part, ConnectionEnd>> {
  if (length === 0) return ok({ bytes: new Uint8Array(0), fds: [] })
  const bytes = new Uint8Array(length)
  const first =
    where === 'between messages'
      ? await receive(socket, length, options.signal)
      : ok<Part>({ bytes, fds: [] })
  if (first.isErr()) return err(first.error)
  const { fds } = first.value
  let done = where === 'between messages' ? first.value.bytes.length : 0
  bytes.set(first.value.bytes.subarray(0, done))
  if (done === length) return ok({ bytes, fds })
  using patience = options.clock.deadline(options.messageDeadlineMs)
  const signal = AbortSignal.any([options.signal, patience.signal])
  while (done < length) {
    const received = await receive(socket, length - done, signal)
    if (received.isErr()) {
      for (const fd of fds) fd.close()
      if (patience.signal.aborted) return err(late('did not go on with a message'))
      return err(received.error.kind === 'finished' ? broken('it ended within a message') : received.error)
    }
    const part = received.value
    if (part.fds.length > 0) {
      for (const fd of [...fds, ...part.fds]) fd.close()
      return err(broken('descriptors that do not come with the start of a message'))
    }
    bytes.set(part.bytes, done)
    done += part.bytes.length
  }
  return ok({ bytes, fds })
}

async function receive(
  socket: UnixSocket,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Result<Part, ConnectionEnd>> {
  const received = await socket.receive({ maxBytes, maxFds: MOST_MESSAGE_FDS, signal })
  if (received.isErr()) return err(endOf(received.error))
  if (received.value.kind === 'data') return ok(received.value)
  return err({ kind: 'finished', message: 'the front end closed the connection' })
}

async function send(
  socket: UnixSocket,
  bytes: Uint8Array,
  { clock, signal, messageDeadlineMs }: ConnectionOptions,
): Promise<ConnectionEnd | undefined> {
  using patience = clock.deadline(messageDeadlineMs)
  const sent = await socket.send(bytes, { signal: AbortSignal.any([signal, patience.signal]) })
  if (sent.isOk()) return undefined
  return patience.signal.aborted ? late('did not take an answer') : endOf(sent.error)
}

function endOf(cause: UnixFdError): ConnectionEnd {
  switch (cause.kind) {
    case 'aborted':
    case 'closed':
      return { kind: 'aborted', message: 'the connection was closed on this side' }
    case 'descriptors-truncated':
      return broken(`more than ${MOST_MESSAGE_FDS} descriptors in one message`)
    case 'peer-gone':
      return { kind: 'finished', message: 'the front end has gone' }
    default:
      return { kind: 'lost', message: cause.message, cause }
  }
}

const late = (what: string): ConnectionEnd => ({
  kind: 'timed-out',
  message: `the front end ${what} in time`,
})

const broken = (what: string): ConnectionEnd => ({
  kind: 'protocol-error',
  message: `the front end broke the vhost-user protocol: ${what}`,
})
