import type { ByteChannel } from './machine.js'

const HIGH_WATER_BYTES = 64 * 1024

/** One direction: a bounded queue of chunks with one reader. */
class Pipe {
  readonly #chunks: Uint8Array[] = []
  #bytes = 0
  #ended = false
  #wakeReader: () => void = () => {}
  readonly #wakeWriters: (() => void)[] = []
  #taken = false

  async write(bytes: Uint8Array): Promise<void> {
    while (this.#bytes >= HIGH_WATER_BYTES && !this.#ended)
      await new Promise<void>((resolve) => this.#wakeWriters.push(resolve))
    if (this.#ended) throw new Error('the channel is closed')
    if (bytes.length === 0) return
    this.#chunks.push(Uint8Array.from(bytes))
    this.#bytes += bytes.length
    this.#wakeReader()
  }

  end(): void {
    this.#ended = true
    this.#wakeReader()
    for (const wake of this.#wakeWriters.splice(0)) wake()
  }

  discard(): void {
    this.#chunks.length = 0
    this.#bytes = 0
    this.end()
  }

  async *read(): AsyncGenerator<Uint8Array, void, void> {
    if (this.#taken) throw new TypeError('a channel has one consumer')
    this.#taken = true
    for (;;) {
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#bytes -= chunk.length
        for (const wake of this.#wakeWriters.splice(0)) wake()
        yield chunk
      } else if (this.#ended) return
      else
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve
        })
    }
  }
}

/** Two ends of one in-memory byte stream with the back-pressure of a socket. Closing one end ends the other. */
export function channelPair(): [ByteChannel, ByteChannel] {
  const there = new Pipe()
  const back = new Pipe()
  const end = (incoming: Pipe, outgoing: Pipe): ByteChannel => ({
    incoming: { [Symbol.asyncIterator]: () => incoming.read() },
    write: (bytes) => outgoing.write(bytes),
    close() {
      incoming.discard()
      outgoing.end()
    },
  })
  return [end(back, there), end(there, back)]
}
