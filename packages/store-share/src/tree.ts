import { quoteBytes, showBytes } from './byte-string.js'
import { doing, fail, throwIfAborted } from './failure.js'
import type { ByteString, EntryKind, TreeReader } from './powers.js'

/** What a NAR can hold, and nothing else: no owners, times, devices or setuid bits. */
export type TreeNode = DirectoryNode | FileNode | SymlinkNode

/** A directory with all that is below it. */
export interface DirectoryNode {
  readonly kind: 'directory'
  /** Sorted by the bytes of the name, which is the order of a NAR. */
  readonly entries: readonly { readonly name: ByteString; readonly node: TreeNode }[]
}

/** A regular file, without its contents. */
export interface FileNode {
  readonly kind: 'file'
  /** Its owner's executable bit. */
  readonly executable: boolean
  /** Bytes of the file. */
  readonly sizeBytes: number
}

/** A symbolic link. */
export interface SymlinkNode {
  readonly kind: 'symlink'
  /** What the link says; it is not resolved. */
  readonly target: ByteString
}

/** Enough to keep the thread pool busy; more only holds more open promises. */
const CONCURRENT_CALLS = 16

/** Reads names, kinds, sizes and link targets of an unpacked store path; no file contents. */
export async function scanTree(tree: TreeReader, path: ByteString, signal: AbortSignal): Promise<TreeNode> {
  const limit = limitConcurrency(CONCURRENT_CALLS)
  const call = <T>(at: ByteString, work: () => Promise<T>): Promise<T> =>
    limit(() => {
      throwIfAborted(signal)
      return doing(`Reading ${quoteBytes(at)} failed`, work())
    })

  const scan = async (at: ByteString, kind: EntryKind): Promise<TreeNode> => {
    if (kind === 'symlink') return { kind, target: await call(at, () => tree.readLink(at)) }
    if (kind === 'file') return { kind, ...(await call(at, () => tree.fileInfo(at))) }
    if (kind === 'other') return failUnsupported(at)
    const listed = [...(await call(at, () => tree.list(at)))].sort((a, b) => (a.name < b.name ? -1 : 1))
    const nodes = await settleAll(listed.map((entry) => scan(`${at}/${entry.name}`, entry.kind)))
    return { kind, entries: listed.map(({ name }, index) => ({ name, node: nodes[index] as TreeNode })) }
  }

  const kind = await call(path, () => tree.kindOf(path))
  if (kind === undefined) return failGone(path)
  return scan(path, kind)
}

export function failUnsupported(path: ByteString): never {
  return fail({
    kind: 'unsupported-file',
    path: showBytes(path),
    message: `${quoteBytes(path)} is neither a regular file, a directory nor a symbolic link; a store path holds nothing else. Check the store with nix-store --verify --check-contents.`,
  })
}

export function failGone(path: ByteString): never {
  return fail({
    kind: 'missing-reference',
    path: showBytes(path),
    message: `The data of ${quoteBytes(path)} is gone from the disk although the store knows the path; repair it with nix-store --repair-path.`,
  })
}

/** Like Promise.all, but nothing is still running when it rejects. */
async function settleAll<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(work)
  return settled.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}

/** At most `most` of the functions given to the result run at one time, in the order they were given. */
export function limitConcurrency(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      // The place passes straight to the next in line, so a newcomer cannot take it in between.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
