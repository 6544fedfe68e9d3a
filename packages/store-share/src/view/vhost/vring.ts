import type { EventFd, ReadyWatch } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import type { GuestMemory } from '../memory/guest-memory.js'
import { locateRing, MOST_ENTRIES, type RingAddresses } from '../virtqueue/ring.js'
import { Virtqueue, type VirtqueueFeatures } from '../virtqueue/virtqueue.js'

/** Handles one request: how many bytes it wrote. */
export type Serve = (queue: Virtqueue, memory: GuestMemory) => number

/** What a ring counts, for all rings together. */
export interface RingCounters {
  /** Requests that were served. */
  requests: number
  /** Notices by the front end that there is something to do. */
  kicks: number
  /** Interrupts that the guest was sent. */
  calls: number
  /** Descriptor chains that break virtio's rules. */
  malformedChains: number
  /** Rings that were given up for what the guest wrote into them. */
  brokenRings: number
}

/** How many requests of one ring are served before everything else of this program gets its turn. */
const TURN = 64

/**
 * One virtqueue as the front end set it up. It is processed while it is started (it has a kick, and its parts lie
 * in memory) and enabled.
 */
export class Vring implements Disposable {
  size = 0
  base = 0
  enabled = false
  addresses: RingAddresses | undefined
  readonly #serve: Serve
  readonly #counters: RingCounters
  #kick: EventFd | undefined
  #watch: ReadyWatch | undefined
  #call: EventFd | undefined
  #error: EventFd | undefined
  #queue: Virtqueue | undefined
  #memory: GuestMemory | undefined

  constructor(serve: Serve, counters: RingCounters) {
    this.#serve = serve
    this.#counters = counters
  }

  get started(): boolean {
    return this.#kick !== undefined
  }

  setSize(size: number): Result<void, string> {
    if (this.started) return err('the size of a ring that runs')
    if (size < 1 || size > MOST_ENTRIES || (size & (size - 1)) !== 0) return err(`a ring of ${size} entries`)
    this.size = size
    return ok()
  }

  /** Owns `call` from now on. */
  setCall(call: EventFd | undefined): void {
    this.#call?.close()
    this.#call = call
    // What was completed while there was nobody to tell.
    this.#call?.signal()
  }

  /** Owns `error` from now on. */
  setError(error: EventFd | undefined): void {
    this.#error?.close()
    this.#error = error
  }

  /** Starts the ring, and owns `kick` from then on. */
  start(kick: EventFd, memory: GuestMemory, features: VirtqueueFeatures): Result<void, string> {
    const queue = this.#locate(memory, features)
    if (queue.isErr()) return err(queue.error)
    this.#queue = queue.value
    this.#memory = memory
    this.#kick = kick
    const watch = kick.fd.onReady('readable', () => this.#onKick())
    if (watch.isErr()) {
      this.stop()
      return err(watch.error.message)
    }
    this.#watch = watch.value
    // Requests may be there already, whose kick went to whoever served the ring before.
    kick.signal()
    return ok()
  }

  /** The memory changed: a ring that runs goes on where it was, or stops if it no longer lies in memory. */
  move(memory: GuestMemory, features: VirtqueueFeatures): Result<void, string> {
    if (this.#queue === undefined) return ok()
    this.base = this.#queue.base
    const queue = this.#locate(memory, features)
    if (queue.isErr()) {
      this.stop()
      return err(queue.error)
    }
    this.#queue = queue.value
    this.#memory = memory
    return ok()
  }

  /** Ends the processing, and forgets what comes with each start. Gives the index of the next entry. */
  stop(): number {
    if (this.#queue !== undefined) this.base = this.#queue.base
    this.#watch?.close()
    this.#kick?.close()
    this.#watch = undefined
    this.#kick = undefined
    this.#queue = undefined
    this.#memory = undefined
    return this.base
  }

  setEnabled(enabled: boolean): void {
    this.enabled = enabled
    if (enabled) this.#kick?.signal()
  }

  [Symbol.dispose](): void {
    this.stop()
    this.setError(undefined)
    this.#call?.close()
    this.#call = undefined
  }

  #locate(memory: GuestMemory, features: VirtqueueFeatures): Result<Virtqueue, string> {
    if (this.addresses === undefined || this.size === 0) return err('a ring without a size or addresses')
    return locateRing(memory, this.size, this.addresses).map(
      (ring) => new Virtqueue(memory, ring, this.base, features),
    )
  }

  #onKick(): void {
    const kick = this.#kick
    const queue = this.#queue
    const memory = this.#memory
    if (kick === undefined || queue === undefined || memory === undefined) return
    kick.clear()
    if (!this.enabled) return
    this.#counters.kicks += 1
    if (!this.#drain(queue, memory)) kick.signal()
    if (queue.needsCall() && this.#call !== undefined) {
      this.#counters.calls += 1
      // A counter that is full has told the driver already.
      this.#call.signal()
    }
  }

  /** Serves what is there. False when there is more, for another turn. */
  #drain(queue: Virtqueue, memory: GuestMemory): boolean {
    let left = TURN
    do {
      queue.suppressKicks()
      for (let found = queue.next(); found !== 'empty'; found = queue.next()) {
        if (found === 'broken') {
          this.#break()
          return true
        }
        if (found === 'chain') {
          this.#counters.requests += 1
          queue.complete(this.#serve(queue, memory))
        } else {
          this.#counters.malformedChains += 1
          queue.complete(0)
        }
        left -= 1
        if (left === 0) return false
      }
    } while (!queue.allowKicks())
    return true
  }

  /** The ring makes no sense any more: it stays as it is until the front end starts it anew. */
  #break(): void {
    this.#counters.brokenRings += 1
    this.#watch?.close()
    this.#watch = undefined
    this.#error?.signal()
  }
}
