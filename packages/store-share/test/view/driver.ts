import { type FrontEnd, GUEST, NEXT, u32, u64, WRITE } from './front-end.js'

export interface Answer {
  /** -errno, or 0. */
  readonly error: number
  readonly unique: bigint
  readonly payload: Buffer
}

export interface Asked {
  readonly nodeId?: bigint | undefined
  readonly args?: Uint8Array | undefined
  /** Bytes of the answer that the driver makes room for, without the header. */
  readonly room?: number | undefined
  /** Sizes of the writable buffers, instead of one. */
  readonly buffers?: readonly number[] | undefined
  /** What the header says of the length, if not the truth. */
  readonly length?: number | undefined
  readonly ring?: number | undefined
  /** Where in the memory the writable buffers are. */
  readonly at?: number | undefined
}

export const inHeader = (opcode: number, nodeId: bigint, argumentBytes: number, unique = 7n): Buffer =>
  Buffer.concat([u32(40 + argumentBytes, opcode), u64(unique, nodeId), u32(0, 0, 1, 0)])

const DATA = 0x40000
const ROOM = 0x60000

/** Speaks FUSE as a guest's kernel does, through a front end's rings. */
export class Driver {
  #unique = 100n

  constructor(readonly frontEnd: FrontEnd) {}

  /** One request and its answer; undefined when the device wrote none. */
  async ask(opcode: number, asked: Asked = {}): Promise<Answer | undefined> {
    const { nodeId = 1n, args = Buffer.alloc(0), room = 4096, length, ring: index = 1 } = asked
    const { memory, rings } = this.frontEnd
    const ring = rings[index]!
    const unique = this.#unique++
    const request = Buffer.concat([inHeader(opcode, nodeId, args.length, unique), args])
    if (length !== undefined) request.writeUInt32LE(length, 0)
    memory.bytes.set(request, DATA)
    const buffers = asked.buffers ?? (room < 0 ? [] : [16 + room])
    ring.write(0, {
      address: GUEST + DATA,
      length: request.length,
      flags: buffers.length > 0 ? NEXT : 0,
      next: 1,
    })
    let at = asked.at ?? ROOM
    buffers.forEach((size, i) => {
      const last = i === buffers.length - 1
      ring.write(i + 1, { address: GUEST + at, length: size, flags: WRITE | (last ? 0 : NEXT), next: i + 2 })
      // A gap between any two, so that they are as scattered as a guest's pages.
      at += size + 64
    })
    ring.offer(0)
    ring.kick.signal()._unsafeUnwrap()
    const { written } = await ring.completion()
    if (written === 0) return undefined
    const parts: Uint8Array[] = []
    at = asked.at ?? ROOM
    for (const size of buffers) {
      parts.push(memory.bytes.slice(at, at + size))
      at += size + 64
    }
    const all = Buffer.concat(parts).subarray(0, written)
    return {
      error: all.readInt32LE(4),
      unique: all.readBigUInt64LE(8) === unique ? unique : -1n,
      payload: all.subarray(16, all.readUInt32LE(0)),
    }
  }

  async initialise(flags = 0xffff_ffff, minor = 38, major = 7): Promise<Answer | undefined> {
    return this.ask(26, {
      nodeId: 0n,
      args: Buffer.concat([u32(major, minor, 131072, flags), Buffer.alloc(48)]),
    })
  }

  async lookup(parent: bigint, name: string | Uint8Array): Promise<Answer | undefined> {
    const bytes = typeof name === 'string' ? Buffer.from(name) : name
    return this.ask(1, { nodeId: parent, args: Buffer.concat([bytes, Buffer.alloc(1)]) })
  }

  /** The node at a path from the root; throws when there is none. */
  async walk(...names: readonly string[]): Promise<bigint> {
    let node = 1n
    for (const name of names) {
      const answer = await this.lookup(node, name)
      if (answer === undefined || answer.error !== 0) throw new Error(`${name}: ${answer?.error}`)
      node = answer.payload.readBigUInt64LE(0)
      if (node === 0n) throw new Error(`${name}: nothing`)
    }
    return node
  }

  async read(
    nodeId: bigint,
    offset: number | bigint,
    size: number,
    buffers?: readonly number[],
    at?: number,
  ) {
    const args = Buffer.concat([u64(0, offset), u32(size, 0), u64(0), u32(0, 0)])
    return this.ask(15, { nodeId, args, room: size, buffers, at })
  }

  async readDirectory(nodeId: bigint, offset: number | bigint, size = 4096, plus = false) {
    const args = Buffer.concat([u64(0, offset), u32(size, 0), u64(0), u32(0, 0)])
    const answer = await this.ask(plus ? 44 : 28, { nodeId, args, room: size })
    return { error: answer?.error, entries: parseEntries(answer?.payload ?? Buffer.alloc(0), plus) }
  }

  async forget(nodeId: bigint, lookups: number | bigint): Promise<Answer | undefined> {
    return this.ask(2, { nodeId, args: u64(lookups), room: -1, ring: 0 })
  }
}

export interface Entry {
  readonly name: string
  readonly inode: bigint
  readonly offset: bigint
  readonly kind: number
  readonly nodeId: bigint
}

function parseEntries(bytes: Buffer, plus: boolean): Entry[] {
  const entries: Entry[] = []
  const entryOut = plus ? 128 : 0
  for (let at = 0; at < bytes.length; ) {
    const dirent = at + entryOut
    const length = bytes.readUInt32LE(dirent + 16)
    entries.push({
      nodeId: plus ? bytes.readBigUInt64LE(at) : 0n,
      inode: bytes.readBigUInt64LE(dirent),
      offset: bytes.readBigUInt64LE(dirent + 8),
      kind: bytes.readUInt32LE(dirent + 20),
      name: bytes.toString('latin1', dirent + 24, dirent + 24 + length),
    })
    at = dirent + 24 + ((length + 7) & ~7)
  }
  return entries
}
