import { closure, defineUnit, type UnitDefinition } from '@spectrum/unit-graph'
import { describe, expect, it } from 'vitest'
import { nameOf, type Script, StubHost } from './stub-host.js'

const path = (digit: string) => `/nix/store/${digit.repeat(32)}-x`
const MIB = 1024 * 1024
const viewer = defineUnit('viewer', { store: closure(path('0')) })
const reader = defineUnit('reader', { store: closure(path('1')) })

const open = async (script: Script = {}) => new StubHost({ limits: { waiting: 1 }, ...script })
const turn = () => new Promise((resolve) => setImmediate(resolve))
const used = async (host: StubHost, template: UnitDefinition = viewer) => {
  const name = (await host.disposables.disposable(template, nameOf))._unsafeUnwrap()
  await host.disposables.settled()
  return name
}

describe('the pool of disposables', () => {
  it('keeps nothing unless it is told to', async () => {
    const host = await open({ limits: {} })
    expect(await used(host)).toBe('viewer-1')
    expect(host.units.map(({ asked }) => asked)).toEqual([['stop']])
  })

  it('hands out a paused unit once, resumed, and pauses another one in its place', async () => {
    const host = await open()
    expect(await used(host)).toBe('viewer-1')
    expect(host.waiting).toEqual(['viewer-2'])
    expect(await used(host)).toBe('viewer-2')
    expect(host.waiting).toEqual(['viewer-3'])
    expect(host.units.map(({ asked }) => asked.join())).toEqual([
      'stop',
      'exec,pause,resume,stop',
      'exec,pause',
    ])
  })

  it('gives two users at the same moment two units', async () => {
    const host = await open({ limits: { waiting: 2, refills: 2 } })
    expect((await host.disposables.prepareDisposables(viewer, { count: 2 }))._unsafeUnwrap()).toBe(2)
    const both = [1, 2, 3].map(() => host.disposables.disposable(viewer, nameOf))
    const names = (await Promise.all(both)).map((name) => name._unsafeUnwrap())
    expect(new Set(names).size).toBe(3)
    expect(names).toEqual(expect.arrayContaining(['viewer-1', 'viewer-2']))
    await host.disposables.settled()
    expect(host.waiting).toHaveLength(2)
    expect(host.alive).toHaveLength(2)
  })

  it('ends what waits when the template is another one, and waits with the new one', async () => {
    const host = await open()
    await used(host)
    expect(host.waiting).toEqual(['viewer-2'])
    const larger = defineUnit('viewer', { store: closure(path('0')), memoryBytes: 512 * MIB })
    expect(await used(host, larger)).toBe('viewer-3')
    expect(host.units[1]!.asked).toEqual(['exec', 'pause', 'stop'])
    expect(host.waiting).toEqual(['viewer-4'])
  })

  it('ends a unit that was still being started for the template as it was', async () => {
    const host = await open({ slow: true })
    const first = host.disposables.prepareDisposables(viewer)
    await turn()
    const larger = defineUnit('viewer', { store: closure(path('0')), memoryBytes: 512 * MIB })
    const second = host.disposables.disposable(larger, nameOf)
    host.go()
    expect((await second)._unsafeUnwrap()).toBe('viewer-2')
    expect((await first)._unsafeUnwrap()).toBe(0)
    for (let times = 0; times < 3; times++) {
      host.go()
      await turn()
    }
    await host.disposables.settled()
    expect(host.waiting).toEqual(['viewer-3'])
    expect(host.alive.map(({ name }) => name)).toEqual(['viewer-3'])
  })

  it('is bounded in number: the template that was used longest ago gives up first', async () => {
    const host = await open({ limits: { waiting: 1, mostWaiting: 1 } })
    await used(host, viewer)
    await used(host, reader)
    expect(host.waiting).toEqual(['reader-4'])
    await used(host, viewer)
    expect(host.waiting).toEqual(['viewer-6'])
    expect(host.alive).toHaveLength(1)
  })

  it('is bounded in memory, also while it starts units', async () => {
    const host = await open({ limits: { waiting: 3, memoryBytes: 600 * MIB, refills: 3 } })
    expect((await host.disposables.prepareDisposables(viewer, { count: 3 }))._unsafeUnwrap()).toBe(2)
    expect(host.units).toHaveLength(2)
    const huge = defineUnit('huge', { store: closure(path('0')), memoryBytes: 601 * MIB })
    expect((await host.disposables.prepareDisposables(huge))._unsafeUnwrap()).toBe(0)
    expect(host.units).toHaveLength(2)
  })

  it('starts no more at once than it may', async () => {
    const host = await open({ slow: true, limits: { waiting: 0, refills: 1 } })
    const prepared = host.disposables.prepareDisposables(viewer, { count: 3 })
    for (const expected of [0, 1, 2, 3]) {
      await turn()
      expect(host.units).toHaveLength(expected)
      host.go()
    }
    expect((await prepared)._unsafeUnwrap()).toBe(3)
  })

  it('gives up what waits when none is wanted any more', async () => {
    const host = await open()
    await host.disposables.prepareDisposables(viewer, { count: 2 })
    expect(host.waiting).toHaveLength(2)
    expect((await host.disposables.prepareDisposables(viewer, { count: 0 }))._unsafeUnwrap()).toBe(0)
    await host.disposables.settled()
    expect(host.alive).toEqual([])
    await used(host)
    expect(host.waiting, 'it is not wanted again by being used').toHaveLength(1)
  })

  it('passes over one that died while it waited', async () => {
    const host = await open()
    await used(host)
    host.units[1]!.die()
    expect(await used(host)).toBe('viewer-3')
    expect(host.waiting).toEqual(['viewer-4'])
  })

  it('ends one that does not go on, and starts a new one instead', async () => {
    const host = await open({ refuses: (what, unit) => what === 'resume' && unit === 'viewer-2' })
    await used(host)
    expect(await used(host)).toBe('viewer-3')
    expect(host.units[1]!.asked).toEqual(['exec', 'pause', 'resume', 'stop'])
  })

  it('keeps none that cannot be paused, and tries again when it is used again, not before', async () => {
    const host = await open({ refuses: (what) => what === 'pause' })
    await used(host)
    expect(host.units.map(({ asked }) => asked.join())).toEqual(['stop', 'exec,pause,stop'])
    await used(host)
    expect(host.units).toHaveLength(4)
    expect(host.alive).toEqual([])
  })

  it('lets units wait running where the monitor cannot pause them', async () => {
    const host = await open({ canPause: false })
    await used(host)
    expect(await used(host)).toBe('viewer-2')
    expect(host.units[1]!.asked).toEqual(['exec', 'stop'])
  })

  it('keeps a unit all the same in which nothing could be run before it waits', async () => {
    const host = await open({ refuses: (what) => what === 'exec' })
    await used(host)
    expect(host.waiting).toEqual(['viewer-2'])
  })

  const rehearsal = [['/bin/one', '-v'], ['/bin/two']]

  it('lets units rehearse what they are told before they wait, those in their place, too', async () => {
    const host = await open()
    await host.disposables.prepareDisposables(viewer, { rehearsal })
    await used(host)
    const rehearsed = 'exec /bin/one -v,exec /bin/two,pause'
    expect(host.units.map(({ asked }) => asked.join())).toEqual([`${rehearsed},resume,stop`, rehearsed])
    // The same, said again or not: what waits is as it should be.
    await host.disposables.prepareDisposables(viewer, { rehearsal: [...rehearsal] })
    await host.disposables.prepareDisposables(viewer)
    expect(host.units).toHaveLength(2)
  })

  it('ends what waits with another rehearsal behind it', async () => {
    const host = await open()
    await host.disposables.prepareDisposables(viewer, { rehearsal })
    await host.disposables.prepareDisposables(viewer, { rehearsal: [] })
    expect(host.units.map(({ asked }) => asked.at(-1))).toEqual(['stop', 'pause'])
    expect(host.units[1]!.asked).toEqual(['exec', 'pause'])
  })

  it('keeps no unit that lacks what it should rehearse, and says so', async () => {
    const host = await open({ refuses: (what) => what === 'exec /bin/two' })
    const prepared = await host.disposables.prepareDisposables(viewer, { rehearsal })
    expect(prepared._unsafeUnwrapErr()).toMatchObject({
      ...{ kind: 'command-not-started', unit: 'viewer-1', reason: 'not-found' },
      message: expect.stringContaining('"/bin/two"'),
    })
    await host.disposables.settled()
    expect(host.units[0]!.asked).toEqual(['exec /bin/one -v', 'exec /bin/two', 'stop'])
    expect(host.alive).toEqual([])
  })

  it('refuses rehearsals that are none', async () => {
    const host = await open()
    const long = Array.from({ length: 17 }, () => ['/bin/one'])
    for (const wrong of [
      long,
      [[]],
      [['one']],
      [['/bin/one', 1]],
      ['/bin/one'],
      [['/bin/one\0']],
      '/bin/one',
    ]) {
      const options = { rehearsal: wrong as never }
      const error = (await host.disposables.prepareDisposables(viewer, options))._unsafeUnwrapErr()
      expect(error).toMatchObject({ kind: 'invalid-request', field: 'rehearsal' })
    }
    expect((await host.disposables.prepareDisposables(viewer, { rehearsal: long.slice(1) })).isOk()).toBe(
      true,
    )
  })

  it('says why a unit could not be prepared, and does not try for ever', async () => {
    const host = await open({ refuses: (what) => what === 'start' })
    const error = (await host.disposables.prepareDisposables(viewer))._unsafeUnwrapErr()
    expect(error.message).toBe('viewer-1 does not start')
    await host.disposables.settled()
    expect(host.units).toEqual([])
  })

  it('starts nothing when the host is closing', async () => {
    const host = await open()
    const done = host.disposables.disposable(viewer, () => host.closing.abort())
    expect((await done)._unsafeUnwrapErr().kind).toBe('aborted')
    await host.disposables.settled()
    expect(host.alive).toEqual([])
    expect(host.units).toHaveLength(1)
  })

  it('ends what was being started for it when the host began to close', async () => {
    const host = await open({ slow: true })
    const prepared = host.disposables.prepareDisposables(viewer)
    host.closing.abort()
    expect((await prepared)._unsafeUnwrapErr().kind).toBe('aborted')
    host.go()
    await host.disposables.settled()
    expect(host.alive).toEqual([])
  })

  it('leaves the machine to a use for half a second before it fills up again', async () => {
    const host = await open()
    await used(host)
    let finish = () => {}
    const use = host.disposables.disposable(viewer, () => new Promise<void>((resolve) => (finish = resolve)))
    await turn()
    host.clock.advance(499)
    await turn()
    expect(host.units).toHaveLength(2)
    host.clock.advance(1)
    await turn()
    expect(host.waiting).toEqual(['viewer-3'])
    finish()
    await use
  })
})
