import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Closure, planLayers, type StorePathInfo } from '../src/index.js'

const info = (name: string, narSize = 100): StorePathInfo => ({
  path: `/nix/store/${'0'.repeat(32)}-${name}`,
  narHash: 'a'.repeat(64),
  narSize,
  references: [],
})
const closureOf = (paths: readonly StorePathInfo[]): Closure => ({ roots: [], paths })
const names = (layer: { paths: readonly StorePathInfo[] }) => layer.paths.map(({ path }) => path.slice(44))

describe('a plan of layers', () => {
  it('gives every path its own blob when all of them fit', () => {
    const plan = planLayers([closureOf([info('a'), info('b')]), closureOf([info('b'), info('c')])], 3)
    expect(plan._unsafeUnwrap().layers.map((layer) => [names(layer), layer.holders])).toEqual([
      [['a'], [0]],
      [['b'], [0, 1]],
      [['c'], [1]],
    ])
  })

  it('keeps the largest paths single and puts the rest of one closure together', () => {
    const paths = ['a', 'b', 'c', 'd', 'e'].map((name, index) => info(name, index + 1))
    const plan = planLayers([closureOf(paths)], 4)._unsafeUnwrap()
    expect(plan.layers.map(names)).toEqual([['a', 'b', 'c'], ['d'], ['e']])
    expect(plan).toMatchObject({ duplicates: [], duplicatedBytes: 0 })
  })

  it('stores the cheapest paths once more for a closure that overlaps in too many ways, and says which', () => {
    const [a, b, c] = [info('a', 1000), info('b', 10), info('c', 20)]
    const closures = [closureOf([a, b, c]), closureOf([a]), closureOf([b]), closureOf([c])]
    const plan = planLayers(closures, 3)._unsafeUnwrap()
    expect(plan.layers.map((layer) => [names(layer), layer.holders])).toEqual([
      [['a'], [0, 1]],
      [['b'], [2]],
      [['b', 'c'], [0]],
      [['c'], [3]],
    ])
    expect(plan.duplicates).toEqual([b, c].map(({ path }) => ({ path, copies: 2 })))
    expect(plan.duplicatedBytes).toBe(30)
  })

  it('fails when no device is left for data', () => {
    const error = planLayers([closureOf([info('a')])], 1)._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'device-budget', needed: 2, budget: 1 })
    expect(error.message).toContain('deviceBudget')
  })

  it('refuses closures that disagree about a path', () => {
    const other = { ...info('a'), narHash: 'b'.repeat(64) }
    const error = planLayers([closureOf([info('a')]), closureOf([other])], 9)._unsafeUnwrapErr()
    expect(error.kind).toBe('hash-mismatch')
  })

  it('needs nothing for no closure and only the image for an empty one', () => {
    expect(planLayers([], 24)._unsafeUnwrap().layers).toEqual([])
    expect(planLayers([closureOf([])], 1)._unsafeUnwrap().layers).toEqual([])
    expect(planLayers([closureOf([])], 0).isErr()).toBe(true)
  })

  it('holds for any closures: exact, within the budget, every copy reported, independent of their order', () => {
    const universe = Array.from({ length: 12 }, (_, index) => info(`p${index}`, (index * 37) % 11))
    const closures = fc.array(
      fc.subarray(universe).map((paths) => closureOf(paths)),
      { minLength: 1, maxLength: 6 },
    )
    fc.assert(
      fc.property(closures, fc.integer({ min: 0, max: 14 }), (closures, budget) => {
        const planned = planLayers(closures, budget)
        const reversed = planLayers([...closures].reverse(), budget)
        expect(reversed.isOk()).toBe(planned.isOk())
        if (planned.isErr()) {
          const needed = closures.some(({ paths }) => paths.length > 0) ? 2 : 1
          expect(planned.error).toMatchObject({ kind: 'device-budget', needed, budget })
          expect(budget).toBeLessThan(needed)
          return
        }
        const { layers, duplicates, duplicatedBytes } = planned.value
        expect(reversed._unsafeUnwrap().layers.map(names).sort()).toEqual(layers.map(names).sort())
        closures.forEach((closure, holder) => {
          const own = layers.filter(({ holders }) => holders.includes(holder))
          expect(own.length + 1).toBeLessThanOrEqual(budget)
          const granted = own.flatMap(({ paths }) => paths.map(({ path }) => path))
          expect(granted.sort()).toEqual(closure.paths.map(({ path }) => path).sort())
        })
        const files = layers.map(names).map((each) => each.join())
        expect(new Set(files).size).toBe(files.length)
        const stored = layers.flatMap(({ paths }) => paths)
        const once = new Map(stored.map((info) => [info.path, info.narSize]))
        const sum = (sizes: Iterable<number>) => [...sizes].reduce((total, size) => total + size, 0)
        expect(duplicatedBytes).toBe(sum(stored.map(({ narSize }) => narSize)) - sum(once.values()))
        expect(sum(duplicates.map(({ copies }) => copies - 1))).toBe(stored.length - once.size)
      }),
      { numRuns: 300 },
    )
  })
})
