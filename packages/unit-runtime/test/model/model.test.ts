import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { edgesOf, nameOf, type Plan, plans } from './plans.js'
import { runPlan, type Seen } from './run-plan.js'

/** More of them: `SPECTRUM_MODEL_RUNS=2000`, and the same ones again: `SPECTRUM_MODEL_SEED=…`. */
const runs = Number(process.env['SPECTRUM_MODEL_RUNS'] ?? 30)
const seed = Number(process.env['SPECTRUM_MODEL_SEED'] ?? Math.trunc(Math.random() * 2 ** 31))

describe(`whatever is done to random graphs (seed ${seed})`, () => {
  it(
    'calls follow edges, consumers go first, every wait ends, and nothing is left',
    { timeout: runs * 3_000 },
    () =>
      fc.assert(
        fc.asyncProperty(plans, async (plan) => {
          const seen = await runPlan(plan)
          callsFollowEdges(plan, seen)
          revokedCallsEnd(plan, seen)
          consumersGoFirst(plan, seen)
          everyWaitEnds(seen)
          nothingIsLeft(seen)
        }),
        { numRuns: runs, seed, endOnFailure: runs <= 30 },
      ),
  )
})

/** Nothing crosses but along an edge, on its conditions, and what was served was allowed before. */
function callsFollowEdges(plan: Plan, { sights }: Seen): void {
  const edges = edgesOf(plan)
  const revoked = new Set<string>()
  const allowed = new Map<string, number>()
  const consents = new Map<string, number>()
  const count = (counts: Map<string, number>, key: string, by: number) => {
    counts.set(key, (counts.get(key) ?? 0) + by)
    return counts.get(key)!
  }
  for (const sight of sights) {
    if (sight.kind === 'revoked') revoked.add(sight.name)
    if (sight.kind === 'asked' && sight.answer === 'allow') count(consents, sight.unit, 1)
    if (sight.kind === 'call' && sight.event.kind === 'allowed') {
      const { unit, need, target } = sight.event
      const edge = edges.find((each) => each.unit === unit && each.need === need)
      expect(edge, `${unit}.${need} was allowed without an edge`).toBeDefined()
      expect(target).toMatchObject({ kind: 'unit', unit: edge!.from })
      const { condition, name } = edge!
      if (condition === 'revocable') expect(revoked, `${name} was revoked`).not.toContain(name)
      if (condition === 'asks')
        expect(count(consents, unit, -1), 'somebody said yes').toBeGreaterThanOrEqual(0)
      count(allowed, `${unit} ${edge!.from}`, 1)
    }
    if (sight.kind === 'served') {
      const { caller, provider } = sight
      expect(
        count(allowed, `${caller} ${provider}`, -1),
        `${provider} served ${caller}`,
      ).toBeGreaterThanOrEqual(0)
    }
  }
}

/** A call on an edge that is revoked ends then: nothing of it goes on until the host does. */
function revokedCallsEnd(plan: Plan, { sights }: Seen): void {
  const open = new Map<string, string>()
  const cut = new Set<string>()
  for (const sight of sights) {
    if (sight.kind === 'revoked') for (const [call, name] of open) if (name === sight.name) cut.add(call)
    if (sight.kind !== 'call' || sight.event.kind === 'refused') continue
    const { event } = sight
    const call = `${event.unit} ${event.need} ${event.call}`
    const edge = edgesOf(plan).find(({ unit, need }) => unit === event.unit && need === event.need)
    if (event.kind === 'allowed') open.set(call, edge!.name)
    else {
      open.delete(call)
      if (cut.has(call)) expect(event.end.kind, `${call} was revoked`).not.toBe('host-closed')
    }
  }
}

/** Units that somebody has ended alone, and what ends with them: their consumers may live on. */
function endedAlone({ units, acts }: Plan): ReadonlySet<string> {
  const ended = new Set(
    acts.flatMap((each) =>
      each.act === 'stop' || each.act === 'crash' || each.act === 'power-off'
        ? [nameOf(each.unit % units.length)]
        : [],
    ),
  )
  for (const [index, { dies, needs }] of units.entries())
    if (dies && needs[0] !== undefined && ended.has(nameOf(needs[0].provider))) ended.add(nameOf(index))
  return ended
}

/** Of those that ran when the host was stopped. */
function consumersGoFirst(plan: Plan, { sights }: Seen): void {
  const at = sights.findIndex(({ kind }) => kind === 'ending')
  const ending = sights[at]
  const ended = endedAlone(plan)
  const running = ending?.kind === 'ending' ? ending.running : []
  const after = (unit: string, ...states: readonly string[]) =>
    sights.findIndex(
      (sight, index) =>
        index > at && sight.kind === 'state' && sight.unit === unit && states.includes(sight.state),
    )
  for (const { unit, from: provider } of edgesOf(plan)) {
    if (!running.includes(unit) || !running.includes(provider) || ended.has(provider)) continue
    const [consumerGone, providerGoes] = [after(unit, 'stopped', 'failed'), after(provider, 'stopping')]
    expect(consumerGone, `${unit} is gone`).toBeGreaterThan(at)
    if (providerGoes !== -1)
      expect(providerGoes, `${provider} goes after ${unit}`).toBeGreaterThan(consumerGone)
  }
}

const ENDS = new Set([
  ...['done', 'exited', 'signalled', 'not-started', 'cancelled', 'timed-out', 'unit-lost'],
  ...['unit-not-running', 'unit-died', 'aborted', 'host-closed', 'not-granted', 'function-failed'],
  ...['powered-off', 'killed', 'failed', 'never-started', 'agent-failed'],
])
const CALL_ENDS = new Set([
  ...['completed', 'caller-gone', 'provider-failed', 'revoked', 'host-closed', 'stalled'],
])

/** All that was waited for came to an end that has a name, and each allowed call to exactly one. */
function everyWaitEnds({ sights, ends }: Seen): void {
  for (const end of ends) expect(ENDS, end).toContain(end)
  const events = sights.flatMap((sight) => (sight.kind === 'call' ? [sight.event] : []))
  const keyOf = ({ unit, need, call }: { unit: string; need: string; call: number }) =>
    `${unit} ${need} ${call}`
  const allowed = events.filter(({ kind }) => kind === 'allowed').map(keyOf)
  const ended = events.flatMap((event) => (event.kind === 'ended' ? [event] : []))
  expect(ended.map(keyOf).sort()).toEqual(allowed.sort())
  for (const { end } of ended) expect(CALL_ENDS, end.kind).toContain(end.kind)
}

function nothingIsLeft({ guests, left, files, units }: Seen): void {
  expect(left).toEqual({ processes: [], sockets: [], mounts: [], files: [] })
  expect(files).toEqual([])
  expect(units).toEqual([])
  expect(guests.filter(({ ended }) => !ended.aborted).map(({ machine }) => machine.name)).toEqual([])
}
