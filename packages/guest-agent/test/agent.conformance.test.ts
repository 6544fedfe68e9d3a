import { agentConformance } from '@spectrum/guest-agent/conformance'
import { beforeAll, describe, it } from 'vitest'
import { agentProcessSubject } from './support/agent-process.js'
import { buildTestPrograms } from './support/built.js'

describe('the agent in C, with AddressSanitizer and UBSan', () => {
  let built: ReturnType<typeof buildTestPrograms>
  beforeAll(() => {
    built = buildTestPrograms()
  }, 120_000)

  for (const check of agentConformance) {
    it(check.name, () => check.run(() => agentProcessSubject(built.agentAsan, built.probe)), 60_000)
  }
})
