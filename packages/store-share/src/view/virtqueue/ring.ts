import { err, ok, type Result } from 'neverthrow'
import type { GuestMemory, Place } from '../memory/guest-memory.js'

/** Addresses of a split virtqueue's three parts, in the front end's memory. */
export interface RingAddresses {
  readonly descriptors: bigint
  readonly available: bigint
  readonly used: bigint
}

/** virtio 1.2, 2.7: the most entries a split virtqueue may have. */
export const MOST_ENTRIES = 32_768

/** Bytes per descriptor: address, length, flags, next. virtio 1.2, 2.7.5. */
export const DESCRIPTOR_BYTES = 16
export const DESCRIPTOR_WORDS = 4

/**
 * The shared memory of a split virtqueue, as arrays over it. Little-endian, like every machine this runs on:
 * virtio 1.2 has no other order.
 */
export interface Ring {
  readonly size: number
  /** Four words each: address low and high, length, flags with `next` in the upper half. */
  readonly descriptors: Uint32Array
  /** flags, idx, then `size` heads, then used_event. */
  readonly available: Uint16Array
  /** flags, idx, then `size` pairs of words, then avail_event. */
  readonly used: Uint16Array
  /** The same place: word 0 is flags and idx, then `size` pairs of id and length. */
  readonly usedWords: Uint32Array
}

/** Finds the three parts in memory. The error is a sentence. */
export function locateRing(
  memory: GuestMemory,
  size: number,
  addresses: RingAddresses,
): Result<Ring, string> {
  if (size < 1 || size > MOST_ENTRIES || (size & (size - 1)) !== 0) {
    return err(`a virtqueue of ${size} entries: it has a power of two, at most ${MOST_ENTRIES}`)
  }
  const descriptors = part(memory, addresses.descriptors, 16, size * DESCRIPTOR_BYTES)
  const available = part(memory, addresses.available, 2, 6 + size * 2)
  const used = part(memory, addresses.used, 4, 6 + size * 8)
  if (descriptors.isErr()) return err(`the descriptor table ${descriptors.error}`)
  if (available.isErr()) return err(`the available ring ${available.error}`)
  if (used.isErr()) return err(`the used ring ${used.error}`)
  return ok({
    size,
    descriptors: words(descriptors.value, size * DESCRIPTOR_WORDS),
    available: halves(available.value, 3 + size),
    used: halves(used.value, 3 + size * 4),
    usedWords: words(used.value, 1 + size * 2),
  })
}

function part(
  memory: GuestMemory,
  address: bigint,
  alignment: number,
  length: number,
): Result<Place, string> {
  const place = memory.placeOf(address, length)
  if (place === undefined) return err('is outside the memory')
  if ((place.bytes.byteOffset + place.offset) % alignment !== 0) return err('is not aligned')
  return ok(place)
}

const words = ({ bytes, offset }: Place, length: number) =>
  new Uint32Array(bytes.buffer, bytes.byteOffset + offset, length)

const halves = ({ bytes, offset }: Place, length: number) =>
  new Uint16Array(bytes.buffer, bytes.byteOffset + offset, length)
