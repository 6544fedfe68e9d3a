import { describe, expect, test } from 'vitest'
import { LATE, Patience, WAKE } from '../src/running/patience.js'

const SHORT = 5_000
const LONG = 10_000_000

/** Runs so many exits of which each takes `took`; `there` says whether looking finds it. How often was looked? */
function play(patience: Patience, exits: number, took: number, there: () => boolean): number {
  let looks = 0
  for (let exit = 0; exit < exits; exit += 1) {
    const look = patience.next()
    if (look > 0) looks += 1
    if (look > 0 && there()) patience.found(SHORT)
    else {
      if (look > 0) patience.missed()
      patience.told(took)
    }
  }
  return looks
}

describe('whoever resumes a guest', () => {
  test('looks for its exits while they come soon', () => {
    expect(play(new Patience(), 1_000, SHORT, () => true)).toBe(999)
  })

  test('does not look for the exits of a guest that takes its time', () => {
    const patience = new Patience()
    play(patience, 100, SHORT, () => true)
    expect(play(patience, 1_000, LONG, () => false)).toBe(1)
  })

  test('looks again after the first exit of a new burst', () => {
    const patience = new Patience()
    for (let burst = 0; burst < 100; burst += 1) {
      let left = 50
      expect(play(patience, 50, SHORT, () => left-- > 0)).toBeGreaterThan(40)
      play(patience, 1, LONG, () => false)
    }
  })

  test('tries ever less often where the guest cannot run while somebody looks', () => {
    const patience = new Patience()
    play(patience, 2_000, SHORT, () => false)
    expect(play(patience, 51_200, SHORT, () => false)).toBeLessThan(51_200 / 60)
    // Nor does a chance hit now and then make it believe otherwise.
    let looks = 0
    expect(play(patience, 51_200, SHORT, () => looks++ % 10 === 0)).toBeLessThan(51_200 / 40)
    // It learns when that changes.
    play(patience, 200, SHORT, () => true)
    expect(play(patience, 1_000, SHORT, () => true)).toBeGreaterThan(900)
  })

  test('takes what it found late for a failure: somebody else had the processor meanwhile', () => {
    const looks = (late: number) => {
      const patience = new Patience()
      let count = 0
      for (let exit = 0; exit < 10_000; exit += 1) {
        if (patience.next() === 0) patience.told(SHORT)
        else {
          count += 1
          patience.found(late)
        }
      }
      return count
    }
    expect(looks(LATE)).toBe(9_999)
    expect(looks(WAKE + LATE + 1)).toBeLessThan(10_000 / 60)
  })

  test('gives a thread that sleeps the time to wake, in the first look alone', () => {
    const patience = new Patience()
    patience.told(SHORT)
    const first = patience.next()
    patience.found(WAKE + LATE)
    const second = patience.next()
    expect(second).toBeGreaterThan(0)
    expect(first).toBe(WAKE + second)
    // From then on so late is too late.
    patience.found(LATE + 1)
    expect(patience.next()).toBe(0)
  })
})
