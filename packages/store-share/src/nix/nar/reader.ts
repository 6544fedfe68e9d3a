import { Buffer } from 'node:buffer'
import { err, ok, type Result } from 'neverthrow'
import type { ByteString } from '../../powers.js'
import { found, type MalformedError, malformedError } from '../malformed.js'
import { NAR_LIMITS, NAR_MAGIC, paddingAfter } from './format.js'

/**
 * What a NAR says, in its order. The root's name is empty; every other node has the name of its entry, which
 * is not empty, not `.` or `..`, has no `/` or NUL and is greater than its elder sibling's by bytes.
 */
export type NarEvent =
  /** What follows up to its `directory-end` lies in it. */
  | {
      readonly kind: 'directory'
      /** In its directory; empty for the root. */
      readonly name: ByteString
    }
  | { readonly kind: 'directory-end' }
  /** Exactly `sizeBytes` bytes of `contents` follow, which begin at `narOffset` of the NAR, then `file-end`. */
  | {
      readonly kind: 'file'
      /** In its directory; empty for the root. */
      readonly name: ByteString
      /** Whether it is marked so. */
      readonly executable: boolean
      /** Bytes of the file. */
      readonly sizeBytes: number
      /** Bytes from the beginning of the NAR. */
      readonly narOffset: number
    }
  /** A part of the chunk that was pushed, not a copy: it is valid for as long as that chunk is. */
  | {
      readonly kind: 'contents'
      /** As much of the file as the chunk has. */
      readonly bytes: Uint8Array
      /** Bytes from the beginning of the file. */
      readonly position: number
    }
  | { readonly kind: 'file-end' }
  | {
      readonly kind: 'symlink'
      /** In its directory; empty for the root. */
      readonly name: ByteString
      /** What the link says; it is not resolved. */
      readonly target: ByteString
    }
  /** The last event, and nothing that came before it is to be believed. `finish` returns the same. */
  | {
      readonly kind: 'refused'
      /** Where it is wrong, and how. */
      readonly error: MalformedError
    }

/** Bounds of a reading. */
export interface NarReaderOptions {
  /** The most bytes the NAR may have, such as the NarSize that was signed. Default: 2^53 - 1. */
  readonly maxBytes?: number | undefined
}

type State =
  | 'magic'
  | 'node'
  | 'type'
  | 'kind'
  | 'file-tag'
  | 'executable'
  | 'contents-tag'
  | 'size'
  | 'contents'
  | 'padding'
  | 'target-tag'
  | 'target'
  | 'node-end'
  | 'directory-tag'
  | 'entry'
  | 'name-tag'
  | 'name'
  | 'node-tag'
  | 'entry-end'
  | 'end'

/** States whose word is one of a few, which are also the longest that may come. */
const WORDS = {
  magic: [NAR_MAGIC],
  node: ['('],
  type: ['type'],
  kind: ['regular', 'directory', 'symlink'],
  'file-tag': ['contents', 'executable'],
  'contents-tag': ['contents'],
  'target-tag': ['target'],
  'node-end': [')'],
  'directory-tag': ['entry', ')'],
  entry: ['('],
  'name-tag': ['name'],
  'node-tag': ['node'],
  'entry-end': [')'],
} as const satisfies Partial<Record<State, readonly string[]>>

const LONGEST_WORD = 13
const LONGEST_UNIT = 8 + NAR_LIMITS.targetBytes + 1

/**
 * Reads a NAR from chunks of any size, strictly: every NAR has one reading, and `serialise` of what was read
 * gives back the same bytes. Memory is bounded by the depth, whatever the input.
 *
 * Format: Nix, libutil/archive.cc; the same bounds, and like Nix it refuses non-zero padding.
 *
 * @example
 * ```ts
 * import { NarReader } from '@spectrum/store-share'
 *
 * export async function sizes(source: AsyncIterable<Uint8Array>): Promise<number[]> {
 *   const reader = new NarReader()
 *   const found: number[] = []
 *   for await (const chunk of source) {
 *     for (const event of reader.push(chunk)) if (event.kind === 'file') found.push(event.sizeBytes)
 *   }
 *   const end = reader.finish() // why it was refused, truncated included
 *   if (end.isErr()) throw new Error(end.error.message)
 *   return found
 * }
 * ```
 */
export class NarReader {
  readonly #maxBytes: number
  #state: State = 'magic'
  /** Where the unit that is to be read next begins. */
  #offset = 0
  /** The start of a unit that the last chunk cut in two. */
  readonly #cut = Buffer.alloc(LONGEST_UNIT)
  #cutLength = 0
  /** For each open directory, the name of its last entry. */
  readonly #lastNames: ByteString[] = []
  #name: ByteString = ''
  #executable = false
  #sizeBytes = 0
  #position = 0
  #refused: MalformedError | undefined
  #pushing = false

  constructor({ maxBytes = Number.MAX_SAFE_INTEGER }: NarReaderOptions = {}) {
    this.#maxBytes = maxBytes
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset + this.#cutLength
  }

  /**
   * The events of the next bytes. Take all of them before the next push; after `refused` there are no more, and
   * further pushes are ignored.
   */
  *push(chunk: Uint8Array): Generator<NarEvent, void, undefined> {
    if (this.#refused !== undefined) return
    if (this.#pushing) throw new TypeError('the events of the last chunk have not been taken')
    this.#pushing = true
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    if (this.offset + bytes.length > this.#maxBytes) {
      yield this.#refuse(`it is longer than the ${this.#maxBytes} bytes it may have`, this.#maxBytes)
      return
    }
    for (let at = 0; at < bytes.length; ) {
      if (this.#state === 'contents') {
        const part = bytes.subarray(at, at + this.#sizeBytes - this.#position)
        const position = this.#position
        at += part.length
        this.#offset += part.length
        this.#position += part.length
        yield { kind: 'contents', bytes: part, position }
        if (this.#position < this.#sizeBytes) break
        this.#state = paddingAfter(this.#sizeBytes) === 0 ? 'node-end' : 'padding'
        yield FILE_END
        continue
      }
      let unit: Buffer = bytes
      let start = at
      let length = this.#cutLength > 0 ? CUT : this.#unitLength(bytes, at, bytes.length - at)
      if (length <= bytes.length - at && length >= 0) {
        at += length
      } else if (length !== REFUSED) {
        // The unit lies in more than one chunk: gather it. Its length is known from its first 8 bytes on.
        length = this.#unitLength(this.#cut, 0, this.#cutLength)
        while (this.#cutLength < length && at < bytes.length) {
          const count = bytes.copy(this.#cut, this.#cutLength, at, at + length - this.#cutLength)
          this.#cutLength += count
          at += count
          length = this.#unitLength(this.#cut, 0, this.#cutLength)
        }
        if (this.#cutLength < length) break
        unit = this.#cut
        start = 0
        this.#cutLength = 0
      }
      const event = length === REFUSED ? this.#refusal() : this.#take(unit, start, length)
      if (event === undefined) continue
      yield event
      if (event.kind === 'refused') return
      if (event.kind === 'file' && event.sizeBytes === 0) yield FILE_END
    }
    this.#pushing = false
  }

  /** After the last chunk: fails if the NAR was refused or is not complete. */
  finish(): Result<{ readonly sizeBytes: number }, MalformedError> {
    if (this.#refused === undefined && this.#state !== 'end') {
      this.#refuse('it ends in the middle', this.offset)
    }
    return this.#refused === undefined ? ok({ sizeBytes: this.#offset }) : err(this.#refused)
  }

  /** Bytes of the next unit as far as the bytes at hand tell, or `REFUSED` with the reason in `#refused`. */
  #unitLength(bytes: Buffer, at: number, available: number): number {
    if (this.#state === 'end') {
      this.#refuse('something follows after its end', this.#offset)
      return REFUSED
    }
    if (this.#state === 'padding') return paddingAfter(this.#sizeBytes)
    if (available < 8 || this.#state === 'size') return 8
    const length = bytes[at]! | (bytes[at + 1]! << 8)
    const longer = bytes[at + 2]! | bytes[at + 3]! | bytes[at + 4]! | bytes[at + 5]!
    const most = this.#longest()
    if (length > most || (longer | bytes[at + 6]! | bytes[at + 7]!) !== 0) {
      const claimed = bytes.readBigUInt64LE(at)
      this.#refuse(`${this.#expected()} should come, not a string of ${claimed} bytes`, this.#offset)
      return REFUSED
    }
    return 8 + length + paddingAfter(length)
  }

  #longest(): number {
    if (this.#state === 'name') return NAR_LIMITS.nameBytes
    if (this.#state === 'target') return NAR_LIMITS.targetBytes
    return this.#state === 'executable' ? 0 : LONGEST_WORD
  }

  #expected(): string {
    switch (this.#state) {
      case 'name':
        return `a name of at most ${NAR_LIMITS.nameBytes} bytes`
      case 'target':
        return `a link target of at most ${NAR_LIMITS.targetBytes} bytes`
      case 'executable':
        return 'the empty string'
      default:
        return this.#words().map(found).join(' or ')
    }
  }

  #words(): readonly string[] {
    return (WORDS as Partial<Record<State, readonly string[]>>)[this.#state] ?? []
  }

  /** Reads one unit that is complete: a string with its padding, a size, or the padding after contents. */
  #take(bytes: Buffer, start: number, unitLength: number): NarEvent | undefined {
    const offset = this.#offset
    this.#offset += unitLength
    if (this.#state === 'padding') {
      this.#state = 'node-end'
      return this.#checkZeros(bytes, start, start + unitLength, offset)
    }
    if (this.#state === 'size') return this.#takeSize(bytes, start, offset)
    const from = start + 8
    const length = bytes[start]! | (bytes[start + 1]! << 8)
    const nonZero = this.#checkZeros(bytes, from + length, start + unitLength, offset + 8 + length)
    if (nonZero !== undefined) return nonZero
    if (this.#state === 'name') return this.#takeName(bytes.toString('latin1', from, from + length), offset)
    if (this.#state === 'target')
      return this.#takeTarget(bytes.toString('latin1', from, from + length), offset)
    if (this.#state === 'executable') {
      this.#state = 'contents-tag'
      return undefined
    }
    const word = this.#words().find((each) => equals(bytes, from, length, each))
    if (word === undefined) {
      const text = found(bytes.toString('latin1', from, from + length))
      return this.#refuse(`${this.#expected()} should come, not ${text}`, offset)
    }
    return this.#takeWord(word, offset)
  }

  #takeWord(word: string, offset: number): NarEvent | undefined {
    switch (this.#state) {
      case 'magic':
        this.#state = 'node'
        return undefined
      case 'node':
        if (this.#lastNames.length >= NAR_LIMITS.depth) {
          return this.#refuse(`it is nested deeper than ${NAR_LIMITS.depth} levels`, offset)
        }
        this.#state = 'type'
        return undefined
      case 'type':
        this.#state = 'kind'
        return undefined
      case 'kind':
        return this.#takeKind(word)
      case 'file-tag':
        this.#executable = word === 'executable'
        this.#state = this.#executable ? 'executable' : 'size'
        return undefined
      case 'contents-tag':
        this.#state = 'size'
        return undefined
      case 'target-tag':
        this.#state = 'target'
        return undefined
      case 'node-end':
        this.#endNode()
        return undefined
      case 'directory-tag':
        if (word === 'entry') {
          this.#state = 'entry'
          return undefined
        }
        this.#lastNames.pop()
        this.#endNode()
        return DIRECTORY_END
      case 'entry':
        this.#state = 'name-tag'
        return undefined
      case 'name-tag':
        this.#state = 'name'
        return undefined
      case 'node-tag':
        this.#state = 'node'
        return undefined
      default:
        this.#state = 'directory-tag'
        return undefined
    }
  }

  #takeKind(word: string): NarEvent | undefined {
    if (word === 'directory') {
      this.#lastNames.push('')
      this.#state = 'directory-tag'
      return { kind: 'directory', name: this.#name }
    }
    this.#state = word === 'regular' ? 'file-tag' : 'target-tag'
    return undefined
  }

  #endNode(): void {
    this.#state = this.#lastNames.length === 0 ? 'end' : 'entry-end'
  }

  #takeName(name: ByteString, offset: number): NarEvent | undefined {
    const last = this.#lastNames.length - 1
    const why =
      whyNoName(name) ?? (name <= this.#lastNames[last]! ? 'is not greater than the last' : undefined)
    if (why !== undefined) return this.#refuse(`the entry name ${found(name)} ${why}`, offset)
    this.#lastNames[last] = name
    this.#name = name
    this.#state = 'node-tag'
    return undefined
  }

  #takeTarget(target: ByteString, offset: number): NarEvent {
    if (target === '' || target.includes('\0')) {
      return this.#refuse(`the link target ${found(target)} is empty or has a NUL`, offset)
    }
    this.#state = 'node-end'
    return { kind: 'symlink', name: this.#name, target }
  }

  #takeSize(bytes: Buffer, start: number, offset: number): NarEvent {
    const high = bytes.readUInt32LE(start + 4)
    const sizeBytes = high * 2 ** 32 + bytes.readUInt32LE(start)
    const left = this.#maxBytes - this.#offset
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes > left) {
      return this.#refuse(`a file of ${bytes.readBigUInt64LE(start)} bytes does not fit`, offset)
    }
    this.#sizeBytes = sizeBytes
    this.#position = 0
    this.#state = sizeBytes === 0 ? 'node-end' : 'contents'
    const { offset: narOffset } = this
    return { kind: 'file', name: this.#name, executable: this.#executable, sizeBytes, narOffset }
  }

  #checkZeros(bytes: Buffer, from: number, to: number, offset: number): NarEvent | undefined {
    for (let at = from; at < to; at++) {
      if (bytes[at] !== 0) return this.#refuse('the padding is not zero', offset + at - from)
    }
    return undefined
  }

  #refuse(reason: string, offset: number): NarEvent {
    this.#refused = malformedError('NAR', reason, { offset })
    return this.#refusal()
  }

  #refusal(): NarEvent {
    return { kind: 'refused', error: this.#refused! }
  }
}

/** Why a name may not be an entry of a directory; undefined when it may. */
export function whyNoName(name: ByteString): string | undefined {
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return 'is reserved'
  if (name.includes('/') || name.includes('\0')) return 'has a slash or a NUL'
  return name.length > NAR_LIMITS.nameBytes ? `is longer than ${NAR_LIMITS.nameBytes} bytes` : undefined
}

const REFUSED = -1
const CUT = -2
const FILE_END: NarEvent = { kind: 'file-end' }
const DIRECTORY_END: NarEvent = { kind: 'directory-end' }

function equals(bytes: Buffer, from: number, length: number, word: string): boolean {
  if (length !== word.length) return false
  for (let index = 0; index < length; index++) {
    if (bytes[from + index] !== word.charCodeAt(index)) return false
  }
  return true
}
