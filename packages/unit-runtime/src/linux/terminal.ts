import { openSync } from 'node:fs'
import { ReadStream, WriteStream } from 'node:tty'
import { err, ok, type Result } from 'neverthrow'
import type { Terminal } from '../prompter/terminal-prompter.js'

/** More than the kernel's own lines have (N_TTY_BUF_SIZE, 4096): what is longer is no answer. */
const MAX_LINE = 4096

/** There is no terminal to ask at: the program runs as a service, or was cut off from its terminal. */
export interface NoTerminal {
  readonly kind: 'no-terminal'
  /** Why, and what to do about it. */
  readonly message: string
}

/** The terminal that this program was started from. It is read from now on; close it, or the program goes on. */
export function openTerminal(): Result<Terminal & Disposable, NoTerminal> {
  let input: ReadStream | undefined
  try {
    input = new ReadStream(openSync('/dev/tty', 'r'))
    return ok(new ControllingTerminal(input, new WriteStream(openSync('/dev/tty', 'w'))))
  } catch (cause) {
    input?.destroy()
    const { message } = cause as Error
    return err({
      kind: 'no-terminal',
      message: `There is no terminal to ask at (${message}); start the program from one, or give the host another prompter.`,
    })
  }
}

/** Reads all the time: a line that waited in the kernel would answer the next question. */
class ControllingTerminal implements Terminal, Disposable {
  readonly #listeners = new Set<(line: string | undefined) => void>()
  #begun = ''
  #ended = false

  constructor(
    readonly input: ReadStream,
    readonly output: WriteStream,
  ) {
    input.setEncoding('utf8')
    input.on('data', (text: string) => this.#take(text))
    input.on('error', () => this.#end())
    input.on('end', () => this.#end())
    input.on('close', () => this.#end())
    output.on('error', () => this.#end())
  }

  write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.output.write(text, (error) => (error ? reject(error) : resolve()))
    })
  }

  onLine(heard: (line: string | undefined) => void): Disposable {
    this.#listeners.add(heard)
    if (this.#ended) queueMicrotask(() => this.#listeners.has(heard) && heard(undefined))
    return { [Symbol.dispose]: () => void this.#listeners.delete(heard) }
  }

  [Symbol.dispose](): void {
    this.input.destroy()
    this.output.destroy()
    this.#end()
  }

  #take(text: string): void {
    const lines = (this.#begun + text).split('\n')
    this.#begun = lines.pop()!.slice(0, MAX_LINE + 1)
    for (const line of lines) this.#tell(line.length > MAX_LINE ? '' : line)
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#tell(undefined)
  }

  #tell(line: string | undefined): void {
    for (const heard of [...this.#listeners]) heard(line)
  }
}
