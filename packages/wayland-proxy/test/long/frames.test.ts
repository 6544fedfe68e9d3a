import { expect, test } from 'vitest'
import { liveAtRandom } from '../frame/random.js'

const LIVES = Number(process.env['LIVES'] ?? 1_000)

test(`windows keep their frame through ${LIVES} random lives`, async () => {
  const first = Number(process.env['LIVES_SEED'] ?? Date.now() % 1_000_000)
  for (let seed = first; seed < first + LIVES; seed++) await liveAtRandom(seed, 60)
  expect(LIVES).toBeGreaterThan(0)
}, 1_800_000)
