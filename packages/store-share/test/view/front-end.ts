import type { EventFd, Fd, Mapping, Memfd, UnixSocket } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'

export const descriptors = unixFd()._unsafeUnwrap()
export const soon = () => AbortSignal.timeout(20_000)

export const GUEST = 0x4000_0000
export const USER = 0x7f12_0000_0000n
export const MEMORY = 8 * 2 ** 20

export const NUMBER = {
  getFeatures: 1,
  setFeatures: 2,
  setOwner: 3,
  resetOwner: 4,
  setMemTable: 5,
  setVringNum: 8,
  setVringAddr: 9,
  setVringBase: 10,
  getVringBase: 11,
  setVringKick: 12,
  setVringCall: 13,
  setVringErr: 14,
  getProtocolFeatures: 15,
  setProtocolFeatures: 16,
  getQueueNum: 17,
  setVringEnable: 18,
  getConfig: 24,
  getMaxMemSlots: 36,
  addMemReg: 37,
  remMemReg: 38,
} as const

export const VERSION_1 = 1n << 32n
export const EVENT_IDX = 1n << 29n
export const INDIRECT = 1n << 28n
export const PROTOCOL_FEATURES = 1n << 30n
/** MQ, REPLY_ACK, CONFIG, CONFIGURE_MEM_SLOTS. */
export const PROTOCOL = 1n | (1n << 3n) | (1n << 9n) | (1n << 15n)

export const u64 = (...values: readonly (bigint | number)[]) => {
  const bytes = Buffer.alloc(values.length * 8)
  values.forEach((value, i) => {
    bytes.writeBigUInt64LE(BigInt(value), i * 8)
  })
  return bytes
}

export const u32 = (...values: readonly number[]) => {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => {
    bytes.writeUInt32LE(value >>> 0, i * 4)
  })
  return bytes
}

export interface Said {
  readonly number: number
  readonly flags: number
  readonly payload: Buffer
}

export interface DescriptorEntry {
  readonly address: number | bigint
  readonly length: number
  readonly flags: number
  readonly next: number
}

export const NEXT = 1
export const WRITE = 2
export const INDIRECT_TABLE = 4

/** A ring as its driver has it. Offsets are into the shared memory. */
export class DriverRing {
  readonly descriptors: number
  readonly available: number
  readonly used: number
  readonly kick: EventFd = descriptors.createEventFd()._unsafeUnwrap()
  readonly call: EventFd = descriptors.createEventFd()._unsafeUnwrap()
  readonly error: EventFd = descriptors.createEventFd()._unsafeUnwrap()
  availableIndex = 0
  usedIndex = 0

  constructor(
    readonly view: DataView,
    readonly index: number,
    readonly size: number,
    base: number,
  ) {
    this.descriptors = base
    this.available = base + size * 16
    this.used = (this.available + 6 + size * 2 + 4095) & ~4095
  }

  write(index: number, { address, length, flags, next }: DescriptorEntry, table = this.descriptors): void {
    const at = table + index * 16
    this.view.setBigUint64(at, BigInt(address), true)
    this.view.setUint32(at + 8, length, true)
    this.view.setUint16(at + 12, flags, true)
    this.view.setUint16(at + 14, next, true)
  }

  /** As if so many requests had been served before. */
  beginAt(index: number): void {
    this.setAvailableIndex(index)
    this.usedIndex = index
    this.view.setUint16(this.used + 2, index, true)
  }

  /** Makes a head available without a kick. */
  offer(head: number): void {
    this.view.setUint16(this.available + 4 + (this.availableIndex % this.size) * 2, head, true)
    this.setAvailableIndex(this.availableIndex + 1)
  }

  setAvailableIndex(index: number): void {
    this.availableIndex = index & 0xffff
    this.view.setUint16(this.available + 2, this.availableIndex, true)
  }

  get deviceUsedIndex(): number {
    return this.view.getUint16(this.used + 2, true)
  }

  /** The next completion, when it is there. */
  async completion(): Promise<{ head: number; written: number }> {
    // Turn by turn: a device in the same process can only answer in one.
    for (const deadline = soon(); this.deviceUsedIndex === this.usedIndex; ) {
      if (deadline.aborted) throw new Error('the device never answered')
      await new Promise((resolve) => setImmediate(resolve))
    }
    const at = this.used + 4 + (this.usedIndex % this.size) * 8
    this.usedIndex = (this.usedIndex + 1) & 0xffff
    return { head: this.view.getUint32(at, true), written: this.view.getUint32(at + 4, true) }
  }

  close(): void {
    for (const event of [this.kick, this.call, this.error]) event.close()
  }
}

/** Memory that a front end shares. */
export class SharedMemory implements Disposable {
  readonly memfd: Memfd
  readonly mapping: Mapping
  readonly bytes: Uint8Array
  readonly view: DataView

  constructor(size: number) {
    this.memfd = descriptors.createMemfd('guest', { size })._unsafeUnwrap()
    this.memfd.addSeals('shrink', 'grow')._unsafeUnwrap()
    this.mapping = descriptors.map(this.memfd.fd, { length: size, access: 'write' })._unsafeUnwrap()
    this.bytes = this.mapping.bytes
    this.view = new DataView(this.bytes.buffer)
  }

  [Symbol.dispose](): void {
    this.mapping.close()
    this.memfd.close()
  }
}

/** A front end whose every message a test can get wrong. */
export class FrontEnd implements Disposable {
  readonly memory: SharedMemory
  readonly rings: DriverRing[]

  constructor(
    readonly socket: UnixSocket,
    size = 128,
    readonly memoryBytes = MEMORY,
  ) {
    this.memory = new SharedMemory(memoryBytes)
    this.rings = [0, 1].map((index) => new DriverRing(this.memory.view, index, size, index * 0x20000))
  }

  async send(
    number: number,
    payload: Uint8Array = new Uint8Array(0),
    { fds = [] as readonly Fd[], flags = 1 } = {},
  ): Promise<void> {
    const message = Buffer.concat([u32(number, flags, payload.length), payload])
    ;(await this.socket.send(message, { fds, signal: soon() }))._unsafeUnwrap()
  }

  /** The next reply, or undefined when the device has closed the connection. */
  async reply(): Promise<Said | undefined> {
    const head = await this.#exactly(12)
    if (head === undefined) return undefined
    const length = head.readUInt32LE(8)
    const payload = length === 0 ? Buffer.alloc(0) : await this.#exactly(length)
    return { number: head.readUInt32LE(0), flags: head.readUInt32LE(4), payload: payload! }
  }

  async ask(number: number, payload?: Uint8Array): Promise<Said | undefined> {
    await this.send(number, payload)
    return this.reply()
  }

  /** Sends, asking for an acknowledgement; whether the device said yes. Undefined: it closed the connection. */
  async acknowledged(
    number: number,
    payload?: Uint8Array,
    fds: readonly Fd[] = [],
  ): Promise<boolean | undefined> {
    await this.send(number, payload, { fds, flags: 1 | 8 })
    const said = await this.reply()
    return said === undefined ? undefined : said.payload.readBigUInt64LE(0) === 0n
  }

  async negotiate(features = VERSION_1 | PROTOCOL_FEATURES | INDIRECT, protocol = PROTOCOL): Promise<void> {
    await this.ask(NUMBER.getFeatures)
    await this.ask(NUMBER.getProtocolFeatures)
    await this.send(NUMBER.setProtocolFeatures, u64(protocol))
    await this.send(NUMBER.setOwner)
    await this.send(NUMBER.setFeatures, u64(features))
  }

  region(
    guest: number | bigint = GUEST,
    size: number | bigint = this.memoryBytes,
    user = USER,
    offset = 0n,
  ): Buffer {
    return u64(guest, size, user, offset)
  }

  async shareMemory(): Promise<void> {
    const payload = Buffer.concat([u32(1, 0), this.region()])
    await this.send(NUMBER.setMemTable, payload, { fds: [this.memory.memfd.fd] })
  }

  async startRing({ index, size, descriptors: table, available, used, kick, call, error }: DriverRing) {
    await this.send(NUMBER.setVringNum, u32(index, size))
    await this.send(NUMBER.setVringBase, u32(index, this.rings[index]!.availableIndex))
    await this.send(
      NUMBER.setVringAddr,
      Buffer.concat([
        u32(index, 0),
        u64(USER + BigInt(table), USER + BigInt(used), USER + BigInt(available), 0n),
      ]),
    )
    await this.send(NUMBER.setVringErr, u64(index), { fds: [error.fd] })
    await this.send(NUMBER.setVringCall, u64(index), { fds: [call.fd] })
    await this.send(NUMBER.setVringKick, u64(index), { fds: [kick.fd] })
    await this.send(NUMBER.setVringEnable, u32(index, 1))
  }

  /** All that a driver does before its first request. */
  async start(features?: bigint): Promise<void> {
    await this.negotiate(features)
    await this.shareMemory()
    for (const ring of this.rings) await this.startRing(ring)
    // Until all of it was taken.
    await this.ask(NUMBER.getQueueNum)
  }

  [Symbol.dispose](): void {
    this.socket.close()
    for (const ring of this.rings) ring.close()
    this.memory[Symbol.dispose]()
  }

  async #exactly(length: number): Promise<Buffer | undefined> {
    const parts: Uint8Array[] = []
    for (let left = length; left > 0; ) {
      const received = await this.socket.receive({ maxBytes: left, signal: soon() })
      if (received.isErr() && received.error.kind === 'peer-gone') return undefined
      const part = received._unsafeUnwrap()
      if (part.kind === 'end') return undefined
      parts.push(part.bytes)
      left -= part.bytes.length
    }
    return Buffer.concat(parts)
  }
}
