/** In a surface's own coordinates. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface Sides {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

export function sameBox(a: Box | undefined, b: Box): boolean {
  return a !== undefined && a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height
}

function fromEdges(left: number, top: number, right: number, bottom: number): Box {
  return { x: left, y: top, width: right - left, height: bottom - top }
}

export function union(a: Box, b: Box): Box {
  return fromEdges(
    Math.min(a.x, b.x),
    Math.min(a.y, b.y),
    Math.max(a.x + a.width, b.x + b.width),
    Math.max(a.y + a.height, b.y + b.height),
  )
}

/** Undefined when they have nothing in common. */
export function intersection(a: Box, b: Box): Box | undefined {
  const box = fromEdges(
    Math.max(a.x, b.x),
    Math.max(a.y, b.y),
    Math.min(a.x + a.width, b.x + b.width),
    Math.min(a.y + a.height, b.y + b.height),
  )
  return box.width > 0 && box.height > 0 ? box : undefined
}

export function moved(box: Box, x: number, y: number): Box {
  return { x: box.x + x, y: box.y + y, width: box.width, height: box.height }
}

export function outset(box: Box, by: Sides): Box {
  return fromEdges(
    box.x - by.left,
    box.y - by.top,
    box.x + box.width + by.right,
    box.y + box.height + by.bottom,
  )
}

/** The smallest box round `inner` outside of which `everything` reaches no further than `by`. */
export function reaching(inner: Box, everything: Box, by: Sides): Box {
  return fromEdges(
    Math.min(inner.x, everything.x + by.left),
    Math.min(inner.y, everything.y + by.top),
    Math.max(inner.x + inner.width, everything.x + everything.width - by.right),
    Math.max(inner.y + inner.height, everything.y + everything.height - by.bottom),
  )
}
