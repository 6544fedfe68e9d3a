import type { Attachment, Blob } from '@spectrum/store-share'
import type { Machine, Monitor } from '@spectrum/unit-monitor'
import {
  closure,
  compose,
  defineUnit,
  type Host,
  type HostPowers,
  openHostWith,
} from '@spectrum/unit-runtime'
import { type FakeHostOptions, fakeHostPowers, memoryStore } from '@spectrum/unit-runtime/fake'
import { errAsync } from 'neverthrow'
import { afterEach, describe, expect, it } from 'vitest'

const path = (digit: string, name: string) => `/nix/store/${digit.repeat(32)}-${name}`
const [hello, jq, gdb] = [path('1', 'hello'), path('2', 'jq'), path('3', 'gdb')]
const store = { [hello]: {}, [jq]: {}, [gdb]: {} }
const places = { state: '/fake/state', cache: '/fake/cache' }
const two = compose({
  left: defineUnit('left', { store: closure(hello) }),
  right: defineUnit('right', { store: closure(jq) }),
})._unsafeUnwrap()

/** What the cache gave out, and how often each was given back. */
function counted(powers: HostPowers) {
  const given = new Map<Attachment, number>()
  const count = (attachment: Attachment): Attachment => {
    given.set(attachment, 0)
    return attachment
  }
  const openBlobCache: HostPowers['openBlobCache'] = (...opening) =>
    powers.openBlobCache(...opening).map((cache) => ({
      ...cache,
      attach: (...asked) => cache.attach(...asked).map(count),
      attachAll: (...asked) =>
        cache.attachAll(...asked).map((all) => {
          for (const each of all.values()) count(each)
          return all
        }),
      release(held: Attachment | Blob) {
        given.set(held as Attachment, given.get(held as Attachment)! + 1)
        return cache.release(held)
      },
    }))
  return { powers: { ...powers, openBlobCache }, releases: () => [...given.values()] }
}

let host: Host
afterEach(() => host.stop())

async function opened(options: Partial<FakeHostOptions> = {}) {
  const { powers, releases } = counted(fakeHostPowers({ store, ...options }))
  host = (await openHostWith(powers, places, { ...options, store: memoryStore(store) }))._unsafeUnwrap()
  return releases
}

/** Machines that no signal ends, as one that is stuck in the kernel. */
function immortal(powers: HostPowers): HostPowers {
  const kill = () => errAsync({ kind: 'timed-out', message: 'it hangs', lastLines: [] } as const)
  const alter = (machine: Machine): Machine =>
    new Proxy(machine, {
      get(of, key) {
        if (key === 'kill') return kill
        const value = Reflect.get(of, key, of)
        return typeof value === 'function' ? value.bind(of) : value
      },
    })
  return {
    ...powers,
    chooseMonitor: (...given) =>
      powers.chooseMonitor(...given).map((choice) => {
        const { kind, accelerator, capabilities, start } = choice.monitor
        const monitor: Monitor = {
          kind,
          accelerator,
          capabilities,
          start: (...asked) => start(...asked).map(alter),
        }
        return { ...choice, monitor }
      }),
  }
}

describe('what a unit maps is leased until its machine is gone, and given back once:', () => {
  it('when units are stopped, one after the other', async () => {
    const releases = await opened()
    const { left, right } = (await host.start(two))._unsafeUnwrap()
    expect(releases()).toEqual([0, 0])
    await left.stop()
    expect(releases()).toEqual([1, 0])
    await Promise.all([right.stop(), right.stop({ graceMs: 0 })])
    expect(releases()).toEqual([1, 1])
    await host.stop()
    expect(releases()).toEqual([1, 1])
  })

  it('when a unit fails, before anybody hears that it has ended', async () => {
    const releases = await opened({
      injection: 'view',
      onView: (request) => (request === 'open' ? 'works' : 'fails'),
    })
    const { left } = (await host.start(two))._unsafeUnwrap()
    const then = left.ended.then(() => releases())
    // Its view cannot take back what it showed, so it is ended.
    expect((await left.inject(closure(gdb))).isErr()).toBe(true)
    expect(await then).toEqual([1, 0])
    expect(left.state).toBe('failed')
  })

  it('when one of several starts fails', async () => {
    const releases = await opened({
      concurrentStarts: 1,
      startup: ({ name }) => (name === 'right' ? { kind: 'dies', code: 1, lines: [] } : { kind: 'connects' }),
    })
    expect((await host.start(two)).isErr()).toBe(true)
    expect(releases()).toEqual([1, 1])
  })

  it('when starts are given up, also those that had not begun', async () => {
    const giving = new AbortController()
    const releases = await opened({ concurrentStarts: 1, startup: () => ({ kind: 'hangs' }) })
    const starting = host.start(two, { signal: giving.signal })
    await expect.poll(releases).toEqual([0, 0])
    giving.abort()
    expect((await starting)._unsafeUnwrapErr().kind).toBe('aborted')
    expect(releases()).toEqual([1, 1])
  })

  it.each([true, false])('when a start was tried again with disks, which there are: %s', async (block) => {
    const releases = await opened({ kernelLacks: 'dax', capabilities: { block } })
    expect((await host.start(two)).isOk()).toBe(block)
    expect(releases()).toEqual(block ? [0, 0] : [1, 1])
  })

  it('but not while a machine lives that nobody could end', async () => {
    const giving = new AbortController()
    const { powers, releases } = counted(fakeHostPowers({ store, silent: (unit) => unit === 'left' }))
    host = (await openHostWith(immortal(powers), places, { store: memoryStore(store) }))._unsafeUnwrap()
    const one = compose({ left: defineUnit('left', { store: closure(hello) }) })._unsafeUnwrap()
    const starting = host.start(one, { signal: giving.signal })
    await expect.poll(releases).toEqual([0])
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    giving.abort()
    expect((await starting)._unsafeUnwrapErr()).toMatchObject({
      kind: 'timed-out',
      message: expect.stringContaining('hangs'),
    })
    expect(releases()).toEqual([0])
  })

  it('when it was injected, revoked and injected again', async () => {
    const releases = await opened()
    const { left } = (await host.start(two))._unsafeUnwrap()
    const change = async (how: 'inject' | 'revoke') =>
      expect((await left[how](closure(gdb))).isOk()).toBe(true)
    await change('inject')
    await change('revoke')
    // Its devices stay in the machine.
    expect(releases()).toEqual([0, 0, 0])
    await change('inject')
    // This one brought nothing new, so it holds nothing.
    expect(releases()).toEqual([0, 0, 0, 1])
    await left.stop()
    expect(releases()).toEqual([1, 0, 1, 1])
  })

  it('when an injection fails: at once where nothing was plugged in, else with the machine', async () => {
    const releases = await opened({ hotplug: () => 'declined' })
    const small = compose({
      left: defineUnit('left', { store: closure(hello), hotplugSlots: 2 }),
    })._unsafeUnwrap()
    const { left } = (await host.start(small))._unsafeUnwrap()
    expect((await left.inject(closure(gdb, jq)))._unsafeUnwrapErr().kind).toBe('no-slot-left')
    expect(releases()).toEqual([0])
    expect((await left.inject(closure(gdb)))._unsafeUnwrapErr().kind).toBe('monitor-failed')
    expect(releases()).toEqual([0, 0])
    await left.stop()
    expect(releases()).toEqual([1, 1])
  })

  it('when it was too large for the unit to manage', async () => {
    const releases = await opened({ blobBytes: 512 * 1024 * 1024 })
    const small = compose({
      left: defineUnit('left', { store: closure(hello), memoryBytes: 32 * 1024 * 1024 }),
    })._unsafeUnwrap()
    const { left } = (await host.start(small))._unsafeUnwrap()
    expect((await left.inject(closure(gdb)))._unsafeUnwrapErr().kind).toBe('no-memory-left')
    expect(releases()).toEqual([0, 1])
  })
})
