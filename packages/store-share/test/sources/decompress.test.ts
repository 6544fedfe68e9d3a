import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openDescriptors, openedSince } from '../../../unix-fd/test/held.js'
import {
  COMPRESSIONS,
  type Compression,
  DecompressionFailed,
  decompress,
} from '../../src/sources/decompress.js'

/** By the programs themselves, and as Nix calls them: xz with its default check. */
function compress(compression: Compression, bytes: Buffer): Buffer {
  if (compression === 'none') return bytes
  if (compression === 'gzip') return gzipSync(bytes)
  if (compression === 'br') {
    return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })
  }
  return execFileSync(compression, ['-1', '-c'], {
    input: bytes,
    maxBuffer: 1 << 28,
    timeout: 100_000,
    killSignal: 'SIGKILL',
  })
}

async function* chunked(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function all(
  compression: Compression,
  bytes: Buffer,
  { maxBytes = 1 << 30, chunk = 50_000 } = {},
): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of decompress(compression, chunked(bytes, chunk), maxBytes))
    parts.push(Buffer.from(part))
  return Buffer.concat(parts)
}

const sample = Buffer.concat([randomBytes(60_000), Buffer.alloc(400_000, 'spectrum '), randomBytes(5)])

describe.each(COMPRESSIONS)('%s', (compression) => {
  const compressed = compress(compression, sample)

  it('gives back what was compressed, however it arrives', async () => {
    for (const chunk of [1 << 20, 997]) {
      expect((await all(compression, compressed, { chunk })).equals(sample)).toBe(true)
    }
    expect(await all(compression, compress(compression, Buffer.from('x')), { chunk: 1 })).toEqual(
      Buffer.from('x'),
    )
  })

  it('gives up as soon as there is more than announced', async () => {
    await expect(all(compression, compressed, { maxBytes: sample.length - 1 })).rejects.toThrow(
      DecompressionFailed,
    )
    expect((await all(compression, compressed, { maxBytes: sample.length })).length).toBe(sample.length)
  })

  it('throws what its input throws', async () => {
    const cause = new Error('cable cut')
    const broken = async function* () {
      yield compressed.subarray(0, 1000)
      throw cause
    }
    const read = async () => {
      for await (const _ of decompress(compression, broken(), 1 << 30));
    }
    await expect(read()).rejects.toBe(cause)
  })

  it('stops reading its input when nobody reads on', async () => {
    let closed = false
    const input = async function* () {
      try {
        yield* chunked(Buffer.concat(Array.from({ length: 8 }, () => compressed)), 4096)
      } finally {
        closed = true
      }
    }
    for await (const _ of decompress(compression, input(), 1 << 30)) break
    await expect.poll(() => closed).toBe(true)
  })
})

describe.each(COMPRESSIONS.filter((each) => each !== 'none'))('damaged %s', (compression) => {
  it('is refused or gives other bytes, and never hangs', async () => {
    const small = Buffer.concat([randomBytes(500), Buffer.alloc(3000, 'abc')])
    const compressed = compress(compression, small)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(compressed.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (position, flip, cut) => {
          const damaged = Buffer.from(cut ? compressed.subarray(0, position) : compressed)
          if (!cut) damaged[position]! ^= flip
          try {
            expect((await all(compression, damaged, { maxBytes: 1 << 20 })).length).toBeLessThanOrEqual(
              1 << 20,
            )
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(DecompressionFailed)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('is noticed where it is cut off, or only ends early', async () => {
    const compressed = compress(compression, sample)
    const cut = all(compression, compressed.subarray(0, compressed.length >> 1))
    // Node's own zstd says nothing.
    if (compression === 'zstd') {
      const length = await cut.then(
        (bytes) => bytes.length,
        (thrown) => (thrown instanceof DecompressionFailed ? 0 : Number.NaN),
      )
      expect(length).toBeLessThan(sample.length)
    } else {
      await expect(cut).rejects.toThrow(DecompressionFailed)
    }
  })
})

it('holds little memory and no descriptors against bombs', async () => {
  const before = openDescriptors()
  for (const compression of ['bzip2', 'zstd', 'xz', 'gzip', 'br'] as const) {
    const block = compress(compression, Buffer.alloc(2 << 20))
    const bomb = Buffer.concat(Array.from({ length: 500 }, () => block))
    await expect(all(compression, bomb, { maxBytes: 1 << 20, chunk: 1 << 20 })).rejects.toThrow(/more than/)
  }
  expect(process.memoryUsage().external).toBeLessThan(1 << 30)
  await expect.poll(() => openedSince(before)).toEqual([])
})

it('decompresses several xz streams beside each other', async () => {
  const files = [1, 2, 3, 4].map((each) => Buffer.alloc(400_000, `${each} `))
  const compressed = files.map((bytes) => compress('xz', bytes))
  const results = await Promise.all(compressed.map((bytes) => all('xz', bytes, { chunk: 1000 })))
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  expect(results.map(digest)).toEqual(files.map(digest))
})
