import { Buffer } from 'node:buffer'
import { quoteBytes } from '../../byte-string.js'
import { doing, fail, throwIfAborted } from '../../failure.js'
import type { ByteString, TreeReader } from '../../powers.js'
import { type FileNode, scanTree, type TreeNode } from '../../tree.js'

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
  let framing = text('nix-archive-1')

  function* node(at: ByteString, tree: TreeNode): Generator<NarPiece> {
    framing += text('(') + text('type')
    if (tree.kind === 'symlink') {
      framing += text('symlink') + text('target') + text(tree.target)
    } else if (tree.kind === 'file') {
      framing += text('regular')
      if (tree.executable) framing += text('executable') + text('')
      framing += text('contents') + length(tree.sizeBytes)
      if (tree.sizeBytes > 0) {
        yield { kind: 'framing', bytes: Buffer.from(framing, 'latin1') }
        yield { kind: 'contents', file: tree, path: at }
        framing = padding(tree.sizeBytes)
      }
    } else {
      framing += text('directory')
      for (const entry of tree.entries) {
        framing += text('entry') + text('(') + text('name') + text(entry.name) + text('node')
        yield* node(`${at}/${entry.name}`, entry.node)
        framing += text(')')
      }
    }
    framing += text(')')
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

const READ_BYTES = 1 << 20

/**
 * Serialises an unpacked store path, a piece at a time: memory stays bounded whatever the size of a file.
 * Rejects with the failures of the reader; `TypeError`s are programmers' mistakes.
 */
export async function* serialiseNar(
  tree: TreeReader,
  path: ByteString,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const piece of narPieces(await scanTree(tree, path, signal), path)) {
    if (piece.kind === 'framing') yield piece.bytes
    else yield* fileContents(tree, piece.path, piece.file.sizeBytes, signal)
  }
}

/** The first `sizeBytes` bytes of a file; fails when it has become shorter. Each chunk is the consumer's. */
export async function* fileContents(
  tree: TreeReader,
  path: ByteString,
  sizeBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const file = await doing(`Opening ${quoteBytes(path)} failed`, tree.open(path))
  try {
    for (let position = 0; position < sizeBytes; ) {
      throwIfAborted(signal)
      const chunk = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, sizeBytes - position))
      const count = await doing(`Reading ${quoteBytes(path)} failed`, file.read(chunk, position))
      if (count < chunk.length) failShrunk(path)
      yield chunk
      position += count
    }
  } finally {
    await file.close()
  }
}

export function failShrunk(path: ByteString): never {
  return fail({
    kind: 'system',
    message: `${quoteBytes(path)} became shorter while it was read; nothing may write to a store path. Check the store with nix-store --verify --check-contents.`,
  })
}

function text(value: ByteString): ByteString {
  return length(value.length) + value + padding(value.length)
}

const scratch = Buffer.alloc(8)

function length(value: number): ByteString {
  scratch.writeBigUInt64LE(BigInt(value))
  return scratch.toString('latin1')
}

function padding(size: number): ByteString {
  return '\0'.repeat((8 - (size % 8)) % 8)
}
