import { err, ok, type Result } from 'neverthrow'
import { closedError, errnoName, invalidArgument, systemError, type UnixFdError } from './errors.js'
import type { Fd } from './fd.js'
import { inspect } from './inspection.js'
import type { SystemCalls } from './system-calls.js'

/** The longest that every supported Node can hold in one ArrayBuffer, in bytes. */
const MOST_MAPPED = 2 ** 32 - 1

let live = 0

/** How many {@link Mapping} objects are open right now. */
export function liveMappings(): number {
  return live
}

/** Which part of a file is mapped, and for what. */
export interface MapOptions {
  /** Where in the file it begins: a multiple of the page size. Default 0. */
  readonly offset?: number
  /** Bytes: 1 to 2^32 - 1, and no further than the file's end. */
  readonly length: number
  /**
   * `read` (the default): the file's pages, shared with everybody who maps it. JavaScript has no read-only
   * memory; what is written anyhow changes a private copy of the page and never the file.
   * `write`: what is written is written to the file, and seen by all who map it.
   */
  readonly access?: 'read' | 'write'
  /**
   * Whoever truncates a mapped file kills every program that reads there (SIGBUS). So a file is mapped only if it
   * is sealed against shrinking, or the caller vouches, with `true`, that nobody will truncate it.
   */
  readonly unsealed?: boolean
}

/**
 * A file, or a part of it, as memory. It unmaps once, when it closes, and every view of its bytes is empty from
 * then on. One that is not closed is unmapped when the collector finds nothing that reaches its bytes.
 */
export class Mapping implements Disposable {
  /** Bytes. */
  readonly length: number
  readonly access: 'read' | 'write'
  readonly #calls: SystemCalls
  #memory: ArrayBuffer | undefined

  constructor(calls: SystemCalls, memory: ArrayBuffer, access: 'read' | 'write') {
    this.#calls = calls
    this.#memory = memory
    this.length = memory.byteLength
    this.access = access
    live += 1
  }

  /** Whether it was unmapped; its views are empty then. */
  get closed(): boolean {
    return this.#memory === undefined
  }

  /**
   * The memory itself, borrowed until this closes. Using it afterwards throws; a view that was kept is empty. Another
   * process may change it at any time, between two reads of the same byte, too: `copy` what has to be parsed. It
   * must not close while an asynchronous call of Node (crypto, zlib) still works on it.
   */
  get bytes(): Uint8Array {
    if (this.#memory === undefined) throw new Error('this mapping is closed: its memory is gone')
    return new Uint8Array(this.#memory)
  }

  /**
   * The bytes as they are now: a copy that nobody can change behind the parser's back. Both in bytes; by default all of it. Errors:
   * `closed`, `invalid-argument` (not within the mapping).
   */
  copy(offset = 0, length = this.length - offset): Result<Uint8Array, UnixFdError> {
    if (this.#memory === undefined) return err(closedError())
    const within = Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length >= 0
    if (!within || offset + length > this.length) {
      const message = `${length} bytes at ${offset} are not within the ${this.length} that are mapped`
      return err(invalidArgument('offset', message))
    }
    return ok(new Uint8Array(this.#memory, offset, length).slice())
  }

  /** Unmaps. Idempotent. */
  close(): void {
    if (this.#memory === undefined) return
    const memory = this.#memory
    this.#memory = undefined
    live -= 1
    if (this.#calls.unmap(memory) < 0) {
      throw new Error(
        'the memory of this mapping was transferred: it is unmapped when nothing reaches it any more',
      )
    }
  }

  /** Empties every view and unmaps, once. */
  [Symbol.dispose](): void {
    this.close()
  }
}

export function map(calls: SystemCalls, fd: Fd, options: MapOptions): Result<Mapping, UnixFdError> {
  const { offset = 0, length, access = 'read' } = options
  const { PAGE_SIZE } = calls.constants
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % PAGE_SIZE !== 0) {
    return err(invalidArgument('offset', `${offset}: begin at a multiple of the page size, ${PAGE_SIZE}`))
  }
  if (!Number.isInteger(length) || length < 1 || length > MOST_MAPPED) {
    return err(invalidArgument('length', `${length}: map 1 to ${MOST_MAPPED} bytes`))
  }
  const found = inspect(calls, fd)
  if (found.isErr()) return err(found.error)
  const { type, size, seals } = found.value
  if (type !== 'file') return err(invalidArgument('fd', `a ${type} cannot be mapped: only files and memfds`))
  if (BigInt(offset) + BigInt(length) > size) {
    const message = `${length} bytes at ${offset} reach beyond the file's end at ${size}`
    return err(invalidArgument('length', message))
  }
  if (!options.unsealed && !seals?.includes('shrink')) {
    const message =
      'the file could be truncated while it is mapped, which would kill this program: seal it with `shrink`, or vouch for it with `unsealed: true`'
    return err({ kind: 'may-shrink', message })
  }
  const memory = calls.map(fd.number, offset, length, access === 'write' ? 1 : 0)
  if (typeof memory !== 'number') return ok(new Mapping(calls, memory, access))
  if (errnoName(memory) === 'ENOMEM') {
    const message = 'mmap: no room for it in this program (ENOMEM); map less, or close other mappings'
    return err({ kind: 'system', message, call: 'mmap', code: 'ENOMEM' })
  }
  return err(systemError('mmap', memory))
}
