import { type HostEvents, newHostEmitter, type UnitState } from '@spectrum/unit-runtime'
import {
  type FakeGuest,
  type FakeHostOptions,
  type FakeProgram,
  manualClock,
  openFakeHost,
} from '@spectrum/unit-runtime/fake'

export const store = (digit: string) => `/nix/store/${digit.repeat(32)}-program`
export const program = store('1')

type StateEvent = Parameters<HostEvents['unit-state']>[0]

/** A fake host on a clock that stands still, with everything that it tells. */
export async function watchedHost(options: Partial<FakeHostOptions> = {}) {
  const clock = manualClock()
  const events = newHostEmitter()
  const told: StateEvent[] = []
  const waiting = new Set<() => void>()
  const guests = new Map<string, FakeGuest>()
  const counts = new Map<string, number>()
  events.on('unit-state', (event) => {
    told.push(event)
    for (const look of waiting) look()
  })
  const host = (
    await openFakeHost({
      store: { [program]: {} },
      clock,
      events,
      onGuest: (guest) => {
        guests.set(guest.machine.name, guest)
        counts.set(guest.machine.name, (counts.get(guest.machine.name) ?? 0) + 1)
      },
      ...options,
    })
  )._unsafeUnwrap()
  return {
    clock,
    events,
    host,
    told,
    /** `unit state`, in order. */
    history: (...units: readonly string[]) =>
      told
        .filter(({ unit }) => units.length === 0 || units.includes(unit))
        .map((e) => `${e.unit} ${e.state}`),
    /** The guest of its newest machine. */
    guest: (unit: string) => guests.get(unit)!,
    machines: (unit: string) => counts.get(unit) ?? 0,
    /** Resolves when a unit is told to be in a state for the `nth` time. */
    reached: (unit: string, state: UnitState, nth = 1) =>
      new Promise<StateEvent>((resolve) => {
        const look = () => {
          const found = told.filter((event) => event.unit === unit && event.state === state)[nth - 1]
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
    [Symbol.asyncDispose]: async () => void (await host.stop({ graceMs: 0 })),
  }
}

export type Watched = Awaited<ReturnType<typeof watchedHost>>

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

export const forever: FakeProgram = ({ killed }) =>
  new Promise((resolve) => killed.addEventListener('abort', () => resolve({ signal: 9 })))
