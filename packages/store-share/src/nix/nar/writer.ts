import { Buffer } from 'node:buffer'
import { quoteBytes } from '../../byte-string.js'
import { doing, fail, throwIfAborted } from '../../failure.js'
import type { ByteString, TreeReader } from '../../powers.js'
import { type FileNode, scanTree, type TreeNode } from '../../tree.js'
import { NAR_MAGIC, paddingAfter } from './format.js'

/**
 * A piece of a NAR: bytes of its framing, or the place where the contents of a file go. The zero padding
 * after the contents belongs to the framing that follows.
 */
export type NarPiece =
  | { readonly kind: 'framing'; readonly bytes: Uint8Array }
  | { readonly kind: 'contents'; readonly file: FileNode; readonly path: ByteString }

/**
 * The NAR of a tree, in order. `path` is where the tree lies; the path of each file is below it.
 *
 * Format: Nix, libutil/archive.cc. A string is its length as a little-endian u64, its bytes, and zeros up to
 * a multiple of 8.
 */
export function* narPieces(root: TreeNode, path: ByteString): Generator<NarPiece> {
  let framing = word(NAR_MAGIC)

  function* node(at: ByteString, tree: TreeNode): Generator<NarPiece> {
    if (tree.kind === 'symlink') {
      framing += SYMLINK + word(tree.target)
    } else if (tree.kind === 'file') {
      framing += (tree.executable ? EXECUTABLE : REGULAR) + length(tree.sizeBytes)
      if (tree.sizeBytes > 0) {
        yield { kind: 'framing', bytes: Buffer.from(framing, 'latin1') }
        yield { kind: 'contents', file: tree, path: at }
        framing = padding(tree.sizeBytes)
      }
    } else {
      framing += DIRECTORY
      for (const entry of tree.entries) {
        framing += ENTRY + word(entry.name) + NODE
        yield* node(`${at}/${entry.name}`, entry.node)
        framing += CLOSE
      }
    }
    framing += CLOSE
  }

  yield* node(path, root)
  yield { kind: 'framing', bytes: Buffer.from(framing, 'latin1') }
}

/** Bytes of the NAR of a tree, without reading any file. */
export function narSize(root: TreeNode): number {
  let size = 0
  for (const piece of narPieces(root, '')) {
    size += piece.kind === 'framing' ? piece.bytes.length : piece.file.sizeBytes
  }
  return size
}

const CHUNK_BYTES = 1 << 20

/** Files up to this size are read in one call, into the chunk that also holds what surrounds them. */
const SMALL_FILE_BYTES = 128 << 10

/**
 * Serialises an unpacked store path in chunks of about 1 MiB, which are the consumer's: memory stays bounded
 * whatever the size of a file. Rejects with the failures of the reader; `TypeError`s are programmers' mistakes.
 */
export function serialiseNar(
  tree: TreeReader,
  path: ByteString,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  return narChunks(tree, path, signal, () => Buffer.allocUnsafeSlow(CHUNK_BYTES))
}

/**
 * The same with chunks that are good until the next but one is asked for: the next is being read while the
 * consumer works on this one.
 */
export function transientNarChunks(
  tree: TreeReader,
  path: ByteString,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const buffers = Array.from({ length: 3 }, () => Buffer.allocUnsafeSlow(CHUNK_BYTES))
  let next = 0
  return narChunks(tree, path, signal, () => buffers[next++ % buffers.length]!)
}

async function* narChunks(
  tree: TreeReader,
  path: ByteString,
  signal: AbortSignal,
  allocate: () => Buffer,
): AsyncGenerator<Uint8Array> {
  let chunk = allocate()
  let used = 0
  for (const piece of narPieces(await scanTree(tree, path, signal), path)) {
    throwIfAborted(signal)
    if (piece.kind === 'framing') {
      for (let at = 0; at < piece.bytes.length; ) {
        const part = piece.bytes.subarray(at, at + CHUNK_BYTES - used)
        chunk.set(part, used)
        at += part.length
        used += part.length
        if (used < CHUNK_BYTES) continue
        yield chunk
        chunk = allocate()
        used = 0
      }
      continue
    }
    const { sizeBytes } = piece.file
    const small = sizeBytes <= SMALL_FILE_BYTES
    if (used > 0 && (!small || used + sizeBytes > CHUNK_BYTES)) {
      yield chunk.subarray(0, used)
      chunk = allocate()
      used = 0
    }
    if (small) {
      const contents = chunk.subarray(used, used + sizeBytes)
      const count = await doing(
        `Reading ${quoteBytes(piece.path)} failed`,
        tree.readStart(piece.path, contents),
      )
      if (count < sizeBytes) failShrunk(piece.path)
      used += sizeBytes
    } else yield* fileContents(tree, piece.path, sizeBytes, signal, allocate)
  }
  if (used > 0) yield chunk.subarray(0, used)
}

/** The first `sizeBytes` bytes of a file, the next chunk being read ahead; fails when it has become shorter. */
async function* fileContents(
  tree: TreeReader,
  path: ByteString,
  sizeBytes: number,
  signal: AbortSignal,
  allocate: () => Buffer,
): AsyncGenerator<Uint8Array> {
  const failed = `Reading ${quoteBytes(path)} failed`
  const file = await doing(failed, tree.open(path))
  const startRead = async (position: number): Promise<Uint8Array> => {
    const chunk = allocate().subarray(0, Math.min(CHUNK_BYTES, sizeBytes - position))
    if ((await doing(failed, file.read(chunk, position))) < chunk.length) failShrunk(path)
    return chunk
  }
  let reading: Promise<Uint8Array> | undefined
  try {
    reading = startRead(0)
    for (let position = 0; position < sizeBytes; ) {
      throwIfAborted(signal)
      const chunk = await reading
      position += chunk.length
      if (position < sizeBytes) {
        reading = startRead(position)
        // It is awaited in its turn; a failure before that is not unhandled.
        reading.catch(() => {})
      }
      yield chunk
    }
  } finally {
    await Promise.allSettled([reading])
    await file.close()
  }
}

export function failShrunk(path: ByteString): never {
  return fail({
    kind: 'system',
    message: `${quoteBytes(path)} became shorter while it was read; nothing may write to a store path. Check the store with nix-store --verify --check-contents.`,
  })
}

function word(value: ByteString): ByteString {
  return length(value.length) + value + padding(value.length)
}

function words(...values: readonly string[]): ByteString {
  return values.map(word).join('')
}

/** A little-endian u64. */
function length(value: number): ByteString {
  if (value < 0x10000) return `${String.fromCharCode(value & 0xff, value >> 8)}\0\0\0\0\0\0`
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes.toString('latin1')
}

const ZEROS = Array.from({ length: 8 }, (_, count) => '\0'.repeat(count))

function padding(size: number): ByteString {
  return ZEROS[paddingAfter(size)]!
}

const REGULAR = words('(', 'type', 'regular', 'contents')
const EXECUTABLE = words('(', 'type', 'regular', 'executable', '', 'contents')
const SYMLINK = words('(', 'type', 'symlink', 'target')
const DIRECTORY = words('(', 'type', 'directory')
const ENTRY = words('entry', '(', 'name')
const NODE = words('node')
const CLOSE = words(')')
