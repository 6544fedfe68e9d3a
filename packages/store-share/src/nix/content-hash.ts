import { Buffer } from 'node:buffer'
import { createHash, type Hash } from 'node:crypto'
import { err, ok, type Result } from 'neverthrow'
import type { StoreError } from '../errors.js'
import { type ContentAddress, contentAddressedPath, formatContentAddress } from './content-address.js'
import { formatHash } from './hash.js'
import { NarReader } from './nar/reader.js'
import type { NixPathInfo } from './nix-path-info.js'
import { parseStorePath } from './store-path.js'

/** What has to be known of a path to recompute its content address. */
export type ContentAddressedInfo = Pick<NixPathInfo, 'path' | 'references' | 'selfReference'> & {
  /** What the path claims to be the hash of. */
  readonly contentAddress: ContentAddress
}

/**
 * Checks that a NAR holds what its content-addressed path is the hash of. Push the NAR through it while it is
 * unpacked; nothing of the path may be visible before `finish` was ok.
 */
export class ContentAddressHasher {
  readonly #hash: ContentHash
  readonly #info: ContentAddressedInfo

  /** Throws `RangeError` for a method or algorithm that is not computed here: git, BLAKE3. */
  constructor(info: ContentAddressedInfo) {
    this.#info = info
    this.#hash = contentHash(info)
  }

  /** The next bytes of the NAR, in chunks of any size. */
  push(narChunk: Uint8Array): void {
    this.#hash.push(narChunk)
  }

  /**
   * Fails with `hash-mismatch` when the content has another hash or the path is not that of this content, and
   * with `unsupported-file` when the NAR is none or holds something that this method does not hash.
   */
  finish(): Result<void, StoreError> {
    const { path, contentAddress } = this.#info
    const digest = this.#hash.digest()
    if (digest.isErr()) {
      return err({
        kind: 'unsupported-file',
        path,
        message: `${path} cannot be content-addressed as ${formatContentAddress(contentAddress)}: ${digest.error}; take it from another source.`,
      })
    }
    const { method, hash } = contentAddress
    const actual: ContentAddress = { method, hash: { ...hash, hex: digest.value.toString('hex') } }
    const name = parseStorePath(path).map((parsed) => parsed.name)
    const recomputed = name.map((each) => contentAddressedPath(each, actual, this.#info)).unwrapOr(undefined)
    if (actual.hash.hex === hash.hex && recomputed === path) return ok()
    return err({
      kind: 'hash-mismatch',
      path,
      expected: formatContentAddress(contentAddress),
      actual: formatContentAddress(actual),
      message: `The content of ${path} hashes to ${formatHash(actual.hash, 'nix32')}, so it is not what its name says (${formatContentAddress(contentAddress)}); take it from another source.`,
    })
  }
}

interface ContentHash {
  push(narChunk: Uint8Array): void
  digest(): Result<Buffer, string>
}

function contentHash({ path, contentAddress, selfReference }: ContentAddressedInfo): ContentHash {
  const { method, hash } = contentAddress
  if (method === 'git' || hash.algorithm === 'blake3') {
    throw new RangeError(`${formatContentAddress(contentAddress)} is not computed here`)
  }
  const algorithm = createHash(hash.algorithm)
  if (method !== 'nar') return new FileHash(algorithm)
  if (selfReference) return new ModuloHash(algorithm, parseStorePath(path)._unsafeUnwrap().digest)
  return {
    push: (chunk) => algorithm.update(chunk),
    digest: () => ok(algorithm.digest()),
  }
}

/** The bytes of the one file that a NAR holds. */
class FileHash implements ContentHash {
  readonly #reader = new NarReader()
  #problem: string | undefined
  #nodes = 0

  constructor(readonly hash: Hash) {}

  push(chunk: Uint8Array): void {
    for (const event of this.#reader.push(chunk)) {
      if (event.kind === 'contents') this.hash.update(event.bytes)
      else if (event.kind === 'file' && !event.executable) this.#nodes++
      else if (event.kind === 'refused') this.#problem = event.error.message
      else if (event.kind !== 'file-end') this.#problem ??= 'it is not one file that is not executable'
    }
  }

  digest(): Result<Buffer, string> {
    const end = this.#reader.finish()
    const problem = end.isErr() ? end.error.reason : this.#problem
    return problem === undefined && this.#nodes === 1
      ? ok(this.hash.digest())
      : err(problem ?? 'it holds no file')
  }
}

/**
 * The hash of a NAR that holds its own path's digest: with zeros instead, and with the places where it was
 * (libstore/references.cc, `HashModuloSink`).
 */
class ModuloHash implements ContentHash {
  readonly #modulus: Buffer
  readonly #places: number[] = []
  #tail = Buffer.alloc(0)
  #offset = 0

  constructor(
    readonly hash: Hash,
    digest: string,
  ) {
    this.#modulus = Buffer.from(digest)
  }

  push(chunk: Uint8Array): void {
    const bytes = Buffer.concat([this.#tail, chunk])
    for (let at = bytes.indexOf(this.#modulus); at !== -1; at = bytes.indexOf(this.#modulus, at)) {
      this.#places.push(this.#offset + at)
      bytes.fill(0, at, at + this.#modulus.length)
    }
    // A digest may begin in this chunk and end in the next one.
    const done = Math.max(0, bytes.length - this.#modulus.length + 1)
    this.hash.update(bytes.subarray(0, done))
    this.#tail = bytes.subarray(done)
    this.#offset += done
  }

  digest(): Result<Buffer, string> {
    this.hash.update(this.#tail)
    for (const place of this.#places) this.hash.update(`|${place}`)
    return ok(this.hash.digest())
  }
}
