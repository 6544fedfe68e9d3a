import { createHash } from 'node:crypto'
import type { ByteChannel } from '../machine.js'
import type { Clock } from '../powers.js'
import { Patience } from '../waiting.js'

/** The host's side of the conversation that `echoGuest` describes. */
export class GuestTalk {
  readonly #source: AsyncIterator<Uint8Array>
  #held: Uint8Array = new Uint8Array()

  constructor(
    private readonly control: ByteChannel,
    private readonly clock: Clock,
    private readonly patienceMs: number,
  ) {
    this.#source = control.incoming[Symbol.asyncIterator]()
  }

  send(line: string): Promise<void> {
    return this.control.write(new TextEncoder().encode(line))
  }

  async line(): Promise<string> {
    let line = ''
    for (;;) {
      const byte = await this.take(1)
      if (byte[0] === 0x0a) return line
      line += String.fromCharCode(byte[0] ?? 0)
    }
  }

  async take(count: number): Promise<Uint8Array> {
    const taken = new Uint8Array(count)
    for (let at = 0; at < count; ) {
      if (this.#held.length === 0 && !(await this.#more())) throw new Error('the control channel ended')
      const part = this.#held.subarray(0, count - at)
      taken.set(part, at)
      at += part.length
      this.#held = this.#held.subarray(part.length)
    }
    return taken
  }

  async echo(bytes: Uint8Array): Promise<Uint8Array> {
    await this.send(`echo ${bytes.length}\n`)
    const returned = this.take(bytes.length)
    // Chunks of an odd size, so that no boundary coincides with one of the channel's own.
    for (let at = 0; at < bytes.length; at += 10_007)
      await this.control.write(bytes.subarray(at, at + 10_007))
    return await returned
  }

  pmem(): Promise<number[]> {
    return this.sizes('pmem')
  }

  async sizes(kind: 'pmem' | 'block'): Promise<number[]> {
    await this.send(`${kind}\n`)
    return (await this.line()).split(' ').slice(1).map(Number)
  }

  /** Writes text at the beginning of the volume with this serial number, and has it on the disk: `written`, or `refused`. */
  async write(serial: string, text: string): Promise<string> {
    await this.send(`write ${serial} ${text}\n`)
    return await this.line()
  }

  async view(tag: string): Promise<string[]> {
    await this.send(`view ${tag}\n`)
    return (await this.line()).split(' ').slice(1)
  }

  /** Whether the channel has ended by now or ends within patience. */
  async ended(): Promise<boolean> {
    this.#held = new Uint8Array()
    while (await this.#more()) this.#held = new Uint8Array()
    return true
  }

  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const latest = this.clock.now() + this.patienceMs
    while (!(await condition())) {
      if (this.clock.now() > latest) throw new Error('the guest did not get there in time')
      using pause = this.clock.deadline(20)
      await new Promise<void>((resolve) => pause.signal.addEventListener('abort', () => resolve()))
    }
  }

  async #more(): Promise<boolean> {
    using patience = new Patience(this.clock, undefined, this.patienceMs)
    const next = await patience.race(this.#source.next())
    if (next.done === true) return false
    this.#held = next.value
    return true
  }
}

/** Bytes of every value in no simple order. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 167 + (index >> 8) * 13 + 7) & 0xff)
}

export function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
