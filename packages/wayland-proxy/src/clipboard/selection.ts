import type { Fd } from '@spectrum/unix-fd'
import { behave } from '../answers/behave.js'
import type { ProtocolObject } from '../objects/protocol-object.js'
import type { RelayedMessage } from '../relay/hooks.js'
import type { Session } from '../relay/session.js'
import type { UnitContext } from '../relay/unit-context.js'
import type { Dialect } from './dialect.js'
import { mayHear, onFocus } from './focus.js'

/** Something that can be pasted: what a program of the unit copied, or what the desktop holds. */
export interface Content {
  readonly mimeTypes: readonly string[]
  /** Has it written into `fd`, which is the content's from now on. */
  write(mimeType: string, fd: Fd, asker: Session): void
}

interface Device {
  readonly session: Session
  readonly object: ProtocolObject
  /** What this client alone may paste instead: the desktop's. */
  own: Content | undefined
  /** Whether it has yet to hear what can be pasted now. */
  stale: boolean
}

/** Longest name of a type that a program may offer. */
const MOST_TYPE_BYTES = 256

/** What the programs of one unit copy to one another: one value, shown to all of them. */
export class Selection {
  readonly #unit: UnitContext
  readonly #dialect: Dialect
  readonly #devices = new Set<Device>()
  #content: Content | undefined

  constructor(unit: UnitContext, dialect: Dialect) {
    this.#unit = unit
    this.#dialect = dialect
    onFocus(unit, (session) => {
      for (const device of this.#devices) if (device.session === session && device.stale) this.#show(device)
    })
  }

  get content(): Content | undefined {
    return this.#content
  }

  addDevice(session: Session, object: ProtocolObject): () => void {
    const device: Device = { session, object, own: undefined, stale: true }
    this.#devices.add(device)
    // A client that is about to ask for the keyboard has done so by then. With it, it hears that there is nothing, too.
    if (this.#content !== undefined) this.#unit.powers.soon(() => device.stale && this.#changed(device))
    return () => this.#devices.delete(device)
  }

  /** From now on this is what is pasted. */
  set(content: Content | undefined): void {
    if (this.#content === content) return
    this.#content = content
    for (const device of this.#devices) {
      device.own = undefined
      this.#changed(device)
    }
  }

  /** From now on this is what one client pastes, until somebody in the unit copies something. */
  setFor(session: Session, content: Content | undefined): void {
    for (const device of this.#devices) {
      if (device.session !== session || device.own === content) continue
      device.own = content
      this.#changed(device)
    }
  }

  #changed(device: Device): void {
    device.stale = true
    if (this.#devices.has(device) && mayHear(device.session)) this.#show(device)
  }

  #show(device: Device): void {
    device.stale = false
    const { session, object, own } = device
    const content = own ?? this.#content
    const type = this.#unit.interfaceNamed(this.#dialect.offer)
    const offer = content && session.createForClient(type, object.version)
    if (offer !== undefined) {
      session.event(object, 'data_offer', [{ kind: 'new-id', id: offer.clientId }])
      for (const mimeType of content!.mimeTypes) {
        session.event(offer, 'offer', [{ kind: 'string', bytes: new TextEncoder().encode(mimeType) }])
      }
      behave(offer, { receive: (relayed) => receive(relayed, content!) })
    }
    session.event(object, 'selection', [{ kind: 'object', id: offer?.clientId ?? null }])
  }
}

/** Hands the pipe to who has the content. */
function receive(relayed: RelayedMessage, content: Content): void {
  const { session } = relayed
  const mimeType = textOf(relayed.bytes(0))
  const fd = relayed.descriptor(1)
  const inspected = session.unit.powers.inspect(fd)
  const pipe = inspected.isOk() && inspected.value.type === 'pipe'
  // What reads would be no use, and other kinds of files could be made to block the writer.
  if (!pipe || inspected.value.access === 'read') {
    const type = inspected.isOk() ? inspected.value.type : inspected.error.message
    // weston-terminal names its terminal device: it goes without, and goes on.
    session.leaveOut('W-DESCRIPTOR-KIND', `a paste needs a pipe to write to: this is ${type}`)
    return
  }
  if (mimeType === undefined || !content.mimeTypes.includes(mimeType)) return
  relayed.keep(fd)
  content.write(mimeType, fd, session)
}

export function textOf(bytes: Uint8Array | null): string | undefined {
  if (bytes === null || bytes.length === 0 || bytes.length > MOST_TYPE_BYTES || bytes.includes(0)) {
    return undefined
  }
  return new TextDecoder().decode(bytes)
}
