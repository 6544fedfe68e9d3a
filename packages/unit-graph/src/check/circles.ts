type Edges = ReadonlyMap<string, ReadonlySet<string>>

/**
 * For each key a number that it shares with those that lie on a circle with it, and with nobody else: Tarjan's strongly
 * connected components. Walks with a stack of its own, for a chain of thousands of units is legal.
 */
export function circlesOf(keys: readonly string[], edges: Edges): ReadonlyMap<string, number> {
  const circle = new Map<string, number>()
  const found = new Map<string, number>()
  // The earliest of those found that a key leads back to.
  const earliest = new Map<string, number>()
  const open: string[] = []
  for (const root of keys) {
    if (found.has(root)) continue
    const path: { readonly key: string; readonly left: Iterator<string> }[] = []
    const enter = (key: string) => {
      earliest.set(key, found.size)
      found.set(key, found.size)
      open.push(key)
      path.push({ key, left: edges.get(key)!.values() })
    }
    const leadsBack = (key: string, to: number) => earliest.set(key, Math.min(earliest.get(key)!, to))
    enter(root)
    while (path.length > 0) {
      const { key, left } = path[path.length - 1]!
      const next = left.next()
      if (!next.done) {
        if (!found.has(next.value)) enter(next.value)
        else if (!circle.has(next.value)) leadsBack(key, found.get(next.value)!)
        continue
      }
      path.pop()
      const before = path[path.length - 1]
      if (before !== undefined) leadsBack(before.key, earliest.get(key)!)
      if (earliest.get(key) !== found.get(key)) continue
      const number = found.get(key)!
      for (let member = open.pop()!; ; member = open.pop()!) {
        circle.set(member, number)
        if (member === key) break
      }
    }
  }
  return circle
}
