import type { ByteString, ReadableFile, TreeReader } from '../powers.js'
import type { StoredNode } from './blob-index.js'

type StoredFile = StoredNode & { readonly kind: 'file' }

/**
 * A store path in a blob, read as if it were unpacked at `root`. `blob` stays the caller's, and is read while the
 * tree is; nothing outside of the files of `tree` is ever read from it.
 */
export function storedTree(root: ByteString, tree: StoredNode, blob: ReadableFile): TreeReader {
  const nodes = new Map<ByteString, StoredNode>()
  const collect = (path: ByteString, node: StoredNode) => {
    nodes.set(path, node)
    if (node.kind === 'directory')
      for (const { name, node: child } of node.entries) collect(`${path}/${name}`, child)
  }
  collect(root, tree)
  const get = <K extends StoredNode['kind']>(path: ByteString, kind: K) => {
    const node = nodes.get(path)
    if (node?.kind !== kind) throw Object.assign(new Error(`no ${kind} of that name`), { code: 'ENOENT' })
    return node as StoredNode & { readonly kind: K }
  }
  return {
    kindOf: async (path) => nodes.get(path)?.kind,
    list: async (path) => get(path, 'directory').entries.map(({ name, node }) => ({ name, kind: node.kind })),
    fileInfo: async (path) => get(path, 'file'),
    readLink: async (path) => get(path, 'symlink').target,
    readStart: async (path, buffer) => readFrom(blob, get(path, 'file'), buffer, 0),
    readFile: async (path, buffer) => {
      const file = get(path, 'file')
      const { sizeBytes, executable } = file
      return { sizeBytes, executable, count: await readFrom(blob, file, buffer, 0) }
    },
    open: async (path) => {
      const file = get(path, 'file')
      return { read: (buffer, position) => readFrom(blob, file, buffer, position), close: async () => {} }
    },
  }
}

function readFrom(
  blob: ReadableFile,
  file: StoredFile,
  buffer: Uint8Array,
  position: number,
): Promise<number> {
  const length = Math.max(0, Math.min(buffer.length, file.sizeBytes - position))
  return blob.read(buffer.subarray(0, length), file.offset + position)
}
