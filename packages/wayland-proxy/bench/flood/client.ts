import type { Fd, UnixSocket } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'

const descriptors = unixFd()._unsafeUnwrap()
const inbox = descriptors.createInbox({ maxBytes: 65_536, maxFds: 28 })._unsafeUnwrap()

/** wl_display */
const SYNC = 0
const GET_REGISTRY = 1

export const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer)
export const header = (id: number, opcode: number, size: number) => [id, ((size << 16) | opcode) >>> 0]

/** The smallest client that can measure: it writes words and waits for callbacks. */
export class Client {
  readonly #socket: UnixSocket
  readonly #globals = new Map<string, { name: number; version: number }>()
  readonly #done = new Map<number, () => void>()
  #left: Uint8Array = new Uint8Array()
  #next = 2
  readonly #watch: { close(): void }

  constructor(path: string) {
    this.#socket = descriptors.connect(path, 'stream')._unsafeUnwrap()
    this.#watch = this.#socket.fd.onReady('readable', () => this.#read())._unsafeUnwrap()
  }

  close(): void {
    this.#watch.close()
    this.#socket.close()
  }

  /** Reads no more. */
  stall(): void {
    this.#watch.close()
  }

  id(): number {
    return this.#next++
  }

  async send(bytes: Uint8Array, fds: readonly Fd[] = []): Promise<void> {
    const sent = await this.#socket.send(bytes, { fds, signal: AbortSignal.timeout(60_000) })
    if (sent.isErr()) throw new Error(sent.error.message)
  }

  async sync(): Promise<void> {
    const id = this.id()
    const done = new Promise<void>((resolve) => this.#done.set(id, resolve))
    await this.send(words(...header(1, SYNC, 12), id))
    await done
  }

  #registry = 0

  async start(): Promise<void> {
    this.#registry = this.id()
    await this.send(words(...header(1, GET_REGISTRY, 12), this.#registry))
    await this.sync()
  }

  async bind(name: string, version: number): Promise<number> {
    const global = this.#globals.get(name)
    if (global === undefined) throw new Error(`${name} is not offered`)
    const id = this.id()
    const text = new TextEncoder().encode(`${name}\0`)
    const padded = new Uint8Array(Math.ceil(text.length / 4) * 4)
    padded.set(text)
    const content = [global.name, text.length, ...new Uint32Array(padded.buffer), version, id]
    await this.send(words(...header(this.#registry, 0, 8 + content.length * 4), ...content))
    return id
  }

  #read(): void {
    for (;;) {
      const found = this.#socket.tryReceive(inbox)
      if (found.isErr() || found.value === 'end') {
        this.#watch.close()
        return
      }
      if (found.value === 'empty') return
      inbox.closeFds()
      const joined = new Uint8Array(this.#left.length + inbox.length)
      joined.set(this.#left)
      joined.set(inbox.bytes, this.#left.length)
      this.#left = this.#take(joined)
    }
  }

  #take(bytes: Uint8Array): Uint8Array {
    const view = new DataView(bytes.buffer)
    let at = 0
    while (bytes.length - at >= 8) {
      const [id, second] = [view.getUint32(at, true), view.getUint32(at + 4, true)]
      const size = second >>> 16
      if (bytes.length - at < size) break
      if (id === 1 && (second & 0xffff) === 0) {
        const text = new TextDecoder().decode(bytes.subarray(at + 20, at + size))
        throw new Error(`the client was refused: ${text}`)
      }
      if (id === this.#registry && (second & 0xffff) === 0) {
        const length = view.getUint32(at + 12, true)
        const name = new TextDecoder().decode(bytes.subarray(at + 16, at + 15 + length))
        const version = view.getUint32(at + 16 + Math.ceil(length / 4) * 4, true)
        this.#globals.set(name, { name: view.getUint32(at + 8, true), version })
      }
      this.#done.get(id)?.()
      this.#done.delete(id)
      at += size
    }
    return bytes.slice(at)
  }
}

export const memory = (size: number): Fd => descriptors.createMemfd('bench', { size })._unsafeUnwrap().fd
