import { expect, test } from 'vitest'
import { fuzzOnce } from '../fuzz.js'

const MINUTES = Number(process.env['FUZZ_MINUTES'] ?? 5)
const SEED = Number(process.env['FUZZ_SEED'] ?? 1)

test(
  `random requests and events for ${MINUTES} minutes from seed ${SEED}`,
  async () => {
    const until = performance.now() + MINUTES * 60_000
    let [lives, messages, refused] = [0, 0, 0]
    while (performance.now() < until) {
      // Every third compositor is not to be trusted either.
      const life = await fuzzOnce((SEED + lives) * 104_729, lives % 3 === 2)
      lives += 1
      messages += life.messages
      refused += life.refused ? 1 : 0
    }
    console.log(`${lives} clients, ${messages} messages, ${refused} clients refused, none harmful`)
    expect(lives).toBeGreaterThan(0)
  },
  (MINUTES + 2) * 60_000,
)
