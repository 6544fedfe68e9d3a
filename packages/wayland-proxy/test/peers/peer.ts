import { Fd, type UnixSocket } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import type { CompiledInterface, CompiledMessage } from '../../src/protocol/compile.js'
import { extendedTable, type ProtocolTable } from '../../src/protocol/table.js'
import { decodeArguments } from '../../src/wire/decode.js'
import { encodeMessage } from '../../src/wire/encode.js'
import { nextFrame } from '../../src/wire/framing.js'
import type { Argument, ArgumentSignature } from '../../src/wire/signature.js'

export const table: ProtocolTable = extendedTable()._unsafeUnwrap()
export const descriptors = unixFd()._unsafeUnwrap()
const inbox = descriptors.createInbox({ maxBytes: 65_536, maxFds: 253 })._unsafeUnwrap()

/** A value as tests write it: ids and numbers plain, strings as text, null, bytes, descriptors. */
export type Plain = number | string | null | Uint8Array | Fd

export interface Seen {
  readonly id: number
  /** `wl_surface.commit` */
  readonly name: string
  readonly args: readonly Plain[]
  readonly bytes: Uint8Array
}

export interface Known {
  readonly type: CompiledInterface
  version: number
}

/** One end of a Wayland connection that a test plays, message by message. It checks strictly what it gets. */
export class Peer {
  readonly socket: UnixSocket
  readonly sends: 'requests' | 'events'
  readonly objects = new Map<number, Known>()
  /** All that came, in order. */
  readonly seen: Seen[] = []
  /** What broke a rule of the wire, as this end sees it. */
  readonly faults: string[] = []
  readonly fds: Fd[] = []
  ended = false
  onMessage: ((seen: Seen, known: Known) => void) | undefined
  #left: Uint8Array = new Uint8Array()
  #searched = 0

  constructor(socket: UnixSocket, sends: 'requests' | 'events') {
    this.socket = socket
    this.sends = sends
    this.know(1, 'wl_display', 1)
    this.#watch()
  }

  #watching: { close(): void } | undefined

  #watch(): void {
    this.#watching = this.socket.fd.onReady('readable', () => this.#read())._unsafeUnwrap()
  }

  /** Does not read any more; as a client that hangs. */
  stall(): void {
    this.#watching?.close()
    this.#watching = undefined
  }

  resume(): void {
    if (this.#watching === undefined) this.#watch()
  }

  know(id: number, name: string, version: number): Known {
    const type = table.find(name)
    if (type === undefined) throw new Error(`no ${name} in the table`)
    const known = { type, version }
    this.objects.set(id, known)
    return known
  }

  /** Sends a message; new ids become known. */
  send(id: number, name: string, ...args: Plain[]): void {
    const known = this.objects.get(id)
    if (known === undefined) throw new Error(`no object ${id}`)
    const message = known.type[this.sends].find((one) => one.name === name)
    if (message === undefined) throw new Error(`${known.type.name} has no ${name}`)
    const { bytes, fds } = this.encode(id, message, args, known)
    this.raw(bytes, fds)
  }

  /** The bytes that `send` would send. */
  encode(id: number, message: CompiledMessage, args: readonly Plain[], known?: Known) {
    const rest = [...args]
    const fds: Fd[] = []
    const values = message.signature.arguments.map((argument, index): Argument<Fd> => {
      const value = argumentOf(argument, rest)
      if (value.kind === 'fd') fds.push(value.descriptor)
      if (value.kind === 'new-id' && message.targets[index]) {
        this.know(value.id, message.targets[index]!.name, known?.version ?? 1)
      }
      if (value.kind === 'untyped-new-id') {
        const name = new TextDecoder().decode(value.interface)
        if (table.find(name)) this.know(value.id, name, value.version)
      }
      return value
    })
    const { bytes } = encodeMessage(message.signature, id, message.opcode, values)._unsafeUnwrap()
    return { bytes, fds }
  }

  readonly #queue: { bytes: Uint8Array; fds: readonly Fd[] }[] = []
  #writing: { close(): void } | undefined

  /** Sends the bytes, in order, when the other end reads. Descriptors are borrowed until they have gone. */
  raw(bytes: Uint8Array, fds: readonly Fd[] = []): void {
    this.#queue.push({ bytes, fds })
    this.#write()
  }

  #write(): void {
    while (this.#queue.length > 0) {
      const { bytes, fds } = this.#queue[0]!
      const some = this.socket.trySend(bytes, fds).unwrapOr(bytes.length)
      if (some === bytes.length) this.#queue.shift()
      else if (some > 0) this.#queue[0] = { bytes: bytes.subarray(some), fds: [] }
      else {
        this.#writing ??= this.socket.fd.onReady('writable', () => this.#write())._unsafeUnwrap()
        return
      }
    }
    this.#writing?.close()
    this.#writing = undefined
  }

  /** As much of the bytes as goes; how much that was. */
  tryRaw(bytes: Uint8Array, fds: readonly Fd[] = []): number {
    return this.socket.trySend(bytes, fds).unwrapOr(-1)
  }

  /** Waits for the next message of this name that was not waited for yet. */
  async next(name: string): Promise<Seen> {
    for (;;) {
      const at = this.seen.findIndex((one, index) => index >= this.#searched && one.name === name)
      if (at >= 0) {
        this.#searched = at + 1
        return this.seen[at]!
      }
      if (this.ended) break
      await this.#change()
    }
    throw new Error(`the connection ended before ${name}; seen: ${this.names().join(' ')}`)
  }

  /** Resolves when something has come, or the end has. The test's own deadline guards it. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  readonly #waiters: (() => void)[] = []

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake()
  }

  names(): string[] {
    return this.seen.map(({ name }) => name)
  }

  async end(): Promise<void> {
    while (!this.ended) await this.#change()
  }

  close(): void {
    this.stall()
    for (const fd of this.fds.splice(0)) fd.close()
    for (const { args } of this.seen) for (const arg of args) if (arg instanceof Fd) arg.close()
    this.socket.close()
    this.ended = true
  }

  #read(): void {
    for (;;) {
      const found = this.socket.tryReceive(inbox)
      if (found.isErr() || found.value === 'end') {
        if (found.isErr()) this.faults.push(`the connection did not end, it broke: ${found.error.message}`)
        this.ended = true
        this.stall()
        this.#wake()
        return
      }
      if (found.value === 'empty') return
      this.fds.push(...inbox.takeFds())
      const joined = new Uint8Array(this.#left.length + inbox.length)
      joined.set(this.#left)
      joined.set(inbox.bytes, this.#left.length)
      this.#left = this.#take(joined)
      this.#wake()
    }
  }

  #take(bytes: Uint8Array): Uint8Array {
    let rest = bytes
    for (;;) {
      const frame = nextFrame(rest)
      if (frame.isErr()) {
        this.faults.push(frame.error.message)
        return new Uint8Array()
      }
      if (frame.value === undefined) return rest
      rest = rest.subarray(frame.value.bytes.length)
      this.#judge(frame.value.objectId, frame.value.opcode, frame.value.bytes)
    }
  }

  #judge(id: number, opcode: number, bytes: Uint8Array): void {
    const known = this.objects.get(id)
    const message = known?.type[this.sends === 'requests' ? 'events' : 'requests'][opcode]
    if (known === undefined || message === undefined || message.since > known.version) {
      this.faults.push(`${known?.type.name ?? 'unknown'}@${id} message ${opcode}`)
      return
    }
    const decoded = decodeArguments(message.signature, { objectId: id, opcode, bytes }, this.fds)
    if (decoded.isErr()) {
      this.faults.push(`${message.fullName}: ${decoded.error.message}`)
      return
    }
    this.fds.splice(0, decoded.value.descriptorsTaken)
    for (const [index, value] of decoded.value.arguments.entries()) {
      if (value.kind === 'new-id') this.#learn(value.id, message.targets[index]!.name, known.version)
      if (value.kind === 'untyped-new-id') {
        this.#learn(value.id, new TextDecoder().decode(value.interface), value.version)
      }
      if (value.kind === 'object' && value.id !== null && !this.objects.has(value.id)) {
        this.faults.push(`${message.fullName} names object ${value.id}, which does not exist`)
      }
    }
    const again = encodeMessage(message.signature, id, opcode, decoded.value.arguments)._unsafeUnwrap()
    if (!equal(again.bytes, bytes)) this.faults.push(`${message.fullName} is not canonical`)
    const args = decoded.value.arguments.flatMap(plainOf)
    const seen = { id, name: message.fullName, args, bytes: bytes.slice() }
    this.seen.push(seen)
    this.onMessage?.(seen, known)
  }

  /** What libwayland checks of a new id: not in use, and no gap. */
  #learn(id: number, name: string, version: number): void {
    const low = this.sends === 'events'
    const ids = [...this.objects.keys()].filter((one) => one < 0xff000000 === low)
    const highest = Math.max(low ? 0 : 0xfeffffff, this.highest, ...ids)
    if (this.objects.has(id) && low) this.faults.push(`new id ${id} is in use`)
    if (id > highest + 1 || id >= 0xff000000 === low) this.faults.push(`new id ${id} leaves a gap`)
    this.highest = Math.max(this.highest, id)
    this.know(id, name, version)
  }

  highest = 0
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

function argumentOf(argument: ArgumentSignature, rest: Plain[]): Argument<Fd> {
  const next = rest.shift()
  switch (argument.type.kind) {
    case 'string':
      return {
        kind: 'string',
        bytes: typeof next === 'string' ? new TextEncoder().encode(next) : (next as null),
      }
    case 'array':
      return { kind: 'array', bytes: next as Uint8Array }
    case 'fd':
      return { kind: 'fd', descriptor: next as Fd }
    case 'object':
      return { kind: 'object', id: next as number | null }
    case 'untyped-new-id': {
      const [version, id] = [rest.shift() as number, rest.shift() as number]
      return { kind: 'untyped-new-id', interface: new TextEncoder().encode(next as string), version, id }
    }
    default:
      return { kind: argument.type.kind, value: next, id: next } as Argument<Fd>
  }
}

function plainOf(value: Argument<Fd>): Plain[] {
  switch (value.kind) {
    case 'string':
      return [value.bytes === null ? null : new TextDecoder().decode(value.bytes)]
    case 'array':
      return [value.bytes.slice()]
    case 'fd':
      return [value.descriptor]
    case 'object':
    case 'new-id':
      return [value.id]
    case 'untyped-new-id':
      return [new TextDecoder().decode(value.interface), value.version, value.id]
    default:
      return [value.value]
  }
}
