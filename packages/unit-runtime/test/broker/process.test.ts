import { connectAgent } from '@spectrum/guest-agent'
import { beforeAll, describe, it } from 'vitest'
import { startAgentProcess } from '../../../guest-agent/test/support/agent-process.js'
import { buildTestPrograms } from '../../../guest-agent/test/support/built.js'
import { clock } from '../../../guest-agent/test/support/clock.js'
import { socketChannel } from '../../../guest-agent/test/support/socket-channel.js'
import { callChecks } from './checks.js'
import { Between, type ProbeUnit } from './subject.js'

let built: ReturnType<typeof buildTestPrograms>
beforeAll(() => {
  built = buildTestPrograms()
}, 120_000)

async function unitAsProcess(): Promise<ProbeUnit> {
  const unit = startAgentProcess(built.agentAsan)
  const agent = (await connectAgent(socketChannel(unit.socket), { clock }))._unsafeUnwrap()
  return {
    agent,
    probe: [built.probe],
    services: unit.services,
    sockets: unit.services,
    lose: () => unit.socket.destroy(),
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]()
      const { code, said } = await unit.end
      if (code !== 0 || /ERROR|runtime error/.test(said))
        throw new Error(`the agent ended with ${code}: ${said}`)
    },
  }
}

// What depends on how sockets and processes really end; the rest is the same code above the fakes.
const wanted = callChecks.filter(([name]) =>
  /megabyte|same|under it|at its socket|died|left|stalled|may only read/.test(name),
)

describe('the broker between agents in C, with real sockets', () => {
  for (const [name, check, options] of wanted) {
    it(name, async () => {
      await using between = await Between.open(unitAsProcess, clock, options)
      await check(between)
    })
  }
})
