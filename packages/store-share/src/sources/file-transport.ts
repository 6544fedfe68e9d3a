import { Buffer } from 'node:buffer'
import { errorCode, throwIfAborted } from '../failure.js'
import type { CacheFiles } from '../powers.js'
import { quote } from '../quote.js'
import { CacheFailed, type CacheTransport } from './cache-transport.js'

const READ_BYTES = 256 << 10

/** A binary cache in a directory, as `nix copy --to file://` makes it. */
export class FileTransport implements CacheTransport {
  constructor(
    /** Absolute, without a slash at the end. */
    readonly directory: string,
    readonly files: Pick<CacheFiles, 'open' | 'sizeOf' | 'read'>,
  ) {}

  async read(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const path = this.#locate(name)
    const size = await this.#reading(path, this.files.sizeOf(path))
    if (size === undefined) return undefined
    if (size > maxBytes) this.#fail(path, 'too-large', `it is longer than the ${maxBytes} bytes it may have`)
    return this.#reading(path, this.files.read(path, maxBytes))
  }

  async stream(
    name: string,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<Uint8Array> | undefined> {
    const path = this.#locate(name)
    const size = await this.#reading(path, this.files.sizeOf(path))
    if (size === undefined) return undefined
    if (size > maxBytes) this.#fail(path, 'too-large', `it is longer than the ${maxBytes} bytes it may have`)
    return this.#chunks(path, size, signal)
  }

  async *#chunks(path: string, size: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const file = await this.#reading(path, this.files.open(path))
    try {
      for (let position = 0; position < size; ) {
        throwIfAborted(signal)
        const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, size - position))
        const count = await this.#reading(path, file.read(chunk, position))
        if (count === 0) return
        position += count
        yield chunk.subarray(0, count)
      }
    } finally {
      await file.close()
    }
  }

  /** Never outside of the directory, whatever a narinfo says. */
  #locate(name: string): string {
    const parts = name.split('/')
    if (!parts.every((part) => part !== '' && part !== '.' && part !== '..' && !/[\0?#]/.test(part))) {
      this.#fail(
        this.directory,
        'unsupported',
        `it says that a file is at ${quote(name)}, which is not inside`,
      )
    }
    return `${this.directory}/${name}`
  }

  async #reading<T>(path: string, work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (thrown) {
      if (errorCode(thrown) === undefined) throw thrown
      return this.#fail(path, 'unreachable', quote((thrown as Error).message))
    }
  }

  #fail(path: string, reason: CacheFailed['failure']['reason'], what: string): never {
    const url = `file://${quote(path)}`
    throw new CacheFailed({ kind: 'cache-failed', url, reason, message: `${url} cannot be read: ${what}.` })
  }
}
