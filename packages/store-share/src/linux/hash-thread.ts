import { createHash } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { ChunkHash } from '../powers.js'

/** A stream that ends before is hashed where it is: another thread would take longer to hear of it. */
const WORTH_A_THREAD_BYTES = 4 << 20

/** So many chunks may wait for the thread, so that neither side waits for the other at every chunk. */
const MOST_WAITING = 5

/** The thread ends when it had nothing to do for so long. */
const IDLE_MS = 10_000

type Request =
  | { readonly stream: number; readonly chunk: Uint8Array }
  | { readonly stream: number; readonly end: 'digest' | 'drop' }

type Answer = { readonly stream: number; readonly digest?: string }

// As text, because a file would have to be found from ES modules, CommonJS and whatever a user bundles.
const PROGRAM = `
const { createHash } = require('node:crypto')
const { parentPort } = require('node:worker_threads')
const hashes = new Map()
parentPort.on('message', ({ stream, chunk, end }) => {
  const hash = hashes.get(stream) ?? createHash('sha256')
  hashes.set(stream, hash)
  if (chunk !== undefined) {
    hash.update(chunk)
    parentPort.postMessage({ stream })
    return
  }
  hashes.delete(stream)
  if (end === 'digest') parentPort.postMessage({ stream, digest: hash.digest('hex') })
})
`

/**
 * SHA-256 on a thread of its own, which serves every stream of this process: hashing takes as long as reading does, and
 * the event loop has other things to do. The thread keeps the process alive while a stream is open, and no longer.
 */
class HashThread {
  #worker: Worker | undefined
  #idle: NodeJS.Timeout | undefined
  #lastStream = 0
  readonly #streams = new Map<number, ThreadHash>()

  begin(hash: ThreadHash): number {
    clearTimeout(this.#idle)
    this.#streams.set(++this.#lastStream, hash)
    this.#worker ??= this.#start()
    this.#worker.ref()
    return this.#lastStream
  }

  post(request: Request): void {
    this.#worker?.postMessage(request)
  }

  end(stream: number): void {
    if (!this.#streams.delete(stream) || this.#streams.size > 0) return
    this.#worker?.unref()
    this.#idle = setTimeout(() => this.#stop(), IDLE_MS).unref()
  }

  #start(): Worker {
    const worker = new Worker(PROGRAM, { eval: true, name: 'sha256' })
    worker.on('message', ({ stream, digest }: Answer) => this.#streams.get(stream)?.answered(digest))
    let why = 'ended'
    worker.on('error', (error) => {
      why = error.message
    })
    worker.on('exit', () => {
      if (this.#worker !== worker) return
      this.#worker = undefined
      const failure = Object.assign(new Error(`The thread that hashes failed: ${why}`), {
        code: 'ERR_WORKER_NOT_RUNNING',
      })
      for (const hash of this.#streams.values()) hash.failed(failure)
      this.#streams.clear()
    })
    return worker
  }

  #stop(): void {
    const worker = this.#worker
    this.#worker = undefined
    void worker?.terminate()
  }
}

const thread = new HashThread()

export function sha256(): ChunkHash {
  return new ThreadHash()
}

class ThreadHash implements ChunkHash {
  readonly mostHeld = MOST_WAITING
  readonly #first: Uint8Array[] = []
  #firstBytes = 0
  #stream: number | undefined
  #waiting = 0
  #failure: Error | undefined
  #wake: (() => void) | undefined
  #digest: string | undefined

  async update(chunk: Uint8Array): Promise<void> {
    if (this.#stream === undefined) {
      this.#first.push(chunk)
      this.#firstBytes += chunk.length
      if (this.#first.length < MOST_WAITING && this.#firstBytes < WORTH_A_THREAD_BYTES) return
      this.#stream = thread.begin(this)
      for (const one of this.#first.splice(0)) this.#post(this.#stream, one)
    } else {
      this.#post(this.#stream, chunk)
    }
    await this.#until(() => this.#waiting < MOST_WAITING)
  }

  async digest(): Promise<string> {
    if (this.#stream === undefined) {
      const hash = createHash('sha256')
      for (const chunk of this.#first.splice(0)) hash.update(chunk)
      return hash.digest('hex')
    }
    thread.post({ stream: this.#stream, end: 'digest' })
    await this.#until(() => this.#digest !== undefined)
    thread.end(this.#stream)
    return this.#digest!
  }

  [Symbol.dispose](): void {
    if (this.#stream === undefined || this.#digest !== undefined) return
    thread.post({ stream: this.#stream, end: 'drop' })
    thread.end(this.#stream)
  }

  answered(digest: string | undefined): void {
    if (digest === undefined) this.#waiting--
    else this.#digest = digest
    this.#wake?.()
  }

  failed(cause: Error): void {
    this.#failure = cause
    this.#wake?.()
  }

  #post(stream: number, chunk: Uint8Array): void {
    this.#waiting++
    thread.post({ stream, chunk })
  }

  async #until(met: () => boolean): Promise<void> {
    while (!met()) {
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
