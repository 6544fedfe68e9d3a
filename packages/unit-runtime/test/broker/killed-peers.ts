import { Buffer } from 'node:buffer'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecOutcome, GuestProcess } from '@spectrum/guest-agent'
import { pattern } from '@spectrum/guest-agent/conformance'
import { expect } from 'vitest'
import type { CallEvent } from '../../src/broker/events.js'

/** The peers of a broker: programs that call, and whoever serves them. */
export interface Peers {
  /** What the broker has told, all of it. */
  readonly events: readonly CallEvent[]
  /** A program begins a call: it sends its stdin and prints what it is answered. */
  call(need: 'cat' | 'echo' | 'wait' | 'flood'): Promise<GuestProcess>
  /** SIGKILL for one of the processes of the provider, if there is one: the `nth` of them, counted around. */
  strikeProvider(nth: number): Promise<void>
  /** Harder: for what a program cannot do to itself. */
  readonly strikeUnit?: ((random: Random) => Promise<void>) | undefined
  /** Makes the provider whole again: what listens there has died, or its unit. */
  restore(): Promise<void>
  /** What runs in both units that nobody needs once no call is open, by name. */
  leftRunning(): Promise<readonly string[]>
}

/** From 0 to 1. */
export type Random = () => number

/** Numbers that are the same for the same seed. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const needs = ['cat', 'echo', 'wait', 'flood'] as const
const typed = ['completed', 'caller-gone', 'provider-failed']
const floodBytes = 2 * 1024 * 1024

interface OpenCall {
  readonly need: (typeof needs)[number]
  readonly process: GuestProcess
  readonly request: Uint8Array
  readonly answer: Promise<Buffer>
  struck: boolean
}

/**
 * One round: calls begin, and some of those who take part in them are killed at any moment. Afterwards every call has
 * ended, once and with a reason, every caller that lives has its answer or its end, nothing runs that belonged to a call,
 * and the next call is answered.
 */
export async function killPeers(peers: Peers, random: Random): Promise<void> {
  const upTo = (most: number) => Math.floor(random() * (most + 1))
  const told = peers.events.length
  const calls: OpenCall[] = []
  for (let count = 1 + upTo(4); count > 0; count--)
    calls.push(await begin(peers, needs[upTo(3)]!, upTo(200_000)))
  let strikes = 0
  for (let count = upTo(4); count > 0; count--) {
    await sleep(upTo(15))
    const victim = random()
    if (victim < 0.45) await strikeCaller(calls[upTo(calls.length - 1)]!)
    else {
      strikes++
      if (victim > 0.85 && peers.strikeUnit !== undefined) await peers.strikeUnit(random)
      else await peers.strikeProvider(upTo(100))
    }
  }
  // Whoever waits for ever waits until it is killed.
  for (const call of calls) if (call.need === 'wait') await strikeCaller(call)
  // A server that answers who is gone ends of it, as programs do.
  if (calls.some(({ need, struck }) => need === 'echo' && struck)) strikes++
  for (const call of calls) await ended(call, strikes)
  await expect.poll(() => unended(peers.events)).toEqual([])
  const ends = peers.events.slice(told).flatMap((event) => (event.kind === 'ended' ? [event.end.kind] : []))
  expect(ends.filter((kind) => !typed.includes(kind))).toEqual([])
  if (strikes === 0 && calls.every(({ struck }) => !struck))
    expect(new Set(ends)).toEqual(new Set(['completed']))
  await peers.restore()
  await expect.poll(() => peers.leftRunning()).toEqual([])
  for (const need of ['cat', 'echo'] as const) await ended(await begin(peers, need, 10), 0)
}

async function begin(peers: Peers, need: OpenCall['need'], size: number): Promise<OpenCall> {
  const process = await peers.call(need)
  const request = need === 'wait' || need === 'flood' ? new Uint8Array() : pattern(size, 5)
  // It, or its unit, may be gone before all of it is written.
  const write = async () => {
    if (request.length > 0) await process.stdin?.write(request)
    await process.stdin?.end()
  }
  void write().catch(() => {})
  void collect(process.stderr)
  return { need, process, request, answer: collect(process.stdout), struck: false }
}

/** Its unit may be gone, or it has ended already. */
async function strikeCaller(call: OpenCall): Promise<void> {
  call.struck = true
  await call.process.signal(9)
}

async function ended({ need, process, request, answer, struck }: OpenCall, strikes: number): Promise<void> {
  const got = await answer
  const outcome = await process.outcome
  expect(endings(struck, strikes)).toContain(wordOf(outcome))
  if (struck || strikes > 0 || need === 'wait') return
  if (need === 'flood') expect(got.length).toBe(floodBytes)
  else expect(got.equals(request), `${need} has answered ${got.length} of ${request.length} bytes`).toBe(true)
}

/** How a caller may end. */
function endings(struck: boolean, strikes: number): readonly string[] {
  const own = struck ? ['SIGKILL', 'exited 0'] : ['exited 0']
  return strikes > 0 ? [...own, 'unit-lost'] : own
}

function wordOf(outcome: ExecOutcome): string {
  if (outcome.kind === 'exited') return `exited ${outcome.code}`
  return outcome.kind === 'signalled' ? outcome.signal : outcome.kind
}

/** Calls that were allowed and have not ended, or more than once. */
function unended(events: readonly CallEvent[]): readonly number[] {
  const open = new Map<number, number>()
  for (const { kind, call } of events) {
    if (kind === 'allowed') open.set(call, (open.get(call) ?? 0) + 1)
    if (kind === 'ended') open.set(call, (open.get(call) ?? 0) - 1)
  }
  return [...open].flatMap(([call, count]) => (count === 0 ? [] : [call]))
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}
