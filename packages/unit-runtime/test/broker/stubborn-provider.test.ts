import type { GuestCall, GuestProcess } from '@spectrum/guest-agent'
import { Authority, bytes, closure, compose, defineService, defineUnit, fromHost } from '@spectrum/unit-graph'
import { okAsync } from 'neverthrow'
import { expect, it } from 'vitest'
import { Broker } from '../../src/broker/broker.js'
import type { CallEvent } from '../../src/broker/events.js'
import type { CallAgent } from '../../src/broker/powers.js'
import { manualClock } from '../../src/fake/manual-clock.js'

const Pipe = defineService('test.pipe', { request: bytes(), response: bytes() })
const store = closure(`/nix/store/${'0'.repeat(32)}-x`)
const stubborn = defineUnit('stubborn', {
  store,
  provides: { one: Pipe.command(['/one']), other: Pipe.command(['/other']) },
})
const mail = defineUnit('mail', { store, needs: { one: Pipe, other: Pipe, host: Pipe } })
const graph = compose({ stubborn, mail })
  .wire({ mail: { ...stubborn.provides, host: fromHost(Pipe, 'host') } })
  ._unsafeUnwrap()

const never = new Promise<never>(() => {})
const silence = { [Symbol.asyncIterator]: () => ({ next: () => never, return: () => never }) }

it('a provider whose commands never end, whatever they are told, has room for no more of them, and leaves its caller all other services', async () => {
  const events: CallEvent[] = []
  let deliver: (call: GuestCall) => void = () => {}
  const broker = new Broker(
    new Authority(graph),
    {
      clock: manualClock(),
      epochMs: () => 0,
      services: { host: () => {} },
      onEvent: (event) => events.push(event),
    },
    { perUnit: 4, perEdge: 2 },
  )
  const process = {
    stdin: undefined,
    stdout: silence,
    stderr: silence,
    outcome: never,
  } as unknown as GuestProcess
  const agents = {
    stubborn: { closed: never, exec: () => okAsync(process) },
    mail: {
      closed: never,
      offerServices(_: readonly string[], serve: typeof deliver) {
        deliver = serve
        return okAsync(undefined)
      },
    },
  }
  for (const [unit, agent] of Object.entries(agents))
    (await broker.attach(unit, agent as unknown as CallAgent))._unsafeUnwrap()
  /** A call whose caller hangs up at once. */
  const call = (service: string) => {
    let close: (end: { kind: 'finished' }) => void = () => {}
    const closed = new Promise((resolve) => {
      close = resolve
    })
    deliver({
      service,
      incoming: (async function* () {})(),
      write: async () => {},
      end: async () => close({ kind: 'finished' }),
      stop() {},
      reset: () => close({ kind: 'finished' }),
      readerGone: service === 'host' ? never : Promise.resolve(),
      closed,
    } as unknown as GuestCall)
  }
  const told = () =>
    events.map((event) => ('refusal' in event ? `${event.need} ${event.refusal}` : event.kind))
  for (const need of ['one', 'one', 'other', 'other']) call(need)
  await expect.poll(told).toEqual(Array(4).fill('allowed'))
  call('one')
  await expect.poll(told).toContain('one busy')
  call('host')
  await expect.poll(() => told().slice(5)).toEqual(['allowed', 'ended'])
  expect(broker.open).toBe(4)
})
