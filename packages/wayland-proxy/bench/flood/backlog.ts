import { Client, header, words } from './client.js'
import { memoryOf } from './processes.js'
import { quantile } from './sample.js'
import type { Way } from './ways.js'

const STALLED_MS = 2_000
const LOOK_EVERY_MS = 50
/** What a client leaves behind has gone by then. */
const SETTLED_MS = 500
const FURTHER = 16

/** What the compositor floods its client with: motions of the pointer replace one another, modifiers do not. */
const FLOODS = { motion: 0, modifiers: 1 } as const
export type Flood = keyof typeof FLOODS

/** Binds a seat and asks for what floods. */
async function flooded(path: string, flood: Flood): Promise<Client> {
  const client = new Client(path)
  await client.start()
  const seat = await client.bind('wl_seat', 5)
  await client.send(words(...header(seat, FLOODS[flood], 12), client.id()))
  return client
}

/** The same, and reads no more. */
async function stalled(path: string, flood: Flood): Promise<Client> {
  const client = await flooded(path, flood)
  client.stall()
  return client
}

/** MiB. */
export interface Memory {
  /** Of all processes of the way, without a client. */
  readonly idle: number
  /** How much more at most while a first client reads the flood: what such a flood takes once, whoever reads it. */
  readonly reading: number
  /** How much more than after that one has left, at most, while another reads nothing. */
  readonly first: number
  /** How much more for each of the further ones. */
  readonly further: number
}

async function most(way: Way): Promise<number> {
  const pids = way.processes.map((one) => one.pid!)
  let most = 0
  for (const until = performance.now() + STALLED_MS; performance.now() < until; ) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    most = Math.max(most, memoryOf(pids))
  }
  return most
}

/** What clients cost that read nothing of a flood. */
export async function backlog(way: Way, flood: Flood): Promise<Memory> {
  const clients: Client[] = []
  try {
    const pids = way.processes.map((one) => one.pid!)
    const idle = memoryOf(pids)
    const reader = await flooded(way.path, flood)
    const reading = await most(way)
    reader.close()
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS))
    const before = memoryOf(pids)
    clients.push(await stalled(way.path, flood))
    const first = await most(way)
    for (let count = 0; count < FURTHER; count++) clients.push(await stalled(way.path, flood))
    const all = await most(way)
    return { idle, reading: reading - idle, first: first - before, further: (all - first) / FURTHER }
  } finally {
    for (const client of clients) client.close()
  }
}

export const median = (values: readonly Memory[], key: keyof Memory): number =>
  quantile(
    values.map((one) => one[key]),
    0.5,
  )
