import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { circlesOf } from '../src/check/circles.js'

const edgesOf = (size: number, pairs: readonly (readonly [number, number])[]) => {
  const edges = new Map(Array.from({ length: size }, (_, at) => [`${at}`, new Set<string>()]))
  for (const [from, to] of pairs) edges.get(`${from % size}`)!.add(`${to % size}`)
  return edges
}

describe('circles', () => {
  it('are shared by those that lead to one another, and by nobody else', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.array(fc.tuple(fc.nat(8), fc.nat(8))), (size, pairs) => {
        const edges = edgesOf(size, pairs)
        const keys = [...edges.keys()]
        const reached = (from: string) => {
          const all = new Set([from])
          // What is added while a set is walked is walked, too.
          for (const key of all) for (const next of edges.get(key)!) all.add(next)
          return all
        }
        const circle = circlesOf(keys, edges)
        for (const one of keys) {
          for (const other of keys) {
            const mutual = reached(one).has(other) && reached(other).has(one)
            expect(circle.get(one) === circle.get(other)).toBe(mutual)
          }
        }
      }),
    )
  })

  it('of a chain of thousands are found without a deep stack', () => {
    const size = 4_096
    const chain = Array.from({ length: size }, (_, at) => [at, at + 1] as const)
    const keys = [...edgesOf(size, []).keys()]
    expect(new Set(circlesOf(keys, edgesOf(size, chain.slice(0, -1))).values()).size).toBe(size)
    expect(new Set(circlesOf(keys, edgesOf(size, chain)).values()).size).toBe(1)
  })
})
