import {
  absent,
  bytes,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  newHostEmitter,
  rate,
} from '@spectrum/unit-runtime'
import {
  type FakeGuest,
  type FakeHostOptions,
  type FakeProgram,
  openFakeHost,
} from '@spectrum/unit-runtime/fake'
import { expect } from 'vitest'
import { Board } from '../src/board/board.js'
import type { Clock } from '../src/clock.js'

/** What becomes true soon, as a rule. */
export const eventually: typeof expect.poll = (look, options) =>
  expect.poll(look, { interval: 5, ...options })

export const path = (digit: string, name: string) => `/nix/store/${digit.repeat(32)}-${name}`
export const program = path('1', 'program')
export const tool = path('2', 'tool')
export const software = { debugger: closure(tool), markup: closure(program) }

const Sign = defineService('org.example.sign', { request: bytes(), response: bytes() })
const Note = defineService('org.example.note', { request: bytes() })

const forever: FakeProgram = ({ killed }) =>
  new Promise((resolve) => killed.addEventListener('abort', () => resolve({ signal: 9 })))

/** `mail` calls `vault` and the host, may call `sleeper`, which sleeps, and `worker` is alone and says things. */
export function defineGraph() {
  const vault = defineUnit('vault', {
    store: closure(program),
    provides: { sign: Sign.command([`${program}/bin/sign`]) },
  })
  const mail = defineUnit('mail', {
    store: closure(program),
    needs: { sign: Sign, other: Sign, spare: Sign.optional(), note: Note },
  })
  const worker = defineUnit('worker', { store: closure(program), command: [`${program}/bin/work`, '--hard'] })
  const sleeper = defineUnit('sleeper', {
    store: closure(program),
    start: 'lazy',
    provides: { sign: Sign.command([`${program}/bin/sign`]) },
  })
  return compose({ mail, vault, worker, sleeper })
    .wire({
      mail: {
        sign: vault.provides.sign.with(rate(1, 'minute')),
        other: sleeper.provides.sign,
        spare: absent,
        note: fromHost(Note, 'note'),
      },
    })
    ._unsafeUnwrap()
}

export const programs = {
  [`${program}/bin/sign`]: () => 0,
  [`${program}/bin/work`]: (async (process) => {
    await process.stdout.write('<b onclick="alert(1)">work</b>\n')
    return forever(process)
  }) satisfies FakeProgram,
  [`${program}/bin/call`]: (async ({ connect }) => {
    const socket = connect('/run/spectrum/services/sign')
    socket.end()
    for await (const _ of socket.incoming);
    return 0
  }) satisfies FakeProgram,
}

/** A fake host that lets go of everything when it is disposed of. */
export async function fakeHost(options: Partial<FakeHostOptions> = {}) {
  const guests = new Map<string, FakeGuest>()
  const events = newHostEmitter()
  const host = (
    await openFakeHost({
      store: { [program]: {}, [tool]: {} },
      programs,
      events,
      services: { note: async () => {} },
      onGuest: (guest) => guests.set(guest.machine.name, guest),
      ...options,
    })
  )._unsafeUnwrap()
  return { host, events, guests, [Symbol.asyncDispose]: async () => void (await host.stop({ graceMs: 0 })) }
}

export async function boardOn(clock: Clock, options: Partial<FakeHostOptions> = {}) {
  const fake = await fakeHost(options)
  const board = new Board(fake.host, { graph: defineGraph(), software, clock })
  const unit = (name: string) => board.snapshot().units.find((one) => one.name === name)!
  return {
    ...fake,
    board,
    unit,
    states: () => board.snapshot().units.map(({ name, state }) => `${name} ${state}`),
    async [Symbol.asyncDispose]() {
      await board[Symbol.asyncDispose]()
      await fake[Symbol.asyncDispose]()
    },
  }
}
