import { Buffer } from 'node:buffer'
import type { OutputFile } from '../powers.js'
import { BLOCK_BYTES } from './blob-layout.js'

const RUN_BYTES = 1 << 20
const MAX_PENDING_WRITES = 3

/**
 * Gathers small neighbouring files into large writes and lets a few of them run behind the caller. What is
 * never written stays a hole, which reads as zeros.
 */
export class RunWriter {
  #run = Buffer.alloc(RUN_BYTES)
  #start = 0
  #length = 0
  readonly #pending = new Set<Promise<void>>()
  #failure: { readonly cause: unknown } | undefined

  constructor(readonly output: OutputFile) {}

  /** Takes a copy when the bytes are few; otherwise they must not change until `finish`. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (bytes.length > RUN_BYTES / 2) {
      await this.writeBehind(bytes, position)
      return
    }
    const next = this.#start + Math.ceil(this.#length / BLOCK_BYTES) * BLOCK_BYTES
    if (position !== next || position - this.#start + bytes.length > RUN_BYTES) {
      await this.#flush()
      this.#start = position
    }
    this.#run.set(bytes, position - this.#start)
    this.#length = position - this.#start + bytes.length
  }

  /** Starts a write and waits only while too many are under way. The bytes must not change until `finish`. */
  async writeBehind(bytes: Uint8Array, position: number): Promise<void> {
    while (this.#pending.size >= MAX_PENDING_WRITES) await Promise.race(this.#pending)
    this.#throwFailure()
    const write = this.output.write(bytes, position).catch((cause: unknown) => {
      this.#failure ??= { cause }
    })
    this.#pending.add(write)
    write.finally(() => this.#pending.delete(write))
  }

  /** Resolves when these bytes are written; they are the caller's again then. */
  async writeThrough(bytes: Uint8Array, position: number): Promise<void> {
    await this.output.write(bytes, position)
  }

  /** Resolves when everything is written; rejects with the first failure. */
  async finish(): Promise<void> {
    await this.#flush()
    await this.settle()
    this.#throwFailure()
  }

  /** Resolves when nothing is being written any more. Never rejects. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending)
  }

  async #flush(): Promise<void> {
    if (this.#length === 0) return
    const bytes = this.#run.subarray(0, this.#length)
    this.#run = Buffer.alloc(RUN_BYTES)
    this.#length = 0
    await this.writeBehind(bytes, this.#start)
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.cause
  }
}
