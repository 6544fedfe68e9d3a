import { createHash, type Hash } from 'node:crypto'
import { quoteBytes } from '../byte-string.js'
import type { StorePathInfo } from '../closure.js'
import { doing, fail, throwIfAborted } from '../failure.js'
import { failShrunk, type NarPiece, narPieces } from '../nix/nar/writer.js'
import { formatNarHash } from '../nix/nar-hash.js'
import type { ByteString, OutputFile, TreeReader } from '../powers.js'
import { quote } from '../quote.js'
import { type FileNode, scanTree, type TreeNode } from '../tree.js'
import type { BlobIndex, StoredNode } from './blob-index.js'
import {
  BlobAllocator,
  blobId,
  deviceSize,
  LARGE_PAGE_BYTES,
  sortedByPath,
  TRAILER_BYTES,
  writeTrailer,
} from './blob-layout.js'
import { BuildBuffers, Ring, STREAM_BYTES } from './buffers.js'
import { RunWriter } from './run-writer.js'
import { SmallFiles } from './small-files.js'

/** Where the data of store paths comes from. */
export interface BlobSource {
  open(info: StorePathInfo): Promise<OpenedPath>
}

/** The caller closes it. */
export interface OpenedPath {
  readonly tree: TreeReader
  /** Where in the tree the store path lies. */
  readonly path: ByteString
  close(): Promise<void>
}

/** Small files that are read ahead while earlier ones are hashed. */
const READ_AHEAD_FILES = 24

const STREAM_BUFFERS = 3

/**
 * Writes the data of these store paths into an empty file and hashes their NARs on the way: the blob is right
 * if this returns, and not to be used if it throws (`hash-mismatch`, `unsupported-file`, `missing-reference`,
 * `system`, `aborted`).
 *
 * The bytes depend on the contents of the paths alone: path by path, files in the order of the NAR (see
 * `BlobAllocator`), the rest zero, and equal small files within one path are stored once, whether or not the host's store links them.
 */
export async function writeBlob(
  members: readonly StorePathInfo[],
  source: BlobSource,
  output: OutputFile,
  signal: AbortSignal,
  buffers: BuildBuffers = new BuildBuffers(),
): Promise<BlobIndex> {
  const allocator = new BlobAllocator()
  const writer = new RunWriter(output, buffers.runs)
  const written: BlobIndex['members'][number][] = []
  try {
    for (const info of sortedByPath(members)) {
      const opened = await source.open(info)
      try {
        const tree = await scanTree(opened.tree, opened.path, signal)
        const member = new MemberWriter(opened.tree, allocator, writer, buffers, signal)
        const narHash = await member.write(tree, opened.path)
        if (narHash !== info.narHash) failMismatch(info, narHash)
        written.push({ path: members.length === 1 ? null : info.path, narHash, tree: member.place(tree) })
      } finally {
        await opened.close()
      }
    }
    return await finishBlob(blobId(members), written, allocator, writer)
  } finally {
    await writer.settle()
  }
}

/** Writes the trailer; everything is written when this resolves. */
export async function finishBlob(
  id: string,
  members: BlobIndex['members'],
  allocator: BlobAllocator,
  writer: RunWriter,
): Promise<BlobIndex> {
  const sizeBytes = deviceSize(allocator.end)
  await writer.write(writeTrailer(id), sizeBytes - TRAILER_BYTES)
  await writer.finish()
  return { id, sizeBytes, dataBytes: allocator.end, members }
}

export function failMismatch(
  info: StorePathInfo,
  actual: string,
  advice = 'The path was changed or damaged; repair it with nix-store --repair-path.',
): never {
  return fail({
    kind: 'hash-mismatch',
    path: info.path,
    expected: info.narHash,
    actual,
    message: `The contents of ${quote(info.path)} hash to ${formatNarHash(actual)}, but ${formatNarHash(info.narHash)} is registered. ${advice}`,
  })
}

/** A piece of the NAR that waits for its turn; a small file is being read meanwhile. */
type Queued =
  | Exclude<NarPiece, { kind: 'contents' }>
  | (Extract<NarPiece, { kind: 'contents' }> & { readonly reading?: undefined })
  | (Extract<NarPiece, { kind: 'contents' }> & {
      readonly contents: Uint8Array
      readonly reading: Promise<number>
    })

/** Writes one store path. */
class MemberWriter {
  readonly #hash: Hash = createHash('sha256')
  readonly #offsets = new Map<FileNode, number>()
  readonly #small: SmallFiles
  #ambiguous: ReadonlySet<number> = new Set()

  constructor(
    readonly tree: TreeReader,
    readonly allocator: BlobAllocator,
    readonly writer: RunWriter,
    readonly buffers: BuildBuffers,
    readonly signal: AbortSignal,
  ) {
    this.#small = new SmallFiles(allocator, writer)
  }

  /** Returns the NAR hash of what was written. */
  async write(root: TreeNode, path: ByteString): Promise<string> {
    this.#ambiguous = sizesOfSeveralFiles(root)
    const memory = this.buffers.rings.take()
    const ring = new Ring(memory)
    const queue: Queued[] = []
    let ahead = 0
    const writeNext = async () => {
      const piece = queue.shift()!
      throwIfAborted(this.signal)
      if (piece.kind === 'framing') this.#hash.update(piece.bytes)
      else if (piece.reading === undefined) await this.#streamLarge(piece.file, piece.path)
      else {
        await this.#writeSmall(piece.file, piece.path, piece.contents, await piece.reading)
        ring.giveOldest()
        ahead--
      }
    }
    try {
      for (const piece of narPieces(root, path)) {
        if (piece.kind === 'contents' && piece.file.sizeBytes < LARGE_PAGE_BYTES) {
          let contents = ahead < READ_AHEAD_FILES ? ring.take(piece.file.sizeBytes) : undefined
          while (contents === undefined) {
            await writeNext()
            contents = ring.take(piece.file.sizeBytes)
          }
          queue.push({ ...piece, contents, reading: this.#startReading(piece.path, contents) })
          ahead++
        } else {
          queue.push(piece)
        }
        while (queue.length > 4 * READ_AHEAD_FILES) await writeNext()
      }
      while (queue.length > 0) await writeNext()
    } finally {
      // Nothing of this path is still being read once the caller removes the file and others use the memory.
      await Promise.allSettled(queue.map((piece) => (piece.kind === 'contents' ? piece.reading : undefined)))
      this.buffers.rings.give(memory)
    }
    return this.#hash.digest('hex')
  }

  #startReading(path: ByteString, contents: Uint8Array): Promise<number> {
    const reading = doing(`Reading ${quoteBytes(path)} failed`, this.tree.readStart(path, contents))
    // It is awaited in its turn; a failure before that is not unhandled.
    reading.catch(() => {})
    return reading
  }

  place(node: TreeNode): StoredNode {
    if (node.kind === 'symlink') return node
    if (node.kind === 'file') return { ...node, offset: this.#offsets.get(node) ?? 0 }
    return {
      kind: 'directory',
      entries: node.entries.map(({ name, node }) => ({ name, node: this.place(node) })),
    }
  }

  async #writeSmall(
    file: FileNode,
    path: ByteString,
    contents: Uint8Array,
    readBytes: number,
  ): Promise<void> {
    if (readBytes < file.sizeBytes) failShrunk(path)
    this.#hash.update(contents)
    const unique = !this.#ambiguous.has(file.sizeBytes)
    this.#offsets.set(file, await this.#small.place(contents, file.executable, unique))
  }

  async #streamLarge(file: FileNode, path: ByteString): Promise<void> {
    const offset = this.allocator.allocate(file.sizeBytes)
    this.#offsets.set(file, offset)
    const failed = `Reading ${quoteBytes(path)} failed`
    const input = await doing(failed, this.tree.open(path))
    const buffers = Array.from({ length: STREAM_BUFFERS }, () => ({
      bytes: this.buffers.streams.take(),
      written: Promise.resolve(),
    }))
    let reading = Promise.resolve(0)
    try {
      const startRead = async (position: number): Promise<number> => {
        const buffer = buffers[(position / STREAM_BYTES) % STREAM_BUFFERS]!
        await buffer.written
        const wanted = Math.min(STREAM_BYTES, file.sizeBytes - position)
        return doing(failed, input.read(buffer.bytes.subarray(0, wanted), position))
      }
      reading = startRead(0)
      for (let position = 0; position < file.sizeBytes; position += STREAM_BYTES) {
        const wanted = Math.min(STREAM_BYTES, file.sizeBytes - position)
        if ((await reading) < wanted) failShrunk(path)
        throwIfAborted(this.signal)
        const next = position + STREAM_BYTES
        if (next < file.sizeBytes) {
          reading = startRead(next)
          reading.catch(() => {})
        }
        const buffer = buffers[(position / STREAM_BYTES) % STREAM_BUFFERS]!
        const chunk = buffer.bytes.subarray(0, wanted)
        buffer.written = this.writer.writeThrough(chunk, offset + position)
        buffer.written.catch(() => {})
        this.#hash.update(chunk)
      }
      await Promise.all(buffers.map((buffer) => buffer.written))
    } finally {
      await Promise.allSettled([reading, ...buffers.map((buffer) => buffer.written)])
      for (const { bytes } of buffers) this.buffers.streams.give(bytes)
      await input.close()
    }
  }
}

/** Only a file that shares its size with another can share its contents; the others need no second hash. */
function sizesOfSeveralFiles(root: TreeNode): ReadonlySet<number> {
  const seen = new Set<number>()
  const several = new Set<number>()
  for (const { sizeBytes } of filesOf(root)) {
    if (seen.has(sizeBytes)) several.add(sizeBytes)
    seen.add(sizeBytes)
  }
  return several
}

function* filesOf(node: TreeNode): Generator<FileNode> {
  if (node.kind === 'file') yield node
  if (node.kind === 'directory') for (const entry of node.entries) yield* filesOf(entry.node)
}
