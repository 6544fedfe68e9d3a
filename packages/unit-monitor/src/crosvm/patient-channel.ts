import type { ByteChannel } from '../machine.js'

/** What a caller may write before the guest has opened its port, without having to wait. */
const MOST_HELD_BYTES = 64 * 1024

/**
 * A channel that keeps what is written until the guest has said something.
 *
 * crosvm hands bytes to the guest as soon as its driver is there, and Linux throws away what arrives at a port
 * that nobody has opened yet (drivers/char/virtio_console.c, `in_intr`). crosvm does not tell that the port was
 * opened; a guest that has written to it has opened it.
 */
export class PatientChannel implements ByteChannel {
  readonly incoming: AsyncIterable<Uint8Array>
  readonly #inner: ByteChannel
  readonly #opened: Promise<void>
  #held: Uint8Array[] = []
  #heldBytes = 0
  #heard = false
  #closed = false

  constructor(inner: ByteChannel) {
    this.#inner = inner
    const source = inner.incoming[Symbol.asyncIterator]()
    const first = source.next()
    this.#opened = first.then(() => this.#release())
    // Whoever writes next learns of it.
    this.#opened.catch(() => {})
    this.incoming = once(first, source)
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#closed) throw new Error('the channel is closed')
    if (!this.#heard && this.#heldBytes + bytes.length <= MOST_HELD_BYTES) {
      this.#held.push(bytes.slice())
      this.#heldBytes += bytes.length
      return
    }
    if (!this.#heard) await this.#opened
    await this.#inner.write(bytes)
  }

  close(): void {
    this.#closed = true
    this.#held = []
    this.#inner.close()
  }

  async #release(): Promise<void> {
    for (;;) {
      const next = this.#held.shift()
      if (next === undefined) break
      await this.#inner.write(next)
    }
    this.#heard = true
  }
}

function once(
  first: Promise<IteratorResult<Uint8Array>>,
  source: AsyncIterator<Uint8Array>,
): AsyncIterable<Uint8Array> {
  let taken = false
  return {
    [Symbol.asyncIterator]() {
      if (taken) throw new TypeError('a channel has one consumer')
      taken = true
      return chunks(first, source)
    },
  }
}

async function* chunks(
  first: Promise<IteratorResult<Uint8Array>>,
  source: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  for (let next = await first; next.done !== true; next = await source.next()) yield next.value
}
