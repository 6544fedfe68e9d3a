import { escapeText } from '@spectrum/unit-runtime'
import type { Sink } from './powers.js'

/**
 * A terminal that obeys nobody: lines and tabs stay, everything else that would command it (colours, titles, the
 * clipboard, questions that it answers as if typed) is spelled out. What is not UTF-8 becomes U+FFFD.
 */
export class TerminalText {
  readonly #to: Sink
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  /** A carriage return that may yet be half of a line's end. */
  #held = ''

  constructor(to: Sink) {
    this.#to = to
  }

  write(bytes: Uint8Array): Promise<void> {
    const text = this.#held + this.#decoder.decode(bytes, { stream: true })
    this.#held = text.endsWith('\r') ? '\r' : ''
    return this.#show(this.#held === '' ? text : text.slice(0, -1))
  }

  /** The stream has ended: what was held back is shown. */
  end(): Promise<void> {
    return this.#show(this.#held + this.#decoder.decode())
  }

  async #show(text: string): Promise<void> {
    if (text !== '') await this.#to.write(text.replaceAll('\r\n', '\n').replace(/[^\n\t]+/g, escapeText))
  }
}
