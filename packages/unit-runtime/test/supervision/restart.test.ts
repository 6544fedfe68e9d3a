import { closure, compose, defineUnit, type RestartPolicy } from '@spectrum/unit-runtime'
import { describe, expect, it } from 'vitest'
import { RestartCount } from '../../src/supervision/restart-policy.js'
import { program, settle, watchedHost } from './watched-host.js'

const graphOf = (restart?: RestartPolicy) =>
  compose({ unit: defineUnit('unit', { store: closure(program), restart }) })._unsafeUnwrap()

describe('a restart policy', () => {
  it.each([
    ['never', 'failure', false],
    ['never', 'success', false],
    ['on-failure', 'failure', true],
    ['on-failure', 'success', false],
    ['always', 'failure', true],
    ['always', 'success', true],
  ] as const)('of %s, after a %s, starts it again: %s', (when, end, again) => {
    expect(new RestartCount({ when }).after(end, 0).kind).toBe(again ? 'again' : 'stays-down')
  })

  it('is never where none was given', () => {
    expect(new RestartCount().after('failure', 0)).toEqual({ kind: 'stays-down' })
  })

  it('doubles the pause, up to five minutes, and gives up after the most in a row', () => {
    const count = new RestartCount({ when: 'always', most: 13, backoffMs: 100 })
    const pauses = Array.from({ length: 13 }, () => count.after('failure', 0)).map((next) =>
      next.kind === 'again' ? next.delayMs : 0,
    )
    expect(pauses.slice(0, 4)).toEqual([100, 200, 400, 800])
    expect(pauses.slice(-2)).toEqual([204_800, 300_000])
    expect(count.after('failure', 0)).toEqual({ kind: 'stays-down' })
  })

  it('leaves a first pause alone that is longer than that', () => {
    const count = new RestartCount({ when: 'always', backoffMs: 3_600_000 })
    expect(count.after('failure', 0)).toMatchObject({ delayMs: 3_600_000 })
    expect(count.after('failure', 0)).toMatchObject({ delayMs: 3_600_000 })
  })

  it('counts from one again after the unit ran well for a minute, and not a moment earlier', () => {
    const count = new RestartCount({ when: 'always', most: 2, backoffMs: 10 })
    count.after('failure', 0)
    expect(count.after('failure', 59_999)).toMatchObject({ attempt: 2, delayMs: 20 })
    expect(count.after('failure', 60_000)).toMatchObject({ attempt: 1, delayMs: 10 })
  })

  it('that allows none lets the unit stay down', () => {
    expect(new RestartCount({ when: 'always', most: 0 }).after('failure', 0).kind).toBe('stays-down')
  })
})

describe('a unit whose machine dies', () => {
  it('fails for good without a policy, and says what of', async () => {
    await using watched = await watchedHost()
    const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
    watched.guest('unit').crash()
    const end = await unit.ended
    expect(end).toMatchObject({ state: 'failed', why: expect.stringContaining('reset itself') })
    expect(watched.history()).toEqual(['unit starting', 'unit running', 'unit failed'])
    expect((await unit.exec(['/x']))._unsafeUnwrapErr()).toMatchObject({
      kind: 'unit-not-running',
      state: 'failed',
    })
    expect((await unit.start())._unsafeUnwrapErr().kind).toBe('unit-not-running')
    expect(watched.host.units.has('unit')).toBe(false)
  })

  it('comes again as a fresh machine behind the same handle, after its pause', async () => {
    await using watched = await watchedHost({
      programs: { [`${program}/bin/x`]: () => 3 },
    })
    const { unit } = (
      await watched.host.start(graphOf({ when: 'on-failure', backoffMs: 100 }))
    )._unsafeUnwrap()
    const before = unit.boot?.bootId
    watched.guest('unit').crash()
    expect(await watched.reached('unit', 'backing-off')).toMatchObject({
      why: expect.stringContaining('died'),
      restart: { attempt: 1, most: 5, delayMs: 100 },
    })
    await settle()
    watched.clock.advance(99)
    await settle()
    expect([unit.state, watched.machines('unit')]).toEqual(['backing-off', 1])
    expect((await unit.exec(['/x']))._unsafeUnwrapErr()).toMatchObject({ state: 'backing-off' })
    watched.clock.advance(1)
    await watched.reached('unit', 'running', 2)
    expect(watched.host.units.get('unit')).toBe(unit)
    expect(unit.restarts).toBe(1)
    expect(before).toBeDefined()
    expect((await unit.exec([`${program}/bin/x`]))._unsafeUnwrap().outcome).toEqual({
      kind: 'exited',
      code: 3,
    })
  })

  it('has its own closure when it comes again, and not what was injected', async () => {
    const tool = `/nix/store/${'2'.repeat(32)}-tool`
    await using watched = await watchedHost({ store: { [program]: {}, [tool]: {} } })
    const { unit } = (await watched.host.start(graphOf({ when: 'always', backoffMs: 0 })))._unsafeUnwrap()
    ;(await unit.inject(closure(tool)))._unsafeUnwrap()
    expect(unit.closure.paths).toHaveLength(2)
    watched.guest('unit').crash()
    await watched.reached('unit', 'backing-off')
    await settle()
    watched.clock.advance(0)
    await watched.reached('unit', 'running', 2)
    expect(unit.closure.paths.map(({ path }) => path)).toEqual([program])
    expect((await unit.storeListing())._unsafeUnwrap()).toEqual([program.slice('/nix/store/'.length)])
  })

  it('gives up after the most restarts in a row, the failed starts counted', async () => {
    let machines = 0
    await using watched = await watchedHost({
      startup: () => {
        machines += 1
        return machines === 1 ? { kind: 'connects' } : { kind: 'dies', code: 1, lines: ['no memory'] }
      },
    })
    const { unit } = (
      await watched.host.start(graphOf({ when: 'on-failure', most: 2, backoffMs: 10 }))
    )._unsafeUnwrap()
    watched.guest('unit').crash()
    for (const [nth, delayMs] of [10, 20].entries()) {
      expect((await watched.reached('unit', 'backing-off', nth + 1)).restart?.delayMs).toBe(delayMs)
      await settle()
      watched.clock.advance(delayMs)
    }
    expect(await unit.ended).toMatchObject({ state: 'failed', why: expect.stringContaining('no memory') })
    expect([machines, unit.restarts]).toEqual([3, 2])
  })

  it('is stopped at once, and for good, while it backs off', async () => {
    await using watched = await watchedHost()
    const { unit } = (await watched.host.start(graphOf({ when: 'always', backoffMs: 1_000 })))._unsafeUnwrap()
    watched.guest('unit').crash()
    await watched.reached('unit', 'backing-off')
    const waiting = unit.start()
    expect((await unit.stop())._unsafeUnwrap().state).toBe('stopped')
    expect((await waiting)._unsafeUnwrapErr().kind).toBe('unit-not-running')
    watched.clock.advance(10_000)
    await settle()
    expect([unit.state, watched.machines('unit')]).toEqual(['stopped', 1])
  })

  it('is stopped while it starts again, and its start is undone', async () => {
    let machines = 0
    await using watched = await watchedHost({ silent: () => ++machines > 1 })
    const { unit } = (await watched.host.start(graphOf({ when: 'always', backoffMs: 1 })))._unsafeUnwrap()
    watched.guest('unit').crash()
    await watched.reached('unit', 'backing-off')
    await settle()
    watched.clock.advance(1)
    await watched.reached('unit', 'starting', 2)
    await settle()
    expect((await unit.stop())._unsafeUnwrap().state).toBe('stopped')
    expect((await watched.host.stop()).isOk()).toBe(true)
    expect((await watched.host.leftovers())._unsafeUnwrap().files).toEqual([])
  })

  it.each(['machine-started', 'agent-answered', 'store-mounted'] as const)(
    'dies again at "%s" of its restart: that is one failure more',
    async (moment) => {
      await using watched = await watchedHost()
      ;(await watched.host.start(graphOf({ when: 'always', most: 2, backoffMs: 1 })))._unsafeUnwrap()
      watched.events.on('step', ({ step }) => {
        if (step === moment && watched.machines('unit') === 2) watched.guest('unit').crash()
      })
      watched.guest('unit').crash()
      await watched.reached('unit', 'backing-off')
      await settle()
      watched.clock.advance(1)
      await settle()
      // How a machine died that lost its channel is waited for, for two seconds.
      watched.clock.advance(2_000)
      expect((await watched.reached('unit', 'backing-off', 2)).restart?.attempt).toBe(2)
      await settle()
      watched.clock.advance(2)
      await watched.reached('unit', 'running', 2)
      expect(watched.machines('unit')).toBe(3)
    },
  )

  it('dies while its graph starts: the start fails, and nothing comes again', async () => {
    await using watched = await watchedHost()
    watched.events.on('step', ({ step }) => step === 'machine-started' && watched.guest('unit').crash())
    const starting = watched.host.start(graphOf({ when: 'always', backoffMs: 0 }))
    await watched.reached('unit', 'failed')
    expect((await starting)._unsafeUnwrapErr().kind).toBe('unit-died')
    watched.clock.advance(10_000)
    await settle()
    expect(watched.machines('unit')).toBe(1)
    expect(watched.host.units.size).toBe(0)
  })

  it('does not come again when the host is being stopped', async () => {
    await using watched = await watchedHost()
    ;(await watched.host.start(graphOf({ when: 'always', backoffMs: 0 })))._unsafeUnwrap()
    const stopping = watched.host.stop()
    watched.guest('unit').crash()
    expect((await stopping).isOk()).toBe(true)
    expect(watched.machines('unit')).toBe(1)
    expect(watched.history().at(-1)).toBe('unit stopped')
  })

  it('and others with it, at the same moment, come each again by itself', async () => {
    const names = ['a', 'b', 'c'] as const
    const restart = { when: 'always', backoffMs: 5 } as const
    const graph = compose(
      Object.fromEntries(names.map((name) => [name, defineUnit(name, { store: closure(program), restart })])),
    )._unsafeUnwrap()
    await using watched = await watchedHost({ concurrentStarts: 1 })
    ;(await watched.host.start(graph))._unsafeUnwrap()
    for (const name of names) watched.guest(name).crash()
    for (const name of names) await watched.reached(name, 'backing-off')
    await settle()
    watched.clock.advance(5)
    for (const name of names) await watched.reached(name, 'running', 2)
    expect(names.map((name) => watched.machines(name))).toEqual([2, 2, 2])
  })
})
