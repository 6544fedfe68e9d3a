import type { Clock } from './agent.js'
import { ProtocolViolation } from './codec.js'
import type { FakeUnit } from './fake.js'
import { codes, type Frame, type UnitFrame } from './frames.js'
import { isStoreName } from './requests.js'

interface Pending {
  readonly frame: Frame<'mount'>
  readonly names: string[]
  readonly deadline: Disposable & { readonly signal: AbortSignal }
}

const errno = { missing: 2, noDevice: 19, notSupported: 95, timedOut: 110, cancelled: 125 } as const

/** The `/nix/store` of a fake unit, and the devices it may be made of. */
export class FakeStore {
  readonly #clock: Clock
  readonly #lacks: string | undefined
  readonly #send: (frame: UnitFrame) => void
  readonly #devices: Set<string>
  readonly #images: Map<string, readonly string[]>
  readonly #bound = new Set<string>()
  #pending: Pending | undefined

  constructor(clock: Clock, unit: FakeUnit, send: (frame: UnitFrame) => void) {
    this.#clock = clock
    this.#lacks = unit.lacks
    this.#send = send
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

  boundNames(): readonly string[] {
    return [...this.#bound].sort()
  }

  dispose(): void {
    this.#pending?.deadline[Symbol.dispose]()
    this.#pending = undefined
  }

  receive(frame: Frame<'mount' | 'mount-names' | 'mount-cancel'>): void {
    switch (frame.type) {
      case 'mount':
        if (this.#pending !== undefined) throw new ProtocolViolation('mount while another is under way')
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

  #begin(frame: Frame<'mount'>): void {
    const deadline = this.#clock.deadline(frame.deadlineMs)
    this.#pending = { frame, names: [], deadline }
    deadline.signal.addEventListener('abort', () => {
      const absent = [frame.image, ...frame.devices].find((id) => !this.#devices.has(id))
      this.#fail(
        codes.failed['timed-out'],
        errno.timedOut,
        '',
        `the device with the id ${absent} did not appear in time: attach it before asking, or wait longer`,
      )
    })
  }

  #addNames(frame: Frame<'mount-names'>): void {
    const pending = this.#pending
    if (pending?.frame.request !== frame.request) throw new ProtocolViolation('mount-names: no such mount')
    if (!frame.names.every(isStoreName)) throw new ProtocolViolation('mount-names: not a store path')
    pending.names.push(...frame.names)
    if (pending.names.length > pending.frame.names) throw new ProtocolViolation('mount-names: too many')
    this.#try()
  }

  #try(): void {
    const pending = this.#pending
    if (pending === undefined || pending.names.length < pending.frame.names) return
    if (this.#lacks !== undefined) {
      const message = `the guest kernel lacks ${this.#lacks}`
      this.#fail(codes.failed['kernel-lacks'], errno.notSupported, this.#lacks, message)
      return
    }
    const { image, devices, request } = pending.frame
    if (![image, ...devices].every((id) => this.#devices.has(id))) return
    const entries = new Set(this.#images.get(image))
    const absent = pending.names.find((name) => !this.#bound.has(name) && !entries.has(name))
    if (absent !== undefined) {
      this.#fail(codes.failed.refused, errno.missing, '', `the image has no entry ${absent}`)
      return
    }
    const bound = new Uint8Array(Math.ceil(pending.names.length / 8))
    pending.names.forEach((name, index) => {
      if (this.#bound.has(name)) return
      this.#bound.add(name)
      bound[index >> 3] = (bound[index >> 3] ?? 0) | (1 << (index & 7))
    })
    this.dispose()
    this.#send({ type: 'mounted', request, dax: 1, names: pending.names.length, bound })
  }

  #fail(kind: number, number: number, feature: string, message: string): void {
    const request = this.#pending?.frame.request
    if (request === undefined) return
    this.dispose()
    this.#send({ type: 'failed', request, kind, errno: number, feature, message })
  }
}
