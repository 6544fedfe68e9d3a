import type { Buffer } from 'node:buffer'
import type { OutputFile } from '../powers.js'
import { BLOCK_BYTES, roundUp } from './blob-layout.js'
import { type BufferPool, RUN_BYTES } from './buffers.js'

const MAX_PENDING_WRITES = 3

/**
 * Gathers small neighbouring files into large writes and lets a few of them run behind the caller. What is
 * never written stays a hole, which reads as zeros.
 */
export class RunWriter {
  #run: Buffer | undefined
  #start = 0
  #length = 0
  readonly #pending = new Set<Promise<void>>()
  #failure: { readonly cause: unknown } | undefined

  constructor(
    readonly output: OutputFile,
    /** Of `RUN_BYTES`. */
    readonly pool: BufferPool,
  ) {}

  /** Takes a copy. At most `RUN_BYTES`; `position` is a multiple of 4096. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    const next = this.#start + roundUp(this.#length, BLOCK_BYTES)
    if (position !== next || position - this.#start + bytes.length > RUN_BYTES) {
      await this.#flush()
      this.#start = position
    }
    this.#run ??= this.pool.take()
    const at = position - this.#start
    this.#run.fill(0, this.#length, at)
    this.#run.set(bytes, at)
    this.#length = at + bytes.length
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
    if (this.#run !== undefined) this.pool.give(this.#run)
    this.#run = undefined
    this.#length = 0
  }

  async #flush(): Promise<void> {
    const run = this.#run
    if (run === undefined) return
    const bytes = run.subarray(0, this.#length)
    this.#run = undefined
    this.#length = 0
    while (this.#pending.size >= MAX_PENDING_WRITES) await Promise.race(this.#pending)
    const write = this.output
      .write(bytes, this.#start)
      .catch((cause: unknown) => {
        this.#failure ??= { cause }
      })
      .finally(() => {
        this.pool.give(run)
        this.#pending.delete(write)
      })
    this.#pending.add(write)
    this.#throwFailure()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.cause
  }
}
