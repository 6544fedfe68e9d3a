import { err, ok, type Result } from 'neverthrow'
import type { ProtocolObject } from '../objects/protocol-object.js'
import { type Box, moved, union } from './box.js'
import type { Frame } from './frame.js'

export interface Size {
  readonly width: number
  readonly height: number
}

/** Surfaces within surfaces; nobody needs more than a few. */
const MOST_LEVELS = 64
/** Every other transform of a buffer lays it on its side. */
const ON_ITS_SIDE = 1

/**
 * How large a surface of the client is and where its subsurfaces lie: what the compositor will show of it. The
 * fields say what was asked for last; a commit makes it so.
 */
export class SurfaceState {
  readonly object: ProtocolObject
  /** Of the buffer that is attached; null for none. */
  buffer: Size | null = null
  scale = 1
  transform = 0
  /** What a viewport makes of it. */
  destination: Size | null = null
  source: Size | null = null
  /** What the client calls its window, without shadows. */
  geometry: Box | undefined
  /** As last committed; 0 by 0 without content. */
  width = 0
  height = 0
  /**
   * The most that may be seen until what was committed is applied for sure. Compositors differ in when they apply
   * what waits for a parent that has nothing new itself, so everything since then counts.
   */
  #shownWidth = 0
  #shownHeight = 0
  /** Whether something waits to be applied. */
  #waits = false
  parent: SurfaceState | undefined
  readonly children = new Set<SurfaceState>()
  /** In its parent. */
  x = 0
  y = 0
  /** Where it may be seen until its parent's commit is applied: somewhere between. */
  #least = { x: 0, y: 0 }
  #most = { x: 0, y: 0 }
  /** Whether it was moved since its parent committed. */
  #moved = false
  /** Whether what it commits waits for its parent's commit. */
  synchronised = true
  isCursor = false
  frame: Frame | undefined
  /** Whether anything in the tree under this changed since its frame was last fitted. */
  changed = true

  constructor(object: ProtocolObject) {
    this.object = object
  }

  get root(): SurfaceState {
    let state: SurfaceState = this
    while (state.parent !== undefined) state = state.parent
    return state
  }

  /** Whether what it commits is shown only when another surface commits. */
  get waitsForParent(): boolean {
    for (let state: SurfaceState = this; state.parent !== undefined; state = state.parent) {
      if (state.synchronised) return true
    }
    return false
  }

  /** What was asked for becomes so. */
  commit(): void {
    let width = 0
    let height = 0
    if (this.buffer !== null) {
      const size = this.destination ?? this.source ?? this.#bufferSize(this.buffer)
      width = size.width
      height = size.height
    }
    if (width !== this.width || height !== this.height) {
      this.width = width
      this.height = height
      this.root.changed = true
    }
    for (const child of this.children) child.#moved = false
    if (!this.waitsForParent) {
      this.#apply()
      return
    }
    this.#waits = true
    this.#shownWidth = Math.max(this.#shownWidth, width)
    this.#shownHeight = Math.max(this.#shownHeight, height)
  }

  /** It does not wait any more. */
  release(): void {
    if (this.#waits) this.#apply()
  }

  /** What was committed is seen, here and in all that waited for it. */
  #apply(): void {
    this.#waits = false
    if (this.#shownWidth !== this.width || this.#shownHeight !== this.height) {
      this.#shownWidth = this.width
      this.#shownHeight = this.height
      this.root.changed = true
    }
    for (const child of this.children) {
      if (!child.#moved) child.#settle()
      if (child.synchronised && child.#waits) child.#apply()
    }
  }

  #bufferSize({ width, height }: Size): Size {
    const size = { width: Math.ceil(width / this.scale), height: Math.ceil(height / this.scale) }
    return (this.transform & ON_ITS_SIDE) === 0 ? size : { width: size.height, height: size.width }
  }

  #settle(): void {
    const { x, y } = this
    if (this.#least.x === x && this.#least.y === y && this.#most.x === x && this.#most.y === y) return
    this.#least = { x, y }
    this.#most = { x, y }
    this.root.changed = true
  }

  moveTo(x: number, y: number): void {
    this.x = x
    this.y = y
    this.#moved = true
    this.#least = { x: Math.min(this.#least.x, x), y: Math.min(this.#least.y, y) }
    this.#most = { x: Math.max(this.#most.x, x), y: Math.max(this.#most.y, y) }
    this.root.changed = true
  }

  /** How many levels of subsurfaces are under it. */
  #height(): number {
    let height = 0
    for (const child of this.children) height = Math.max(height, 1 + child.#height())
    return height
  }

  /** Becomes a part of another. The error says why that cannot be. */
  join(parent: SurfaceState): Result<void, 'inside itself' | 'too deep'> {
    let levels = 1 + this.#height()
    for (let state: SurfaceState | undefined = parent; state !== undefined; state = state.parent) {
      if (state === this) return err('inside itself')
      levels += 1
    }
    if (levels > MOST_LEVELS) return err('too deep')
    this.leave()
    this.parent = parent
    this.x = 0
    this.y = 0
    this.#settle()
    this.synchronised = true
    parent.children.add(this)
    this.root.changed = true
    return ok()
  }

  leave(): void {
    if (this.parent === undefined) return
    this.root.changed = true
    this.parent.children.delete(this)
    this.parent = undefined
  }

  /** It is destroyed. */
  end(): void {
    this.leave()
    for (const child of this.children) child.parent = undefined
    this.children.clear()
    this.frame?.remove()
    this.frame = undefined
  }

  /** All that may be seen of it and of its subsurfaces. Undefined when that is nothing. */
  bounds(): Box | undefined {
    const [width, height] = [this.#shownWidth, this.#shownHeight]
    if (width === 0 || height === 0) return undefined
    let bounds: Box = { x: 0, y: 0, width, height }
    for (const child of this.children) {
      const part = child.bounds()
      if (part === undefined) continue
      bounds = union(bounds, moved(part, child.#least.x, child.#least.y))
      bounds = union(bounds, moved(part, child.#most.x, child.#most.y))
    }
    return bounds
  }
}
