import type { GuestStdin } from './agent.js'
import { ProtocolViolation } from './codec.js'
import { limits } from './frames.js'

/** Where the bytes go. */
interface Peer {
  /** Resolves when the channel takes more; undefined when it does now. */
  ready(): Promise<unknown> | undefined
  data(offset: number, bytes: Uint8Array): void
  end(offset: number): void
}

/** The host's end of a command's stdin, or of what a socket is sent: never more than the unit has room for. */
export class StdinWriter implements GuestStdin {
  readonly #peer: Peer
  readonly #window: number
  #credit: number
  #sent = 0
  #ended = false
  #told = false
  /** Why nothing can be written any more. */
  #gone: string | undefined
  #turn: Promise<void> = Promise.resolve()
  #wake: (() => void) | undefined

  constructor(peer: Peer, window: number = limits.stdinWindow) {
    this.#peer = peer
    this.#window = window
    this.#credit = window
  }

  /** Whether its end was told. */
  get ended(): boolean {
    return this.#told
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#ended) throw new TypeError('write after the end of stdin')
      let rest = bytes
      while (rest.length > 0) {
        this.#check()
        const clogged = this.#peer.ready()
        if (clogged !== undefined) {
          await clogged
          continue
        }
        const size = Math.min(rest.length, this.#credit, limits.chunkBytes)
        if (size === 0) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
          this.#wake = undefined
          continue
        }
        this.#peer.data(this.#sent, rest.subarray(0, size))
        this.#sent += size
        this.#credit -= size
        rest = rest.subarray(size)
      }
    })
  }

  end(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#ended) return
      this.#ended = true
      if (this.#gone !== undefined) return
      this.#told = true
      this.#peer.end(this.#sent)
    })
  }

  /** The unit has room for so much more. Throws ProtocolViolation for what it cannot have. */
  grant(credit: number): void {
    if (credit === 0 || this.#credit + credit > this.#window) {
      throw new ProtocolViolation(`credit of ${credit} bytes`)
    }
    this.#credit += credit
    this.#wake?.()
  }

  /** Nobody reads any more: pending and later writes fail with this reason. */
  close(reason: string): void {
    this.#gone ??= reason
    this.#wake?.()
  }

  #check(): void {
    if (this.#gone !== undefined) throw new Error(this.#gone)
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => {})
    return mine
  }
}
