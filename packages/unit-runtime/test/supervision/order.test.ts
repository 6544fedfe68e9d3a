import { bytes, closure, compose, defineService, defineUnit } from '@spectrum/unit-runtime'
import { describe, expect, it } from 'vitest'
import { dyingWith, stoppedBefore } from '../../src/supervision/stop-order.js'
import { program, settle, watchedHost } from './watched-host.js'

const Pipe = defineService('test.pipe', { request: bytes() })
const store = closure(program)
const pipe = Pipe.command(['/x'])

/** `front` calls `middle`, which calls the lazy `back`. */
function chain() {
  const back = defineUnit('back', { store, start: 'lazy', provides: { pipe } })
  const middle = defineUnit('middle', { store, needs: { back: Pipe }, provides: { pipe } })
  const front = defineUnit('front', { store, needs: { middle: Pipe } })
  return compose({ front, middle, back })
    .wire({ front: { middle: middle.provides.pipe }, middle: { back: back.provides.pipe } })
    ._unsafeUnwrap()
}

/** Units that die with those named behind the colon. */
function dying(...lines: readonly string[]) {
  const units = lines.map((line) => {
    const [name, others = ''] = line.split(':') as [string, string?]
    return [name, defineUnit(name, { store, diesWith: others.split(' ').filter(Boolean) })] as const
  })
  return compose(Object.fromEntries(units))._unsafeUnwrap()
}

const stops = (history: readonly string[]) => history.filter((each) => each.endsWith(' stopped'))

describe('the order of stops', () => {
  it('is consumers before providers, also when a provider was started after its consumer', async () => {
    await using watched = await watchedHost()
    const { back } = (await watched.host.start(chain()))._unsafeUnwrap()
    ;(await back.start())._unsafeUnwrap()
    await watched.host.stop()
    expect(stops(watched.history())).toEqual(['front stopped', 'middle stopped', 'back stopped'])
  })

  it('is the same after a provider came again', async () => {
    const server = defineUnit('server', {
      store,
      restart: { when: 'always', backoffMs: 0 },
      provides: { pipe },
    })
    const client = defineUnit('client', { store, needs: { pipe: Pipe } })
    const graph = compose({ server, client })
      .wire({ client: { pipe: server.provides.pipe } })
      ._unsafeUnwrap()
    await using watched = await watchedHost()
    ;(await watched.host.start(graph))._unsafeUnwrap()
    watched.guest('server').crash()
    await watched.reached('server', 'backing-off')
    await settle()
    watched.clock.advance(0)
    await watched.reached('server', 'running', 2)
    await watched.host.stop()
    expect(stops(watched.history())).toEqual(['client stopped', 'server stopped'])
  })

  it('breaks circles at their weak wires first', () => {
    const ping = defineUnit('ping', { store, needs: { pong: Pipe }, provides: { pipe } })
    const pong = defineUnit('pong', { store, needs: { ping: Pipe }, provides: { pipe } })
    const graph = compose({ ping, pong })
      .wire({ ping: { pong: pong.provides.pipe.weak() }, pong: { ping: ping.provides.pipe } })
      ._unsafeUnwrap()
    const before = stoppedBefore(graph)
    expect([...before.get('ping')!, ...before.get('pong')!]).toEqual(['pong'])
  })

  it('is kept where a unit that sleeps is stopped at once, and others die with it', async () => {
    const asleep = defineUnit('asleep', { store, start: 'lazy', provides: { pipe } })
    const middle = defineUnit('middle', {
      store,
      diesWith: ['asleep'],
      needs: { asleep: Pipe },
      provides: { pipe },
    })
    const front = defineUnit('front', { store, needs: { middle: Pipe } })
    const graph = compose({ asleep, middle, front })
      .wire({ middle: { asleep: asleep.provides.pipe }, front: { middle: middle.provides.pipe } })
      ._unsafeUnwrap()
    await using watched = await watchedHost()
    ;(await watched.host.start(graph))._unsafeUnwrap()
    await watched.host.stop()
    expect(watched.history('front', 'middle').slice(-4)).toEqual([
      'front stopping',
      'front stopped',
      'middle stopping',
      'middle stopped',
    ])
  })

  it('gives the units of a graph in its own order, whichever was up first', async () => {
    await using watched = await watchedHost()
    const started = (await watched.host.start(chain()))._unsafeUnwrap()
    expect(Object.keys(started)).toEqual(['front', 'middle', 'back'])
    expect([...watched.host.units.keys()]).toEqual(['front', 'middle', 'back'])
  })
})

describe('a unit that dies with another one', () => {
  it('is found through chains and circles', () => {
    expect([...dyingWith(dying('a', 'b:a', 'c:b', 'd'), ['a'])]).toEqual(['a', 'b', 'c'])
    expect([...dyingWith(dying('a:c', 'b:a', 'c:b'), ['b'])].sort()).toEqual(['a', 'b', 'c'])
  })

  it('is stopped when that fails, says why, and does not come again', async () => {
    const graph = compose({
      core: defineUnit('core', { store }),
      aide: defineUnit('aide', { store, diesWith: ['core'], restart: { when: 'always', backoffMs: 0 } }),
      other: defineUnit('other', { store }),
    })._unsafeUnwrap()
    await using watched = await watchedHost()
    const { aide, other } = (await watched.host.start(graph))._unsafeUnwrap()
    watched.guest('core').crash()
    expect((await aide.ended).state).toBe('stopped')
    expect(watched.history('core').at(-1)).toBe('core failed')
    watched.clock.advance(100_000)
    await settle()
    expect([watched.machines('aide'), other.state]).toEqual([1, 'running'])
  })

  it('goes before it, when that is stopped', async () => {
    await using watched = await watchedHost()
    const { a } = (await watched.host.start(dying('a', 'b:a', 'c:b')))._unsafeUnwrap()
    ;(await a!.stop())._unsafeUnwrap()
    expect(stops(watched.history())).toEqual(['c stopped', 'b stopped', 'a stopped'])
  })

  it('lives on while that one only comes again', async () => {
    const graph = compose({
      core: defineUnit('core', { store, restart: { when: 'always', backoffMs: 0 } }),
      aide: defineUnit('aide', { store, diesWith: ['core'] }),
    })._unsafeUnwrap()
    await using watched = await watchedHost()
    const { aide } = (await watched.host.start(graph))._unsafeUnwrap()
    watched.guest('core').crash()
    await watched.reached('core', 'backing-off')
    await settle()
    watched.clock.advance(0)
    await watched.reached('core', 'running', 2)
    expect(aide.state).toBe('running')
  })

  it('in a circle ends once, whoever dies, also all at once', async () => {
    for (const victims of [['a'], ['b', 'c'], ['a', 'b', 'c']]) {
      await using watched = await watchedHost()
      const units = (await watched.host.start(dying('a:c', 'b:a', 'c:b')))._unsafeUnwrap()
      for (const victim of victims) watched.guest(victim).crash()
      const ends = await Promise.all(Object.values(units).map((unit) => unit!.ended))
      expect(ends.filter(({ state }) => state === 'failed').length).toBeGreaterThanOrEqual(1)
      expect(['a', 'b', 'c'].map((name) => watched.machines(name))).toEqual([1, 1, 1])
      expect(watched.host.units.size).toBe(0)
    }
  })

  it('is given up when that dies while it starts', async () => {
    const graph = compose({
      core: defineUnit('core', { store }),
      aide: defineUnit('aide', { store, diesWith: ['core'] }),
    })._unsafeUnwrap()
    await using watched = await watchedHost({ silent: (unit) => unit === 'aide' })
    const starting = watched.host.start(graph)
    await watched.reached('aide', 'starting')
    await settle()
    watched.guest('core').crash()
    expect((await starting)._unsafeUnwrapErr()).toMatchObject({
      kind: 'aborted',
      message: expect.stringContaining('dies with unit "core"'),
    })
    expect(watched.host.units.size).toBe(0)
  })
})
