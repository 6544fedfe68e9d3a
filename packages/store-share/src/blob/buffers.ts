import { Buffer } from 'node:buffer'

/** Buffers of one size, used again: a fresh one costs the kernel a page fault for every 4 KiB that is filled. */
export class BufferPool {
  readonly #free: Buffer[] = []

  constructor(
    readonly sizeBytes: number,
    /** As many as this are kept when nobody uses them. */
    readonly keep: number,
  ) {}

  /** The contents are anything. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.sizeBytes)
  }

  /** Nobody may use the buffer any more, the kernel included. */
  give(buffer: Buffer): void {
    if (this.#free.length < this.keep) this.#free.push(buffer)
  }
}

/** Memory for contents on their way through, handed out in order and given back in the same order. */
export class Ring {
  /** Oldest first. */
  readonly #taken: { readonly start: number; readonly end: number }[] = []

  constructor(readonly memory: Buffer) {}

  /** Undefined when there is no room before older contents are given back. The bytes are anything. */
  take(sizeBytes: number): Buffer | undefined {
    const oldest = this.#taken[0]?.start
    const newest = this.#taken.at(-1)?.end ?? 0
    const wrapped = oldest !== undefined && newest <= oldest
    // What is in use lies between the oldest and the newest, or around the end.
    const start = !wrapped && newest + sizeBytes > this.memory.length ? 0 : newest
    const limit = wrapped || (start === 0 && oldest !== undefined) ? (oldest ?? 0) : this.memory.length
    if (start + sizeBytes > limit) return undefined
    this.#taken.push({ start, end: start + sizeBytes })
    return this.memory.subarray(start, start + sizeBytes)
  }

  giveOldest(): void {
    this.#taken.shift()
  }
}

/** The buffers of one blob cache, for all its builds. */
export class BuildBuffers {
  readonly runs = new BufferPool(RUN_BYTES, 8)
  readonly streams = new BufferPool(STREAM_BYTES, 8)
  readonly rings = new BufferPool(RING_BYTES, 4)
}

/** One write to the disk. At least a small file, so below 2 MiB, fits. */
export const RUN_BYTES = 2 << 20
/** One read of a large file. */
export const STREAM_BYTES = 1 << 20
/** Small files that are read ahead. */
const RING_BYTES = 6 << 20
