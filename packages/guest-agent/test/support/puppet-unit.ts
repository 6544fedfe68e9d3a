import { type Agent, type ByteChannel, connectAgent } from '@spectrum/guest-agent'
import { encodeFrame, FrameDecoder } from '../../src/codec.js'
import type { Frame, HostFrame } from '../../src/frames.js'
import { AsyncQueue } from '../../src/queue.js'
import { clock } from './clock.js'

/** A unit whose every byte the test chooses. */
export class PuppetUnit {
  readonly #toHost = new AsyncQueue<Uint8Array>()
  readonly received: HostFrame[] = []
  closed = false
  stuck = false
  readonly channel: ByteChannel = {
    incoming: this.#toHost,
    write: async (bytes) => {
      if (this.stuck) await new Promise(() => {})
      for (const frame of new FrameDecoder('host').push(bytes)) this.received.push(frame as HostFrame)
    },
    close: () => {
      this.closed = true
      this.#toHost.end()
    },
  }

  send(...frames: (Frame | Uint8Array)[]): void {
    for (const frame of frames) this.#toHost.push('type' in frame ? encodeFrame(frame) : frame)
  }

  end(): void {
    this.#toHost.end()
  }
}

export const hello: Frame<'hello'> = {
  type: 'hello',
  minVersion: 4,
  maxVersion: 4,
  bootId: '00000000-0000-4000-8000-000000000000',
  release: '6.1',
  machine: 'x86_64',
}
export async function connected(by = clock): Promise<{ unit: PuppetUnit; agent: Agent }> {
  const unit = new PuppetUnit()
  unit.send(hello)
  return { unit, agent: (await connectAgent(unit.channel, { clock: by }))._unsafeUnwrap() }
}
