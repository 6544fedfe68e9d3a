import { Client, header, words } from './client.js'
import { memoryOf } from './processes.js'
import { quantile } from './sample.js'
import type { Way } from './ways.js'

const STALLED_MS = 2_000
const LOOK_EVERY_MS = 50
const FURTHER = 16

/** What the compositor floods its client with: motions of the pointer replace one another, modifiers do not. */
const FLOODS = { motion: 0, modifiers: 1 } as const
export type Flood = keyof typeof FLOODS

/** Binds a seat, asks for what floods, and reads no more. */
async function stalled(path: string, flood: Flood): Promise<Client> {
  const client = new Client(path)
  await client.start()
  const seat = await client.bind('wl_seat', 5)
  await client.send(words(...header(seat, FLOODS[flood], 12), client.id()))
  client.stall()
  return client
}

/** MiB. */
export interface Memory {
  /** Of all processes of the way, without a client. */
  readonly idle: number
  /** How much more at most while the first client reads nothing. */
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
    const idle = memoryOf(way.processes.map((one) => one.pid!))
    clients.push(await stalled(way.path, flood))
    const first = await most(way)
    for (let count = 0; count < FURTHER; count++) clients.push(await stalled(way.path, flood))
    const all = await most(way)
    return { idle, first: first - idle, further: (all - first) / FURTHER }
  } finally {
    for (const client of clients) client.close()
  }
}

export const median = (values: readonly Memory[], key: keyof Memory): number =>
  quantile(
    values.map((one) => one[key]),
    0.5,
  )
