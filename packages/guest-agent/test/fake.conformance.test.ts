import { connectAgent } from '@spectrum/guest-agent'
import { agentConformance, type ConformanceSubject } from '@spectrum/guest-agent/conformance'
import { fakeAgentChannel } from '@spectrum/guest-agent/fake'
import { describe, it } from 'vitest'
import { clock } from './support/clock.js'
import { fakeProbe } from './support/fake-probe.js'

describe('the fake agent', () => {
  for (const check of agentConformance) it(check.name, () => check.run(open))
})

async function open(): Promise<ConformanceSubject> {
  const unit = fakeAgentChannel({ clock }, { programs: { '/probe': fakeProbe } })
  const agent = (await connectAgent(unit.channel, { clock }))._unsafeUnwrap()
  return { agent, probe: ['/probe'], [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() }
}
