import type { Grant } from '../grants.js'
import type { Node } from './nodes.js'

/**
 * The most recently used of something that belongs to a node and costs something to make again: open files,
 * listings. What was not used the longest makes room, by weight.
 */
export class Kept<T> {
  readonly #most: number
  readonly #weigh: (thing: T) => number
  readonly #release: (thing: T) => void
  readonly #things = new Map<Node, T>()
  #weight = 0
  #latest: Node | undefined

  constructor(most: number, weigh: (thing: T) => number, release: (thing: T) => void) {
    this.#most = most
    this.#weigh = weigh
    this.#release = release
  }

  get count(): number {
    return this.#things.size
  }

  get(node: Node): T | undefined {
    const thing = this.#things.get(node)
    if (thing === undefined || node === this.#latest) return thing
    // A map keeps the order of insertion: the first is the one that was not used the longest.
    this.#things.delete(node)
    this.#things.set(node, thing)
    this.#latest = node
    return thing
  }

  /** Keeps it from now on; the node has none yet. The newest is kept however heavy it is. */
  set(node: Node, thing: T): void {
    this.#things.set(node, thing)
    this.#latest = node
    this.#weight += this.#weigh(thing)
    for (const oldest of this.#things.keys()) {
      if (this.#weight <= this.#most || oldest === node) return
      this.drop(oldest)
    }
  }

  drop(node: Node): void {
    const thing = this.#things.get(node)
    if (thing === undefined) return
    this.#things.delete(node)
    if (this.#latest === node) this.#latest = undefined
    this.#weight -= this.#weigh(thing)
    this.#release(thing)
  }

  /** Drops what belongs to a grant. */
  dropBelow(grant: Grant): void {
    for (const node of [...this.#things.keys()]) if (node.grant === grant) this.drop(node)
  }

  clear(): void {
    for (const node of [...this.#things.keys()]) this.drop(node)
  }
}
