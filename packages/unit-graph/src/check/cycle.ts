type Edges = ReadonlyMap<string, ReadonlySet<string>>

/**
 * A circle among the edges, its first member again at the end, or nothing. Walks with a stack of its own: a
 * chain of thousands of units is legal.
 */
export function findCycle(keys: readonly string[], edges: Edges): readonly string[] | undefined {
  const done = new Set<string>()
  for (const root of keys) {
    if (done.has(root)) continue
    const path: string[] = [root]
    const onPath = new Set(path)
    const waiting = [edges.get(root)!.values()]
    while (waiting.length > 0) {
      const next = waiting[waiting.length - 1]!.next()
      if (next.done) {
        waiting.pop()
        const left = path.pop()!
        onPath.delete(left)
        done.add(left)
      } else if (onPath.has(next.value)) {
        return [...path.slice(path.indexOf(next.value)), next.value]
      } else if (!done.has(next.value)) {
        path.push(next.value)
        onPath.add(next.value)
        waiting.push(edges.get(next.value)!.values())
      }
    }
  }
  return undefined
}
