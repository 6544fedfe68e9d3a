import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Client, header, memory, words } from './client.js'
import { workOf } from './processes.js'
import type { Way, Ways } from './ways.js'

const SYNCS = Number(process.env['BENCH_SYNCS'] ?? 1_000)
// Some tenths of a second each: in much less, what V8 compiles meanwhile and who got which processor would decide.
const COMMITS = Number(process.env['BENCH_COMMITS'] ?? 200_000)
const CHURN = Number(process.env['BENCH_CHURN'] ?? 200_000)
/** Ids that are free again are told in 12 bytes each: who leaves more unread than libwayland holds is cut off there. */
const CHURN_UNREAD = 10_000
const POOLS = Number(process.env['BENCH_POOLS'] ?? 2_000)
const WINDOWS = Number(process.env['BENCH_WINDOWS'] ?? 3)
const IDLE = 50

/**
 * What one way was like once: microseconds, somethings per second, milliseconds until a window; and nanoseconds that its
 * processes worked for each.
 */
export interface Sample {
  readonly syncP50: number
  readonly syncP99: number
  readonly syncWork: number
  readonly flood: number
  readonly floodWork: number
  readonly churn: number
  readonly churnWork: number
  readonly descriptors: number
  readonly descriptorsWork: number
  readonly loadedP50: number
  readonly loadedP99: number
  readonly window: number
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!
}

/** Microseconds of round trips; every twentieth may come after a pause. */
async function roundTrips(client: Client, pauses = false): Promise<number[]> {
  const times: number[] = []
  for (let count = 0; count < SYNCS; count++) {
    const before = performance.now()
    await client.sync()
    times.push((performance.now() - before) * 1_000)
    if (pauses && count % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return times
}

/** Milliseconds from the start of a program until its first content has been shown. */
async function firstWindow(ways: Ways, path: string): Promise<number> {
  const before = performance.now()
  const child = ways.start('weston-simple-shm', [], path, 'stderr')
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
async function underLoad(ways: Ways, path: string): Promise<number[]> {
  const file = fileURLToPath(new URL('./busy.ts', import.meta.url))
  const busy = ways.start(process.execPath, [...process.execArgv, file, path], path, 'stdout')
  const idle = Array.from({ length: IDLE }, () => new Client(path))
  const client = new Client(path)
  try {
    await once(busy.stdout!, 'data')
    for (const one of idle) await one.start()
    await client.start()
    return await roundTrips(client, true)
  } finally {
    busy.kill('SIGKILL')
    for (const one of [...idle, client]) one.close()
  }
}

interface Rate {
  readonly perSecond: number
  /** Nanoseconds. */
  readonly workForEach: number
}

/** Somethings, `count` of which `act` does. */
async function rate(client: Client, way: Way, count: number, act: () => Promise<void>): Promise<Rate> {
  const pids = way.processes.map((one) => one.pid!)
  await client.sync()
  const worked = workOf(pids)
  const before = performance.now()
  await act()
  await client.sync()
  const milliseconds = performance.now() - before
  return { perSecond: (count * 1_000) / milliseconds, workForEach: (workOf(pids) - worked) / count }
}

/** Damage and commits of a surface, which nobody sees. */
async function flood(client: Client, way: Way, compositor: number): Promise<Rate> {
  const surface = client.id()
  await client.send(words(...header(compositor, 0, 12), surface))
  const damage = [...header(surface, 2, 24), 0, 0, 10, 10]
  const round = [...damage, ...damage, ...damage, ...header(surface, 6, 8)]
  const block = words(...Array.from({ length: 50 }, () => round).flat())
  return rate(client, way, COMMITS * 4, async () => {
    for (let sent = 0; sent < COMMITS; sent += 50) await client.send(block)
  })
}

/** Regions made and destroyed. */
async function churn(client: Client, way: Way, compositor: number): Promise<Rate> {
  return rate(client, way, CHURN * 2, async () => {
    for (let made = 0; made < CHURN; made += 100) {
      const list: number[] = []
      for (let step = 0; step < 100; step++) {
        const region = client.id()
        list.push(...header(compositor, 1, 12), region, ...header(region, 0, 8))
      }
      await client.send(words(...list))
      if ((made + 100) % CHURN_UNREAD === 0) await client.sync()
    }
  })
}

/** Pools of shared memory made and destroyed, with a descriptor each. */
async function passDescriptors(client: Client, way: Way, shm: number): Promise<Rate> {
  using file = memory(4_096)
  return await rate(client, way, POOLS * 2, async () => {
    for (let made = 0; made < POOLS; made++) {
      const pool = client.id()
      await client.send(words(...header(shm, 0, 16), pool, 4_096, ...header(pool, 1, 8)), [file])
    }
  })
}

/** Everything, by one client after another. */
export async function sample(ways: Ways, way: Way): Promise<Sample> {
  const { path } = way
  const windows: number[] = []
  for (let count = 0; count < WINDOWS; count++) windows.push(await firstWindow(ways, path))
  const loaded = await underLoad(ways, path)
  const client = new Client(path)
  try {
    await client.start()
    const compositor = await client.bind('wl_compositor', 4)
    const shm = await client.bind('wl_shm', 1)
    await client.sync()
    let times: readonly number[] = []
    const synced = await rate(client, way, SYNCS, async () => {
      times = await roundTrips(client)
    })
    const flooded = await flood(client, way, compositor)
    const churned = await churn(client, way, compositor)
    const passed = await passDescriptors(client, way, shm)
    return {
      syncP50: quantile(times, 0.5),
      syncP99: quantile(times, 0.99),
      syncWork: synced.workForEach,
      flood: flooded.perSecond,
      floodWork: flooded.workForEach,
      churn: churned.perSecond,
      churnWork: churned.workForEach,
      descriptors: passed.perSecond,
      descriptorsWork: passed.workForEach,
      loadedP50: quantile(loaded, 0.5),
      loadedP99: quantile(loaded, 0.99),
      window: quantile(windows, 0.5),
    }
  } finally {
    client.close()
  }
}
