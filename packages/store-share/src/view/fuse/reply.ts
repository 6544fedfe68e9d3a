import { Buffer } from 'node:buffer'
import type { ByteString } from '../../powers.js'
import type { GuestMemory } from '../memory/guest-memory.js'
import type { PieceList } from '../memory/piece-list.js'
import type { Node } from './nodes.js'
import { DIRENT_BYTES, DT_DIRECTORY, DT_SYMLINK, OUT_HEADER_BYTES } from './protocol.js'

/** The longest answer that is put together here: a part of a listing. What a file holds does not come this way. */
const ROOM = 128 * 1024

/** How long the guest may believe what it was told, in seconds. */
export const FOR_EVER = 86_400
/** For the names at the top, which can be revoked. */
export const FOR_A_MOMENT = 1

/** Nix's: every file of a store is as old. */
const TIME = 1
const BLOCK = 512
const BLOCK_SIZE = 4096

/** The answer that is being put together. Used for one request after the other. */
export class Reply {
  readonly #bytes = Buffer.alloc(ROOM)
  readonly #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, ROOM)
  /** Where the next byte goes. */
  #at = OUT_HEADER_BYTES

  clear(): void {
    this.#at = OUT_HEADER_BYTES
  }

  /** Bytes so far, with the header. */
  get length(): number {
    return this.#at
  }

  /** How much more fits here. */
  get room(): number {
    return ROOM - this.#at
  }

  word(value: number): void {
    this.#view.setUint32(this.#at, value, true)
    this.#at += 4
  }

  half(value: number): void {
    this.#view.setUint16(this.#at, value, true)
    this.#at += 2
  }

  /** 64 bits. */
  number(value: number): void {
    this.word(value % 2 ** 32)
    this.word(Math.floor(value / 2 ** 32))
  }

  pair(low: number, high: number): void {
    this.word(low)
    this.word(high)
  }

  zeros(count: number): void {
    this.#bytes.fill(0, this.#at, this.#at + count)
    this.#at += count
  }

  /** Room for bytes that something else fills in; `skip` says how many it were. */
  get free(): Uint8Array {
    return this.#bytes.subarray(this.#at)
  }

  skip(count: number): void {
    this.#at += count
  }

  /** fuse_attr. */
  attributes(node: Node): void {
    this.pair(node.inodeLow, node.inodeHigh)
    this.number(node.size)
    this.number(Math.ceil(node.size / BLOCK))
    for (let times = 0; times < 3; times++) this.number(TIME)
    this.zeros(12)
    this.word(modeOf(node))
    // One link, owned by root, as the images of this package have it: how many names a file has on the host tells
    // which other paths there are with the same contents.
    this.word(1)
    this.zeros(12)
    this.word(BLOCK_SIZE)
    this.word(0)
  }

  /** fuse_entry_out. */
  entry(node: Node): void {
    this.pair(node.low, node.high)
    this.number(0)
    this.number(node.parent === undefined ? FOR_A_MOMENT : FOR_EVER)
    this.number(FOR_EVER)
    this.zeros(8)
    this.attributes(node)
  }

  /** fuse_entry_out that says: there is nothing, and there never will be. */
  absence(): void {
    this.number(0)
    this.number(0)
    this.number(FOR_EVER)
    this.zeros(16 + 88)
  }

  /** fuse_dirent with its name, padded. */
  directoryEntry(inodeLow: number, inodeHigh: number, offset: number, kind: number, name: ByteString): void {
    this.pair(inodeLow, inodeHigh)
    this.number(offset)
    this.word(name.length)
    this.word(kind)
    this.#at += this.#bytes.write(name, this.#at, 'latin1')
    this.zeros(padding(name.length))
  }

  /** Writes the header in front of what is here, and all of it to the guest. How many bytes. */
  send(memory: GuestMemory, writable: PieceList, uniqueLow: number, uniqueHigh: number): number {
    this.#header(this.#at, 0, uniqueLow, uniqueHigh)
    writable.copyIn(memory, this.#bytes, this.#at)
    return this.#at
  }

  /** Writes only a header: for an error, or in front of `dataBytes` that are there already. */
  sendHeader(
    memory: GuestMemory,
    writable: PieceList,
    error: number,
    dataBytes: number,
    uniqueLow: number,
    uniqueHigh: number,
  ): number {
    const length = OUT_HEADER_BYTES + dataBytes
    this.#header(length, error, uniqueLow, uniqueHigh)
    writable.copyIn(memory, this.#bytes, OUT_HEADER_BYTES)
    return length
  }

  #header(length: number, error: number, uniqueLow: number, uniqueHigh: number): void {
    const view = this.#view
    view.setUint32(0, length, true)
    view.setInt32(4, error, true)
    view.setUint32(8, uniqueLow, true)
    view.setUint32(12, uniqueHigh, true)
  }
}

/** Bytes of a fuse_dirent with a name of that length. */
export function direntBytes(nameBytes: number): number {
  return DIRENT_BYTES + nameBytes + padding(nameBytes)
}

function padding(nameBytes: number): number {
  return -nameBytes & 7
}

/** Exactly what a NAR keeps: the kind, and whether a file is executable. */
function modeOf(node: Node): number {
  const permissions =
    node.kind === DT_SYMLINK ? 0o777 : node.kind === DT_DIRECTORY || node.executable ? 0o555 : 0o444
  return (node.kind << 12) | permissions
}
