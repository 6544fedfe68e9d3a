import {
  type CallEvent,
  closure,
  defineUnit,
  type Host,
  type HostError,
  newHostEmitter,
  type Unit,
} from '@spectrum/unit-runtime'
import {
  type FakeGuest,
  type FakePrograms,
  manualClock,
  memoryFiles,
  openFakeHost,
  scriptedPrompter,
} from '@spectrum/unit-runtime/fake'
import type { Result } from 'neverthrow'
import { expect } from 'vitest'
import { type Act, edgesOf, extra, graphOf, nameOf, type Plan, tool } from './plans.js'

/** Everything that was seen of one host, in the order in which it came. */
export type Sight =
  | { readonly kind: 'state'; readonly unit: string; readonly state: string }
  | { readonly kind: 'call'; readonly event: CallEvent }
  /** A provider's command runs, for this caller. */
  | { readonly kind: 'served'; readonly provider: string; readonly caller: string }
  | { readonly kind: 'revoked'; readonly name: string }
  | { readonly kind: 'asked'; readonly unit: string; readonly answer: 'allow' | 'deny' | 'never' }
  | { readonly kind: 'ending'; readonly running: readonly string[] }

export interface Seen {
  readonly sights: readonly Sight[]
  /** What became of everything that was waited for: an outcome's or an error's kind. */
  readonly ends: readonly string[]
  readonly guests: readonly FakeGuest[]
  readonly left: unknown
  readonly files: readonly string[]
  readonly units: readonly string[]
}

const throwaway = defineUnit('throwaway', { store: closure(tool) })

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const programsOf =
  (sights: Sight[]) =>
  (unit: string): FakePrograms => ({
    async [`${tool}/bin/serve`]({ stdin, stdout, env, killed }) {
      sights.push({ kind: 'served', provider: unit, caller: env['SPECTRUM_CALLER']! })
      for await (const chunk of stdin) {
        if (new TextDecoder().decode(chunk) !== 'hang') await stdout.write(chunk)
        else await new Promise((_, reject) => killed.addEventListener('abort', () => reject(killed)))
      }
      return 0
    },
    async [`${tool}/bin/call`]({ argv, connect, stdout }) {
      const socket = connect(`/run/spectrum/services/${argv[1]}`)
      // Whoever is refused is hung up on.
      await socket.write(argv[2]!).catch(() => {})
      socket.end()
      for await (const chunk of socket.incoming) await stdout.write(chunk)
      return 0
    },
  })

/** Does what the plan says to a fake host, ends it, and tells all that was seen. */
export async function runPlan(plan: Plan): Promise<Seen> {
  const sights: Sight[] = []
  const guests: FakeGuest[] = []
  const waits: Promise<string>[] = []
  const files = memoryFiles()
  const clock = manualClock()
  const aborting = new AbortController()
  const events = newHostEmitter()
  events.on('unit-state', ({ unit, state }) => sights.push({ kind: 'state', unit, state }))
  events.on('call', (event) => sights.push({ kind: 'call', event }))
  let questions = 0
  const prompter = scriptedPrompter(({ unit }) => {
    const answer = plan.answers[questions++ % plan.answers.length]!
    sights.push({ kind: 'asked', unit, answer })
    return answer
  })
  const host = (
    await openFakeHost({
      ...{ store: { [tool]: {}, [extra]: {} }, programs: programsOf(sights), events, prompter, clock, files },
      ...{ signal: aborting.signal, onGuest: (guest) => guests.push(guest), disposables: { waiting: 1 } },
    })
  )._unsafeUnwrap()
  const started = (await host.start(graphOf(plan)))._unsafeUnwrap() as Readonly<Record<string, Unit>>
  for (const act of plan.acts) {
    const wait = begin(act, plan, { host, units: started, guests, clock, sights })
    if (act.act === 'settle') await turns(act.turns)
    else if (wait !== undefined) waits.push(wait)
  }
  const running = Object.values(started).filter(({ state }) => state === 'running')
  sights.push({ kind: 'ending', running: running.map(({ name }) => name) })
  if (plan.end === 'abort') aborting.abort()
  const stopped = await host.stop(plan.end === 'hurry' ? { graceMs: 0 } : {})
  expect(stopped.isErr() && stopped.error).toBe(false)
  const ends = await Promise.all(waits)
  for (const unit of Object.values(started)) ends.push((await unit.ended).exit.kind)
  // Events come after the answers that they belong to.
  await turns(5)
  return {
    ...{ sights, ends, guests },
    left: (await host.leftovers())._unsafeUnwrap(),
    files: files.paths().filter((path) => /\/hosts\/|\/unfinished\/./.test(path)),
    units: [...host.units.keys()],
  }
}

interface Scene {
  readonly host: Host
  readonly units: Readonly<Record<string, Unit>>
  readonly guests: readonly FakeGuest[]
  readonly clock: ReturnType<typeof manualClock>
  readonly sights: Sight[]
}

/** What is begun here ends by itself, at the latest with the host. */
function begin(act: Act, plan: Plan, { host, units, guests, clock, sights }: Scene) {
  const pick = (index: number) => index % plan.units.length
  const guestOf = (name: string) =>
    guests.findLast((guest) => guest.machine.name === name && !guest.ended.aborted)
  switch (act.act) {
    case 'settle':
      return undefined
    case 'advance':
      return void clock.advance(act.ms)
    case 'disposable': {
      const behaviour = {
        runs: async (unit: Unit) => kindOf(unit.exec([`${tool}/bin/call`, 'none', 'x'])),
        throws: () => Promise.reject(new Error('thrown by the plan')),
        hangs: () => new Promise<never>(() => {}),
      }[act.behaviour]
      return kindOf(lent(host, behaviour))
    }
    case 'prepare':
      return kindOf(host.prepareDisposables(throwaway, { count: act.count }))
    case 'revoke-grant': {
      const edges = edgesOf(plan).filter(({ condition }) => condition === 'revocable')
      const edge = edges[act.edge % edges.length]
      if (edge === undefined) return undefined
      host.revokeGrant(edge.name)
      return void sights.push({ kind: 'revoked', name: edge.name })
    }
    case 'call': {
      const edges = edgesOf(plan)
      const { unit, need } = edges[act.edge % edges.length] ?? { unit: nameOf(0), need: 'need-0' }
      const name = act.answer === 'nobody' ? 'nobody' : need
      return kindOf(units[unit]!.exec([`${tool}/bin/call`, name, act.answer]))
    }
    case 'start':
      return kindOf(units[nameOf(pick(act.unit))]!.start())
    case 'inject':
      return kindOf(units[nameOf(pick(act.unit))]!.inject(closure(extra)))
    case 'revoke':
      return kindOf(units[nameOf(pick(act.unit))]!.revoke(closure(extra)))
    case 'stop':
      return kindOf(units[nameOf(pick(act.unit))]!.stop())
    case 'crash':
      return void guestOf(nameOf(pick(act.unit)))?.crash()
    case 'power-off':
      return void guestOf(nameOf(pick(act.unit)))?.powerOff()
  }
}

/** It is gone when whoever had it hears so. */
async function lent(host: Host, use: (unit: Unit) => unknown) {
  let had: Unit | undefined
  const result = await host.disposable(throwaway, (unit) => {
    had = unit
    return use(unit)
  })
  expect(had === undefined || had.state === 'stopped' || had.state === 'failed', `${had?.name} is gone`).toBe(
    true,
  )
  return result
}

async function kindOf<T>(waited: PromiseLike<Result<T, HostError>>): Promise<string> {
  const end = await waited
  if (end.isErr()) return end.error.kind
  return (end.value as { outcome?: { kind: string } } | undefined)?.outcome?.kind ?? 'done'
}
