import { bytes, closure, compose, defineService, defineUnit, openHostWith } from '@spectrum/unit-runtime'
import { type FakeHostOptions, fakeHostPowers, manualClock, memoryStore } from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'
import { program, settle } from './watched-host.js'

const Pipe = defineService('test.pipe', { request: bytes() })
const store = closure(program)

/** A fake host that counts how often each attachment was given back. */
async function opened(options: Partial<FakeHostOptions> = {}) {
  const all: FakeHostOptions = { store: { [program]: {} }, clock: manualClock(), ...options }
  const powers = fakeHostPowers(all)
  const released = new Map<unknown, number>()
  const host = (
    await openHostWith(
      {
        ...powers,
        openBlobCache: (...open) =>
          powers.openBlobCache(...open).map((cache) => ({
            ...cache,
            release(attachment) {
              released.set(attachment, (released.get(attachment) ?? 0) + 1)
              return cache.release(attachment)
            },
          })),
      },
      { state: '/fake/state', cache: '/fake/cache' },
      { ...all, store: memoryStore(all.store) },
    )
  )._unsafeUnwrap()
  return { host, releases: () => [...released.values()] }
}

describe('a unit that is stopped', () => {
  it('when it just begins to start gives everything back once', async () => {
    const { host, releases } = await opened()
    host.events.on('unit-state', ({ unit, state }) => {
      if (state === 'starting') void host.units.get(unit)!.stop()
    })
    const graph = compose({ only: defineUnit('only', { store }) })._unsafeUnwrap()
    expect((await host.start(graph))._unsafeUnwrapErr().kind).toBe('aborted')
    await settle()
    expect([...host.units.keys()]).toEqual([])
    await host.stop({ graceMs: 0 })
    expect(releases()).toEqual([1])
  })

  it('before its turn gives back what it was to start with, and its name, once', async () => {
    const { host, releases } = await opened()
    const first = defineUnit('first', { store, provides: { pipe: Pipe.command(['/x']) } })
    const late = defineUnit('late', { store, needs: { pipe: Pipe } })
    const graph = compose({ first, late })
      .wire({ late: { pipe: first.provides.pipe } })
      ._unsafeUnwrap()
    const other = compose({ late: defineUnit('late', { store }) })._unsafeUnwrap()
    let again: ReturnType<typeof host.start> | undefined
    host.events.on('unit-state', ({ unit, state }) => {
      if (unit === 'first' && state === 'running') void host.units.get('late')!.stop()
      // Its name is free from now on.
      if (unit === 'late' && state === 'stopped') queueMicrotask(() => (again ??= host.start(other)))
    })
    const started = await host.start(graph)
    expect(started._unsafeUnwrapErr()).toMatchObject({ kind: 'unit-not-running', unit: 'late' })
    expect((await again!).isOk()).toBe(true)
    await settle()
    expect([...host.units.keys()]).toEqual(['late'])
    await host.stop({ graceMs: 0 })
    expect(releases()).toEqual([1, 1, 1])
  })
})
