import type { Fd, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import { DISPLAY_ID, FIRST_SERVER_ID, IdPool } from '../objects/ids.js'
import { ObjectTable } from '../objects/object-table.js'
import { type Behaviour, type Listener, ProtocolObject } from '../objects/protocol-object.js'
import type { WarningCode } from '../policy/warnings.js'
import type { CompiledInterface, CompiledMessage } from '../protocol/compile.js'
import { encodeMessage } from '../wire/encode.js'
import type { Argument } from '../wire/signature.js'
import { Census } from './census.js'
import { DISPLAY_ERROR, type Ending, escaped } from './endings.js'
import { type Globals, globalsOf } from './globals.js'
import { type Outcome, PASS, REFUSED, SWALLOW } from './hooks.js'
import { Pump } from './pump.js'
import type { UnitContext } from './unit-context.js'

/** wl_display's events. */
const ERROR = 0
const DELETE_ID = 1
const DELETE_ID_BYTES = 12

/**
 * One client of a unit and the connection to the compositor that is made for it alone: the objects on both sides,
 * and the words for those who have a say in what passes between them.
 */
export class Session {
  readonly unit: UnitContext
  /** Counts up in a proxy; for logs. */
  readonly number: number
  readonly clientObjects = new ObjectTable()
  readonly serverObjects = new ObjectTable()
  /** The client's wl_display, which lasts as long as the session. */
  readonly display: ProtocolObject
  readonly census: Census
  readonly pump: Pump
  readonly globals: Globals
  /** Requests for an answer and destroyed objects that the compositor has not confirmed. */
  unconfirmed = 0
  readonly #serverIds = new IdPool(DISPLAY_ID + 1)
  readonly #clientIds = new IdPool(FIRST_SERVER_ID)
  readonly #onEnd: (ending: Ending) => void
  #ending: Ending | undefined

  constructor(
    unit: UnitContext,
    number: number,
    client: UnixSocket,
    compositor: UnixSocket,
    onEnd: (ending: Ending) => void,
  ) {
    this.unit = unit
    this.number = number
    this.census = new Census(unit.table, () => unit.policy.limits, unit.census)
    this.#onEnd = onEnd
    this.pump = new Pump(this, client, compositor)
    const display = this.#make(unit.interfaceNamed('wl_display'), 1)
    display.clientId = DISPLAY_ID
    display.serverId = DISPLAY_ID
    this.clientObjects.set(DISPLAY_ID, display)
    this.serverObjects.set(DISPLAY_ID, display)
    this.display = display
    this.globals = globalsOf(this)
  }

  get ending(): Ending | undefined {
    return this.#ending
  }

  #make(type: CompiledInterface, version: number): ProtocolObject {
    return new ProtocolObject(type, version, this.unit.routes[type.index]!)
  }

  // ── objects ──────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Registers what the client creates under `clientId`, as an object that only the proxy knows. Undefined when the
   * id or a limit forbids it: then the client was refused.
   */
  adopt(type: CompiledInterface, version: number, clientId: number): ProtocolObject | undefined {
    if (!this.clientObjects.admitsLow(clientId)) {
      this.refuse(DISPLAY_ERROR.invalidObject, `${clientId} is not the next free id of a client`)
      return undefined
    }
    const limit = this.census.add(type)
    if (limit !== undefined) {
      const most = this.unit.policy.limits[limit]
      this.refuse(DISPLAY_ERROR.noMemory, `more than ${most} ${limit} (${type.name})`, 'W-LIMIT')
      return undefined
    }
    const object = this.#make(type, version)
    object.counted = true
    object.clientId = clientId
    this.clientObjects.set(clientId, object)
    return object
  }

  /** Gives an object of the client an id at the compositor. */
  expose(object: ProtocolObject): number {
    object.serverId = this.#serverIds.take()
    this.serverObjects.set(object.serverId, object)
    return object.serverId
  }

  /** An object at the compositor that the client does not know. Its events go to `listener`; without one, nowhere. */
  createOwn(type: CompiledInterface, version: number, listener?: Listener): ProtocolObject {
    const object = this.#make(type, version)
    object.listener = listener
    this.expose(object)
    return object
  }

  /** An object that the proxy makes for the client, to be named in an event. Undefined when a limit forbids it. */
  createForClient(
    type: CompiledInterface,
    version: number,
    behaviour?: Behaviour,
  ): ProtocolObject | undefined {
    if (this.census.add(type) !== undefined) return undefined
    const object = this.#make(type, version)
    object.behaviour = behaviour
    object.counted = true
    object.clientId = this.#clientIds.take()
    this.clientObjects.set(object.clientId, object)
    return object
  }

  /** Registers what the compositor creates. Undefined when its id is wrong. Without `forClient` it is a zombie. */
  createFromServer(
    type: CompiledInterface,
    version: number,
    serverId: number,
    forClient: boolean,
  ): ProtocolObject | undefined {
    if (!this.serverObjects.admitsHigh(serverId)) return undefined
    const object = this.#make(type, version)
    object.serverId = serverId
    this.serverObjects.set(serverId, object)
    if (!forClient || this.census.add(type) !== undefined) {
      object.alive = false
      return object
    }
    object.counted = true
    object.clientId = this.#clientIds.take()
    this.clientObjects.set(object.clientId, object)
    return object
  }

  /** The client's destructor has gone to the compositor: a zombie until that confirms it. */
  destroyed(object: ProtocolObject): void {
    object.end()
    this.#uncount(object)
    if (object.clientId >= FIRST_SERVER_ID) {
      // The compositor may use its id again without a word, so the zombie stays until it does.
      this.#forget(object)
      return
    }
    this.await(object)
  }

  /** Counts what the compositor has yet to confirm. */
  await(object: ProtocolObject): void {
    if (object.awaited) return
    object.awaited = true
    this.unconfirmed += 1
  }

  /** A destructor event ended it: of an object with a client's id the compositor confirms the end as always. */
  endedByEvent(object: ProtocolObject): void {
    if (object.clientId >= FIRST_SERVER_ID) this.destroyed(object)
    else {
      object.end()
      this.#uncount(object)
    }
  }

  /** An object that only the proxy knew: the client may use its id again. */
  destroyedHere(object: ProtocolObject): void {
    const { clientId } = object
    object.end()
    this.#forget(object)
    if (clientId < FIRST_SERVER_ID) this.#deleteId(clientId)
  }

  /** The compositor confirmed an end, or ended the object by itself. False when the id is none it could free. */
  confirmed(serverId: number): boolean {
    const object = this.serverObjects.get(serverId)
    if (object === undefined || serverId >= FIRST_SERVER_ID || serverId === DISPLAY_ID) return false
    if (object.awaited) this.unconfirmed -= 1
    object.end()
    this.serverObjects.delete(serverId)
    this.#serverIds.give(serverId)
    object.serverId = 0
    const { clientId } = object
    if (clientId === 0) return true
    this.#forget(object)
    this.#deleteId(clientId)
    return true
  }

  #uncount(object: ProtocolObject): void {
    if (!object.counted) return
    object.counted = false
    this.census.remove(object.type)
  }

  #forget(object: ProtocolObject): void {
    const { clientId } = object
    this.clientObjects.delete(clientId)
    this.#uncount(object)
    if (clientId >= FIRST_SERVER_ID) this.#clientIds.give(clientId)
    object.clientId = 0
  }

  /** Written by hand: there is one for every object that ever was. */
  #deleteId(id: number): void {
    if (this.#ending !== undefined) return
    const { output } = this.pump.client
    const to = output.reserve(DELETE_ID_BYTES)
    output.words[to] = DISPLAY_ID
    output.words[to + 1] = (DELETE_ID_BYTES << 16) | DELETE_ID
    output.words[to + 2] = id
    output.commit(DELETE_ID_BYTES)
    this.pump.hold(DELETE_ID_BYTES)
  }

  // ── words ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends an event of the proxy's own. Ids are the client's. Descriptors belong to the session from now on. */
  event(object: ProtocolObject, name: string | number, values: readonly Argument<Fd>[]): void {
    if (this.#ending !== undefined || object.clientId === 0) {
      closeAll(values)
      return
    }
    const message = messageNamed(object.type.events, name)
    if (message.since > object.version) {
      closeAll(values)
      return
    }
    const encoded = encodeMessage(message.signature, object.clientId, message.opcode, values)
    if (encoded.isErr()) throw new Error(`${message.fullName}: ${encoded.error.message}`)
    this.unit.recorder.record(this, 'from-proxy', object.clientId, message, encoded.value.bytes.length)
    this.tell(message, encoded.value.bytes, encoded.value.descriptors)
    this.pump.flushSoon()
  }

  /** Queues an event for the client, unless the way to it cannot carry a descriptor. They are the queue's. */
  tell(message: CompiledMessage, bytes: Uint8Array, fds: readonly Fd[]): void {
    const carried: Fd[] = []
    let why: string | undefined
    for (const fd of fds) {
      const one = this.unit.carry(fd)
      if (one.isOk()) carried.push(one.value)
      else why = one.error
    }
    if (why === undefined) {
      this.pump.client.output.push(bytes, carried)
      if (carried.length > 0) this.pump.descriptorsQueued()
      return
    }
    for (const fd of carried) fd.close()
    const text = `${message.fullName} is left out: its descriptor is ${escaped(why)}`
    this.unit.warn({ code: 'W-TRANSPORT', session: this.number, message: text })
  }

  /**
   * Sends a request of the proxy's own, unless its object is gone. Ids are the compositor's. Descriptors belong to
   * the session from now on.
   */
  request(object: ProtocolObject, name: string | number, values: readonly Argument<Fd>[]): void {
    if (this.#ending !== undefined || object.serverId === 0 || !object.alive) {
      closeAll(values)
      return
    }
    const message = messageNamed(object.type.requests, name)
    const encoded = encodeMessage(message.signature, object.serverId, message.opcode, values)
    if (encoded.isErr()) throw new Error(`${message.fullName}: ${encoded.error.message}`)
    this.pump.compositor.output.push(encoded.value.bytes, encoded.value.descriptors)
    if (message.destructor) object.alive = false
    this.pump.flushSoon()
  }

  /**
   * Tells the client what it did wrong, as wl_display.error, and ends the pair. `code` is wl_display's, or the
   * object's interface's. `rule` is the stable code of what forbids it.
   */
  refuse(
    code: number,
    text: string,
    rule: WarningCode = 'W-PROTOCOL',
    object: ProtocolObject = this.display,
  ): typeof REFUSED {
    if (this.#ending !== undefined) return REFUSED
    const message = escaped(text)
    this.unit.warn({ code: rule, session: this.number, message })
    this.#tellError(object.clientId === 0 ? DISPLAY_ID : object.clientId, code, message)
    this.end({ kind: 'client-refused', message, code: rule })
    return REFUSED
  }

  /** For a rule of the policy: refuses the client, or in a dry run only says so. */
  forbid(rule: WarningCode, text: string, code: number, object?: ProtocolObject): Outcome {
    if (!this.unit.policy.dryRun) return this.refuse(code, text, rule, object)
    this.unit.warn({ code: rule, session: this.number, message: escaped(text), passed: true })
    return PASS
  }

  /** The same for what can simply be left out. */
  leaveOut(rule: WarningCode, text: string): Outcome {
    const passed = this.unit.policy.dryRun
    this.unit.warn({ code: rule, session: this.number, message: escaped(text), passed })
    return passed ? PASS : SWALLOW
  }

  /** The compositor's own error, passed on in the client's numbers. */
  refusedByCompositor(serverId: number, code: number, text: string): void {
    const object = this.serverObjects.get(serverId)
    const known = object !== undefined && object.clientId !== 0
    const message = escaped(text)
    this.#tellError(
      known ? object.clientId : DISPLAY_ID,
      known ? code : DISPLAY_ERROR.implementation,
      message,
    )
    const name = object?.type.name ?? 'an object that does not exist'
    this.end({ kind: 'compositor-refused', message: `${name}, error ${code}: ${message}` })
  }

  #tellError(clientId: number, code: number, message: string): void {
    this.event(this.display, ERROR, [
      { kind: 'object', id: clientId },
      { kind: 'uint', value: code },
      { kind: 'string', bytes: new TextEncoder().encode(message) },
    ])
  }

  /** Ends the pair: what is queued for the client is offered to it once more, then everything closes. Idempotent. */
  end(ending: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    this.pump.close()
    for (const object of this.clientObjects) object.end()
    this.census.clear()
    this.#onEnd(ending)
  }

  failed(error: UnixFdError, side: 'client' | 'compositor'): void {
    const gone = error.kind === 'peer-gone' || error.kind === 'closed'
    if (gone && side === 'client') this.end({ kind: 'client-left', message: 'the client has gone' })
    else if (gone) this.end({ kind: 'compositor-left', message: 'the compositor has closed the connection' })
    else if (error.kind === 'descriptors-truncated' && side === 'client') {
      this.refuse(DISPLAY_ERROR.noMemory, error.message, 'W-DESCRIPTORS')
    } else this.end({ kind: 'system', message: error.message })
  }
}

function messageNamed(messages: readonly CompiledMessage[], name: string | number): CompiledMessage {
  const message = typeof name === 'number' ? messages[name] : messages.find((one) => one.name === name)
  if (message === undefined) throw new Error(`no message is called ${name}`)
  return message
}

function closeAll(values: readonly Argument<Fd>[]): void {
  for (const value of values) if (value.kind === 'fd') value.descriptor.close()
}
