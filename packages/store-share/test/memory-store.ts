import { createHash } from 'node:crypto'
import type { StorePathInfo } from '../src/closure.js'
import type { OutputFile, TreeReader } from '../src/powers.js'

export type MemoryNode =
  | { kind: 'directory'; entries: Record<string, MemoryNode> }
  | { kind: 'file'; executable: boolean; contents: Buffer }
  | { kind: 'symlink'; target: string }

export const file = (contents: string | Buffer, executable = false): MemoryNode => ({
  kind: 'file',
  executable,
  contents: Buffer.from(contents as string),
})
export const directory = (entries: Record<string, MemoryNode>): MemoryNode => ({ kind: 'directory', entries })
export const symlink = (target: string): MemoryNode => ({ kind: 'symlink', target })

/** A reader over store paths that exist in memory only. Names are byte strings, as everywhere. */
export function memoryTree(paths: Record<string, MemoryNode>): TreeReader {
  const find = (path: string): MemoryNode | undefined => {
    const root = Object.keys(paths).find((root) => path === root || path.startsWith(`${root}/`))
    if (root === undefined) return undefined
    let node: MemoryNode | undefined = paths[root]
    for (const name of path.slice(root.length).split('/').slice(1)) {
      node = node?.kind === 'directory' ? node.entries[name] : undefined
    }
    return node
  }
  const get = <K extends MemoryNode['kind']>(path: string, kind: K) => {
    const node = find(path)
    if (node?.kind !== kind) throw Object.assign(new Error(`no ${kind} at ${path}`), { code: 'ENOENT' })
    return node as MemoryNode & { kind: K }
  }
  return {
    kindOf: async (path) => find(path)?.kind,
    // Backwards, because a reader promises no order.
    list: async (path) =>
      Object.entries(get(path, 'directory').entries)
        .map(([name, node]) => ({ name, kind: node.kind }))
        .reverse(),
    fileInfo: async (path) => {
      const { contents, executable } = get(path, 'file')
      return { sizeBytes: contents.length, executable }
    },
    readLink: async (path) => get(path, 'symlink').target,
    readStart: async (path, buffer) => get(path, 'file').contents.copy(buffer),
    readFile: async (path, buffer) => {
      const { contents, executable } = get(path, 'file')
      return { sizeBytes: contents.length, executable, count: contents.copy(buffer) }
    },
    open: async (path) => {
      const { contents } = get(path, 'file')
      return {
        read: async (buffer, position) => contents.copy(buffer, 0, position),
        close: async () => {},
      }
    },
  }
}

/** A NAR written in the plainest way there is, to compare with. */
export function plainNar(root: MemoryNode): Buffer {
  const text = (value: string | Buffer): Buffer => {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(bytes.length))
    return Buffer.concat([length, bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)])
  }
  const node = (tree: MemoryNode): Buffer[] => {
    const kind = { file: 'regular', directory: 'directory', symlink: 'symlink' }[tree.kind]
    const parts = [text('('), text('type'), text(kind)]
    if (tree.kind === 'symlink') parts.push(text('target'), text(tree.target))
    if (tree.kind === 'file') {
      if (tree.executable) parts.push(text('executable'), text(''))
      parts.push(text('contents'), text(tree.contents))
    }
    if (tree.kind === 'directory') {
      const byBytes = Object.entries(tree.entries).sort(([a], [b]) =>
        Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')),
      )
      for (const [name, child] of byBytes) {
        parts.push(
          text('entry'),
          text('('),
          text('name'),
          text(name),
          text('node'),
          ...node(child),
          text(')'),
        )
      }
    }
    return [...parts, text(')')]
  }
  return Buffer.concat([text('nix-archive-1'), ...node(root)])
}

const DIGEST = '0123456789abcdfghijklmnpqrsvwxy'

/** A store path with a name of its own digest character, and what a store would know about it. */
export function infoOf(path: string, root: MemoryNode, references: readonly string[] = []): StorePathInfo {
  const nar = plainNar(root)
  return {
    path,
    narHash: createHash('sha256').update(nar).digest('hex'),
    narSize: nar.length,
    references,
  }
}

export function storePath(digit: string, name: string): string {
  return `/nix/store/${DIGEST}${digit}-${name}`
}

/** A file in memory; positions that were never written are zeros. */
export function memoryOutput(): OutputFile & { bytes(): Buffer } {
  let contents = Buffer.alloc(0)
  return {
    async write(bytes, position) {
      if (contents.length < position + bytes.length) {
        contents = Buffer.concat([contents, Buffer.alloc(position + bytes.length - contents.length)])
      }
      contents.set(bytes, position)
    },
    sync: async () => {},
    close: async () => {},
    bytes: () => contents,
  }
}
