import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IdPool } from '../src/objects/ids.js'

test('ids are always the lowest free ones, whatever order they come back in', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(1_000)), { maxLength: 300 }), (steps) => {
      const pool = new IdPool(2)
      const used: number[] = []
      for (const step of steps) {
        if (step === null || used.length === 0) {
          let lowest = 2
          while (used.includes(lowest)) lowest += 1
          expect(pool.take()).toBe(lowest)
          used.push(lowest)
        } else pool.give(used.splice(step % used.length, 1)[0]!)
        expect(pool.used).toBe(used.length)
      }
    }),
  )
})
