import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const out = `${root}build/test`
const bounds = { timeout: 100_000, killSignal: 'SIGKILL' } as const

/** Builds what the tests run, when its sources are newer. */
export function buildTestPrograms(): {
  readonly agentAsan: string
  readonly agentPlain: string
  readonly fuzzDecoder: string
  readonly findUsers: string
  readonly probe: string
  readonly termAtFsync: string
} {
  const make = ['make', '--silent', '-C', `${root}agent`, `OUT=${out}`, 'test']
  execFileSync('flock', [`${root}agent/Makefile`, ...make], bounds)
  return {
    agentAsan: `${out}/agent-asan`,
    agentPlain: `${out}/agent-plain`,
    fuzzDecoder: `${out}/fuzz-decoder`,
    findUsers: `${out}/find-users`,
    probe: `${out}/probe`,
    termAtFsync: `${out}/term-at-fsync.so`,
  }
}

/** Builds the agent itself. */
export function buildAgent(): void {
  execFileSync('flock', [`${root}agent/Makefile`, process.execPath, `${root}build-agent.mjs`], bounds)
}
