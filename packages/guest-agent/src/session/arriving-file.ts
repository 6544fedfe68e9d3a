import { Buffer } from 'node:buffer'
import { err, ok, type Result } from 'neverthrow'
import type { GuestFile } from '../agent.js'
import type { AgentError } from '../errors.js'
import { codes, limits } from '../frames.js'
import type { HostStream } from '../stream.js'
import { decodeResult, type FileResult, fileFailed } from './file-result.js'

/** A file on its way out of a unit. */
export class ArrivingFile implements GuestFile {
  readonly content: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => this.#read() }
  readonly ended: Promise<Result<void, AgentError>>
  readonly #what: string
  readonly #stream: HostStream
  readonly #violated: (message: string) => void
  readonly #incoming: AsyncGenerator<Uint8Array, void, undefined>
  #result: FileResult = { status: codes.file.failed, errno: 0, size: 0, mode: 0 }
  /** Content that came with the result. */
  #first: Uint8Array = new Uint8Array()
  #isTaken = false
  #settle!: (result: Result<void, AgentError>) => void

  constructor(what: string, stream: HostStream, violated: (message: string) => void) {
    this.#what = what
    this.#stream = stream
    this.#violated = violated
    this.#incoming = stream.incoming[Symbol.asyncIterator]()
    this.ended = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  get size(): number {
    return this.#result.size
  }

  get mode(): number {
    return this.#result.mode
  }

  /** What the unit says of it, which comes first. */
  async begin(): Promise<FileResult | 'nothing'> {
    let held = Buffer.alloc(0)
    while (held.length < limits.fileResultBytes) {
      const next = await this.#incoming.next()
      if (next.done === true) {
        if (held.length > 0) this.#violated('get-file: a result that is cut short')
        return 'nothing'
      }
      held = Buffer.concat([held, next.value])
    }
    const result = decodeResult(held.subarray(0, limits.fileResultBytes))
    if (result === undefined) {
      this.#violated('get-file: a result that makes no sense')
      return 'nothing'
    }
    this.#result = result
    this.#first = held.subarray(limits.fileResultBytes)
    return result
  }

  cancel(): void {
    this.fail({ kind: 'aborted', message: `${this.#what}: cancelled by the caller` })
  }

  fail(error: AgentError): void {
    this.#settle(err(error))
    this.#stream.reset()
  }

  async *#read(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#isTaken) throw new TypeError('a file of a unit has one consumer')
    this.#isTaken = true
    let left = this.size
    try {
      for (let bytes = this.#first; ; ) {
        if (bytes.length > left) {
          this.#violated('get-file: more than the size that it told')
          return
        }
        left -= bytes.length
        if (bytes.length > 0) yield bytes
        const next = await this.#incoming.next()
        if (next.done === true) break
        bytes = next.value
      }
      if (left === 0) this.#settle(ok(undefined))
      else await this.#tellWhyItIsShort()
    } finally {
      this.cancel()
    }
  }

  async #tellWhyItIsShort(): Promise<void> {
    const end = await this.#stream.closed
    this.#settle(
      err(
        end.kind === 'unit-lost'
          ? { kind: 'unit-lost', message: end.message, closed: { kind: 'closed-by-unit' } }
          : fileFailed(this.#what, 'wrong-size'),
      ),
    )
  }
}
