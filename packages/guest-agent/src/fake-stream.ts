import { Buffer } from 'node:buffer'
import { ProtocolViolation } from './codec.js'
import type { FakeSocket } from './fake.js'
import { type Frame, limits, type UnitFrame } from './frames.js'
import { AsyncQueue } from './queue.js'

/** What a kernel would hold of a socket that nobody reads. */
const kernelBytes = 65_536

/** The unit's side of one stream: what a program has as its socket, in the terms of the protocol. */
export class FakeStream implements FakeSocket {
  readonly incoming: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => this.#read() }
  readonly #send: (frame: UnitFrame) => void
  readonly #release: () => void
  readonly #arrived = new AsyncQueue<Uint8Array>()
  #arrivedBytes = 0
  #ungranted = 0
  #sent = 0
  #sendCredit: number = limits.streamWindow
  #endSeen = false
  #sendEnded = false

  #leaving: Uint8Array[] = []
  #leavingBytes = 0
  #received = 0
  #receiveCredit = 0
  #stopSeen = false
  #shut = false
  #receiveEnded = false
  #room: (() => void) | undefined
  #gone = false

  constructor(
    readonly id: number,
    send: (frame: UnitFrame) => void,
    release: () => void,
  ) {
    this.#send = send
    this.#release = release
  }

  /** The host has sent all it wants to, and nobody has taken the stream away. */
  get ended(): boolean {
    return this.#endSeen && !this.#gone
  }

  // What the program does.

  async write(chunk: Uint8Array | string): Promise<void> {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk)
    if (this.#shut || this.#receiveEnded || this.#gone) throw new Error('EPIPE')
    this.#leaving.push(bytes)
    this.#leavingBytes += bytes.length
    this.#flush()
    while (this.#leavingBytes > kernelBytes) {
      await new Promise<void>((resolve) => {
        this.#room = resolve
      })
      this.#room = undefined
      if (this.#receiveEnded || this.#gone) throw new Error('EPIPE')
    }
  }

  end(): void {
    this.#shut = true
    this.#flush()
  }

  close(): void {
    if (this.#gone) return
    if (!this.#sendEnded) this.#closeSend()
    this.end()
    this.#finishIfDone()
  }

  // What the host does.

  receiveSend({ offset, bytes }: Frame<'send'>): void {
    if (this.#endSeen) throw new ProtocolViolation('send: after its end')
    if (offset !== this.#sent) throw new ProtocolViolation('send: not the next offset')
    if (bytes.length > this.#sendCredit) throw new ProtocolViolation('send: more than was granted')
    this.#sent += bytes.length
    this.#sendCredit -= bytes.length
    if (this.#sendEnded) return
    this.#arrivedBytes += bytes.length
    this.#arrived.push(bytes)
  }

  receiveSendEnd({ offset }: Frame<'send-end'>): void {
    if (this.#endSeen || offset !== this.#sent) throw new ProtocolViolation('send-end: a false one')
    this.#endSeen = true
    this.#endSendIfTaken()
  }

  grant({ credit }: Frame<'receive-credit'>): void {
    if (this.#stopSeen || credit === 0 || this.#receiveCredit + credit > limits.streamWindow) {
      throw new ProtocolViolation('receive-credit: out of range')
    }
    this.#receiveCredit += credit
    this.#flush()
  }

  receiveStop(): void {
    if (this.#stopSeen) throw new ProtocolViolation('receive-stop: a second time')
    this.#stopSeen = true
    this.#leaving = []
    this.#leavingBytes = 0
    if (!this.#receiveEnded) this.#endReceive()
    this.#finishIfDone()
  }

  reset(): void {
    this.#finish()
  }

  /** The unit is gone. */
  lose(): void {
    this.#gone = true
    this.#arrived.end()
    this.#room?.()
  }

  // Not a generator: one that is left before its first step would never run its `finally`.
  #read(): AsyncIterator<Uint8Array, void, undefined> {
    const incoming = this.#arrived[Symbol.asyncIterator]()
    return {
      next: async () => {
        const result = await incoming.next()
        if (result.done !== true) this.#take(result.value.length)
        return result
      },
      return: async () => ({ done: true, value: undefined }),
    }
  }

  #take(bytes: number): void {
    this.#arrivedBytes -= bytes
    this.#ungranted += bytes
    if (!this.#endSeen && !this.#sendEnded && !this.#gone && this.#ungranted >= limits.streamWindow / 2) {
      this.#send({ type: 'send-credit', stream: this.id, credit: this.#ungranted })
      this.#sendCredit += this.#ungranted
      this.#ungranted = 0
    }
    this.#endSendIfTaken()
  }

  #endSendIfTaken(): void {
    if (!this.#endSeen || this.#sendEnded || this.#arrivedBytes > kernelBytes) return
    this.#sendEnded = true
    this.#arrived.end()
    this.#finishIfDone()
  }

  #closeSend(): void {
    this.#sendEnded = true
    this.#arrived.end()
    this.#send({ type: 'send-closed', stream: this.id })
  }

  #flush(): void {
    while (this.#leaving.length > 0 && this.#receiveCredit > 0 && !this.#receiveEnded && !this.#gone) {
      const first = this.#leaving[0]!
      const bytes = first.subarray(0, Math.min(this.#receiveCredit, limits.chunkBytes))
      if (bytes.length === first.length) this.#leaving.shift()
      else this.#leaving[0] = first.subarray(bytes.length)
      if (bytes.length > 0) this.#send({ type: 'received', stream: this.id, offset: this.#received, bytes })
      this.#received += bytes.length
      this.#receiveCredit -= bytes.length
      this.#leavingBytes -= bytes.length
    }
    this.#room?.()
    if (this.#shut && this.#leaving.length === 0 && !this.#receiveEnded && !this.#gone) this.#endReceive()
    this.#finishIfDone()
  }

  #endReceive(): void {
    this.#receiveEnded = true
    this.#send({ type: 'received-end', stream: this.id, offset: this.#received })
    this.#room?.()
  }

  #finishIfDone(): void {
    if (this.#receiveEnded && this.#sendEnded) this.#finish()
  }

  #finish(): void {
    if (this.#gone) return
    this.lose()
    this.#send({ type: 'closed', stream: this.id })
    this.#release()
  }
}
