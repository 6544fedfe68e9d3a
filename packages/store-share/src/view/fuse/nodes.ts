import type { ByteString } from '../../powers.js'
import type { Grant } from '../grants.js'
import type { FillRandom } from './inode-numbers.js'
import { DT_DIRECTORY, ROOT_ID } from './protocol.js'

/** What the guest may know of a file; it never changes, because a store path does not. */
export interface NodeFacts {
  /** DT_DIRECTORY, DT_FILE or DT_SYMLINK. */
  readonly kind: number
  readonly executable: boolean
  /** Bytes. */
  readonly size: number
  readonly inodeLow: number
  readonly inodeHigh: number
}

/** A file, directory or symbolic link that the guest has looked up. */
export class Node {
  /** What the guest calls it by. `low` is its place in the table, `high` is random. */
  low = 0
  high = 0
  /** How often the guest was told of it and did not forget it. */
  lookups = 0
  /** Those below it that the guest knows. */
  children: Map<ByteString, Node> | undefined
  readonly kind: number
  readonly executable: boolean
  readonly size: number
  readonly inodeLow: number
  readonly inodeHigh: number

  constructor(
    /** Undefined for the root alone. */
    readonly grant: Grant | undefined,
    /** Undefined for the root, and for the top of a grant. */
    readonly parent: Node | undefined,
    readonly name: ByteString,
    facts: NodeFacts,
  ) {
    this.kind = facts.kind
    this.executable = facts.executable
    this.size = facts.size
    this.inodeLow = facts.inodeLow
    this.inodeHigh = facts.inodeHigh
  }

  get revoked(): boolean {
    return this.grant?.revoked === true
  }
}

const ROOT_FACTS: NodeFacts = { kind: DT_DIRECTORY, executable: false, size: 0, inodeLow: 1, inodeHigh: 0 }

/** How many random words are fetched at once. */
const POOL = 256

/**
 * Every node that a guest knows, by the id it was given: a place in this table and a random word that has to
 * match, new for each use of the place. So an id that was forgotten, or never given, is nothing, and one of
 * another connection neither.
 */
export class NodeTable {
  readonly root = new Node(undefined, undefined, '', ROOT_FACTS)
  readonly #maxNodes: number
  readonly #fillRandom: FillRandom
  readonly #pool = new Uint32Array(POOL)
  #poolLeft = 0
  /** Places 0 and 1 stay empty: 0 is no id, 1 the root's. */
  #nodes: (Node | undefined)[] = [undefined, undefined]
  #free: number[] = []
  #count = 0

  constructor(maxNodes: number, fillRandom: FillRandom) {
    this.#maxNodes = maxNodes
    this.#fillRandom = fillRandom
    this.root.low = ROOT_ID
  }

  /** How many nodes the guest holds, the root apart. */
  get count(): number {
    return this.#count
  }

  get full(): boolean {
    return this.#count >= this.#maxNodes
  }

  /** The node with that id; undefined for any that the guest was not given, or forgot. */
  find(low: number, high: number): Node | undefined {
    if (low === ROOT_ID && high === 0) return this.root
    const node = this.#nodes[low]
    return node !== undefined && node.high === high ? node : undefined
  }

  /** Gives a node that the guest does not know an id, and its parent the child. There has to be room. */
  add(parent: Node, node: Node): void {
    const low = this.#free.pop() ?? this.#nodes.length
    node.low = low
    // Never 0, so that no id looks like the root's.
    node.high = (this.#random() | 1) >>> 0
    this.#nodes[low] = node
    this.#count += 1
    parent.children ??= new Map()
    parent.children.set(node.name, node)
  }

  /** The guest forgets `lookups` of what it was told; with the last one the node is gone. */
  forget(node: Node, lookups: number): boolean {
    if (node === this.root) return false
    node.lookups -= lookups
    if (node.lookups > 0) return false
    this.#nodes[node.low] = undefined
    this.#free.push(node.low)
    this.#count -= 1
    const siblings = (node.parent ?? this.root).children
    if (siblings?.get(node.name) === node) siblings.delete(node.name)
    return true
  }

  /** Forgets everything but the root. */
  clear(): void {
    this.#nodes = [undefined, undefined]
    this.#free = []
    this.#count = 0
    this.root.children = undefined
  }

  #random(): number {
    if (this.#poolLeft === 0) {
      this.#fillRandom(this.#pool)
      this.#poolLeft = POOL
    }
    this.#poolLeft -= 1
    return this.#pool[this.#poolLeft]!
  }
}
