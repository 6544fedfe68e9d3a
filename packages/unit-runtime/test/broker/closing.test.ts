import type { GuestCall } from '@spectrum/guest-agent'
import {
  Authority,
  ask,
  bytes,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  revocable,
} from '@spectrum/unit-graph'
import { okAsync } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { Broker } from '../../src/broker/broker.js'
import type { CallEvent } from '../../src/broker/events.js'
import type { CallAgent } from '../../src/broker/powers.js'
import { manualClock } from '../../src/fake/manual-clock.js'
import type { PersonsAnswer } from '../../src/prompter/prompter.js'

const Pipe = defineService('test.pipe', { request: bytes(), response: bytes() })
const mail = defineUnit('mail', {
  store: closure(`/nix/store/${'0'.repeat(32)}-x`),
  needs: { asked: Pipe },
})
const graph = compose({ mail })
  .wire({ mail: { asked: fromHost(Pipe, 'function').with(ask(), revocable('all')) } })
  ._unsafeUnwrap()

/** A call that stands before a person, and what becomes of it. */
async function asked() {
  const events: CallEvent[] = []
  const listeners: ((event: CallEvent) => void)[] = []
  let answer: (said: PersonsAnswer) => void = () => {}
  let deliver: (call: GuestCall) => void = () => {}
  let isOver = false
  const carried = { before: 0, after: 0 }
  const broker = new Broker(new Authority(graph), {
    clock: manualClock(),
    epochMs: () => 0,
    prompter: { ask: () => new Promise((resolve) => (answer = resolve)) },
    services: { function: () => void (isOver ? carried.after++ : carried.before++) },
    onEvent(event) {
      events.push(event)
      for (const hear of listeners) hear(event)
    },
  })
  const never = new Promise<never>(() => {})
  const agent = {
    closed: never,
    offerServices(_names: readonly string[], serve: typeof deliver) {
      deliver = serve
      return okAsync(undefined)
    },
  } as unknown as CallAgent
  ;(await broker.attach('mail', agent))._unsafeUnwrap()
  let close: (end: { kind: 'finished' | 'unit-lost' }) => void = () => {}
  deliver({
    service: 'asked',
    incoming: (async function* () {})(),
    write: async () => {},
    end: async (): Promise<void> => close({ kind: 'finished' }),
    stop() {},
    reset: (): void => close({ kind: 'finished' }),
    readerGone: never,
    closed: new Promise((resolve) => (close = resolve)),
  } as unknown as GuestCall)
  await turns(20)
  return {
    broker,
    events,
    carried,
    listeners,
    allow: () => answer('allow'),
    leave: () => close({ kind: 'unit-lost' }),
    /** From now on nothing may be carried any more. */
    over(how: () => void) {
      isOver = true
      how()
    },
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve()
}

/** So many turns lie between the answer and the end of the call, and more. */
const MOMENTS = 40

describe('a call that a person has just allowed', () => {
  it.each([
    ['closed', (broker: Broker): void => broker.close(), 'provider-absent', 'host-closed'],
    ['revoked', (broker: Broker): void => void broker.revoke('all'), 'attenuated', 'revoked'],
  ] as const)('is not carried once its edge is %s, whatever the moment', async (_, end, refusal, ended) => {
    const seen = new Set<string>()
    for (let moment = 0; moment < MOMENTS; moment++) {
      const { broker, events, carried, allow, over } = await asked()
      allow()
      await turns(moment)
      over(() => end(broker))
      await expect.poll(() => broker.open, { interval: 1 }).toBe(0)
      expect({ moment, after: carried.after }).toEqual({ moment, after: 0 })
      const last = events.at(-1)!
      const how = last.kind === 'ended' ? last.end.kind : 'refusal' in last ? last.refusal : last.kind
      if (carried.before === 0) expect([refusal, ended]).toContain(how)
      seen.add(how)
    }
    // Each of the ways there was, so no moment was left out.
    expect([...seen].sort()).toEqual(['completed', ended, refusal].sort())
  })

  it('is not asked about any more when the unit of its caller is gone', async () => {
    const { broker, events, leave } = await asked()
    leave()
    await expect.poll(() => broker.open).toBe(0)
    expect(events).toMatchObject([{ kind: 'refused', refusal: 'caller-gone' }])
  })

  it('is not carried when whoever hears that it is allowed closes the broker', async () => {
    const { broker, events, carried, allow, listeners, over } = await asked()
    listeners.push(({ kind }) => kind === 'allowed' && over(() => broker.close()))
    allow()
    await expect.poll(() => broker.open).toBe(0)
    expect(carried).toEqual({ before: 0, after: 0 })
    expect(events.map(({ kind }) => kind)).toEqual(['allowed', 'ended'])
    expect(events.at(-1)).toMatchObject({ end: { kind: 'host-closed' } })
  })
})
