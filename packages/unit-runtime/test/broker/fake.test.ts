import { connectAgent } from '@spectrum/guest-agent'
import { fakeAgentChannel } from '@spectrum/guest-agent/fake'
import { describe, it } from 'vitest'
import { clock } from '../../../guest-agent/test/support/clock.js'
import { fakeProbe } from '../../../guest-agent/test/support/fake-probe.js'
import { callChecks } from './checks.js'
import { Between, type ProbeUnit } from './subject.js'

async function fakeUnit(): Promise<ProbeUnit> {
  const unit = fakeAgentChannel({ clock }, { programs: { '/probe': fakeProbe } })
  const agent = (await connectAgent(unit.channel, { clock }))._unsafeUnwrap()
  return {
    agent,
    probe: ['/probe'],
    services: '/run/spectrum/services',
    sockets: '/tmp',
    lose: () => unit.lose(),
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  }
}

describe('the broker between fake units', () => {
  for (const [name, check, options] of callChecks) {
    it(name, async () => {
      await using between = await Between.open(fakeUnit, clock, options)
      await check(between)
    })
  }
})
