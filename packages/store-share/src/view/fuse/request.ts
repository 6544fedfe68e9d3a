import { Buffer } from 'node:buffer'
import type { ByteString } from '../../powers.js'
import { LONGEST_NAME } from '../grants.js'
import type { GuestMemory } from '../memory/guest-memory.js'
import type { PieceList } from '../memory/piece-list.js'
import { ERRNO, IN_HEADER_BYTES } from './protocol.js'

/**
 * How much of a request is copied out of guest memory and looked at: more than any that is understood has. What a
 * WRITE brings beyond stays where it is.
 */
const ROOM = 64 * 1024

/**
 * The request that is being served: a copy, which the guest cannot change any more. Used for one request after
 * the other.
 */
export class Request {
  readonly #bytes = Buffer.alloc(ROOM)
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, ROOM)
  #length = 0
  opcode = 0
  uniqueLow = 0
  uniqueHigh = 0
  nodeLow = 0
  nodeHigh = 0

  /** Whether there is a whole header, whose length is that of the request. */
  load(memory: GuestMemory, readable: PieceList): boolean {
    const total = readable.byteLength
    this.#length = readable.copyOut(memory, this.#bytes)
    if (this.#length < IN_HEADER_BYTES) {
      this.opcode = this.uniqueLow = this.uniqueHigh = 0
      return false
    }
    const view = this.#view
    this.opcode = view.getUint32(4, true)
    this.uniqueLow = view.getUint32(8, true)
    this.uniqueHigh = view.getUint32(12, true)
    this.nodeLow = view.getUint32(16, true)
    this.nodeHigh = view.getUint32(20, true)
    return view.getUint32(0, true) === total
  }

  /** Bytes after the header that can be looked at. */
  get argumentBytes(): number {
    return this.#length - IN_HEADER_BYTES
  }

  /** A word of the arguments, which have to be that long. */
  word(offset: number): number {
    return this.#view.getUint32(IN_HEADER_BYTES + offset, true)
  }

  /** A number of 64 bits, exact below 2^53; beyond, it is at least that. */
  number(offset: number): number {
    return this.word(offset + 4) * 2 ** 32 + this.word(offset)
  }

  /**
   * The only argument, as the name of one entry of a directory: its length, and then `name`; or `-errno`. A name
   * ends with the one NUL that is the request's last byte.
   */
  readName(): number {
    const end = this.#length - 1
    const length = end - IN_HEADER_BYTES
    if (length < 1 || this.#bytes.indexOf(0, IN_HEADER_BYTES) !== end) return -ERRNO.EINVAL
    if (length > LONGEST_NAME) return -ERRNO.ENAMETOOLONG
    this.name = this.#bytes.toString('latin1', IN_HEADER_BYTES, end)
    if (this.name === '.' || this.name === '..' || this.name.includes('/')) return -ERRNO.EINVAL
    return length
  }

  name: ByteString = ''
}
