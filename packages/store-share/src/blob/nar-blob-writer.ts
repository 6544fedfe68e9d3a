import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { StorePathInfo } from '../closure.js'
import { fail, throwIfAborted } from '../failure.js'
import type { MalformedError } from '../nix/malformed.js'
import { type NarEvent, NarReader } from '../nix/nar/reader.js'
import type { ByteString, OutputFile } from '../powers.js'
import { quote } from '../quote.js'
import type { BlobIndex, StoredNode } from './blob-index.js'
import { BlobAllocator, blobId, LARGE_PAGE_BYTES } from './blob-layout.js'
import { failMismatch, finishBlob } from './blob-writer.js'
import { BuildBuffers } from './buffers.js'
import { RunWriter } from './run-writer.js'
import { SmallFiles } from './small-files.js'

/**
 * Writes the data of one store path into an empty file straight from its NAR, which is hashed on the way: the blob is
 * right if this returns, and not to be used if it throws (`malformed-nar`, `hash-mismatch`, `system`, `aborted`, and
 * whatever `nar` throws). The bytes are those that `writeBlob` makes of the unpacked path.
 */
export async function writeBlobFromNar(
  info: StorePathInfo,
  nar: AsyncIterable<Uint8Array>,
  output: OutputFile,
  signal: AbortSignal,
  buffers: BuildBuffers = new BuildBuffers(),
): Promise<BlobIndex> {
  const allocator = new BlobAllocator()
  const writer = new RunWriter(output, buffers.runs)
  const member = new NarMember(allocator, writer)
  const hash = createHash('sha256')
  const reader = new NarReader({ maxBytes: info.narSize })
  try {
    for await (const chunk of nar) {
      throwIfAborted(signal)
      hash.update(chunk)
      for (const event of reader.push(chunk)) {
        if (event.kind === 'refused') failMalformed(info, event.error)
        await member.take(event)
      }
    }
    const end = reader.finish()
    if (end.isErr()) failMalformed(info, end.error)
    const narHash = hash.digest('hex')
    if (narHash !== info.narHash) failMismatch(info, narHash, 'Fetch it from another cache.')
    const { tree } = member
    return await finishBlob(blobId([info]), [{ path: null, narHash, tree }], allocator, writer)
  } finally {
    await writer.settle()
  }
}

function failMalformed({ path }: StorePathInfo, { message, offset }: MalformedError): never {
  return fail({
    kind: 'malformed-nar',
    path,
    ...(offset === undefined ? {} : { offset }),
    message: `What should be ${quote(path)} cannot be used. ${message}`,
  })
}

interface OpenDirectory {
  readonly name: ByteString
  readonly entries: { readonly name: ByteString; readonly node: StoredNode }[]
}

interface OpenFile {
  readonly name: ByteString
  readonly executable: boolean
  readonly sizeBytes: number
  /** Where a large file goes; a small one is gathered first. */
  readonly offset: number
  readonly gathered: Uint8Array | undefined
}

/** Follows the events of a NAR: contents go into the blob, everything else into the tree. */
class NarMember {
  readonly #small: SmallFiles
  readonly #directories: OpenDirectory[] = []
  #file: OpenFile | undefined
  #root: StoredNode | undefined

  constructor(
    readonly allocator: BlobAllocator,
    readonly writer: RunWriter,
  ) {
    this.#small = new SmallFiles(allocator, writer)
  }

  get tree(): StoredNode {
    if (this.#root === undefined) throw new TypeError('the NAR is not complete')
    return this.#root
  }

  async take(event: Exclude<NarEvent, { kind: 'refused' }>): Promise<void> {
    switch (event.kind) {
      case 'directory':
        this.#directories.push({ name: event.name, entries: [] })
        return
      case 'directory-end': {
        const { name, entries } = this.#directories.pop()!
        this.#add(name, { kind: 'directory', entries })
        return
      }
      case 'symlink':
        this.#add(event.name, { kind: 'symlink', target: event.target })
        return
      case 'file':
        this.#file = this.#begin(event)
        return
      case 'contents':
        return this.#contents(this.#file!, event.bytes, event.position)
      case 'file-end':
        return this.#end(this.#file!)
    }
  }

  #begin({ name, executable, sizeBytes }: NarEvent & { kind: 'file' }): OpenFile {
    const large = sizeBytes >= LARGE_PAGE_BYTES
    const offset = large ? this.allocator.allocate(sizeBytes) : 0
    const gathered = large ? undefined : Buffer.allocUnsafeSlow(sizeBytes)
    return { name, executable, sizeBytes, offset, gathered }
  }

  /** The bytes are the reader's again when this resolves. */
  async #contents(file: OpenFile, bytes: Uint8Array, position: number): Promise<void> {
    if (file.gathered === undefined) await this.writer.writeThrough(bytes, file.offset + position)
    else file.gathered.set(bytes, position)
  }

  async #end({ name, executable, sizeBytes, offset, gathered }: OpenFile): Promise<void> {
    const small = gathered !== undefined && sizeBytes > 0
    const at = small ? await this.#small.place(gathered, executable) : offset
    this.#add(name, { kind: 'file', executable, sizeBytes, offset: at })
  }

  #add(name: ByteString, node: StoredNode): void {
    const parent = this.#directories.at(-1)
    if (parent === undefined) this.#root = node
    else parent.entries.push({ name, node })
  }
}
