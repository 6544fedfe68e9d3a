import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildTestPrograms } from '../../../guest-agent/test/support/built.js'
import {
  bytes,
  type CallEvent,
  closure,
  compose,
  defineService,
  defineUnit,
  type Host,
  nixStore,
  openHost,
  type Unit,
} from '../../src/index.js'
import { killPeers, type Peers, type Random, seeded } from '../broker/killed-peers.js'
import { addProgram, addToStore } from '../guest/real-store.js'
import { findRemains } from '../guest/remains.js'

/** `SPECTRUM_KILL_SEED=1 SPECTRUM_KILL_SECONDS=600` for others, and longer. */
const seed = Number(process.env['SPECTRUM_KILL_SEED'] ?? 20_261_122)
const seconds = Number(process.env['SPECTRUM_KILL_SECONDS'] ?? 90)
const Pipe = defineService('test.pipe', { request: bytes(), response: bytes() })
const events: CallEvent[] = []
let root: string
let host: Host
let peers: MachinePeers

/** Two virtual machines. Whatever is killed comes again. */
class MachinePeers implements Peers {
  readonly events = events

  constructor(
    private readonly mail: Unit,
    private readonly vault: Unit,
    private readonly probe: string,
    private readonly killer: string,
  ) {}

  async call(need: string) {
    const argv = [this.probe, 'call', `/run/spectrum/services/${need}`]
    return (await this.mail.spawn(argv, { stdin: 'open' }))._unsafeUnwrap()
  }

  async strikeProvider(nth: number): Promise<void> {
    await this.vault.exec([this.killer, String(nth)])
  }

  /** The monitor of one of the two. */
  async strikeUnit(random: Random): Promise<void> {
    const unit = random() < 0.5 ? this.mail : this.vault
    for (const { pid } of unit.processes) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It is gone already.
      }
    }
    struck++
    // Its death is noticed before anybody counts on it to come again.
    await expect.poll(() => unit.state).not.toBe('running')
  }

  async restore(): Promise<void> {
    for (const unit of [this.mail, this.vault]) (await unit.start())._unsafeUnwrap()
    if ((await this.running(this.vault)).includes('serve')) return
    const server = (await this.vault.spawn([this.probe, 'serve', '/tmp/echo']))._unsafeUnwrap()
    for await (const _ of server.stdout) break
  }

  async leftRunning(): Promise<readonly string[]> {
    const all = [...(await this.running(this.mail)), ...(await this.running(this.vault))]
    return all.filter((verb) => verb !== 'serve')
  }

  private async running(unit: Unit): Promise<readonly string[]> {
    const { stdout } = (await unit.exec([this.killer, 'list']))._unsafeUnwrap()
    return Buffer.from(stdout)
      .toString()
      .split('\n')
      .filter((line) => line !== '')
  }
}

let struck = 0

beforeAll(async () => {
  root = await mkdtemp(`${tmpdir()}/killed-peers-`)
  const tool = await addToStore('probe', async (path) => {
    await mkdir(`${path}/bin`, { recursive: true })
    await cp(buildTestPrograms().probe, `${path}/bin/probe`)
  })
  const killer = await addProgram('kill-one', ['kill-one.c'])
  const probe = `${tool}/bin/probe`
  const store = closure(tool, killer)
  const restart = { when: 'on-failure', backoffMs: 1, most: 100_000 } as const
  const server = defineUnit('vault', {
    store,
    restart,
    provides: {
      cat: Pipe.command([probe, 'cat']),
      wait: Pipe.command([probe, 'wait']),
      flood: Pipe.command([probe, 'flood', String(2 * 1024 * 1024)]),
      echo: Pipe.socket('/tmp/echo'),
    },
  })
  const client = defineUnit('mail', {
    store,
    restart,
    needs: { cat: Pipe, wait: Pipe, flood: Pipe, echo: Pipe },
  })
  const graph = compose({ client, server }).wire({ client: server.provides })._unsafeUnwrap()
  const directories = { stateDirectory: `${root}/state`, cacheDirectory: `${root}/cache` }
  host = (await openHost({ store: nixStore(), ...directories }))._unsafeUnwrap()
  host.events.on('call', (event) => events.push(event))
  const units = (await host.start(graph))._unsafeUnwrap()
  peers = new MachinePeers(units.client, units.server, probe, `${killer}/bin/kill-one`)
  await peers.restore()
})

afterAll(async () => {
  await host?.stop()
  if (root) await rm(root, { recursive: true })
})

it(
  `every call between two machines has one end and a reason, whoever is killed, for ${seconds} s (seed ${seed})`,
  async () => {
    const random = seeded(seed)
    const until = Date.now() + seconds * 1_000
    let rounds = 0
    for (; Date.now() < until; rounds++) await killPeers(peers, random)
    const ends = events.flatMap((event) => (event.kind === 'ended' ? [event.end.kind] : []))
    const count = (kind: string) => ends.filter((end) => end === kind).length
    console.log(
      `${rounds} rounds, ${struck} monitors killed, ${ends.length} calls: ${count('completed')} completed, ` +
        `${count('caller-gone')} left by their callers, ${count('provider-failed')} failed`,
    )
    expect(count('completed') * count('caller-gone') * count('provider-failed') * struck).toBeGreaterThan(0)
  },
  (seconds + 300) * 1_000,
)

it('leaves nothing', async () => {
  ;(await host.stop())._unsafeUnwrap()
  expect(await findRemains(`${root}/state`, `${root}/cache`)).toEqual({
    processes: [],
    mounts: [],
    files: [],
  })
})
