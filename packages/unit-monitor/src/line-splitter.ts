import { Buffer } from 'node:buffer'

/**
 * Cuts a stream of bytes into lines and holds at most one line of at most `maxBytes` at a time. What a line
 * has beyond that is dropped, so that a peer that never ends its line costs a constant.
 */
export class LineSplitter {
  #held: Uint8Array[] = []
  #heldBytes = 0
  #dropped = false

  constructor(
    private readonly maxBytes: number,
    private readonly emit: (line: Uint8Array, truncated: boolean) => void,
  ) {}

  /** Whether the line that is being read has lost bytes already, long before its end may come. */
  get overflowing(): boolean {
    return this.#dropped
  }

  push(bytes: Uint8Array): void {
    let start = 0
    for (;;) {
      const end = bytes.indexOf(NEWLINE, start)
      this.#hold(bytes.subarray(start, end === -1 ? bytes.length : end))
      if (end === -1) return
      this.#release()
      start = end + 1
    }
  }

  /** The stream has ended: what is held is a last line without its newline. */
  end(): void {
    if (this.#heldBytes > 0) this.#release()
  }

  #hold(part: Uint8Array): void {
    const kept = part.subarray(0, this.maxBytes - this.#heldBytes)
    if (kept.length < part.length) this.#dropped = true
    if (kept.length === 0) return
    this.#held.push(kept)
    this.#heldBytes += kept.length
    // Byte-by-byte writers must not make a list of a thousand one-byte views of big buffers.
    if (this.#held.length > 64) this.#held = [Buffer.concat(this.#held)]
  }

  #release(): void {
    const line = Buffer.concat(this.#held)
    const truncated = this.#dropped
    this.#held = []
    this.#heldBytes = 0
    this.#dropped = false
    this.emit(line, truncated)
  }
}

const NEWLINE = 0x0a
