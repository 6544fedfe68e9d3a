import type { Fd, UnixFd } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import { type MemoryLimits, Regions } from '../memory/regions.js'
import type { VirtqueueFeatures } from '../virtqueue/virtqueue.js'
import { FEATURE, OFFERED_FEATURES, OFFERED_PROTOCOL_FEATURES, PROTOCOL_FEATURE } from './features.js'
import { configPayload, numberPayload, type Payload, type RequestName, statePayload } from './message.js'
import { type RingCounters, type Serve, Vring } from './vring.js'

export interface DeviceSetup {
  readonly descriptors: UnixFd
  readonly limits: MemoryLimits
  /** The device's configuration space. */
  readonly config: Uint8Array
  readonly queueCount: number
  readonly counters: RingCounters
  readonly serve: Serve
}

/** What a message is answered with: a payload where it has a reply of its own. */
export type Answer = Result<Uint8Array | undefined, string>

const DONE: Answer = ok(undefined)

/** What has to be true before a message makes sense. */
type Need = 'owner' | 'features' | 'memory-slots' | 'multi-queue' | 'config'

/** The state machine as data: what the front end must have done, or agreed to, before it may send a message. */
export const NEEDS: Readonly<Record<RequestName, readonly Need[]>> = {
  'get-features': [],
  'get-protocol-features': [],
  'set-protocol-features': [],
  'set-owner': [],
  'reset-owner': ['owner'],
  'get-queue-num': ['multi-queue'],
  'get-config': ['config'],
  'get-max-mem-slots': ['memory-slots'],
  'set-features': ['owner'],
  'set-mem-table': ['owner', 'features'],
  'add-mem-reg': ['owner', 'features', 'memory-slots'],
  'rem-mem-reg': ['owner', 'features', 'memory-slots'],
  'set-vring-num': ['owner', 'features'],
  'set-vring-addr': ['owner', 'features'],
  'set-vring-base': ['owner', 'features'],
  'get-vring-base': ['owner', 'features'],
  'set-vring-kick': ['owner', 'features'],
  // QEMU gives each ring a place to call before any features are agreed on.
  'set-vring-call': ['owner'],
  'set-vring-err': ['owner'],
  'set-vring-enable': ['owner', 'features'],
}

/** The only flag of a ring's addresses: log writes, which is not offered. */
const NO_FLAGS = 0

/**
 * The device as one front end sees it, from its connection to its end: what it may say when, its memory and its
 * rings. Whatever breaks a rule changes nothing, and its error says which rule.
 */
export class Device implements Disposable {
  readonly #setup: DeviceSetup
  readonly #regions: Regions
  readonly #vrings: readonly Vring[]
  #owned = false
  #features: bigint | undefined
  #protocolFeatures = 0n

  constructor(setup: DeviceSetup) {
    this.#setup = setup
    this.#regions = new Regions(setup.descriptors, setup.limits)
    this.#vrings = Array.from({ length: setup.queueCount }, () => new Vring(setup.serve, setup.counters))
  }

  /** Whether a message that wants an answer gets one. */
  get acknowledges(): boolean {
    return (this.#protocolFeatures & PROTOCOL_FEATURE.replyAck) !== 0n
  }

  get memoryRegions(): number {
    return this.#regions.count
  }

  get startedRings(): number {
    return this.#vrings.filter((vring) => vring.started).length
  }

  /** Takes a message. Of `fds` it takes over those it closes or keeps; the rest stays the caller's. */
  handle(request: RequestName, payload: Payload, fds: readonly Fd[]): Answer {
    const missing = NEEDS[request].find((need) => !this.#has(need))
    if (missing !== undefined) return err(`${request} before ${missing}`)
    switch (payload.kind) {
      case 'empty':
        return this.#handleEmpty(request)
      case 'number':
        return request === 'set-features'
          ? this.#setFeatures(payload.value)
          : this.#setProtocolFeatures(payload.value)
      case 'regions':
        return this.#handleRegions(request, payload, fds)
      case 'config':
        return this.#readConfig(payload)
      case 'vring-state':
        return this.#withVring(payload.state.index, (vring) =>
          this.#handleState(request, vring, payload.state.index, payload.state.value),
        )
      case 'vring-addresses':
        return this.#withVring(payload.index, (vring) => {
          if (vring.started) return err('the addresses of a ring that runs')
          if (payload.flags !== NO_FLAGS) return err('a log of writes, which is not offered')
          const { descriptors, available, used } = payload
          vring.addresses = { descriptors, available, used }
          return DONE
        })
      case 'vring-file':
        return this.#withVring(payload.index, (vring) => this.#handleFile(request, vring, fds[0]))
    }
  }

  [Symbol.dispose](): void {
    for (const vring of this.#vrings) vring[Symbol.dispose]()
    // After the rings: nothing looks at the memory any more.
    this.#regions.clear()
  }

  #has(need: Need): boolean {
    switch (need) {
      case 'owner':
        return this.#owned
      case 'features':
        return this.#features !== undefined
      case 'memory-slots':
        return (this.#protocolFeatures & PROTOCOL_FEATURE.configureMemSlots) !== 0n
      case 'multi-queue':
        return (this.#protocolFeatures & PROTOCOL_FEATURE.multiQueue) !== 0n
      case 'config':
        return (this.#protocolFeatures & PROTOCOL_FEATURE.config) !== 0n
    }
  }

  #handleEmpty(request: RequestName): Answer {
    switch (request) {
      case 'get-features':
        return ok(numberPayload(OFFERED_FEATURES))
      case 'get-protocol-features':
        return ok(numberPayload(OFFERED_PROTOCOL_FEATURES))
      case 'get-queue-num':
        return ok(numberPayload(BigInt(this.#vrings.length)))
      case 'get-max-mem-slots':
        return ok(numberPayload(BigInt(this.#setup.limits.maxRegions)))
      case 'set-owner':
        if (this.#owned) return err('a second owner')
        this.#owned = true
        return DONE
      default:
        // RESET_OWNER, which front ends of old sent at any time and which has no meaning any more.
        return DONE
    }
  }

  #setFeatures(features: bigint): Answer {
    if ((features & ~OFFERED_FEATURES) !== 0n) return err('features that were not offered')
    if ((features & FEATURE.version1) === 0n) return err('a legacy driver: version 1 of virtio is needed')
    if (features !== this.#features && this.startedRings > 0) return err('other features while a ring runs')
    this.#features = features
    // "If VHOST_USER_F_PROTOCOL_FEATURES has not been negotiated, the ring starts directly in the enabled state."
    if ((features & FEATURE.protocolFeatures) === 0n) for (const vring of this.#vrings) vring.setEnabled(true)
    return DONE
  }

  #setProtocolFeatures(features: bigint): Answer {
    if ((features & ~OFFERED_PROTOCOL_FEATURES) !== 0n) return err('protocol features that were not offered')
    if (this.startedRings > 0) return err('protocol features while a ring runs')
    this.#protocolFeatures = features
    return DONE
  }

  #handleRegions(
    request: RequestName,
    { regions }: Payload & { kind: 'regions' },
    fds: readonly Fd[],
  ): Answer {
    if (request === 'rem-mem-reg') return this.#regions.remove(regions[0]!).andThen(() => this.#moveRings())
    // A table replaces what was there; the rings that run are found again in the new one.
    if (request === 'set-mem-table') this.#regions.clear()
    for (const [index, region] of regions.entries()) {
      const added = this.#regions.add(region, fds[index]!)
      if (added.isOk()) continue
      if (request === 'set-mem-table') this.#regions.clear()
      this.#moveRings()
      return err(added.error)
    }
    return this.#moveRings()
  }

  #moveRings(): Answer {
    const memory = this.#regions.memory()
    const features = this.#ringFeatures()
    // Every one of them, whatever becomes of another: none may go on in memory that is gone.
    const moved = this.#vrings.map((vring) => vring.move(memory, features))
    const stopped = moved.find((result) => result.isErr())
    return stopped?.isErr() ? err(stopped.error) : DONE
  }

  #readConfig({ offset, size }: Payload & { kind: 'config' }): Answer {
    const { config } = this.#setup
    const within = offset <= config.length && size <= config.length - offset
    return ok(configPayload(offset, within ? config.subarray(offset, offset + size) : new Uint8Array(0)))
  }

  #withVring(index: number, work: (vring: Vring) => Answer): Answer {
    const vring = this.#vrings[index]
    return vring === undefined ? err(`ring ${index}; there are ${this.#vrings.length}`) : work(vring)
  }

  #handleState(request: RequestName, vring: Vring, index: number, value: number): Answer {
    switch (request) {
      case 'set-vring-num':
        return vring.setSize(value).map(() => undefined)
      case 'set-vring-base':
        if (vring.started) return err('the base of a ring that runs')
        if (value > 0xffff) return err(`a base of ${value}`)
        vring.base = value
        return DONE
      case 'get-vring-base':
        return ok(statePayload({ index, value: vring.stop() }))
      default:
        if (value > 1) return err(`${value} is neither enabled nor disabled`)
        vring.setEnabled(value === 1)
        return DONE
    }
  }

  #handleFile(request: RequestName, vring: Vring, fd: Fd | undefined): Answer {
    if (fd === undefined) {
      if (request === 'set-vring-kick') return err('a ring to be polled, without a kick')
      if (request === 'set-vring-call') vring.setCall(undefined)
      else vring.setError(undefined)
      return DONE
    }
    if (request === 'set-vring-kick' && vring.started) return err('a second kick for a ring that runs')
    const event = this.#setup.descriptors.adoptEventFd(fd)
    if (event.isErr()) return err(event.error.message)
    if (request === 'set-vring-call') vring.setCall(event.value)
    else if (request === 'set-vring-err') vring.setError(event.value)
    else return vring.start(event.value, this.#regions.memory(), this.#ringFeatures()).map(() => undefined)
    return DONE
  }

  #ringFeatures(): VirtqueueFeatures {
    const features = this.#features ?? 0n
    return {
      indirect: (features & FEATURE.indirectDescriptors) !== 0n,
      eventIndex: (features & FEATURE.eventIndex) !== 0n,
    }
  }
}
