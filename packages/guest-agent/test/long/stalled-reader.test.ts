import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Agent, HeartbeatState } from '@spectrum/guest-agent'
import { type ConformanceSubject, pattern } from '@spectrum/guest-agent/conformance'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { agentProcessSubject } from '../support/agent-process.js'
import { buildTestPrograms } from '../support/built.js'
import { makeFlatImage } from '../support/image.js'
import { guestKernel, TestMachine } from '../support/machine.js'
import { collect } from '../support/streams.js'

const floodBytes = 64 * 1024 * 1024
const sleepMs = 30_000

let directory: string
let built: ReturnType<typeof buildTestPrograms>
beforeAll(() => {
  built = buildTestPrograms()
  directory = mkdtempSync(join(tmpdir(), 'stalled-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('64 MiB on stdout and on stderr at once, while the reader of stdout sleeps 30 s', () => {
  it('come byte for byte from the agent as a process, and everything else goes on', async () => {
    await using subject = await agentProcessSubject(built.agentAsan, built.probe)
    await holdOut(subject)
  })

  it('come byte for byte from a machine, and everything else goes on', async () => {
    const store = `${'c'.repeat(32)}-x`
    mkdirSync(join(directory, 'tree', store), { recursive: true })
    cpSync(built.probe, join(directory, 'tree', store, 'probe'))
    const image = makeFlatImage(join(directory, 'tree'), join(directory, 'image'))
    await using machine = await TestMachine.boot({
      kernel: await guestKernel(),
      pmem: [join(directory, 'image')],
    })
    const agent = (await machine.connect())._unsafeUnwrap()
    ;(await agent.mountStore({ image, devices: [], paths: [store] }))._unsafeUnwrap()
    const probe = [`/nix/store/${store}/probe`]
    const services = '/run/spectrum/services'
    await holdOut({ agent, probe, services, sockets: '/tmp', [Symbol.asyncDispose]: async () => {} })
  })
})

async function holdOut(subject: ConformanceSubject): Promise<void> {
  const { agent, probe } = subject
  const states: HeartbeatState[] = []
  using heartbeat = agent.startHeartbeat({
    intervalMs: 2_000,
    missedBeats: 5,
    onChange: (s) => states.push(s),
  })
  const flood = (await agent.exec({ argv: [...probe, 'flood', String(floodBytes)] }))._unsafeUnwrap()
  const stderr = compare(flood.stderr, 2)
  const asleep = { is: true }
  const others = Promise.all([
    whileAsleep(asleep, () => echo(agent, probe)),
    whileAsleep(asleep, () => carry(subject)),
  ])
  await new Promise((resolve) => setTimeout(resolve, sleepMs))
  asleep.is = false
  const [echoes, files] = await others
  console.log(`meanwhile ${echoes} commands came and went, and ${files} files`)
  expect(echoes).toBeGreaterThan(10)
  expect(files).toBeGreaterThan(10)
  expect(await compare(flood.stdout, 1)).toBe(floodBytes)
  expect(await stderr).toBe(floodBytes)
  expect(await flood.outcome).toEqual({ kind: 'exited', code: 0 })
  expect(states).toEqual([])
  expect(heartbeat.state).toBe('responsive')
}

/** Reads a stream to its end; the number of bytes that are as they should be. */
async function compare(stream: AsyncIterable<Uint8Array>, seed: number): Promise<number> {
  const period = pattern(65_536, seed)
  let at = 0
  for await (const chunk of stream) {
    for (let done = 0; done < chunk.length; ) {
      const from = (at + done) % period.length
      const size = Math.min(period.length - from, chunk.length - done)
      if (!period.subarray(from, from + size).equals(chunk.subarray(done, done + size))) return at
      done += size
    }
    at += chunk.length
  }
  return at
}

async function whileAsleep(asleep: { readonly is: boolean }, work: () => Promise<void>): Promise<number> {
  for (let done = 0; ; done++) {
    if (!asleep.is) return done
    await work()
  }
}

async function echo(agent: Agent, probe: readonly string[]): Promise<void> {
  const process = (await agent.exec({ argv: [...probe, 'echo', 'still there'] }))._unsafeUnwrap()
  expect(String(await collect(process.stdout))).toBe('still there\n')
}

async function carry({ agent, sockets }: ConformanceSubject): Promise<void> {
  const place = { below: sockets, path: 'carried' }
  const content = pattern(300_000, 5)
  ;(await agent.putFile(place, content))._unsafeUnwrap()
  const file = (await agent.getFile(place))._unsafeUnwrap()
  expect((await collect(file.content)).equals(content)).toBe(true)
}
