import { Buffer } from 'node:buffer'
import { quoteBytes } from '../../byte-string.js'
import { doing, fail, throwIfAborted } from '../../failure.js'
import type { ByteString, EntryKind, TreeReader } from '../../powers.js'
import { type FileNode, failGone, failUnsupported, type TreeNode } from '../../tree.js'
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

/** So much of a file is read in one call, into the chunk that also holds what surrounds it. */
const SMALL_FILE_BYTES = 128 << 10

const MAX_FRAMING_BYTES = 256 << 10

/** More than what comes between the framing before a file and its contents. */
const FILE_FRAMING_BYTES = 256

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
 * The same with chunks whose memory is used again, and shared between threads: when one is asked for, the consumer may
 * still be at work on the `held` before it. One more is being read meanwhile.
 */
export function transientNarChunks(
  tree: TreeReader,
  path: ByteString,
  signal: AbortSignal,
  held: number,
): AsyncGenerator<Uint8Array> {
  const buffers = Array.from({ length: held + 2 }, () => Buffer.from(new SharedArrayBuffer(CHUNK_BYTES)))
  let next = 0
  return narChunks(tree, path, signal, () => buffers[next++ % buffers.length]!)
}

interface OpenDirectory {
  readonly path: ByteString
  readonly entries: readonly { readonly name: ByteString; readonly kind: EntryKind }[]
  next: number
}

/** Walks the tree as it goes: of names, only those of the open directories are held. */
async function* narChunks(
  tree: TreeReader,
  root: ByteString,
  signal: AbortSignal,
  allocate: () => Buffer,
): AsyncGenerator<Uint8Array> {
  const directories: OpenDirectory[] = []
  let chunk = allocate()
  let used = 0
  let framing = word(NAR_MAGIC)
  let path = root
  let kind = await reading(root, tree.kindOf(root))
  if (kind === undefined) return failGone(root)
  for (;;) {
    throwIfAborted(signal)
    if (kind === 'other') failUnsupported(path)
    if (kind === 'directory') {
      const entries = [...(await reading(path, tree.list(path)))]
      directories.push({ path, entries: entries.sort((a, b) => (a.name < b.name ? -1 : 1)), next: 0 })
      framing += DIRECTORY
    } else if (kind === 'symlink') {
      framing += SYMLINK + word(await reading(path, tree.readLink(path))) + CLOSE
    } else {
      if (used + framing.length + SMALL_FILE_BYTES + FILE_FRAMING_BYTES > CHUNK_BYTES) {
        if (used > 0) yield chunk.subarray(0, used)
        chunk = allocate()
        used = 0
      }
      used += chunk.write(framing, used, 'latin1')
      // Where the contents go is known but for the mark of an executable file, which is rarer.
      const at = used + REGULAR.length + 8
      const start = chunk.subarray(at, at + SMALL_FILE_BYTES)
      const { sizeBytes, executable, count } = await reading(path, tree.readFile(path, start))
      if (count < Math.min(sizeBytes, SMALL_FILE_BYTES)) failShrunk(path)
      const head = (executable ? EXECUTABLE : REGULAR) + length(sizeBytes)
      if (executable) chunk.copyWithin(used + head.length, at, at + count)
      used += chunk.write(head, used, 'latin1') + count
      if (count < sizeBytes) {
        yield chunk.subarray(0, used)
        yield* restOfFile(tree, path, count, sizeBytes, signal, allocate)
        chunk = allocate()
        used = 0
      }
      framing = padding(sizeBytes) + CLOSE
    }
    let directory = directories.at(-1)
    if (kind !== 'directory' && directory !== undefined) framing += CLOSE
    while (directory !== undefined && directory.next === directory.entries.length) {
      directories.pop()
      directory = directories.at(-1)
      framing += directory === undefined ? CLOSE : CLOSE + CLOSE
    }
    if (directory === undefined) break
    const entry = directory.entries[directory.next++]!
    framing += ENTRY + word(entry.name) + NODE
    path = `${directory.path}/${entry.name}`
    kind = entry.kind
    if (framing.length < MAX_FRAMING_BYTES) continue
    // Nothing but directories and links for a while.
    if (used > 0) yield chunk.subarray(0, used)
    yield Buffer.from(framing, 'latin1')
    chunk = allocate()
    used = 0
    framing = ''
  }
  if (used > 0) yield chunk.subarray(0, used)
  yield Buffer.from(framing, 'latin1')
}

/** The words for a failure cost more than reading a small file does, so they wait until there is one. */
async function reading<T>(path: ByteString, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    return doing(`Reading ${quoteBytes(path)} failed`, Promise.reject(thrown))
  }
}

/** The bytes of a file from `start` on, the next chunk being read ahead; fails when it has become shorter. */
async function* restOfFile(
  tree: TreeReader,
  path: ByteString,
  start: number,
  sizeBytes: number,
  signal: AbortSignal,
  allocate: () => Buffer,
): AsyncGenerator<Uint8Array> {
  const file = await reading(path, tree.open(path))
  const read = async (position: number): Promise<Uint8Array> => {
    const chunk = allocate().subarray(0, Math.min(CHUNK_BYTES, sizeBytes - position))
    if ((await reading(path, file.read(chunk, position))) < chunk.length) failShrunk(path)
    return chunk
  }
  let ahead: Promise<Uint8Array> | undefined
  try {
    ahead = read(start)
    for (let position = start; position < sizeBytes; ) {
      throwIfAborted(signal)
      const chunk = await ahead
      position += chunk.length
      if (position < sizeBytes) {
        ahead = read(position)
        // It is awaited in its turn; a failure before that is not unhandled.
        ahead.catch(() => {})
      }
      yield chunk
    }
  } finally {
    await Promise.allSettled([ahead])
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
