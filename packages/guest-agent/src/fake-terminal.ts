import { Buffer } from 'node:buffer'
import type { TerminalSize } from './agent.js'

const [interrupt, endOfFile, newline] = [0x03, 0x04, 0x0a]
const sigint = 2

/** Where a terminal's line discipline sends what becomes of input. */
interface TerminalEnds {
  /** To whoever looks at the terminal. */
  show(bytes: Uint8Array): void
  /** To whoever reads from it. */
  give(bytes: Uint8Array): void
  /** Whoever reads sees the end. */
  end(): void
  signal(number: number): void
}

/** A terminal of a fake unit, with as much of a line discipline as shells and tests rely on. */
export class FakeTerminal {
  /** No echo, no lines, no signals, no end-of-file: bytes go through. */
  raw = false
  #size: TerminalSize
  #line: number[] = []
  readonly #ends: TerminalEnds

  constructor(size: TerminalSize, ends: TerminalEnds) {
    this.#size = size
    this.#ends = ends
  }

  /** What the host gave it last. */
  get size(): TerminalSize {
    return this.#size
  }

  /** True: it differs. */
  resize(size: TerminalSize): boolean {
    const differs = size.rows !== this.#size.rows || size.columns !== this.#size.columns
    this.#size = size
    return differs
  }

  /** Output, as it is shown. */
  shown(bytes: Uint8Array): Uint8Array {
    if (this.raw || !bytes.includes(newline)) return bytes
    return Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('\n', '\r\n'), 'latin1')
  }

  /** The host types. */
  type(bytes: Uint8Array): void {
    if (this.raw) {
      this.#ends.give(bytes)
      return
    }
    for (const byte of bytes) this.#typeOne(byte)
  }

  /** The host types no more. */
  typeEnd(): void {
    if (this.raw) return
    this.#giveLine()
    this.#ends.end()
  }

  #typeOne(byte: number): void {
    if (byte === interrupt) {
      this.#ends.show(Buffer.from('^C'))
      this.#line = []
      this.#ends.signal(sigint)
    } else if (byte === endOfFile) {
      if (this.#line.length === 0) this.#ends.end()
      else this.#giveLine()
    } else {
      const typed = byte === 0x0d ? newline : byte
      this.#ends.show(this.shown(Uint8Array.of(typed)))
      this.#line.push(typed)
      if (typed === newline) this.#giveLine()
    }
  }

  #giveLine(): void {
    if (this.#line.length > 0) this.#ends.give(Uint8Array.from(this.#line))
    this.#line = []
  }
}
