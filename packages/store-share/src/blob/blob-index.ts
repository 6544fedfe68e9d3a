import { createHash } from 'node:crypto'
import type { ByteString } from '../powers.js'
import { BLOCK_BYTES, deviceSize, isId } from './blob-layout.js'

/** The tree of a store path whose file contents lie in a blob. */
export type StoredNode =
  | {
      readonly kind: 'directory'
      /** Sorted by the bytes of the name. */
      readonly entries: readonly { readonly name: ByteString; readonly node: StoredNode }[]
    }
  /** `offset` is a multiple of 4096; 0 for an empty file. Files with equal offsets are hard links. */
  | {
      readonly kind: 'file'
      /** Its owner's executable bit. */
      readonly executable: boolean
      /** Bytes of the file. */
      readonly sizeBytes: number
      /** Bytes from the beginning of the blob: a multiple of 4096; 0 for an empty file. */
      readonly offset: number
    }
  | {
      readonly kind: 'symlink'
      /** What the link says; it is not resolved. */
      readonly target: ByteString
    }

/** What lies where in a blob. */
export interface BlobIndex {
  readonly id: string
  readonly sizeBytes: number
  /** Bytes up to the end of the last file; 0 means that no unit needs the blob as a device. */
  readonly dataBytes: number
  /** In the order in which the data was written. The blob of one path does not say which: see `blobId`. */
  readonly members: readonly {
    readonly path: string | null
    readonly narHash: string
    readonly tree: StoredNode
  }[]
}

const FORMAT = 'spectrum-blob-index'
const VERSION = 1
const MAX_DEPTH = 4096

/** Between what says which index it is and the index itself. */
const BODY = ',"index":'

type JsonNode = ['d', [string, JsonNode][]] | ['f' | 'x', number, number] | ['l', string]

/** The sidecar file of a blob: JSON with its own version and checksum. */
export function encodeIndex(index: BlobIndex): string {
  const body = {
    id: index.id,
    sizeBytes: index.sizeBytes,
    dataBytes: index.dataBytes,
    members: index.members.map(({ path, narHash, tree }) => [path, narHash, encodeNode(tree)]),
  }
  const text = JSON.stringify(body)
  const head = JSON.stringify({ format: FORMAT, version: VERSION, sha256: checksum(text) })
  return `${head.slice(0, -1)}${BODY}${text}}`
}

/** Undefined for anything but what `encodeIndex` wrote: a sidecar that cannot be trusted does not exist. */
export function decodeIndex(text: string): BlobIndex | undefined {
  try {
    // The checksum is of the text, which is cheaper than to write out again what was read.
    const at = text.indexOf(BODY)
    if (at === -1 || !text.endsWith('}')) return undefined
    const { format, version, sha256 } = record(JSON.parse(`${text.slice(0, at)}}`))
    const body = text.slice(at + BODY.length, -1)
    if (format !== FORMAT || version !== VERSION || sha256 !== checksum(body)) return undefined
    const { id, sizeBytes, dataBytes: data, members } = record(JSON.parse(body))
    const dataBytes = size(data)
    const index: BlobIndex = {
      id: hash(id),
      sizeBytes: size(sizeBytes),
      dataBytes,
      members: list(members).map((member) => {
        const [path, narHash, tree] = list(member)
        return {
          path: path === null ? null : string(path),
          narHash: hash(narHash),
          tree: decodeNode(tree, dataBytes, 0),
        }
      }),
    }
    return index.sizeBytes === deviceSize(dataBytes) && index.members.length > 0 ? index : undefined
  } catch (thrown) {
    if (thrown instanceof BadIndex || thrown instanceof SyntaxError) return undefined
    throw thrown
  }
}

class BadIndex extends Error {}

function encodeNode(node: StoredNode): JsonNode {
  switch (node.kind) {
    case 'directory':
      return ['d', node.entries.map((entry) => [entry.name, encodeNode(entry.node)])]
    case 'file':
      return [node.executable ? 'x' : 'f', node.sizeBytes, node.offset]
    case 'symlink':
      return ['l', node.target]
  }
}

function decodeNode(value: unknown, dataBytes: number, depth: number): StoredNode {
  const [kind, first, second] = list(value)
  if (depth > MAX_DEPTH) throw new BadIndex('too deep')
  if (kind === 'l') return { kind: 'symlink', target: byteString(first) }
  if (kind === 'f' || kind === 'x') {
    const sizeBytes = size(first)
    const offset = size(second)
    if (offset % BLOCK_BYTES !== 0 || offset + sizeBytes > dataBytes)
      throw new BadIndex('offset out of range')
    return { kind: 'file', executable: kind === 'x', sizeBytes, offset }
  }
  if (kind !== 'd') throw new BadIndex('unknown kind')
  let previous = ''
  const entries = list(first).map((entry) => {
    const [name, node] = list(entry)
    const entryName = byteString(name)
    if (!isEntryName(entryName) || entryName <= previous) throw new BadIndex('name out of order')
    previous = entryName
    return { name: entryName, node: decodeNode(node, dataBytes, depth + 1) }
  })
  return { kind: 'directory', entries }
}

/** What a directory may call an entry. Source: NAR (libutil/archive.cc) and Linux (NAME_MAX). */
export function isEntryName(name: ByteString): boolean {
  return name.length > 0 && name.length <= 255 && name !== '.' && name !== '..' && !/[/\0]/.test(name)
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new BadIndex('no object')
  return value as Record<string, unknown>
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new BadIndex('no list')
  return value
}

function string(value: unknown): string {
  if (typeof value !== 'string') throw new BadIndex('no string')
  return value
}

function byteString(value: unknown): ByteString {
  const text = string(value)
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 0xff) throw new BadIndex('no byte string')
  }
  return text
}

function hash(value: unknown): string {
  const text = string(value)
  if (!isId(text)) throw new BadIndex('no hash')
  return text
}

function size(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new BadIndex('no size')
  return value
}
