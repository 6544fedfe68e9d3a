import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, header, memory, words } from './flood/client.js'

// What the way through the proxy costs, with its full default policy on: against no proxy, and against waypipe 0.8,
// both ends on this machine and without compression. One compositor (headless weston), one client, three ways,
// interleaved; medians. How long the same client takes until its first window has been shown is left to the tests.
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
const SYNCS = Number(process.env['BENCH_SYNCS'] ?? 1_000)
const COMMITS = Number(process.env['BENCH_COMMITS'] ?? 50_000)
const CHURN = Number(process.env['BENCH_CHURN'] ?? 10_000)
const POOLS = Number(process.env['BENCH_POOLS'] ?? 2_000)
const json = process.argv.includes('--json')

const folder = mkdtempSync(join(tmpdir(), 'bench-wayland-'))
mkdirSync(join(folder, 'runtime'), { mode: 0o700 })
const runtime = join(folder, 'runtime')
const environment = { ...process.env, XDG_RUNTIME_DIR: runtime, WAYLAND_DISPLAY: 'wayland-1' }
const children: ChildProcess[] = []

function start(file: string, argv: readonly string[]): void {
  children.push(spawn(file, argv, { env: environment, stdio: ['ignore', 'ignore', 'ignore'] }))
}

async function appears(path: string): Promise<string> {
  const until = performance.now() + 60_000
  while (!existsSync(path)) {
    if (performance.now() > until) throw new Error(`${path} did not appear`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return path
}

interface Way {
  readonly name: 'direct' | 'ours' | 'waypipe'
  readonly path: string
}

async function startWays(): Promise<readonly Way[]> {
  start('weston', ['--backend=headless-backend.so', '--socket=wayland-1', '--idle-time=0'])
  const direct = await appears(join(runtime, 'wayland-1'))
  const command = fileURLToPath(new URL('../src/linux/spectrum-wayland.ts', import.meta.url))
  const ours = join(folder, 'ours')
  start(process.execPath, [...process.execArgv, command, '--policy', 'default', '--listen', ours])
  const tunnel = join(folder, 'tunnel')
  start('waypipe', ['--no-gpu', '--compress', 'none', '--socket', tunnel, 'client'])
  await appears(tunnel)
  const options = ['--no-gpu', '--compress', 'none', '--socket', tunnel, '--display', 'wayland-2', 'server']
  start('waypipe', [...options, '--', 'sleep', '3600'])
  return [
    { name: 'direct', path: direct },
    { name: 'ours', path: await appears(ours) },
    { name: 'waypipe', path: await appears(join(runtime, 'wayland-2')) },
  ]
}

interface Sample {
  readonly syncP50: number
  readonly syncP99: number
  readonly flood: number
  readonly churn: number
  readonly descriptors: number
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!
}

/** How many of something per second. */
async function rate(client: Client, count: number, act: () => Promise<void>): Promise<number> {
  await client.sync()
  const before = performance.now()
  await act()
  await client.sync()
  return (count * 1_000) / (performance.now() - before)
}

async function measure(path: string): Promise<Sample> {
  const client = new Client(path)
  try {
    await client.start()
    const compositor = await client.bind('wl_compositor', 4)
    const shm = await client.bind('wl_shm', 1)
    const surface = client.id()
    await client.send(words(...header(compositor, 0, 12), surface))
    await client.sync()
    const times: number[] = []
    for (let count = 0; count < SYNCS; count++) {
      const before = performance.now()
      await client.sync()
      times.push((performance.now() - before) * 1_000)
    }
    const damage = [...header(surface, 2, 24), 0, 0, 10, 10]
    const round = [...damage, ...damage, ...damage, ...header(surface, 6, 8)]
    const block = words(...Array.from({ length: 50 }, () => round).flat())
    const flood = await rate(client, COMMITS * 4, async () => {
      for (let sent = 0; sent < COMMITS; sent += 50) await client.send(block)
    })
    const churn = await rate(client, CHURN * 2, async () => {
      for (let made = 0; made < CHURN; made += 100) {
        const list: number[] = []
        for (let step = 0; step < 100; step++) {
          const region = client.id()
          list.push(...header(compositor, 1, 12), region, ...header(region, 0, 8))
        }
        await client.send(words(...list))
      }
    })
    const file = memory(4_096)
    const descriptors = await rate(client, POOLS * 2, async () => {
      for (let made = 0; made < POOLS; made++) {
        const pool = client.id()
        await client.send(words(...header(shm, 0, 16), pool, 4_096, ...header(pool, 1, 8)), [file])
      }
    })
    file.close()
    return { syncP50: quantile(times, 0.5), syncP99: quantile(times, 0.99), flood, churn, descriptors }
  } finally {
    client.close()
  }
}

const FIGURES = [
  ['sync round trip, p50', 'syncP50', 'us'],
  ['sync round trip, p99', 'syncP99', 'us'],
  ['flood of damage and commit', 'flood', 'requests/s'],
  ['objects made and destroyed', 'churn', 'requests/s'],
  ['pools made over descriptors and destroyed', 'descriptors', 'requests/s'],
] as const

try {
  const ways = await startWays()
  const samples = new Map(ways.map(({ name }) => [name, [] as Sample[]]))
  for (const { path } of ways) await measure(path)
  for (let round = 0; round < ROUNDS; round++) {
    // Who goes first changes, so that none always finds the machine as another left it.
    const order = [...ways.slice(round % 3), ...ways.slice(0, round % 3)]
    for (const { name, path } of order) samples.get(name)!.push(await measure(path))
  }
  for (const [title, key, unit] of FIGURES) {
    const of = (name: Way['name']) =>
      quantile(
        samples.get(name)!.map((sample) => sample[key]),
        0.5,
      )
    for (const peer of ['direct', 'waypipe'] as const) {
      const [own, other] = [of('ours'), of(peer)]
      const figure = {
        name: `${title}, against ${peer}`,
        ours: Math.round(own),
        peer: Math.round(other),
        ratio: Math.round((own / other) * 100) / 100,
        unit,
        accelerator: 'none',
      }
      console.log(
        json
          ? JSON.stringify(figure)
          : `${figure.name.padEnd(60)} ${figure.ours} to ${figure.peer} ${unit}: ${figure.ratio}`,
      )
    }
  }
} finally {
  for (const child of children) child.kill()
  rmSync(folder, { recursive: true, force: true })
}
