import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FIRST_SERVER_ID } from '../src/objects/ids.js'
import { ObjectTable } from '../src/objects/object-table.js'
import type { ProtocolObject } from '../src/objects/protocol-object.js'

const object = (alive = true) => ({ alive }) as ProtocolObject

test('a table finds what was put into it and not deleted, and admits ids that keep it dense', () => {
  const steps = fc.array(fc.record({ low: fc.boolean(), id: fc.nat(1_500), made: fc.nat(3) }), {
    maxLength: 150,
    size: 'max',
  })
  fc.assert(
    fc.property(steps, (all) => {
      const table = new ObjectTable()
      const model = new Map<number, ProtocolObject>()
      const put = (id: number) => {
        const one = object()
        table.set(id, one)
        model.set(id, one)
      }
      put(1)
      const end = { low: 2, high: FIRST_SERVER_ID }
      for (const { low, id, made } of all) {
        const at = low ? id : FIRST_SERVER_ID + id
        if (made === 0) {
          if (at === 1) continue
          table.delete(at)
          model.delete(at)
          continue
        }
        // Whole runs, so that it goes beyond where its parts end.
        for (let step = 0; step < made * 100; step++) put(low ? end.low++ : end.high++)
        expect(table.get(at)).toBe(model.get(at))
        expect(low ? table.admitsLow(at) : table.admitsHigh(at)).toBe(
          at > 1 && !model.has(at) && at <= (low ? end.low : end.high),
        )
      }
      expect(new Set(table)).toEqual(new Set(model.values()))
      for (const high of [end.low, end.high]) expect(table.get(high)).toBeUndefined()
    }),
    { numRuns: 8 },
  )
})

test('an id of the compositor may be used again once its object is a zombie', () => {
  const table = new ObjectTable()
  const first = object()
  table.set(FIRST_SERVER_ID, first)
  expect(table.admitsHigh(FIRST_SERVER_ID)).toBe(false)
  first.alive = false
  expect(table.admitsHigh(FIRST_SERVER_ID)).toBe(true)
})

test('ids that are never used again cost nothing once their objects are gone', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const used = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const table = new ObjectTable()
  const one = object()
  const before = used()
  for (let id = 2; id < 3_000_000; id++) {
    table.set(id, one)
    if (id % 1_000 !== 0) table.delete(id)
  }
  // 24 MiB if each of them had a place of its own.
  expect(used() - before).toBeLessThan(12 * 2 ** 20)
  expect([...table]).toHaveLength(2_999)
})
