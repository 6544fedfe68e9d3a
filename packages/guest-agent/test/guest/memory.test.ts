import { execFileSync } from 'node:child_process'
import { agentConformance } from '@spectrum/guest-agent/conformance'
import { expect, it } from 'vitest'
import { agentProcessSubject } from '../support/agent-process.js'
import { buildTestPrograms } from '../support/built.js'

// It boots no machine, but is the same on every Node, and valgrind takes its time.

/** `SPECTRUM_FUZZ_ROUNDS=20000000` fuzzes the decoder for minutes instead of a second. */
const fuzzRounds = process.env['SPECTRUM_FUZZ_ROUNDS'] ?? '100000'
/** Seconds are enough for the usual number of rounds; whoever asks for more waits for them. */
const FUZZ_TIMEOUT_MS = process.env['SPECTRUM_FUZZ_ROUNDS'] === undefined ? 100_000 : 3_500_000

const built = buildTestPrograms()

it('the agent in C holds out under valgrind', async () => {
  const valgrind = ['valgrind', '--quiet', '--error-exitcode=9', '--leak-check=full', '--track-fds=no']
  // Not files: valgrind knows no openat2.
  const wanted = agentConformance.filter(({ name }) =>
    /stdin|environment|not found|deadline|hands over a call|reset|connects to|hangs a terminal|moved/.test(
      name,
    ),
  )
  expect(wanted.length).toBeGreaterThanOrEqual(4)
  for (const check of wanted) {
    await check.run(() => agentProcessSubject(built.agentPlain, built.probe, valgrind))
  }
})

it('the agent in C decodes any frame without a fault', () => {
  const accepted = execFileSync(built.fuzzDecoder, [String(Date.now() % 1_000_000), fuzzRounds], {
    timeout: FUZZ_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  expect(Number(accepted)).toBeGreaterThan(0)
}, 3_600_000)
