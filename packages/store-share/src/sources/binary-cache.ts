import { createHash } from 'node:crypto'
import { fail } from '../failure.js'
import { parseCacheInfo } from '../nix/cache-info.js'
import { formatHash, type NixHash } from '../nix/hash.js'
import type { MalformedError } from '../nix/malformed.js'
import { NARINFO_LIMITS, type NarInfo, parseNarInfo } from '../nix/narinfo.js'
import { parseStorePath, STORE_DIRECTORY } from '../nix/store-path.js'
import { quote } from '../quote.js'
import { CacheFailed, type CacheTransport } from './cache-transport.js'
import { COMPRESSIONS, DecompressionFailed, decompress, isCompression } from './decompress.js'
import { readAhead } from './read-ahead.js'

const MAX_CACHE_INFO_BYTES = 64 << 10
/** What no compressor adds to data that cannot be compressed. */
const EXPANSION_BYTES = 1 << 20
/** Downloaded while an earlier path is still being decompressed. */
const READ_AHEAD_BYTES = 4 << 20

/** A binary cache: what it says of paths, and their NARs. Failures are thrown as `CacheFailed`. */
export class BinaryCache {
  #checked: Promise<void> | undefined

  constructor(
    /** For people, and the `source` of its claims. */
    readonly name: string,
    readonly transport: CacheTransport,
  ) {}

  /** Undefined when the cache does not have the path. All of it is a claim. */
  async narInfo(path: string, signal: AbortSignal): Promise<NarInfo | undefined> {
    await this.#check(signal)
    const { digest } = parseStorePath(path)._unsafeUnwrap()
    const name = `${digest}.narinfo`
    const bytes = await this.transport.read(name, NARINFO_LIMITS.bytes, signal)
    if (bytes === undefined) return undefined
    const info = parseNarInfo(bytes, { digest })
    if (info.isErr()) return this.#failMalformed(name, info.error)
    // Another name for the same digest is another path.
    return info.value.path === path ? info.value : undefined
  }

  /**
   * The NAR of a path, decompressed, as it arrives. It ends only when the file had the announced size and hash; the
   * NAR's own hash is for the reader to check.
   */
  async *nar(info: NarInfo, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { compression, url, path, narSize } = info
    if (!isCompression(compression)) {
      const known = COMPRESSIONS.join(', ')
      return this.#fail(
        url,
        'unsupported',
        `it is compressed with ${quote(compression)}, not one of ${known}`,
      )
    }
    const own = new AbortController()
    const abort = () => own.abort(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    try {
      const maxBytes = Math.min(info.fileSize ?? Number.MAX_SAFE_INTEGER, narSize * 2 + EXPANSION_BYTES)
      const file = await this.transport.stream(url, maxBytes, own.signal)
      if (file === undefined) {
        return this.#fail(url, 'status', `the cache says that it has ${path}, but the file is gone`)
      }
      const checked = checkFile(info, readAhead(file, READ_AHEAD_BYTES, abort))
      yield* decompress(compression, checked, narSize)
    } catch (thrown) {
      if (!(thrown instanceof DecompressionFailed)) throw thrown
      this.#fail(url, 'malformed', thrown.reason)
    } finally {
      own.abort()
      signal.removeEventListener('abort', abort)
    }
  }

  /** Once: whether the cache is for the store that this program knows. A cache that says nothing is believed. */
  #check(signal: AbortSignal): Promise<void> {
    this.#checked ??= (async () => {
      const name = 'nix-cache-info'
      const bytes = await this.transport.read(name, MAX_CACHE_INFO_BYTES, signal)
      if (bytes === undefined) return
      const info = parseCacheInfo(bytes)
      if (info.isErr()) return this.#failMalformed(name, info.error)
      const { storeDirectory } = info.value
      if (storeDirectory !== STORE_DIRECTORY) {
        this.#fail(
          name,
          'unsupported',
          `it is a cache for ${quote(storeDirectory)}, not for ${STORE_DIRECTORY}`,
        )
      }
    })()
    this.#checked.catch(() => {
      this.#checked = undefined
    })
    return this.#checked
  }

  #failMalformed(file: string, error: MalformedError): never {
    return this.#fail(file, 'malformed', error.reason)
  }

  #fail(file: string, reason: CacheFailed['failure']['reason'], what: string): never {
    const message = `${quote(file)} of the cache ${quote(this.name)} cannot be used: ${what}.`
    throw new CacheFailed({ kind: 'cache-failed', url: quote(file), reason, message })
  }
}

async function* checkFile(info: NarInfo, file: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  // BLAKE3 is not computed here; the hash of the NAR decides in any case.
  const expected = info.fileHash?.algorithm === 'blake3' ? undefined : info.fileHash
  const hash = expected === undefined ? undefined : createHash(expected.algorithm)
  let size = 0
  for await (const chunk of file) {
    size += chunk.length
    hash?.update(chunk)
    yield chunk
  }
  if (info.fileSize !== undefined && size !== info.fileSize) {
    failFile(info, `${info.fileSize} bytes`, `${size} bytes`)
  }
  const hex = hash?.digest('hex')
  if (expected !== undefined && hex !== undefined && hex !== expected.hex) {
    const actual: NixHash = { algorithm: expected.algorithm, hex }
    failFile(info, formatHash(expected, 'nix32'), formatHash(actual, 'nix32'))
  }
}

function failFile({ path, url }: NarInfo, expected: string, actual: string): never {
  return fail({
    kind: 'hash-mismatch',
    path,
    expected,
    actual,
    message: `The file ${quote(url)} for ${path} was announced with ${expected} and has ${actual}; fetch it again, or from another cache.`,
  })
}
