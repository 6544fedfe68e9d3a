import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, header, memory, words } from './flood/client.js'
import { Flooder } from './flood/flooder.js'

// What the way through the proxy costs, with its full default policy on: against no proxy, and against waypipe 0.8,
// both ends on this machine and without compression. One compositor (headless weston), one client, three ways,
// interleaved; medians. The policy draws frames. A round trip is also compared with one through a C program that does
// nothing but pass bytes on: what a second pair of wake-ups costs on this machine, whoever causes them. What a slow reader costs is measured at a compositor that floods.
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
const SYNCS = Number(process.env['BENCH_SYNCS'] ?? 1_000)
const COMMITS = Number(process.env['BENCH_COMMITS'] ?? 50_000)
const CHURN = Number(process.env['BENCH_CHURN'] ?? 10_000)
const POOLS = Number(process.env['BENCH_POOLS'] ?? 2_000)
const WINDOWS = Number(process.env['BENCH_WINDOWS'] ?? 3)
const IDLE = 50
const STALLED_MS = 2_000
const json = process.argv.includes('--json')

const folder = mkdtempSync(join(tmpdir(), 'bench-wayland-'))
mkdirSync(join(folder, 'runtime'), { mode: 0o700 })
const runtime = join(folder, 'runtime')
const environment = { ...process.env, XDG_RUNTIME_DIR: runtime, WAYLAND_DISPLAY: 'wayland-1' }
const children: ChildProcess[] = []

function start(file: string, argv: readonly string[], display = 'wayland-1'): ChildProcess {
  const env = { ...environment, WAYLAND_DISPLAY: display }
  const child = spawn(file, argv, { env, stdio: ['ignore', 'ignore', 'ignore'] })
  children.push(child)
  return child
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

const command = fileURLToPath(new URL('../src/linux/spectrum-wayland.ts', import.meta.url))
const policy = join(folder, 'policy.json')
writeFileSync(policy, JSON.stringify({ identity: { titlePrefix: '[bench] ', frame: { label: 'bench' } } }))

async function startOurs(name: string, display: string): Promise<{ path: string; child: ChildProcess }> {
  const path = join(folder, name)
  const argv = [...process.execArgv, command, '--policy', policy, '--listen', path]
  const child = start(process.execPath, argv, display)
  return { path: await appears(path), child }
}

async function startWaypipe(name: string, display: string): Promise<{ path: string; child: ChildProcess }> {
  const tunnel = join(folder, `tunnel-${name}`)
  const child = start('waypipe', ['--no-gpu', '--compress', 'none', '--socket', tunnel, 'client'], display)
  await appears(tunnel)
  const options = ['--no-gpu', '--compress', 'none', '--socket', tunnel, '--display', name, 'server']
  start('waypipe', [...options, '--', 'sleep', '3600'])
  return { path: await appears(join(runtime, name)), child }
}

async function startForward(direct: string): Promise<string> {
  const program = join(folder, 'forward')
  const source = fileURLToPath(new URL('./flood/forward.c', import.meta.url))
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-Werror', '-o', program, source], { timeout: 60_000 })
  const path = join(folder, 'forwarded')
  start(program, [path, direct])
  return appears(path)
}

/** Microseconds of round trips of one client that has nothing else to do. */
async function roundTrips(client: Client): Promise<number[]> {
  const times: number[] = []
  for (let count = 0; count < SYNCS; count++) {
    const before = performance.now()
    await client.sync()
    times.push((performance.now() - before) * 1_000)
  }
  return times
}

async function forwarded(path: string): Promise<number> {
  const client = new Client(path)
  try {
    await client.start()
    return quantile(await roundTrips(client), 0.5)
  } finally {
    client.close()
  }
}

async function startWays(): Promise<readonly Way[]> {
  start('weston', ['--backend=headless-backend.so', '--socket=wayland-1', '--idle-time=0'])
  const direct = await appears(join(runtime, 'wayland-1'))
  return [
    { name: 'direct', path: direct },
    { name: 'ours', path: (await startOurs('ours', 'wayland-1')).path },
    { name: 'waypipe', path: (await startWaypipe('wayland-2', 'wayland-1')).path },
  ]
}

/** Milliseconds from the start of a program until its first content has been shown. */
async function firstWindow(path: string): Promise<number> {
  const before = performance.now()
  const env = { ...environment, WAYLAND_DISPLAY: path, WAYLAND_DEBUG: '1' }
  const child = spawn('weston-simple-shm', [], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  children.push(child)
  let text = ''
  for await (const piece of child.stderr!) {
    text += String(piece)
    const frame = /wl_surface@\d+\.frame\(new id wl_callback@(\d+)\)/.exec(text)
    if (frame && text.slice(frame.index).includes(`wl_callback@${frame[1]}.done(`)) break
  }
  const took = performance.now() - before
  child.kill()
  return took
}

/** How long a client waits for an answer while another floods and fifty more do nothing; microseconds. */
async function underLoad(path: string): Promise<{ p50: number; p99: number }> {
  const file = fileURLToPath(new URL('./flood/busy.ts', import.meta.url))
  const busy = spawn(process.execPath, [...process.execArgv, file, path], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  children.push(busy)
  const idle = Array.from({ length: IDLE }, () => new Client(path))
  const client = new Client(path)
  try {
    await once(busy.stdout!, 'data')
    for (const one of idle) await one.start()
    await client.start()
    const times: number[] = []
    for (let count = 0; count < SYNCS; count++) {
      const before = performance.now()
      await client.sync()
      times.push((performance.now() - before) * 1_000)
      if (count % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) }
  } finally {
    busy.kill('SIGKILL')
    for (const one of [...idle, client]) one.close()
  }
}

/** Resident memory of a process and its children, MiB. */
function resident(pid: number): number {
  let sum = 0
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8')
      const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1])
      if (Number(name) !== pid && parent !== pid) continue
      sum += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1_024
    } catch {
      // It has ended meanwhile.
    }
  }
  return sum
}

/** How much memory a client costs that reads nothing while the pointer moves: the most above what it was, MiB. */
async function slowReader(way: { path: string; child: ChildProcess }): Promise<number> {
  const pid = way.child.pid!
  const client = new Client(way.path)
  try {
    await client.start()
    const seat = await client.bind('wl_seat', 5)
    const idle = resident(pid)
    await client.send(words(...header(seat, 0, 12), client.id()))
    client.stall()
    let most = idle
    const until = performance.now() + STALLED_MS
    while (performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      most = Math.max(most, resident(pid))
    }
    return most - idle
  } finally {
    client.close()
  }
}

interface Sample {
  readonly syncP50: number
  readonly syncP99: number
  readonly flood: number
  readonly churn: number
  readonly descriptors: number
  readonly loadedP50: number
  readonly loadedP99: number
  readonly window: number
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
  const windows: number[] = []
  for (let count = 0; count < WINDOWS; count++) windows.push(await firstWindow(path))
  const loaded = await underLoad(path)
  const client = new Client(path)
  try {
    await client.start()
    const compositor = await client.bind('wl_compositor', 4)
    const shm = await client.bind('wl_shm', 1)
    const surface = client.id()
    await client.send(words(...header(compositor, 0, 12), surface))
    await client.sync()
    const times = await roundTrips(client)
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
    return {
      syncP50: quantile(times, 0.5),
      syncP99: quantile(times, 0.99),
      flood,
      churn,
      descriptors,
      loadedP50: loaded.p50,
      loadedP99: loaded.p99,
      window: quantile(windows, 0.5),
    }
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
  ['round trip beside a flood and 50 idle clients, p50', 'loadedP50', 'us'],
  ['round trip beside a flood and 50 idle clients, p99', 'loadedP99', 'us'],
  ['first window of weston-simple-shm', 'window', 'ms'],
] as const

function print(name: string, own: number, other: number, unit: string): void {
  const figure = {
    name,
    ours: Math.round(own),
    peer: Math.round(other),
    ratio: Math.round((own / other) * 100) / 100,
    unit,
    accelerator: 'none',
  }
  const { ours, peer, ratio } = figure
  console.log(json ? JSON.stringify(figure) : `${name.padEnd(72)} ${ours} to ${peer} ${unit}: ${ratio}`)
}

try {
  const ways = await startWays()
  const samples = new Map(ways.map(({ name }) => [name, [] as Sample[]]))
  const forward = await startForward(ways[0]!.path)
  const floor: number[] = []
  for (const { path } of ways) await measure(path)
  for (let round = 0; round < ROUNDS; round++) {
    // Who goes first changes, so that none always finds the machine as another left it.
    const order = [...ways.slice(round % 3), ...ways.slice(0, round % 3)]
    for (const { name, path } of order) samples.get(name)!.push(await measure(path))
    floor.push(await forwarded(forward))
  }
  for (const [title, key, unit] of FIGURES) {
    const of = (name: Way['name']) =>
      quantile(
        samples.get(name)!.map((sample) => sample[key]),
        0.5,
      )
    for (const peer of ['direct', 'waypipe'] as const) {
      print(`${title}, against ${peer}`, of('ours'), of(peer), unit)
    }
  }
  const own = quantile(
    samples.get('ours')!.map(({ syncP50 }) => syncP50),
    0.5,
  )
  print(
    'sync round trip, p50, against a C program that only passes bytes on',
    own,
    quantile(floor, 0.5),
    'us',
  )
  using _flooder = new Flooder(join(runtime, 'flood'))
  const ours = await startOurs('slow', 'flood')
  const waypipe = await startWaypipe('wayland-3', 'flood')
  const most = { ours: 0, waypipe: 0 }
  for (let round = 0; round < 3; round++) {
    most.ours = Math.max(most.ours, await slowReader(ours))
    most.waypipe = Math.max(most.waypipe, await slowReader(waypipe))
  }
  print('memory for a reader that does not read, against waypipe', most.ours, most.waypipe, 'MiB')
} finally {
  for (const child of children) child.kill()
  rmSync(folder, { recursive: true, force: true })
}
// Sockets of clients that were left behind hold the program.
process.exit(0)
