import { closure, compose, defineUnit, type RestartPolicy } from '@spectrum/unit-runtime'
import { openFakeHost } from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'
import type { SupervisedUnit } from '../../src/supervision/supervised-unit.js'
import { program, settle, type Watched, watchedHost } from './watched-host.js'

const graphOf = (restart?: RestartPolicy) =>
  compose({ unit: defineUnit('unit', { store: closure(program), restart }) })._unsafeUnwrap()
const seconds = async ({ clock }: Watched, count: number, step = 10) => {
  for (let passed = 0; passed < count; passed += step) {
    clock.advance(step * 1_000)
    await settle()
  }
}

describe('a unit whose guest hangs', () => {
  it('fails for good after a minute of silence, and says so as a value', async () => {
    await using watched = await watchedHost()
    const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
    await seconds(watched, 600)
    watched.guest('unit').hang()
    await seconds(watched, 60)
    expect(unit.state).toBe('running')
    await seconds(watched, 10)
    const failure = { kind: 'unit-unresponsive', unit: 'unit', silentMs: 60_000 }
    expect(await unit.ended).toMatchObject({ state: 'failed', exit: { kind: 'killed' }, failure })
    expect(watched.told.at(-1)).toMatchObject({
      state: 'failed',
      why: expect.stringContaining('hangs'),
      failure,
    })
    expect(watched.history()).toEqual(['unit starting', 'unit running', 'unit failed'])
  })

  it('comes again by its policy, as a machine that answers', async () => {
    await using watched = await watchedHost()
    const graph = graphOf({ when: 'on-failure', backoffMs: 100 })
    const { unit } = (await watched.host.start(graph))._unsafeUnwrap()
    watched.guest('unit').hang()
    await seconds(watched, 70)
    expect((await watched.reached('unit', 'backing-off')).failure).toMatchObject({
      kind: 'unit-unresponsive',
    })
    watched.clock.advance(100)
    await watched.reached('unit', 'running', 2)
    await seconds(watched, 600)
    expect([unit.state, watched.machines('unit')]).toEqual(['running', 2])
  })

  it('and answers at last, a moment before it is too late, runs on', async () => {
    await using watched = await watchedHost()
    const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
    await settle()
    for (let round = 0; round < 3; round++) {
      const goOn = watched.guest('unit').hang()
      await seconds(watched, 60)
      goOn()
      await settle()
    }
    await seconds(watched, 60)
    expect(watched.history()).toEqual(['unit starting', 'unit running'])
    expect((await unit.storeListing())._unsafeUnwrap()).toHaveLength(1)
  })

  it('is ended as it was to be where the host says so, for this unit', async () => {
    const units = { unit: { intervalMs: 100, missedBeats: 2 } }
    await using watched = await watchedHost({ heartbeat: { intervalMs: 1_000_000, units } })
    const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
    watched.guest('unit').hang()
    await seconds(watched, 0.3, 0.1)
    expect(await unit.ended).toMatchObject({ failure: { kind: 'unit-unresponsive', silentMs: 200 } })
  })

  it('is stopped when its grace is over, and has not failed', async () => {
    await using watched = await watchedHost()
    const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
    watched.guest('unit').hang()
    const stopping = unit.stop({ graceMs: 1_000_000 })
    await settle()
    await seconds(watched, 900)
    expect(unit.state).toBe('stopping')
    await seconds(watched, 100)
    expect((await stopping)._unsafeUnwrap()).toMatchObject({ state: 'stopped', graceful: false })
  })
})

describe('a unit that cannot answer', () => {
  it.each(['off', { units: { unit: 'off' } }] as const)(
    'runs on where nobody asks: %j',
    async (heartbeat) => {
      await using watched = await watchedHost({ heartbeat })
      const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
      watched.guest('unit').hang()
      await seconds(watched, 600)
      expect(unit.state).toBe('running')
    },
  )

  it('is not counted as dead while it is paused, and is when it hangs afterwards', async () => {
    await using watched = await watchedHost()
    ;(await watched.host.start(graphOf()))._unsafeUnwrap()
    const unit = watched.host.units.get('unit') as SupervisedUnit
    await seconds(watched, 20)
    ;(await unit.pause())._unsafeUnwrap()
    await seconds(watched, 600)
    expect(unit.state).toBe('paused')
    ;(await unit.resume())._unsafeUnwrap()
    await seconds(watched, 600)
    expect(unit.state).toBe('running')
    watched.guest('unit').hang()
    await seconds(watched, 70)
    expect((await unit.ended).failure?.kind).toBe('unit-unresponsive')
  })

  it('is not blamed for what its host has slept through', async () => {
    await using watched = await watchedHost()
    const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
    for (let day = 0; day < 10; day++) {
      watched.clock.advance(86_400_000)
      await settle()
    }
    expect(unit.state).toBe('running')
  })
})

it.each([
  [{ intervalMs: 0 }, 'heartbeat'],
  [{ intervalMs: Number.NaN }, 'heartbeat'],
  [{ intervalMs: 2 ** 31 }, 'heartbeat'],
  [{ missedBeats: 1 }, 'heartbeat'],
  [{ missedBeats: 2.5 }, 'heartbeat'],
  [{ units: { mail: { missedBeats: 0 } } }, 'heartbeat.units.mail'],
])('a host does not open with a heartbeat of %j', async (heartbeat, field) => {
  const opened = await openFakeHost({ store: {}, heartbeat })
  expect(opened._unsafeUnwrapErr()).toMatchObject({ kind: 'invalid-request', field })
})
