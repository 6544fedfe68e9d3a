import type { GuestMemory } from './guest-memory.js'

/**
 * Ranges of guest memory in the order in which they are read or filled. Made once and used for one request after
 * the other. Ranges that follow one another in the same window become one.
 */
export class PieceList {
  /** The most ranges it holds. */
  readonly room: number
  readonly windows: Int32Array
  readonly offsets: Int32Array
  readonly lengths: Int32Array
  count = 0
  /** All ranges together. */
  byteLength = 0

  constructor(room: number) {
    this.room = room
    this.windows = new Int32Array(room)
    this.offsets = new Int32Array(room)
    this.lengths = new Int32Array(room)
  }

  clear(): void {
    this.count = 0
    this.byteLength = 0
  }

  /** False when there is no room. */
  push(window: number, offset: number, length: number): boolean {
    const last = this.count - 1
    if (last >= 0 && this.windows[last] === window && this.offsets[last]! + this.lengths[last]! === offset) {
      this.lengths[last]! += length
    } else {
      if (this.count === this.room) return false
      this.windows[this.count] = window
      this.offsets[this.count] = offset
      this.lengths[this.count] = length
      this.count += 1
    }
    this.byteLength += length
    return true
  }

  /** Copies from the start of the ranges into `target`, as much as there is and fits. How many bytes. */
  copyOut(memory: GuestMemory, target: Uint8Array): number {
    let done = 0
    for (let i = 0; i < this.count && done < target.length; i++) {
      const offset = this.offsets[i]!
      const length = Math.min(this.lengths[i]!, target.length - done)
      copyBytes(memory.windows[this.windows[i]!]!.bytes, offset, target, done, length)
      done += length
    }
    return done
  }

  /** Copies the first `length` bytes of `source` to the start of the ranges, which have to have that room. */
  copyIn(memory: GuestMemory, source: Uint8Array, length: number): void {
    let done = 0
    for (let i = 0; i < this.count && done < length; i++) {
      const size = Math.min(this.lengths[i]!, length - done)
      copyBytes(source, done, memory.windows[this.windows[i]!]!.bytes, this.offsets[i]!, size)
      done += size
    }
  }
}

/** Below this, a loop is cheaper than the two views that `set` needs. */
const SHORT = 64

function copyBytes(from: Uint8Array, start: number, to: Uint8Array, at: number, length: number): void {
  if (length > SHORT) {
    to.set(from.subarray(start, start + length), at)
    return
  }
  for (let i = 0; i < length; i++) to[at + i] = from[start + i]!
}
