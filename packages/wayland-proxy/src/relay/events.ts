import type { Fd } from '@spectrum/unix-fd'
import { traceLine } from '../diagnostics/trace.js'
import type { ProtocolObject } from '../objects/protocol-object.js'
import type { CompiledMessage } from '../protocol/compile.js'
import { decodeArguments } from '../wire/decode.js'
import { encodeMessage } from '../wire/encode.js'
import type { Argument } from '../wire/signature.js'
import { PASS, RelayedMessage } from './hooks.js'
import { mergeMotion } from './motion.js'
import type { Route } from './routes.js'
import type { Session } from './session.js'
import { type Findings, TRANSLATION, TRANSLATION_FAULTS, translate } from './translate.js'

const findings: Findings = { newId: 0, newIdWord: 0, argument: 0 }

/** Of wl_display, whose other event is its error. */
const DELETE_ID = 1

/** Takes the whole event at word `at` of the compositor's input to the client, or to who asked for it. */
export function relayEvent(session: Session, at: number, size: number): void {
  const { input } = session.pump.compositor
  const { words } = input
  const id = words[at]! >>> 0
  const object = session.serverObjects.get(id)
  const route = object?.events[words[at + 1]! & 0xffff]
  if (object === undefined || route === undefined) {
    const what =
      object === undefined ? 'an object that does not exist' : `${object.type.name}, which has none such`
    broken(session, `event ${words[at + 1]! & 0xffff} of ${what}`)
    return
  }
  const { message } = route
  const { unit } = session
  unit.recorder.record(session, 'event', id, message, size)
  if (unit.trace) unit.trace(traceLine(session.number, '<-', id, message, input, at))
  unit.capture?.add(session.number, 'compositor', message, input, at)
  if (message.bytes !== 0 && message.bytes !== size) {
    broken(session, `${message.fullName}: ${size} bytes where ${message.bytes} belong`)
    return
  }
  if (object === session.display) {
    // One for every object that ever was: not worth decoding.
    if (message.opcode === DELETE_ID) confirm(session, words[at + 2]! >>> 0)
    else displayError(session, message, at, size)
    return
  }
  for (let index = 0; index < route.numericHooks.length; index++) {
    if (route.numericHooks[index]!(session, object, words, at + 2) !== PASS) return
  }
  // A client that bound an older version must not see what it does not know.
  if (route.decoded || object.clientId === 0 || !object.alive || message.since > object.version) {
    relayValues(session, object, route, at, size)
    return
  }
  const { output } = session.pump.client
  const to = output.reserve(size)
  const out = output.words
  out[to] = object.clientId
  out[to + 1] = words[at + 1]!
  if (message.numeric) {
    for (let index = 2; index < size >> 2; index++) out[to + index] = words[at + index]!
    if (
      (route.pointerMotion || route.pointerFrame) &&
      output.pending > session.unit.policy.limits.coalesceAboveBytes &&
      mergeMotion(session, object, route, to, size)
    ) {
      return
    }
  } else {
    const { serverObjects } = session
    const result = translate(
      message,
      words,
      input.bytes,
      at,
      size,
      serverObjects,
      false,
      output,
      to,
      findings,
    )
    if (result === TRANSLATION.needsValues) {
      relayValues(session, object, route, at, size)
      return
    }
    if (result !== TRANSLATION.done) {
      broken(session, `${message.fullName}: ${TRANSLATION_FAULTS[result]}`)
      return
    }
  }
  output.commit(size)
  if (message.destructor) session.endedByEvent(object)
}

function broken(session: Session, what: string): void {
  session.end({ kind: 'compositor-broke-protocol', message: what })
}

function decode(
  session: Session,
  object: ProtocolObject,
  message: CompiledMessage,
  at: number,
  size: number,
) {
  const { input } = session.pump.compositor
  const bytes = input.bytes.subarray(at * 4, at * 4 + size)
  const frame = { objectId: object.serverId, opcode: message.opcode, bytes }
  const decoded = decodeArguments(message.signature, frame, input.fds)
  if (decoded.isErr()) {
    broken(session, `${message.fullName}: ${decoded.error.message}`)
    return undefined
  }
  input.fds.splice(0, decoded.value.descriptorsTaken)
  return new RelayedMessage(session, object, message, [...decoded.value.arguments])
}

function confirm(session: Session, id: number): void {
  if (!session.confirmed(id)) broken(session, `delete_id of ${id}, which cannot be deleted`)
}

function displayError(session: Session, message: CompiledMessage, at: number, size: number): void {
  const relayed = decode(session, session.display, message, at, size)
  if (relayed === undefined) return
  const text = new TextDecoder().decode(relayed.bytes(2) ?? new Uint8Array())
  session.refusedByCompositor(relayed.id(0), relayed.number(1), text)
}

/** The way of events that somebody looks into, that carry or create something, or that nobody gets. */
function relayValues(session: Session, object: ProtocolObject, route: Route, at: number, size: number): void {
  const { message } = route
  const relayed = decode(session, object, message, at, size)
  if (relayed === undefined) return
  try {
    const wanted = object.alive && message.since <= object.version
    if (wanted && object.clientId !== 0) deliver(session, relayed, route)
    else {
      // Nobody's, or too late: its descriptors close, and what it creates is a zombie.
      if (!createAll(session, relayed, object.listener !== undefined && wanted)) return
      if (wanted) object.listener?.(relayed)
    }
    if (message.destructor && session.ending === undefined) session.endedByEvent(object)
  } finally {
    relayed.closeDescriptors()
  }
}

/** Registers what the event creates, for the proxy's own use or as zombies. */
function createAll(session: Session, relayed: RelayedMessage, owned: boolean): boolean {
  const created: ProtocolObject[] = []
  for (const [index, value] of relayed.values.entries()) {
    if (value.kind !== 'new-id') continue
    const type = relayed.message.targets[index]
    const object = type && session.createFromServer(type, relayed.object.version, value.id, false)
    if (object === undefined) {
      broken(session, `${relayed.message.fullName}: ${value.id} is no new id of the compositor`)
      return false
    }
    object.alive = owned
    created.push(object)
  }
  relayed.created = created
  return true
}

function deliver(session: Session, relayed: RelayedMessage, route: Route): void {
  const { message, object, values } = relayed
  for (const [index, value] of values.entries()) {
    if (value.kind !== 'object' || value.id === null) continue
    const other = session.serverObjects.get(value.id)
    const target = message.targets[index]
    if (other === undefined || (target !== undefined && other.type !== target)) {
      broken(session, `${message.fullName} names an object that does not exist, or of another interface`)
      return
    }
  }
  for (const hook of route.hooks) {
    if (hook(relayed) === PASS) continue
    createAll(session, relayed, false)
    return
  }
  if (session.ending !== undefined) return
  const created: ProtocolObject[] = []
  const mapped: Argument<Fd>[] = []
  let deliverable = true
  for (const [index, value] of values.entries()) {
    if (value.kind === 'new-id') {
      const type = message.targets[index]
      const one = type && session.createFromServer(type, object.version, value.id, true)
      if (one === undefined) {
        broken(session, `${message.fullName}: ${value.id} is no new id of the compositor`)
        return
      }
      // No room for it: a zombie, of which the client is not told.
      if (one.clientId === 0) deliverable = false
      created.push(one)
      mapped.push({ kind: 'new-id', id: one.clientId })
    } else if (value.kind === 'object' && value.id !== null) {
      const id = session.serverObjects.get(value.id)!.clientId
      const { type } = message.signature.arguments[index]!
      if (id === 0 && !(type.kind === 'object' && type.nullable)) deliverable = false
      mapped.push({ kind: 'object', id: id === 0 ? null : id })
    } else mapped.push(value)
  }
  if (!deliverable) return
  const encoded = encodeMessage(message.signature, object.clientId, message.opcode, mapped)
  if (encoded.isErr()) {
    broken(session, `${message.fullName}: ${encoded.error.message}`)
    return
  }
  for (const fd of encoded.value.descriptors) relayed.keep(fd)
  session.tell(message, encoded.value.bytes, encoded.value.descriptors)
  relayed.afterwards?.(created)
}
