/**
 * What the broker's way costs: a program in C calls a socket of another one, through agent, broker and agent, against
 * a plain pair of socats (of Node's pipes where there is no socat) between the same two programs. The agents run as processes here, so this is the code's own
 * cost: no virtual machine and no virtio-console is in it, on either side. Interleaved in one run; medians.
 *
 *   npm run bench -- broker [--json] [--rounds N]
 */
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { type Agent, connectAgent } from '@spectrum/guest-agent'
import { Authority, bytes, closure, compose, defineService, defineUnit } from '@spectrum/unit-graph'
import { startAgentProcess } from '../../guest-agent/test/support/agent-process.js'
import { buildTestPrograms } from '../../guest-agent/test/support/built.js'
import { clock } from '../../guest-agent/test/support/clock.js'
import { socketChannel } from '../../guest-agent/test/support/socket-channel.js'
import { Broker } from '../src/broker/broker.js'
import { median, print } from './report/figure.js'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '9' } },
})
const rounds = Number(values.rounds)
const pourBytes = 64 * 1024 * 1024
const pings = 500

const run = promisify(execFile)
const scratch = mkdtempSync(join(tmpdir(), 'bench-broker-'))
const pair = join(scratch, 'pair')
execFileSync('cc', ['-O2', '-o', pair, fileURLToPath(new URL('broker/pair.c', import.meta.url))])
const { agentPlain } = buildTestPrograms()
const children: ChildProcess[] = []

process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

async function until(there: () => boolean): Promise<void> {
  while (!there()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** A program that serves until the measurement ends. */
async function serve(verb: 'sink' | 'echo'): Promise<string> {
  const path = join(scratch, verb)
  const child = spawn(pair, [verb, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout, 'data')
  return path
}

const hasSocat = spawnSync('socat', ['-V'], { timeout: 5_000, killSignal: 'SIGKILL' }).status === 0
const peerName = hasSocat ? 'socat' : 'Node relay'
const nodeRelay = `const net = require('node:net')
net.createServer({ allowHalfOpen: true }, (from) => {
  const to = net.connect({ path: process.argv[2], allowHalfOpen: true })
  from.pipe(to).pipe(from)
}).listen(process.argv[1])`

/** Two socats in a row; two of Node's own pipes where there is no socat. */
async function relay(to: string): Promise<string> {
  const [first, second] = [`${to}-first`, `${to}-second`]
  for (const [from, next] of [
    [second, to],
    [first, second],
  ] as const) {
    const [file, ...argv] = hasSocat
      ? ['socat', `UNIX-LISTEN:${from},fork`, `UNIX-CONNECT:${next}`]
      : [process.execPath, '-e', nodeRelay, from, next]
    children.push(spawn(file!, argv, { stdio: ['ignore', 'inherit', 'inherit'] }))
    await until(() => existsSync(from))
  }
  return first
}

async function unit(): Promise<{ readonly agent: Agent; readonly services: string; end(): Promise<void> }> {
  const process = startAgentProcess(agentPlain)
  const agent = (await connectAgent(socketChannel(process.socket), { clock }))._unsafeUnwrap()
  const end = async () => {
    await agent[Symbol.asyncDispose]()
    await process.end
  }
  return { agent, services: process.services, end }
}

const sockets = { sink: await serve('sink'), echo: await serve('echo') }
const Pipe = defineService('bench.pipe', { request: bytes(), response: bytes() })
const store = closure('/nix/store/00000000000000000000000000000000-x')
const provider = defineUnit('provider', {
  store,
  provides: { sink: Pipe.socket(sockets.sink), echo: Pipe.socket(sockets.echo) },
})
const caller = defineUnit('caller', { store, needs: { sink: Pipe, echo: Pipe } })
const graph = compose({ provider, caller }).wire({ caller: provider.provides })._unsafeUnwrap()
const powers = { clock, epochMs: () => Date.now(), services: {}, onEvent: () => {} }
const broker = new Broker(new Authority(graph), powers)
const units = { provider: await unit(), caller: await unit() }
for (const key of ['provider', 'caller'] as const) {
  ;(await broker.attach(key, units[key].agent))._unsafeUnwrap()
}
const ways = {
  ours: { sink: `${units.caller.services}/sink`, echo: `${units.caller.services}/echo` },
  peer: { sink: await relay(sockets.sink), echo: await relay(sockets.echo) },
  direct: sockets,
}

const measure = async (...argv: string[]) => Number((await run(pair, argv, { timeout: 100_000 })).stdout)
const samples = Object.fromEntries(
  Object.keys(ways).map((way) => [way, { throughput: [] as number[], ping: [] as number[] }]),
) as Record<keyof typeof ways, { throughput: number[]; ping: number[] }>
for (let round = -1; round < rounds; round++) {
  for (const way of ['ours', 'peer', 'direct'] as const) {
    const us = await measure('pour', ways[way].sink, String(pourBytes))
    const ping = await measure('ping', ways[way].echo, String(pings))
    // The first of each warms up.
    if (round < 0) continue
    samples[way].throughput.push(pourBytes / 1024 / 1024 / (us / 1e6))
    samples[way].ping.push(ping)
  }
}
broker.close()
await Promise.all(Object.values(units).map((each) => each.end()))
for (const child of children) child.kill('SIGKILL')
rmSync(scratch, { recursive: true })

const of = (way: keyof typeof ways, what: 'throughput' | 'ping') => median(samples[way][what])
const added = (way: 'ours' | 'peer') => of(way, 'ping') - of('direct', 'ping')
for (const [name, own, peer, unitOf] of [
  [
    `broker: throughput of one call, against two ${peerName}s in a row`,
    of('ours', 'throughput'),
    of('peer', 'throughput'),
    'MiB/s',
  ],
  [
    `broker: added to a round trip of 64 bytes, against two ${peerName}s in a row`,
    added('ours'),
    added('peer'),
    'us',
  ],
] as const) {
  print({ name, ours: own, peer, unit: unitOf, accelerator: 'none' }, values.json)
}
