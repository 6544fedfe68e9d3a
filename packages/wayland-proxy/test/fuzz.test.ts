import { expect, test } from 'vitest'
import { fuzzOnce } from './fuzz.js'

test('random requests and events bring nothing invalid to the compositor, and leave nothing open', async () => {
  let messages = 0
  let refused = 0
  for (let seed = 1; seed <= 12; seed++) {
    const life = await fuzzOnce(seed * 7_919)
    messages += life.messages
    refused += life.refused ? 1 : 0
  }
  expect(messages).toBeGreaterThan(300)
  expect(refused).toBeGreaterThan(2)
})
