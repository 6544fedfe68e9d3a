import type { GuestMemory } from '../memory/guest-memory.js'
import { type ChainProblem, ChainWalker } from './chain.js'
import type { Ring } from './ring.js'

/** Places in the arrays of a {@link Ring}. */
const FLAGS = 0
const INDEX = 1
const ENTRIES = 2

const NO_INTERRUPT = 1
const NO_NOTIFY = 1

/** What `next` found. */
export type Found =
  /** A chain, in `chain`: answer it with `complete`. */
  | 'chain'
  /** A chain that breaks the rules (`problem`): `complete(0)` gives it back to the driver. */
  | 'malformed'
  | 'empty'
  /** The ring itself makes no sense any more (`reason`): nothing can be taken from it or given back. */
  | 'broken'

export interface VirtqueueFeatures {
  readonly indirect: boolean
  /** VIRTIO_F_EVENT_IDX: each side says from which entry on it wants to be told. */
  readonly eventIndex: boolean
}

/** The device's side of a split virtqueue. virtio 1.2, 2.7. */
export class Virtqueue {
  readonly chain: ChainWalker
  problem: ChainProblem | undefined
  reason: 'available-index-jumped' | 'head-outside-table' | undefined
  readonly #memory: GuestMemory
  readonly #ring: Ring
  readonly #mask: number
  readonly #eventIndex: boolean
  #head = 0
  #available: number
  #used: number
  /** The used index at which the driver was told, or chose not to be. */
  #told: number

  /** `base`: the index of the next entry of the available ring. */
  constructor(memory: GuestMemory, ring: Ring, base: number, features: VirtqueueFeatures) {
    this.chain = new ChainWalker(features.indirect)
    this.#memory = memory
    this.#ring = ring
    this.#mask = ring.size - 1
    this.#eventIndex = features.eventIndex
    this.#available = base & 0xffff
    this.#used = Atomics.load(ring.used, INDEX)
    this.#told = this.#used
  }

  /** The index of the next entry of the available ring: what `GET_VRING_BASE` asks for. */
  get base(): number {
    return this.#available
  }

  /** Takes the next chain. */
  next(): Found {
    if (this.reason !== undefined) return 'broken'
    const { available } = this.#ring
    const pending = (Atomics.load(available, INDEX) - this.#available) & 0xffff
    if (pending === 0) return 'empty'
    // More than there are entries cannot be outstanding.
    if (pending > this.#ring.size) return this.#break('available-index-jumped')
    const head = available[ENTRIES + (this.#available & this.#mask)]!
    if (head >= this.#ring.size) return this.#break('head-outside-table')
    this.#available = (this.#available + 1) & 0xffff
    this.#head = head
    this.problem = this.chain.walk(this.#memory, this.#ring.descriptors, head)
    return this.problem === undefined ? 'chain' : 'malformed'
  }

  /** Gives the chain that `next` took back to the driver, with `written` bytes in its writable part. */
  complete(written: number): void {
    const { used, usedWords } = this.#ring
    const at = 1 + 2 * (this.#used & this.#mask)
    usedWords[at] = this.#head
    usedWords[at + 1] = written
    this.#used = (this.#used + 1) & 0xffff
    // Sequentially consistent: the entry is there before the index says so, on every architecture.
    Atomics.store(used, INDEX, this.#used)
  }

  /** Whether the driver wants to be told of what was completed since it was last asked. */
  needsCall(): boolean {
    if (this.#used === this.#told) return false
    const { available, size } = this.#ring
    if (!this.#eventIndex) {
      this.#told = this.#used
      return (Atomics.load(available, FLAGS) & NO_INTERRUPT) === 0
    }
    const event = Atomics.load(available, ENTRIES + size)
    const passed = ((this.#used - event - 1) & 0xffff) < ((this.#used - this.#told) & 0xffff)
    this.#told = this.#used
    return passed
  }

  /** Asks the driver not to kick: this side is looking anyway. */
  suppressKicks(): void {
    // With an event index, one that is behind asks for nothing.
    if (!this.#eventIndex) Atomics.store(this.#ring.used, FLAGS, NO_NOTIFY)
  }

  /** Asks the driver to kick from now on. False when more came meanwhile, for which it may not kick. */
  allowKicks(): boolean {
    const { used, available, size } = this.#ring
    if (this.#eventIndex) Atomics.store(used, ENTRIES + size * 4, this.#available)
    else Atomics.store(used, FLAGS, 0)
    return Atomics.load(available, INDEX) === this.#available
  }

  #break(reason: NonNullable<Virtqueue['reason']>): Found {
    this.reason = reason
    return 'broken'
  }
}
