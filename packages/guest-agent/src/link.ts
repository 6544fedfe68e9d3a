import type { AgentClosed, ByteChannel } from './agent.js'
import { encodeFrame, FrameDecoder, ProtocolViolation } from './codec.js'
import type { HostFrame, UnitFrame } from './frames.js'

/** Bytes that may wait for a unit that does not read. What is sent is bounded by credits far below this. */
const maxQueuedBytes = 8 * 1024 * 1024

/** Above it whoever has much to send waits, so that a short frame is never behind megabytes. */
const cloggedBytes = 512 * 1024

/** Frames over a byte channel: decodes what comes, queues what goes, ends once with a reason. */
export class Link {
  readonly closed: Promise<AgentClosed>
  readonly #channel: ByteChannel
  #queuedBytes = 0
  #tail: Promise<void> = Promise.resolve()
  #closed: AgentClosed | undefined
  #unclogged: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  #settle!: (closed: AgentClosed) => void

  constructor(channel: ByteChannel) {
    this.#channel = channel
    this.closed = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  /** Why the link has ended, once it has. */
  get closedAs(): AgentClosed | undefined {
    return this.#closed
  }

  /** Hands over every frame in order until the link ends. Call once. `onFrame` throws ProtocolViolation. */
  async receive(onFrame: (frame: UnitFrame) => void): Promise<void> {
    const decoder = new FrameDecoder('unit')
    try {
      for await (const chunk of this.#channel.incoming) {
        for (const frame of decoder.push(chunk)) {
          if (this.#closed !== undefined) return
          onFrame(frame as UnitFrame)
        }
        if (this.#closed !== undefined) return
      }
      decoder.end()
      this.close({ kind: 'closed-by-unit' })
    } catch (cause) {
      if (cause instanceof ProtocolViolation) {
        this.close({ kind: 'protocol-violation', message: cause.message })
      } else {
        // The channel itself failed (reset, destroyed): the unit is gone.
        this.close({ kind: 'closed-by-unit' })
      }
    }
  }

  /** Queues a frame. A no-op once the link has ended. */
  send(frame: HostFrame): void {
    if (this.#closed !== undefined) return
    const bytes = encodeFrame(frame)
    this.#queuedBytes += bytes.length
    if (this.#queuedBytes > maxQueuedBytes) {
      this.close({ kind: 'protocol-violation', message: 'the unit does not read its control channel' })
      return
    }
    this.#tail = this.#tail.then(async () => {
      if (this.#closed !== undefined) return
      try {
        await this.#channel.write(bytes)
        this.#queuedBytes -= bytes.length
        if (this.#queuedBytes <= cloggedBytes / 2) this.#unclog()
      } catch {
        this.close({ kind: 'closed-by-unit' })
      }
    })
  }

  /** Undefined when more may be sent now; else resolves when it may, or when the link has ended. */
  clogged(): Promise<void> | undefined {
    if (this.#closed !== undefined || this.#queuedBytes < cloggedBytes) return undefined
    if (this.#unclogged === undefined) {
      let resolve!: () => void
      const promise = new Promise<void>((settle) => {
        resolve = settle
      })
      this.#unclogged = { promise, resolve }
    }
    return this.#unclogged.promise
  }

  #unclog(): void {
    this.#unclogged?.resolve()
    this.#unclogged = undefined
  }

  /** Ends the link for this reason, unless it has ended already. */
  close(closed: AgentClosed): void {
    if (this.#closed !== undefined) return
    this.#closed = closed
    this.#unclog()
    this.#channel.close()
    this.#settle(closed)
  }
}
