import { Buffer } from 'node:buffer'
import { err, ok, Result } from 'neverthrow'
import { showBytes } from '../../byte-string.js'
import type { ByteString } from '../../powers.js'
import type { FileNode, SymlinkNode, TreeNode } from '../../tree.js'
import { found, type MalformedError, malformed } from '../malformed.js'
import { decodeUtf8, type JsonNode, parseStrictJson } from '../strict-json.js'
import { NAR_LIMITS } from './format.js'
import { type NarEvent, whyNoName } from './reader.js'
import { narPieces } from './writer.js'

/** What a NAR holds and where: a tree whose files say where their contents begin in the NAR. */
export type ListedNode = ListedDirectory | ListedFile | SymlinkNode

/** A directory of a listing, its entries by name. */
export interface ListedDirectory {
  readonly kind: 'directory'
  /** Sorted by the bytes of the name. */
  readonly entries: readonly { readonly name: ByteString; readonly node: ListedNode }[]
}

/** A file of a listing, with where in the NAR its contents lie. */
export interface ListedFile extends FileNode {
  /** Bytes from the beginning of the NAR to its contents. */
  readonly narOffset: number
}

/** Gathers the events of a NarReader into a listing. Memory grows with the number of nodes. */
export class NarLister {
  #root: ListedNode | undefined
  readonly #open: { name: ByteString; node: ListedNode }[][] = []

  /** Takes the next event of a `NarReader`. */
  see(event: NarEvent): void {
    switch (event.kind) {
      case 'directory': {
        const entries: { name: ByteString; node: ListedNode }[] = []
        this.#add(event.name, { kind: 'directory', entries })
        this.#open.push(entries)
        break
      }
      case 'directory-end':
        this.#open.pop()
        break
      case 'file': {
        const { executable, sizeBytes, narOffset } = event
        this.#add(event.name, { kind: 'file', executable, sizeBytes, narOffset })
        break
      }
      case 'symlink':
        this.#add(event.name, { kind: 'symlink', target: event.target })
        break
    }
  }

  /** Undefined before the first node. Whole only when the reader finished well. */
  get root(): ListedNode | undefined {
    return this.#root
  }

  #add(name: ByteString, node: ListedNode): void {
    const parent = this.#open.at(-1)
    if (parent === undefined) this.#root = node
    else parent.push({ name, node })
  }
}

/** The listing of the NAR that a tree has, without reading any file. */
export function listTree(root: TreeNode): ListedNode {
  const offsets = new Map<FileNode, number>()
  let offset = 0
  for (const piece of narPieces(root, '')) {
    if (piece.kind === 'framing') offset += piece.bytes.length
    else {
      offsets.set(piece.file, offset)
      offset += piece.file.sizeBytes
    }
  }
  const list = (node: TreeNode): ListedNode => {
    if (node.kind === 'symlink') return node
    if (node.kind === 'file') return { ...node, narOffset: offsets.get(node) ?? 0 }
    return { kind: 'directory', entries: node.entries.map(({ name, node }) => ({ name, node: list(node) })) }
  }
  return list(root)
}

/**
 * The text of a `.ls` file, byte for byte as Nix 2.8 writes it. Fails with `malformed` for a name or target that
 * is not UTF-8: JSON has no other.
 */
export function formatListing(root: ListedNode): Result<string, MalformedError> {
  return formatNode(root).map((node) => `{"version":1,"root":${node}}`)
}

function formatNode(node: ListedNode): Result<string, MalformedError> {
  if (node.kind === 'symlink') {
    return formatText(node.target).map((target) => `{"type":"symlink","target":${target}}`)
  }
  if (node.kind === 'file') {
    const executable = node.executable ? ',"executable":true' : ''
    return ok(`{"type":"regular","size":${node.sizeBytes}${executable},"narOffset":${node.narOffset}}`)
  }
  const entries = node.entries.map((entry) =>
    formatText(entry.name).andThen((name) => formatNode(entry.node).map((child) => `${name}:${child}`)),
  )
  return Result.combine(entries).map((all) => `{"type":"directory","entries":{${all.join(',')}}}`)
}

function formatText(bytes: ByteString): Result<string, MalformedError> {
  const text = decodeUtf8(Buffer.from(bytes, 'latin1'))
  return text === undefined
    ? malformed('NAR listing', `the name ${found(showBytes(bytes))} is not UTF-8, so it has no listing`)
    : ok(JSON.stringify(text).replace(/\\(.)/g, (pair, character) => NIX_ESCAPES.get(character) ?? pair))
}

/** Nix knows fewer short forms than JSON has. */
const NIX_ESCAPES = new Map([
  ['b', '\\u0008'],
  ['f', '\\u000c'],
])

export const LISTING_LIMITS = { bytes: 256 << 20, depth: 2 * NAR_LIMITS.depth + 2 } as const

/**
 * Reads a `.ls` file. No signature covers it: what it says of places in the NAR is a hint, to be checked against
 * data whose hash was right. With `narSize`, a file that would lie outside of the NAR is refused.
 */
export function parseListing(
  input: Uint8Array | string,
  { narSize = Number.MAX_SAFE_INTEGER }: { readonly narSize?: number | undefined } = {},
): Result<ListedNode, MalformedError> {
  const json = parseStrictJson(input, LISTING_LIMITS)
  if (json.isErr()) return malformed('NAR listing', json.error.reason, { line: json.error.line })
  const members = membersOf(json.value)
  const version = members?.get('version')
  const root = members?.get('root')
  if (root === undefined || version?.kind !== 'number' || version.value !== 1) {
    return malformed('NAR listing', 'it is not {"version": 1, "root": …}', { line: json.value.line })
  }
  const listed = readNode(root, narSize)
  return listed.kind === 'refused' ? err(listed.error) : ok(listed)
}

type Refused = { readonly kind: 'refused'; readonly error: MalformedError }

function refuse({ line }: JsonNode, reason: string): Refused {
  const error = malformed('NAR listing', reason, { line })._unsafeUnwrapErr()
  return { kind: 'refused', error }
}

function readNode(json: JsonNode, narSize: number): ListedNode | Refused {
  const members = membersOf(json)
  switch (stringOf(members?.get('type'))) {
    case 'directory':
      return readDirectory(json, members!.get('entries'), narSize)
    case 'symlink': {
      const target = toBytes(stringOf(members!.get('target')) ?? '')
      const fits = target !== '' && target.length <= NAR_LIMITS.targetBytes && !target.includes('\0')
      return fits ? { kind: 'symlink', target } : refuse(json, 'a link has no target that a NAR could hold')
    }
    case 'regular':
      return readFile(json, members!, narSize)
    default:
      return refuse(json, 'a node is of no known type')
  }
}

function readDirectory(json: JsonNode, entries: JsonNode | undefined, narSize: number): ListedNode | Refused {
  const children = membersOf(entries)
  if (children === undefined) return refuse(json, 'a directory has no entries')
  const list: { name: ByteString; node: ListedNode }[] = []
  for (const [text, child] of children) {
    const name = toBytes(text)
    const why = whyNoName(name)
    if (why !== undefined) return refuse(child, `the name ${found(text)} ${why}`)
    const node = readNode(child, narSize)
    if (node.kind === 'refused') return node
    list.push({ name, node })
  }
  return { kind: 'directory', entries: list.sort((a, b) => (a.name < b.name ? -1 : 1)) }
}

function readFile(
  json: JsonNode,
  members: ReadonlyMap<string, JsonNode>,
  narSize: number,
): ListedNode | Refused {
  const sizeBytes = countOf(members.get('size'))
  const narOffset = countOf(members.get('narOffset'))
  const executable = members.get('executable')
  if (sizeBytes === undefined || narOffset === undefined || narOffset % 8 !== 0) {
    return refuse(json, 'a file has no size, or no offset that is a multiple of 8')
  }
  if (narOffset + sizeBytes > narSize)
    return refuse(json, `a file lies beyond the ${narSize} bytes of the NAR`)
  if (executable !== undefined && executable.kind !== 'boolean') {
    return refuse(executable, '`executable` is neither true nor false')
  }
  return { kind: 'file', executable: executable?.value ?? false, sizeBytes, narOffset }
}

function membersOf(json: JsonNode | undefined): ReadonlyMap<string, JsonNode> | undefined {
  return json?.kind === 'object' ? json.members : undefined
}

function stringOf(json: JsonNode | undefined): string | undefined {
  return json?.kind === 'string' ? json.value : undefined
}

function countOf(json: JsonNode | undefined): number | undefined {
  return json?.kind === 'number' && Number.isSafeInteger(json.value) && json.value >= 0
    ? json.value
    : undefined
}

function toBytes(text: string): ByteString {
  return Buffer.from(text).toString('latin1')
}
