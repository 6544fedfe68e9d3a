import { expect, test } from 'vitest'
import { fuzzOnce } from './fuzz.js'

async function lives(count: number, hostile: boolean): Promise<{ messages: number; refused: number }> {
  let messages = 0
  let refused = 0
  for (let seed = 1; seed <= count; seed++) {
    const life = await fuzzOnce(seed * 7_919, hostile)
    messages += life.messages
    refused += life.refused ? 1 : 0
  }
  return { messages, refused }
}

test('random requests and events bring nothing invalid to the compositor, and leave nothing open', async () => {
  const { messages, refused } = await lives(12, false)
  expect(messages).toBeGreaterThan(300)
  expect(refused).toBeGreaterThan(2)
})

test('a compositor that sends anything brings nothing invalid to the client, and leaves nothing open', async () => {
  const { messages, refused } = await lives(8, true)
  expect(messages).toBeGreaterThan(100)
  expect(refused).toBeGreaterThan(2)
})
