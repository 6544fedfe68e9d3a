import { readdirSync } from 'node:fs'
import { liveFds, liveMappings } from '@spectrum/unix-fd'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NAME, Sample, Serving } from './serving.js'

let sample: Sample
let before: object
const state = () => ({ open: readdirSync('/proc/self/fd').length, live: liveFds(), mapped: liveMappings() })

beforeEach(() => {
  sample = new Sample()
  before = state()
})
afterEach(() => {
  sample[Symbol.dispose]()
  expect(state()).toEqual(before)
})

describe('a view', () => {
  test('shows a granted file byte for byte, wherever the guest wants its bytes', async () => {
    await using serving = await Serving.started(sample)
    const { driver } = serving
    const run = await driver.walk(NAME, 'bin', 'run')
    const expected = Buffer.alloc(300_000, 'abcdefg')
    expect((await driver.read(run, 0, 300_000))!.payload).toEqual(expected)
    const scattered = [16, 1, 4096, 5, 200_000]
    expect((await driver.read(run, 70_001, 120_000, scattered))!.payload).toEqual(
      expected.subarray(70_001, 190_001),
    )
    expect((await driver.read(run, 299_990, 4096))!.payload).toEqual(expected.subarray(299_990))
    for (const beyond of [300_000, 300_001, 2n ** 53n, 2n ** 64n - 1n]) {
      expect(await driver.read(run, beyond, 4096)).toMatchObject({ error: 0, payload: Buffer.alloc(0) })
    }
    expect(serving.view.counters().bytesRead).toBe(300_000 + 120_000 + 10)
  })
})
