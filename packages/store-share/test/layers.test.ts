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
    expect(plan._unsafeUnwrap().map((layer) => [names(layer), layer.holders])).toEqual([
      [['a'], [0]],
      [['b'], [0, 1]],
      [['c'], [1]],
    ])
  })

  it('keeps the largest paths single and puts the rest of one closure together', () => {
    const paths = ['a', 'b', 'c', 'd', 'e'].map((name, index) => info(name, index + 1))
    const plan = planLayers([closureOf(paths)], 4)._unsafeUnwrap()
    expect(plan.map(names)).toEqual([['a', 'b', 'c'], ['d'], ['e']])
  })

  it('says by how much a closure exceeds its budget', () => {
    const [a, b, c] = [info('a'), info('b'), info('c')]
    const error = planLayers([closureOf([a, b, c]), closureOf([a]), closureOf([b])], 3)._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'device-budget', needed: 4, budget: 3 })
    expect(error.message).toContain('deviceBudget')
  })

  it('refuses closures that disagree about a path', () => {
    const other = { ...info('a'), narHash: 'b'.repeat(64) }
    const error = planLayers([closureOf([info('a')]), closureOf([other])], 9)._unsafeUnwrapErr()
    expect(error.kind).toBe('hash-mismatch')
  })

  it('needs nothing for no closure and only the image for an empty one', () => {
    expect(planLayers([], 24)._unsafeUnwrap()).toEqual([])
    expect(planLayers([closureOf([])], 1)._unsafeUnwrap()).toEqual([])
    expect(planLayers([closureOf([])], 0).isErr()).toBe(true)
  })

  it('holds for any closures: exact, within the budget, nothing twice, independent of their order', () => {
    const universe = Array.from({ length: 12 }, (_, index) => info(`p${index}`, (index * 37) % 11))
    const closures = fc.array(
      fc.subarray(universe).map((paths) => closureOf(paths)),
      { minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(closures, fc.integer({ min: 1, max: 14 }), (closures, budget) => {
        const planned = planLayers(closures, budget)
        const reversed = planLayers([...closures].reverse(), budget)
        expect(reversed.isOk()).toBe(planned.isOk())
        if (planned.isErr()) {
          expect(planned.error).toMatchObject({ kind: 'device-budget', budget })
          return
        }
        const layers = planned.value
        expect(reversed._unsafeUnwrap().map(names)).toEqual(layers.map(names))
        closures.forEach((closure, holder) => {
          const own = layers.filter(({ holders }) => holders.includes(holder))
          expect(own.length + 1).toBeLessThanOrEqual(budget)
          const granted = own.flatMap(({ paths }) => paths.map(({ path }) => path))
          expect(granted.sort()).toEqual(closure.paths.map(({ path }) => path).sort())
        })
        const all = layers.flatMap(names)
        expect(new Set(all).size).toBe(all.length)
      }),
    )
  })
})
