import { expect, test } from 'vitest'
import { Clock } from '../src/clock.js'

const register = (clock: Clock, index: number) => {
  clock.write(0, index)
  return clock.read(1)
}

test('tells the time in decimal digits, with the century', () => {
  const clock = new Clock(() => new Date('2026-11-09T23:58:07Z'))
  const digits = [0x32, 9, 8, 7, 4, 2, 0].map((index) => register(clock, index).toString(16).padStart(2, '0'))
  expect(digits.join(' ')).toBe('20 26 11 09 23 58 07')
})

test('is never in the middle of an update, and cannot be set', () => {
  const clock = new Clock(() => new Date('2026-11-09T23:58:07Z'))
  expect(register(clock, 0x0a) & 0x80).toBe(0)
  clock.write(1, 0x55)
  expect(register(clock, 0)).toBe(0x07)
})
