import type { ByteChannel } from '../machine.js'

/** A guest that can be held still: it hears and says nothing until the stillness ends. */
export class Stillness {
  #over: Promise<void> | undefined
  #end: () => void = () => {}

  begin(): void {
    this.#over ??= new Promise((resolve) => {
      this.#end = resolve
    })
  }

  end(): void {
    this.#over = undefined
    this.#end()
  }

  /** The guest's end of a channel. What comes meanwhile waits in the channel. */
  around(channel: ByteChannel): ByteChannel {
    const over = () => this.#over
    async function* incoming(): AsyncGenerator<Uint8Array, void, void> {
      for await (const bytes of channel.incoming) {
        await over()
        yield bytes
      }
    }
    return {
      incoming: { [Symbol.asyncIterator]: incoming },
      async write(bytes) {
        await over()
        await channel.write(bytes)
      },
      close: () => channel.close(),
    }
  }
}
