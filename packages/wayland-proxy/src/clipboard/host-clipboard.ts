import type { Fd } from '@spectrum/unix-fd'
import type { ProtocolObject } from '../objects/protocol-object.js'
import { hasFreshGesture } from '../policy/gestures.js'
import type { ClipboardPolicy } from '../policy/policy.js'
import type { RelayedMessage } from '../relay/hooks.js'
import type { Session } from '../relay/session.js'
import { type Content, textOf } from './selection.js'
import type { Source } from './source.js'
import { Transfer } from './transfer.js'

/** wl_data_device_manager, as far as this uses it. */
const MOST_VERSION = 3
/** That one client may ask for the clipboard of. A program has one, however many windows. */
const MOST_SEATS = 16

export function mayPaste({ mode }: ClipboardPolicy): boolean {
  return mode === 'paste-in' || mode === 'both'
}

export function mayCopy({ mode }: ClipboardPolicy): boolean {
  return mode === 'copy-out' || mode === 'both'
}

/** Whether the policy lets this type cross the border. */
function mayCross(policy: ClipboardPolicy, mimeType: string): boolean {
  return policy.mimeTypes.some((one) =>
    one.endsWith('/*') ? mimeType.startsWith(one.slice(0, -1)) : one === mimeType,
  )
}

/**
 * The desktop's clipboard as one client may use it: its own connection to the compositor carries it, so that the
 * compositor's rules of focus hold as well.
 */
export class HostClipboard {
  readonly #session: Session
  readonly #onContent: (content: Content | undefined) => void
  readonly #offers = new Map<number, { readonly object: ProtocolObject; readonly mimeTypes: string[] }>()
  /** The seats that the client has asked for, with the device at the compositor once the policy has let it use one. */
  readonly #devices = new Map<ProtocolObject, ProtocolObject | undefined>()
  #manager: ProtocolObject | undefined
  #shown: ProtocolObject | undefined
  /** What stands for the client's source at the compositor. */
  #mirror: ProtocolObject | undefined
  onMirrorCancelled: (() => void) | undefined

  /** `onContent` is told what can be pasted from the desktop; undefined when nothing can. */
  constructor(session: Session, onContent: (content: Content | undefined) => void) {
    this.#session = session
    this.#onContent = onContent
  }

  /** The client wants the clipboard of this seat. */
  attach(seat: ProtocolObject): void {
    for (const [one, device] of this.#devices) {
      if (!one.alive && device === undefined) this.#devices.delete(one)
    }
    if (this.#devices.has(seat) || this.#devices.size >= MOST_SEATS) return
    this.#devices.set(seat, undefined)
    this.policyChanged()
  }

  policyChanged(): void {
    const { clipboard } = this.#session.unit.policy
    if (!mayPaste(clipboard) && !mayCopy(clipboard)) return
    for (const [seat, device] of this.#devices) {
      if (device !== undefined || !seat.alive || seat.serverId === 0) continue
      const manager = this.#bound()
      if (manager !== undefined) this.#devices.set(seat, this.#deviceOf(seat, manager))
    }
  }

  #deviceOf(seat: ProtocolObject, manager: ProtocolObject): ProtocolObject {
    const session = this.#session
    const type = session.unit.interfaceNamed('wl_data_device')
    const device = session.createOwn(type, manager.version, (relayed) => this.#onDevice(relayed))
    session.request(manager, 'get_data_device', [
      { kind: 'new-id', id: device.serverId },
      { kind: 'object', id: seat.serverId },
    ])
    return device
  }

  #bound(): ProtocolObject | undefined {
    if (this.#manager !== undefined) return this.#manager
    const session = this.#session
    const [offered] = session.globals.upstream('wl_data_device_manager')
    if (offered === undefined) return undefined
    const type = session.unit.interfaceNamed('wl_data_device_manager')
    this.#manager = session.createOwn(type, Math.min(offered.version, MOST_VERSION))
    session.globals.bindOwn(offered.name, this.#manager)
    return this.#manager
  }

  #onDevice(relayed: RelayedMessage): void {
    const { name } = relayed.message
    if (name === 'data_offer') this.#onOffer(relayed.created[0]!)
    else if (name === 'selection') this.#onSelection(relayed.id(0))
    // A drag from the desktop never reaches the unit: enter, motion and drop are nobody's.
    else if (name === 'enter') this.#drop(relayed.id(4))
  }

  #onOffer(object: ProtocolObject): void {
    const mimeTypes: string[] = []
    this.#offers.set(object.serverId, { object, mimeTypes })
    object.listener = (relayed) => {
      const mimeType = relayed.message.name === 'offer' ? textOf(relayed.bytes(0)) : undefined
      const { clipboard } = this.#session.unit.policy
      if (mimeType === undefined || !mayCross(clipboard, mimeType)) return
      if (mimeTypes.length < clipboard.maxMimeTypes) mimeTypes.push(mimeType)
    }
  }

  #drop(serverId: number): void {
    const offer = this.#offers.get(serverId)
    if (offer === undefined) return
    this.#offers.delete(serverId)
    this.#session.request(offer.object, 'destroy', [])
  }

  #onSelection(serverId: number): void {
    for (const id of [...this.#offers.keys()]) if (id !== serverId) this.#drop(id)
    const offer = this.#offers.get(serverId)
    this.#shown = offer?.object
    const { clipboard } = this.#session.unit.policy
    // What the unit itself copied comes back from the desktop: it has that already.
    if (this.#mirror !== undefined || !mayPaste(clipboard)) return
    if (offer === undefined || offer.mimeTypes.length === 0) this.#onContent(undefined)
    else
      this.#onContent({
        mimeTypes: offer.mimeTypes,
        write: (type, fd) => this.#paste(offer.object, type, fd),
      })
  }

  /** The client reads what the desktop holds: only when the user has just asked for it, in its window. */
  #paste(offer: ProtocolObject, mimeType: string, fd: Fd): void {
    const session = this.#session
    const { unit } = session
    const { clipboard } = unit.policy
    if (!mayPaste(clipboard)) {
      fd.close()
      return
    }
    if (!hasFreshGesture(session)) {
      const message = 'a program reads the clipboard without a gesture of the user'
      const passed = unit.policy.dryRun
      unit.warn({ code: 'W-CLIPBOARD-GESTURE', session: session.number, message, passed })
      if (!passed) {
        fd.close()
        return
      }
    }
    this.#confirmed({ kind: 'paste', session: session.number, mimeType }, (granted) => {
      const usable = granted && offer === this.#shown && offer.alive && session.ending === undefined
      const pipe = usable ? unit.powers.pipes.open() : undefined
      if (pipe === undefined || pipe.isErr()) {
        fd.close()
        return
      }
      session.request(offer, 'receive', [
        { kind: 'string', bytes: new TextEncoder().encode(mimeType) },
        { kind: 'fd', descriptor: pipe.value.writer },
      ])
      Transfer.start(unit, pipe.value.reader, fd)
    })
  }

  /**
   * What the client copied becomes the desktop's, if `serial` is of a gesture just now. False when it is not, or
   * cannot be.
   */
  copy(source: Source, seat: ProtocolObject, serial: number): boolean {
    const session = this.#session
    const { clipboard } = session.unit.policy
    const device = this.#devices.get(seat)
    const mimeTypes = source.mimeTypes.filter((one) => mayCross(clipboard, one))
    if (device === undefined || this.#manager === undefined || mimeTypes.length === 0) return false
    if (!hasFreshGesture(session, serial)) return false
    this.#confirmed({ kind: 'copy', session: session.number, mimeTypes }, (granted) => {
      if (granted && session.ending === undefined) this.#setMirror(source, device, serial, mimeTypes)
    })
    return true
  }

  #setMirror(source: Source, device: ProtocolObject, serial: number, mimeTypes: readonly string[]): void {
    const session = this.#session
    this.#endMirror()
    const type = session.unit.interfaceNamed('wl_data_source')
    const mirror = session.createOwn(type, this.#manager!.version, (relayed) => {
      if (relayed.message.name === 'send') this.#send(source, relayed)
      if (relayed.message.name !== 'cancelled' || this.#mirror !== mirror) return
      this.#endMirror()
      this.onMirrorCancelled?.()
    })
    this.#mirror = mirror
    session.request(this.#manager!, 'create_data_source', [{ kind: 'new-id', id: mirror.serverId }])
    for (const mimeType of mimeTypes) {
      session.request(mirror, 'offer', [{ kind: 'string', bytes: new TextEncoder().encode(mimeType) }])
    }
    session.request(device, 'set_selection', [
      { kind: 'object', id: mirror.serverId },
      { kind: 'uint', value: serial },
    ])
  }

  #endMirror(): void {
    if (this.#mirror !== undefined) this.#session.request(this.#mirror, 'destroy', [])
    this.#mirror = undefined
  }

  /** The client's source is gone: the desktop must not offer it any more. */
  withdraw(): void {
    this.#endMirror()
  }

  #send(source: Source, relayed: RelayedMessage): void {
    const { unit } = this.#session
    const mimeType = textOf(relayed.bytes(0))
    if (mimeType === undefined || !source.mimeTypes.includes(mimeType) || !mayCopy(unit.policy.clipboard))
      return
    const pipe = unit.powers.pipes.open()
    if (pipe.isErr()) return
    const fd = relayed.descriptor(1)
    relayed.keep(fd)
    source.write(mimeType, pipe.value.writer)
    Transfer.start(unit, pipe.value.reader, fd)
  }

  #confirmed(question: Parameters<Session['unit']['ask']>[0], answer: (granted: boolean) => void): void {
    const { unit } = this.#session
    if (unit.policy.clipboard.confirm) unit.ask(question, answer)
    else answer(true)
  }
}
