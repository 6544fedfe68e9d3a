import type { Clock } from './agent.js'
import { ProtocolViolation } from './codec.js'
import type { FakeUnit } from './fake.js'
import { codes, type Frame, type UnitFrame } from './frames.js'
import { isStoreName } from './requests.js'

type Begin = Frame<'mount' | 'mount-view' | 'unbind'>

interface Pending {
  readonly frame: Begin
  readonly names: string[]
  readonly deadline: Disposable & { readonly signal: AbortSignal }
}

/** One showing of a name by a view. The next one is another. */
interface ViewEntry {
  readonly name: string
}

const errno = { missing: 2, noDevice: 19, notSupported: 95, timedOut: 110, cancelled: 125 } as const

/** The `/nix/store` of a fake unit, and the devices it may be made of. */
export class FakeStore {
  readonly #clock: Clock
  readonly #lacks: string | undefined
  readonly #send: (frame: UnitFrame) => void
  readonly #devices: Set<string>
  readonly #images: Map<string, readonly string[]>
  /** What each bound name shows: an image's entry for ever, a view's as long as that is there. */
  readonly #bound = new Map<string, ViewEntry | 'image'>()
  readonly #inView = new Map<string, ViewEntry>()
  readonly #unit: FakeUnit
  readonly #users: (name: string) => number
  #pending: Pending | undefined
  /** Sends the answer to the pending request, perhaps later. */
  #answer: (frame: UnitFrame) => void

  /** `users`: how many of the unit's programs run from a store path. */
  constructor(
    clock: Clock,
    unit: FakeUnit,
    send: (frame: UnitFrame) => void,
    users: (name: string) => number,
  ) {
    this.#users = users
    this.#clock = clock
    this.#unit = unit
    this.#lacks = unit.lacks
    this.#send = send
    this.#answer = send
    this.#devices = new Set(unit.devices)
    this.#images = new Map(Object.entries(unit.images ?? {}))
  }

  addDevice(id: string): void {
    this.#devices.add(id)
    this.#try()
  }

  addImage(id: string, names: readonly string[]): void {
    this.#images.set(id, names)
  }

  showInView(names: readonly string[]): void {
    for (const name of names) if (!this.#inView.has(name)) this.#inView.set(name, { name })
  }

  hideFromView(names: readonly string[]): void {
    for (const name of names) this.#inView.delete(name)
  }

  boundNames(): readonly string[] {
    return [...this.#bound.keys()].sort()
  }

  /** Whether what is bound there can be read. */
  isReadable(name: string): boolean {
    const entry = this.#bound.get(name)
    return entry === 'image' || (entry !== undefined && this.#inView.get(name) === entry)
  }

  dispose(): void {
    this.#pending?.deadline[Symbol.dispose]()
    this.#pending = undefined
  }

  receive(frame: Begin | Frame<'mount-names' | 'mount-cancel'>): void {
    switch (frame.type) {
      case 'mount':
      case 'mount-view':
      case 'unbind':
        if (this.#pending !== undefined) throw new ProtocolViolation('a request while another is under way')
        this.#begin(frame)
        return
      case 'mount-names':
        this.#addNames(frame)
        return
      case 'mount-cancel':
        if (this.#pending?.frame.request !== frame.request) return
        this.#fail(codes.failed.cancelled, errno.cancelled, '', 'cancelled by the host')
    }
  }

  #begin(frame: Begin): void {
    // Taking names away waits for nothing.
    const deadline = this.#clock.deadline(frame.type === 'unbind' ? 2 ** 31 - 1 : frame.deadlineMs)
    this.#pending = { frame, names: [], deadline }
    this.#answer = this.#send
    deadline.signal.addEventListener('abort', () =>
      this.#fail(codes.failed['timed-out'], errno.timedOut, '', this.#whatIsAbsent(frame)),
    )
  }

  #whatIsAbsent(frame: Begin): string {
    if (frame.type !== 'mount') return 'no device with that tag appeared in time'
    const absent = [frame.image, ...frame.devices].find((id) => !this.#devices.has(id))
    return `the device with the id ${absent} did not appear in time: attach it before asking, or wait longer`
  }

  #addNames(frame: Frame<'mount-names'>): void {
    const pending = this.#pending
    if (pending?.frame.request !== frame.request) throw new ProtocolViolation('mount-names: no such request')
    if (!frame.names.every(isStoreName)) throw new ProtocolViolation('mount-names: not a store path')
    pending.names.push(...frame.names)
    if (pending.names.length > pending.frame.names) throw new ProtocolViolation('mount-names: too many')
    this.#try()
  }

  #try(): void {
    const pending = this.#pending
    if (pending === undefined || pending.names.length < pending.frame.names) return
    const { frame, names } = pending
    const become = this.#unit.onStoreRequest?.(frame.type) ?? 'served'
    this.#answer =
      typeof become === 'string' ? this.#send : (answer) => void become.then(() => this.#send(answer))
    if (become === 'refused') {
      this.#fail(codes.failed.refused, errno.noDevice, '', `the unit refuses ${frame.type}`)
    } else if (frame.type === 'unbind') this.#unbind(frame, names)
    else if (frame.type === 'mount-view') this.#bindFromView(frame, names)
    else this.#bindFromImage(frame, names)
  }

  #bindFromImage(frame: Frame<'mount'>, names: readonly string[]): void {
    if (this.#lacks !== undefined) {
      this.#failForLack(this.#lacks)
      return
    }
    const { image, devices, request } = frame
    if (![image, ...devices].every((id) => this.#devices.has(id))) return
    const entries = new Map((this.#images.get(image) ?? []).map((name) => [name, 'image'] as const))
    this.#bind(request, names, entries, this.#unit.disks === true ? 0 : 1)
  }

  #bindFromView(frame: Frame<'mount-view'>, names: readonly string[]): void {
    if (this.#lacks === 'virtiofs') this.#failForLack(this.#lacks)
    else if (this.#unit.view === frame.tag) this.#bind(frame.request, names, this.#inView, 0)
  }

  #bind(
    request: number,
    names: readonly string[],
    entries: ReadonlyMap<string, ViewEntry | 'image'>,
    dax: number,
  ): void {
    const absent = names.find((name) => !this.#bound.has(name) && !entries.has(name))
    if (absent !== undefined) {
      this.#fail(codes.failed.refused, errno.missing, '', `there is no entry ${absent}`)
      return
    }
    const bound = bitsOf(names, (name) => !this.#bound.has(name))
    for (const name of names) if (!this.#bound.has(name)) this.#bound.set(name, entries.get(name)!)
    this.dispose()
    this.#answer({ type: 'mounted', request, dax, names: names.length, bound })
  }

  #unbind({ request }: Frame<'unbind'>, names: readonly string[]): void {
    const removed = bitsOf(names, (name) => this.#bound.has(name))
    const inUse = bitsOf(names, (name) => this.#bound.has(name) && this.#users(name) > 0)
    const processes = names.reduce((sum, name) => sum + (this.#bound.has(name) ? this.#users(name) : 0), 0)
    for (const name of names) this.#bound.delete(name)
    this.dispose()
    const bits = Uint8Array.of(...removed, ...inUse)
    this.#answer({ type: 'unbound', request, names: names.length, processes, bits })
  }

  #failForLack(feature: string): void {
    this.#fail(codes.failed['kernel-lacks'], errno.notSupported, feature, `the guest kernel lacks ${feature}`)
  }

  #fail(kind: number, number: number, feature: string, message: string): void {
    const request = this.#pending?.frame.request
    if (request === undefined) return
    this.dispose()
    this.#answer({ type: 'failed', request, kind, errno: number, feature, message })
  }
}

/** One bit per name, lowest first. A name that stands there twice is counted where it stands first. */
function bitsOf(names: readonly string[], isSet: (name: string) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(names.length / 8))
  names.forEach((name, index) => {
    if (names.indexOf(name) === index && isSet(name))
      bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7))
  })
  return bits
}
