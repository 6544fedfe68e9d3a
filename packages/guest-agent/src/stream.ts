import type { GuestCall, GuestStream, StreamEnd } from './agent.js'
import { ProtocolViolation } from './codec.js'
import { type Frame, type HostFrame, limits } from './frames.js'
import { OutputStream } from './output.js'
import { StdinWriter } from './stdin.js'

/** Frames of the unit that concern one open stream. */
export type StreamFrame = Frame<'received' | 'received-end' | 'send-credit' | 'send-closed' | 'closed'>

interface StreamPowers {
  send(frame: HostFrame): void
  /** Undefined when the channel takes more; else resolves when it does. */
  clogged(): Promise<void> | undefined
}

/** One socket of a unit as the host sees it: a small state machine over the unit's frames. */
export class HostStream implements GuestStream {
  readonly incoming: OutputStream
  readonly readerGone: Promise<void>
  readonly closed: Promise<StreamEnd>
  readonly #powers: StreamPowers
  readonly #writer: StdinWriter
  #sendClosed = false
  #reset = false
  #gone = false
  #settleReaderGone!: () => void
  #settleClosed!: (end: StreamEnd) => void

  constructor(
    readonly id: number,
    powers: StreamPowers,
  ) {
    this.#powers = powers
    this.incoming = new OutputStream((credit) => this.#tell({ type: 'receive-credit', stream: id, credit }), {
      window: limits.streamWindow,
      onDemand: true,
      stop: () => this.#tell({ type: 'receive-stop', stream: id }),
    })
    this.#writer = new StdinWriter(
      {
        ready: () => powers.clogged(),
        data: (offset, bytes) => this.#tell({ type: 'send', stream: id, offset, bytes }),
        end: (offset) => this.#tell({ type: 'send-end', stream: id, offset }),
      },
      limits.streamWindow,
    )
    this.readerGone = new Promise((resolve) => {
      this.#settleReaderGone = resolve
    })
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
  }

  /** Whether the program has been told, or will be, that no more comes. */
  get endTold(): boolean {
    return this.#writer.ended
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writer.write(bytes)
  }

  end(): Promise<void> {
    return this.#writer.end()
  }

  stop(): void {
    this.incoming.discard()
  }

  reset(): void {
    if (this.#reset || this.#gone) return
    this.#tell({ type: 'reset', stream: this.id })
    this.#reset = true
    this.incoming.discard()
    this.#writer.close('the stream was reset')
    this.#settleReaderGone()
  }

  /** Takes a frame of the unit. Throws ProtocolViolation when it is not legal now. True: it was the last one. */
  receive(frame: StreamFrame): boolean {
    switch (frame.type) {
      case 'received':
        this.incoming.push(frame.offset, frame.bytes)
        return false
      case 'received-end':
        this.incoming.end(frame.offset)
        return false
      case 'send-credit':
        if (this.#sendClosed) throw new ProtocolViolation('send-credit after send-closed')
        this.#writer.grant(frame.credit)
        return false
      case 'send-closed':
        if (this.#sendClosed) throw new ProtocolViolation('send-closed a second time')
        this.#sendClosed = true
        this.#writer.close('the program reads no more')
        this.#settleReaderGone()
        return false
      case 'closed':
        if (!this.#reset && !(this.incoming.ended && (this.#sendClosed || this.#writer.ended))) {
          throw new ProtocolViolation('closed before both directions had ended')
        }
        this.#finish({ kind: this.#reset ? 'reset' : 'finished' })
        return true
    }
  }

  /** The unit is gone, or never opened it. */
  lose(message: string): void {
    this.#finish({ kind: 'unit-lost', message })
  }

  #finish(end: StreamEnd): void {
    this.#gone = true
    this.#writer.close('the stream is closed')
    this.incoming.finish()
    this.#settleReaderGone()
    this.#settleClosed(end)
  }

  #tell(frame: HostFrame): void {
    // After its reset the host has nothing to say about a stream.
    if (!this.#reset && !this.#gone) this.#powers.send(frame)
  }
}

/** A stream that a program of the unit has opened. */
export class HostCall extends HostStream implements GuestCall {
  constructor(
    id: number,
    readonly service: string,
    powers: StreamPowers,
  ) {
    super(id, powers)
  }
}
