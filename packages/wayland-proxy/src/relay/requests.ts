import type { Fd } from '@spectrum/unix-fd'
import { traceLine } from '../diagnostics/trace.js'
import type { ProtocolObject } from '../objects/protocol-object.js'
import { decodeArguments } from '../wire/decode.js'
import { encodeMessage } from '../wire/encode.js'
import type { Argument } from '../wire/signature.js'
import { DISPLAY_ERROR } from './endings.js'
import { PASS, RelayedMessage } from './hooks.js'
import type { Route } from './routes.js'
import type { Session } from './session.js'
import { type Findings, TRANSLATION, TRANSLATION_FAULTS, translate } from './translate.js'

const findings: Findings = { newId: 0, newIdWord: 0, argument: 0 }

/** Takes the whole request at word `at` of the client's input to where it belongs, or refuses the client. */
export function relayRequest(session: Session, at: number, size: number): void {
  const { input } = session.pump.client
  const { words } = input
  const id = words[at]! >>> 0
  const opcode = words[at + 1]! & 0xffff
  const object = session.clientObjects.get(id)
  if (object === undefined || !object.alive) {
    session.refuse(DISPLAY_ERROR.invalidObject, `object ${id} does not exist`)
    return
  }
  const route = object.requests[opcode]
  if (route === undefined || route.message.since > object.version) {
    const what = route === undefined ? `no request ${opcode}` : `no ${route.message.name}`
    session.refuse(
      DISPLAY_ERROR.invalidMethod,
      `${object.type.name}@${id} has ${what} in version ${object.version}`,
    )
    return
  }
  const { message } = route
  const { unit } = session
  unit.recorder.record(session, 'request', id, message, size)
  if (unit.trace) unit.trace(traceLine(session.number, '->', id, message, input, at))
  unit.capture?.add(session.number, 'client', message, input, at)
  if (message.bytes !== 0 && message.bytes !== size) {
    const text = `${message.fullName}: ${size} bytes where ${message.bytes} belong`
    session.refuse(DISPLAY_ERROR.invalidMethod, text)
    return
  }
  if (object.serverId === 0 || route.decoded) {
    relayValues(session, object, route, at, size)
    return
  }
  for (let index = 0; index < route.numericHooks.length; index++) {
    const outcome = route.numericHooks[index]!(session, object, words, at + 2)
    if (outcome === PASS) continue
    if (session.ending === undefined && (message.newObjects > 0 || message.destructor))
      relayValues(session, object, route, at, size, true)
    return
  }
  const { output } = session.pump.compositor
  const to = output.reserve(size)
  const out = output.words
  out[to] = object.serverId
  out[to + 1] = words[at + 1]!
  if (message.numeric) {
    for (let index = 2; index < size >> 2; index++) out[to + index] = words[at + index]!
  } else {
    const result = translate(
      message,
      words,
      input.bytes,
      at,
      size,
      session.clientObjects,
      true,
      output,
      to,
      findings,
    )
    if (result === TRANSLATION.needsValues || (result === TRANSLATION.done && message.incomplete)) {
      relayValues(session, object, route, at, size)
      return
    }
    if (result !== TRANSLATION.done) {
      refuseArgument(session, route, findings.argument, TRANSLATION_FAULTS[result]!, result)
      return
    }
    if (findings.newId !== 0) {
      const { newIdWord, newId } = findings
      const created = session.adopt(message.creates!, object.version, newId)
      if (created === undefined) return
      out[newIdWord] = session.expose(created)
      if (object === session.display) session.await(created)
    }
  }
  output.commit(size)
  if (message.destructor) session.destroyed(object)
}

function refuseArgument(
  session: Session,
  { message }: Route,
  argument: number,
  fault: string,
  result: number,
): void {
  const aboutObject = result === TRANSLATION.unknownObject || result === TRANSLATION.wrongInterface
  const name = message.signature.arguments[argument]?.name ?? ''
  session.refuse(
    aboutObject ? DISPLAY_ERROR.invalidObject : DISPLAY_ERROR.invalidMethod,
    `${message.fullName}, ${name}: ${fault}`,
  )
}

/** The way of messages that somebody looks into: decoded, judged, and encoded anew. */
function relayValues(
  session: Session,
  object: ProtocolObject,
  route: Route,
  at: number,
  size: number,
  swallowed = false,
): void {
  const { message } = route
  const { input } = session.pump.client
  const bytes = input.bytes.subarray(at * 4, at * 4 + size)
  const frame = { objectId: object.clientId, opcode: message.opcode, bytes }
  const decoded = decodeArguments(message.signature, frame, input.fds)
  if (decoded.isErr()) {
    session.refuse(DISPLAY_ERROR.invalidMethod, `${message.fullName}: ${decoded.error.message}`)
    return
  }
  input.fds.splice(0, decoded.value.descriptorsTaken)
  const values = [...decoded.value.arguments]
  const relayed = new RelayedMessage(session, object, message, values)
  try {
    judge(session, relayed, route, swallowed)
  } finally {
    relayed.closeDescriptors()
  }
}

function judge(session: Session, relayed: RelayedMessage, route: Route, swallowed: boolean): void {
  const { message, object } = relayed
  const inert = checkObjects(session, relayed, route)
  if (inert === undefined) return
  if (message.incomplete) {
    session.refuse(
      DISPLAY_ERROR.implementation,
      `${message.fullName} names an interface that is not known here`,
    )
    return
  }
  if (object.serverId === 0) {
    const created = adoptNew(session, relayed, false)
    if (created === undefined) return
    relayed.created = created
    object.behaviour?.request(relayed)
    if (session.ending === undefined && message.destructor) session.destroyedHere(object)
    return
  }
  let passes = !swallowed && inert !== 'swallow'
  for (const hook of passes ? route.hooks : []) {
    if (hook(relayed) === PASS) continue
    passes = false
    break
  }
  if (session.ending !== undefined) return
  if (passes) forward(session, relayed)
  else {
    if (message.destructor) {
      // The object would be over for the client and not for the compositor.
      session.refuse(DISPLAY_ERROR.implementation, `${message.fullName} is not possible here`)
      return
    }
    const created = adoptNew(session, relayed, false)
    if (created !== undefined) relayed.afterwards?.(created)
  }
}

/** Every object must exist for this client and be of the interface. Tells what to do about those that are inert. */
function checkObjects(
  session: Session,
  relayed: RelayedMessage,
  route: Route,
): 'pass' | 'swallow' | undefined {
  const { message, values, object } = relayed
  let verdict: 'pass' | 'swallow' = 'pass'
  for (const [index, value] of values.entries()) {
    if (value.kind !== 'object' || value.id === null) continue
    const other = session.clientObjects.get(value.id)
    if (other === undefined || !other.alive) {
      refuseArgument(session, route, index, TRANSLATION_FAULTS[5]!, TRANSLATION.unknownObject)
      return undefined
    }
    const target = message.targets[index]
    if (target !== undefined && other.type !== target) {
      refuseArgument(session, route, index, TRANSLATION_FAULTS[6]!, TRANSLATION.wrongInterface)
      return undefined
    }
    if (other.serverId !== 0 || object.serverId === 0) continue
    const { type } = message.signature.arguments[index]!
    if (type.kind === 'object' && type.nullable) values[index] = { kind: 'object', id: null }
    else verdict = 'swallow'
  }
  return verdict
}

/** Registers the new objects of a message; undefined when the client was refused. */
function adoptNew(
  session: Session,
  relayed: RelayedMessage,
  expose: boolean,
): readonly ProtocolObject[] | undefined {
  const created: ProtocolObject[] = []
  for (const [index, value] of relayed.values.entries()) {
    if (value.kind !== 'new-id') continue
    const object = session.adopt(relayed.message.targets[index]!, relayed.object.version, value.id)
    if (object === undefined) return undefined
    if (expose) session.expose(object)
    created.push(object)
  }
  return created
}

/** Sends the values on in the compositor's numbers. */
function forward(session: Session, relayed: RelayedMessage): void {
  const { message, object } = relayed
  const created = adoptNew(session, relayed, true)
  if (created === undefined) return
  let next = 0
  const values = relayed.values.map((value): Argument<Fd> => {
    if (value.kind === 'new-id') return { kind: 'new-id', id: created[next++]!.serverId }
    if (value.kind !== 'object' || value.id === null) return value
    return { kind: 'object', id: session.clientObjects.get(value.id)!.serverId }
  })
  const encoded = encodeMessage(message.signature, object.serverId, message.opcode, values)
  if (encoded.isErr()) {
    session.refuse(DISPLAY_ERROR.invalidMethod, `${message.fullName}: ${encoded.error.message}`)
    return
  }
  for (const fd of encoded.value.descriptors) relayed.keep(fd)
  session.pump.compositor.output.push(encoded.value.bytes, encoded.value.descriptors)
  if (object === session.display) for (const one of created) session.await(one)
  if (message.destructor) session.destroyed(object)
  relayed.afterwards?.(created)
}
