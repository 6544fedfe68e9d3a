import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import { Decompress as ZstdDecompress } from 'fzstd'
import unbzip2 from 'unbzip2-stream'
import * as xz from 'xz-decompress'

/** What the files of a binary cache are compressed with; `br` is Brotli. */
export const COMPRESSIONS = ['none', 'xz', 'zstd', 'gzip', 'br', 'bzip2'] as const
/** Compressions that a NAR may come in. */
export type Compression = (typeof COMPRESSIONS)[number]

export function isCompression(name: string): name is Compression {
  return (COMPRESSIONS as readonly string[]).includes(name)
}

/** The bytes are not what the compression says, or too many. */
export class DecompressionFailed extends Error {
  constructor(readonly reason: string) {
    super(reason)
    this.name = 'DecompressionFailed'
  }
}

/** Fed in pieces of this size, so that a few bytes that stand for gigabytes are noticed early. */
const PIECE_BYTES = 16 << 10

/**
 * Decompresses as it is read; what is not asked for is not read. Throws `DecompressionFailed` for damaged bytes and
 * as soon as there are more than `maxBytes`; what `compressed` throws is thrown on. Input that is cut off may just end
 * early: what is inside tells.
 */
export async function* decompress(
  compression: Compression,
  compressed: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let failure: { readonly cause: unknown } | undefined
  const input = (async function* () {
    try {
      yield* compressed
    } catch (cause) {
      failure = { cause }
      throw cause
    }
  })()
  const limit = new OutputLimit(maxBytes)
  try {
    for await (const chunk of decompressors[compression](input, limit)) {
      limit.checkTotal(chunk.length)
      yield chunk
    }
  } catch (thrown) {
    if (failure !== undefined) throw failure.cause
    if (thrown instanceof DecompressionFailed) throw thrown
    const why = thrown instanceof Error ? thrown.message : 'unknown'
    throw new DecompressionFailed(`it is no ${compression} data, or damaged (${why})`)
  }
}

class OutputLimit {
  #total = 0
  /** Made, not yet given out. */
  #made = 0

  constructor(readonly maxBytes: number) {}

  checkTotal(more: number): void {
    this.#total += more
    this.#made = 0
    this.#check()
  }

  /** For a decompressor that makes its output before anybody asks for it. */
  checkMade(more: number): void {
    this.#made += more
    this.#check()
  }

  #check(): void {
    if (this.#total + this.#made > this.maxBytes) {
      throw new DecompressionFailed(
        `it decompresses to more than the ${this.maxBytes} bytes that were announced`,
      )
    }
  }
}

type Decompressor = (input: AsyncGenerator<Uint8Array>, limit: OutputLimit) => AsyncIterable<Uint8Array>

const decompressors: Readonly<Record<Compression, Decompressor>> = {
  none: (input) => input,
  gzip: (input) => throughNode(zlib.createGunzip(), input),
  br: (input) => throughNode(zlib.createBrotliDecompress(), input),
  xz: throughXz,
  bzip2: throughBzip2,
  // Node has its own from 22.15 on, several times as fast.
  zstd: (input, limit) => {
    const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform }
    return createZstdDecompress === undefined
      ? throughZstd(input, limit)
      : throughNode(createZstdDecompress(), input)
  },
}

async function* throughNode(
  transform: Transform,
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const feeding = pipeline(Readable.from(input, { objectMode: false }), transform)
  // It rejects with what the reading below throws too.
  feeding.catch(() => {})
  try {
    for await (const chunk of transform) yield chunk as Uint8Array
    await feeding
  } finally {
    transform.destroy()
    await feeding.catch(() => {})
  }
}

/** The library has one context at a time; who waits here has not begun to read. */
let lastXz: Promise<void> = Promise.resolve()

async function* throughXz(input: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const before = lastXz
  let done = () => {}
  lastXz = new Promise((resolve) => {
    done = resolve
  })
  try {
    await before
    const source = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const next = await input.next()
          if (next.done === true) controller.close()
          else controller.enqueue(next.value)
        },
      },
      { highWaterMark: 0 },
    )
    const stream = new XzReadableStream(source)
    for await (const chunk of stream) if (chunk.length > 0) yield chunk
    if (!(await input.next()).done) throw new DecompressionFailed('something follows after its end')
  } finally {
    done()
    await input.return(undefined)
  }
}

// A CommonJS module, whose exports Node does not see by name.
const { XzReadableStream } = 'default' in xz ? (xz as unknown as { default: typeof xz }).default : xz

async function* throughZstd(
  input: AsyncIterable<Uint8Array>,
  limit: OutputLimit,
): AsyncGenerator<Uint8Array> {
  let made: Uint8Array[] = []
  const stream = new ZstdDecompress((chunk) => {
    limit.checkMade(chunk.length)
    // The library uses the memory again.
    made.push(chunk.slice())
  })
  let first = true
  for await (const piece of pieces(input)) {
    if (first) checkZstdWindow(piece)
    first = false
    stream.push(piece)
    yield* made
    made = []
  }
  stream.push(new Uint8Array(0), true)
  yield* made
}

/** As zstd itself does by default: 128 MiB. Source: RFC 8878, 3.1.1.1. */
function checkZstdWindow(start: Uint8Array): void {
  const singleSegment = ((start[4] ?? 0) & 0x20) !== 0
  if (!singleSegment && (start[5] ?? 0) >> 3 > 17)
    throw new DecompressionFailed('its window is larger than 128 MiB')
  const sizeField = (start[4] ?? 0) >> 6
  const high = start.subarray(5 + 3, 5 + 4)
  if (singleSegment && sizeField >= 2 && (high[0] ?? 0) >= 8) {
    throw new DecompressionFailed('its window is larger than 128 MiB')
  }
}

async function* throughBzip2(
  input: AsyncIterable<Uint8Array>,
  limit: OutputLimit,
): AsyncGenerator<Uint8Array> {
  let made: Uint8Array[] = []
  let failure: { readonly cause: unknown } | undefined
  const stream = unbzip2()
  // What a listener throws ends the stream at once, in the middle of its input.
  stream.on('data', (chunk: Uint8Array) => {
    limit.checkMade(chunk.length)
    made.push(chunk)
  })
  stream.on('error', (cause: unknown) => {
    failure ??= { cause }
  })
  const takeMade = () => {
    if (failure !== undefined) throw failure.cause
    const taken = made
    made = []
    return taken
  }
  for await (const piece of pieces(input)) {
    stream.write(piece as Buffer)
    yield* takeMade()
  }
  stream.end()
  yield* takeMade()
}

async function* pieces(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of input) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) yield chunk.subarray(at, at + PIECE_BYTES)
  }
}
