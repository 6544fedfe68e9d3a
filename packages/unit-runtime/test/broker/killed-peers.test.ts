import { readFile } from 'node:fs/promises'
import { connectAgent, type GuestProcess } from '@spectrum/guest-agent'
import { expect, it } from 'vitest'
import { startAgentProcess } from '../../../guest-agent/test/support/agent-process.js'
import { buildTestPrograms } from '../../../guest-agent/test/support/built.js'
import { clock } from '../../../guest-agent/test/support/clock.js'
import { socketChannel } from '../../../guest-agent/test/support/socket-channel.js'
import { killPeers, type Peers, seeded } from './killed-peers.js'
import { Between, type ProbeUnit } from './subject.js'

/** `SPECTRUM_KILL_SEED=1 SPECTRUM_KILL_ROUNDS=500` for others, and more. */
const seed = Number(process.env['SPECTRUM_KILL_SEED'] ?? 20_261_122)
const rounds = Number(process.env['SPECTRUM_KILL_ROUNDS'] ?? 6)

/** Both units are agents in C, so their programs are processes of this machine. */
class ProcessPeers implements Peers {
  #server: GuestProcess | undefined
  #serverLives = false

  constructor(
    private readonly between: Between,
    /** Of the agents: the provider's, the caller's. */
    private readonly pids: readonly number[],
  ) {}

  get events() {
    return this.between.events
  }

  call(need: string): Promise<GuestProcess> {
    return this.between.call(need)
  }

  async strikeProvider(nth: number): Promise<void> {
    const children = await childrenOf(this.pids[0]!)
    if (children.length === 0) return
    try {
      process.kill(children[nth % children.length]!, 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
  }

  async restore(): Promise<void> {
    if (this.#serverLives) {
      // Whether it was struck is known when it answers, or has ended.
      const asked = await this.between.ask('echo', 'still there?')
      if (asked.length > 0) return
      await this.#server?.outcome
    }
    const server = await this.between.listen()
    void collectNothing(server.stderr)
    this.#server = server
    this.#serverLives = true
    void server.outcome.then(() => {
      if (this.#server === server) this.#serverLives = false
    })
  }

  async leftRunning(): Promise<readonly string[]> {
    const children = (await Promise.all(this.pids.map(childrenOf))).flat()
    const lines = await Promise.all(
      children.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
    )
    return lines.map((line) => line.split('\0')[1] ?? '?').filter((verb) => verb !== 'serve')
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number)
}

async function collectNothing(stream: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of stream);
}

it(`every call has one end and a reason, whoever takes part in it is killed (seed ${seed})`, async () => {
  const { agentAsan, probe } = buildTestPrograms()
  const pids: number[] = []
  const unit = async (): Promise<ProbeUnit> => {
    const started = startAgentProcess(agentAsan)
    pids.push(started.pid)
    const agent = (await connectAgent(socketChannel(started.socket), { clock }))._unsafeUnwrap()
    return {
      agent,
      probe: [probe],
      services: started.services,
      sockets: started.services,
      lose: () => started.socket.destroy(),
      async [Symbol.asyncDispose]() {
        await agent[Symbol.asyncDispose]()
        const { code, said } = await started.end
        expect(said).not.toMatch(/ERROR|runtime error/)
        expect(code).toBe(0)
      },
    }
  }
  await using between = await Between.open(unit, clock)
  const peers = new ProcessPeers(between, pids)
  await peers.restore()
  const random = seeded(seed)
  for (let round = 0; round < rounds; round++) {
    await killPeers(peers, random)
    await expect.poll(() => between.broker.open).toBe(0)
  }
}, 120_000)
