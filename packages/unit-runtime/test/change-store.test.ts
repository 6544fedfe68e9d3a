import { closure, compose, defineUnit, type Host, newHostEmitter, type Unit } from '@spectrum/unit-runtime'
import { type FakeHostOptions, manualClock, openFakeHost } from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'

const path = (digit: string, name: string) => `/nix/store/${digit.repeat(32)}-${name}`
const [hello, glibc, gdb, python] = ['hello', 'glibc', 'gdb', 'python'].map((name, index) =>
  path(`${index + 1}`, name),
) as [string, string, string, string]
const base = (each: string) => each.slice('/nix/store/'.length)
const store = {
  [hello]: { references: [glibc] },
  [glibc]: {},
  [gdb]: { references: [glibc, python] },
  [python]: { references: [glibc] },
}
const atStart = [base(hello), base(glibc)].sort()
const afterwards = [hello, glibc, gdb, python].map(base).sort()
const forever = ({ killed }: { killed: AbortSignal }) =>
  new Promise<number>((resolve) => killed.addEventListener('abort', () => resolve(0)))

async function opened(
  options: Partial<FakeHostOptions> = {},
): Promise<{ host: Host; unit: Unit; steps: string[] }> {
  const steps: string[] = []
  const events = newHostEmitter()
  events.on('step', ({ step }) => steps.push(step))
  const programs = { [`${gdb}/bin/gdb`]: forever, [`${python}/bin/python`]: () => 0 }
  const host = (await openFakeHost({ store, programs, events, ...options }))._unsafeUnwrap()
  const graph = compose({ unit: defineUnit('unit', { store: closure(hello) }) })._unsafeUnwrap()
  const { unit } = (await host.start(graph))._unsafeUnwrap()
  steps.length = 0
  return { host, unit, steps }
}

/** Whether the unit can read what it sees of what is injected. */
const runsPython = async (unit: Unit) =>
  (await unit.exec([`${python}/bin/python`]))._unsafeUnwrap().outcome.kind === 'exited'

/** A unit that does at once what it is asked, and answers when it is let go. */
function slowAnswers() {
  let asked = 0
  let letGo = () => {}
  let answering: Promise<void> | undefined
  return {
    onStoreRequest: () => {
      asked += 1
      return answering ?? 'served'
    },
    /** From now on. */
    hold() {
      answering = new Promise((resolve) => {
        letGo = resolve
      })
    },
    letGo() {
      answering = undefined
      letGo()
    },
    asked: () => asked,
  } as const
}

/** Long enough for whatever does not wait for a clock. */
const settle = async () => {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** What the unit sees and what the host believes, which must be the same. */
async function seen(unit: Unit): Promise<readonly string[]> {
  const listed = (await unit.storeListing())._unsafeUnwrap()
  expect(unit.closure.paths.map((info) => base(info.path)).sort()).toEqual(listed)
  return listed
}

describe.each([
  ['devices', {}],
  ['view', { injection: 'view' }],
  ['view', { injection: true, capabilities: { pmemHotplug: false, blockHotplug: false } }],
] as const)('a store that changes by %s', (way, options) => {
  it('gains what it lacks of a closure, and loses it again with what nothing else needs', async () => {
    const { host, unit, steps } = await opened(options)
    expect(unit.injection).toBe(way)
    const injected = (await unit.inject(closure(gdb)))._unsafeUnwrap()
    expect(injected).toMatchObject({ added: [gdb, python], way, devices: way === 'devices' ? 3 : 0 })
    expect(await seen(unit)).toEqual(afterwards)
    expect((await unit.inject(closure(gdb)))._unsafeUnwrap()).toMatchObject({ added: [], way: 'none' })
    const revoked = (await unit.revoke(closure(gdb)))._unsafeUnwrap()
    const onDevices = way === 'devices' ? [gdb, python] : []
    expect(revoked).toMatchObject({
      removed: [gdb, python],
      stays: { inUse: [], processes: 0, onDevices },
    })
    expect(await seen(unit)).toEqual(atStart)
    // Once more: what stayed in the machine is used again.
    const again = (await unit.inject(closure(gdb)))._unsafeUnwrap()
    expect(again).toMatchObject({ added: [gdb, python], devices: 0 })
    expect(await seen(unit)).toEqual(afterwards)
    expect(steps.filter((step) => step.startsWith('revoke'))).toEqual(
      way === 'view'
        ? ['revoke-begun', 'revoke-hidden', 'revoke-unbound']
        : ['revoke-begun', 'revoke-unbound'],
    )
    await host.stop()
  })

  it('says which programs still run from what was taken away', async () => {
    const { host, unit } = await opened(options)
    await unit.inject(closure(gdb))
    const running = (await unit.spawn([`${gdb}/bin/gdb`]))._unsafeUnwrap()
    const { stays } = (await unit.revoke(closure(gdb)))._unsafeUnwrap()
    expect(stays).toMatchObject({ inUse: [gdb], processes: 1 })
    expect((await unit.exec([`${gdb}/bin/gdb`]))._unsafeUnwrap().outcome.kind).toBe('not-started')
    ;(await running.signal(9))._unsafeUnwrap()
    await host.stop()
  })

  it('keeps what it was not told to lose, and refuses to lose what it was not granted as such', async () => {
    const { host, unit, steps } = await opened(options)
    for (const stranger of [glibc, gdb]) {
      const error = (await unit.revoke(closure(stranger)))._unsafeUnwrapErr()
      expect(error).toMatchObject({ kind: 'not-granted', unit: 'unit', path: stranger })
    }
    await unit.inject(closure(glibc))
    expect((await unit.revoke(closure(glibc)))._unsafeUnwrap().removed).toEqual([])
    expect(steps).toEqual([])
    expect(await seen(unit)).toEqual(atStart)
    await host.stop()
  })

  it('is as before when the unit refuses to bind or to unbind, and works afterwards', async () => {
    let refuse: string | undefined
    const { host, unit } = await opened({
      ...options,
      onStoreRequest: (type) => (type === refuse ? 'refused' : 'served'),
    })
    refuse = way === 'view' ? 'mount-view' : 'mount'
    expect((await unit.inject(closure(gdb)))._unsafeUnwrapErr().kind).toBe('agent-failed')
    expect(await seen(unit)).toEqual(atStart)
    refuse = undefined
    expect((await unit.inject(closure(gdb))).isOk()).toBe(true)
    refuse = 'unbind'
    expect((await unit.revoke(closure(gdb)))._unsafeUnwrapErr().kind).toBe('agent-failed')
    expect(await seen(unit)).toEqual(afterwards)
    refuse = undefined
    expect((await unit.revoke(closure(gdb))).isOk()).toBe(true)
    expect(await seen(unit)).toEqual(atStart)
    await host.stop()
  })

  it('is as before when a path does not exist, or nobody waits any longer', async () => {
    const { host, unit } = await opened(options)
    const missing = (await unit.inject(closure(path('9', 'nothing'))))._unsafeUnwrapErr()
    expect(missing).toMatchObject({ kind: 'store-failed', cause: { kind: 'missing-path' } })
    const aborted = await unit.inject(closure(gdb), { signal: AbortSignal.abort() })
    expect(aborted._unsafeUnwrapErr().kind).toBe('aborted')
    const revoked = await unit.revoke(closure(hello), { signal: AbortSignal.abort() })
    expect(revoked._unsafeUnwrapErr().kind).toBe('aborted')
    expect(await seen(unit)).toEqual(atStart)
    await host.stop()
  })

  it.each([
    ['injected', 'inject'],
    ['revoked', 'revoke'],
  ] as const)(
    'is %s when the unit had done it before it was given up, and says so in time',
    async (_, change) => {
      const answers = slowAnswers()
      const { host, unit } = await opened({ ...options, onStoreRequest: answers.onStoreRequest })
      if (change === 'revoke') await unit.inject(closure(gdb))
      const giving = new AbortController()
      const before = answers.asked()
      answers.hold()
      const changing = unit[change](closure(gdb), { signal: giving.signal })
      await expect.poll(() => answers.asked()).toBe(before + 1)
      giving.abort()
      await settle()
      answers.letGo()
      expect((await changing).isOk()).toBe(true)
      expect(await seen(unit)).toEqual(change === 'inject' ? afterwards : atStart)
      expect(await runsPython(unit)).toBe(change === 'inject')
      await host.stop()
    },
  )

  it('is as before an injection that was given up when the unit does not say in time that it did it', async () => {
    const answers = slowAnswers()
    const clock = manualClock()
    const { host, unit } = await opened({ ...options, clock, onStoreRequest: answers.onStoreRequest })
    const giving = new AbortController()
    const before = answers.asked()
    answers.hold()
    const changing = unit.inject(closure(gdb), { signal: giving.signal })
    await expect.poll(() => answers.asked()).toBe(before + 1)
    giving.abort()
    await settle()
    clock.advance(5_000)
    await settle()
    answers.letGo()
    expect((await changing)._unsafeUnwrapErr().kind).toBe('aborted')
    expect(await seen(unit)).toEqual(atStart)
    expect((await unit.inject(closure(gdb))).isOk()).toBe(true)
    expect(await runsPython(unit)).toBe(true)
    await host.stop()
  })

  it('is the same to unit and host after a change of unknown outcome was made again', async () => {
    const answers = slowAnswers()
    const clock = manualClock()
    const { host, unit } = await opened({ ...options, clock, onStoreRequest: answers.onStoreRequest })
    const unanswered = async (change: 'inject' | 'revoke') => {
      const before = answers.asked()
      answers.hold()
      const changing = unit[change](closure(gdb), { deadlineMs: 60_000 })
      await expect.poll(() => answers.asked()).toBe(before + 1)
      for (const ms of [60_000, 5_000, 30_000, 5_000]) {
        clock.advance(ms)
        await settle()
      }
      const error = (await changing)._unsafeUnwrapErr()
      expect(error.kind).toBe('timed-out')
      answers.letGo()
      await settle()
      return error.message
    }
    expect(await unanswered('inject')).toContain('could not be told to unbind')
    expect((await unit.inject(closure(gdb))).isOk()).toBe(true)
    expect(await seen(unit)).toEqual(afterwards)
    expect(await runsPython(unit)).toBe(true)
    expect(await unanswered('revoke')).toContain('is not known')
    expect((await unit.revoke(closure(gdb))).isOk()).toBe(true)
    expect(await seen(unit)).toEqual(atStart)
    await host.stop()
  })

  it('changes one at a time, however many are asked for at once', async () => {
    const { host, unit } = await opened(options)
    const results = await Promise.all([
      unit.inject(closure(gdb)),
      unit.revoke(closure(gdb)),
      unit.inject(closure(python)),
      unit.inject(closure(gdb)),
    ])
    expect(results.every((result) => result.isOk())).toBe(true)
    expect(await seen(unit)).toEqual(afterwards)
    await host.stop()
    expect((await unit.revoke(closure(gdb)))._unsafeUnwrapErr().kind).toBe('unit-not-running')
  })
})

describe('a store that changes by devices', () => {
  it.each([0, 1, 2])('is as before when device %i cannot be plugged in', async (nth) => {
    let plugged = 0
    let broken = true
    const { host, unit } = await opened({
      hotplug: () => (broken && plugged++ === nth ? 'declined' : 'works'),
    })
    expect((await unit.inject(closure(gdb)))._unsafeUnwrapErr().kind).toBe('monitor-failed')
    expect(await seen(unit)).toEqual(atStart)
    broken = false
    // What was plugged in stays, and is not plugged in again.
    expect((await unit.inject(closure(gdb)))._unsafeUnwrap().devices).toBe(3 - nth)
    expect(await seen(unit)).toEqual(afterwards)
    await host.stop()
  })

  it('is refused, before anything is touched, when the guest could not manage the memory', async () => {
    // The host asks the machine, which has 32 MiB: pages of 1 GiB may be managed.
    const events = newHostEmitter()
    const steps: string[] = []
    events.on('step', ({ step }) => steps.push(step))
    const host = (await openFakeHost({ store, events, blobBytes: 512 * 1024 * 1024 }))._unsafeUnwrap()
    const graph = compose({
      unit: defineUnit('unit', { store: closure(glibc), memoryBytes: 32 * 1024 * 1024 }),
    })._unsafeUnwrap()
    const { unit } = (await host.start(graph))._unsafeUnwrap()
    steps.length = 0
    expect((await unit.inject(closure(gdb)))._unsafeUnwrapErr()).toMatchObject({
      kind: 'no-memory-left',
      unit: 'unit',
    })
    expect(steps).toEqual([])
    expect(await seen(unit)).toEqual([base(glibc)])
    await host.stop()
  })
})

describe('a store that changes by a view', () => {
  it.each([
    ['grant', base(gdb)],
    ['grant', base(python)],
  ] as const)('is as before when its server fails to %s %s', async (request, name) => {
    let broken = true
    const shown = new Set<string>()
    const { host, unit } = await opened({
      injection: 'view',
      onView(...asked) {
        const fails = broken && asked.join() === [request, name].join()
        // One that fails may have been done all the same.
        if (asked[0] === 'grant') shown.add(asked[1])
        if (asked[0] === 'revoke') shown.delete(asked[1])
        return fails ? 'fails' : 'works'
      },
    })
    expect((await unit.inject(closure(gdb)))._unsafeUnwrapErr()).toMatchObject({ kind: 'view-failed' })
    expect(await seen(unit)).toEqual(atStart)
    expect([...shown]).toEqual([])
    broken = false
    expect((await unit.inject(closure(gdb))).isOk()).toBe(true)
    expect(await seen(unit)).toEqual(afterwards)
    await host.stop()
  })

  it.each([base(gdb), base(python)])('is as before when its server fails to hide %s', async (name) => {
    let broken = true
    const shown = new Set<string>()
    const { host, unit } = await opened({
      injection: 'view',
      onView(request, asked) {
        if (broken && request === 'revoke' && asked === name) return 'fails'
        if (request === 'grant') shown.add(asked)
        if (request === 'revoke') shown.delete(asked)
        return 'works'
      },
    })
    await unit.inject(closure(gdb))
    expect((await unit.revoke(closure(gdb)))._unsafeUnwrapErr()).toMatchObject({ kind: 'view-failed' })
    expect(await seen(unit)).toEqual(afterwards)
    // What was hidden for a moment was stale, and was bound anew.
    expect(await runsPython(unit)).toBe(true)
    expect([...shown].sort()).toEqual([gdb, python].map(base).sort())
    broken = false
    expect((await unit.revoke(closure(gdb))).isOk()).toBe(true)
    expect(await seen(unit)).toEqual(atStart)
    expect([...shown]).toEqual([])
    await host.stop()
  })

  it('shows nothing more to a unit that has refused to bind it', async () => {
    const asked: string[] = []
    const { host, unit } = await opened({
      injection: 'view',
      onView(request, name) {
        if (request !== 'open') asked.push(`${request} ${name}`)
        return 'works'
      },
      onStoreRequest: (type) => (type === 'mount-view' ? 'refused' : 'served'),
    })
    expect((await unit.inject(closure(gdb))).isErr()).toBe(true)
    expect(asked.slice(2).sort()).toEqual([gdb, python].map((each) => `revoke ${base(each)}`))
    await host.stop()
  })

  it('shows nothing to a unit that has refused to unbind what the view stopped to show, and then again all', async () => {
    const asked: string[] = []
    let refuse = false
    const { host, unit } = await opened({
      injection: 'view',
      onView(request, name) {
        if (request !== 'open') asked.push(`${request} ${name}`)
        return 'works'
      },
      onStoreRequest: (type) => (refuse && type === 'unbind' ? 'refused' : 'served'),
    })
    await unit.inject(closure(gdb))
    asked.length = 0
    refuse = true
    expect((await unit.revoke(closure(gdb))).isErr()).toBe(true)
    expect(asked).toEqual([
      ...[gdb, python].map((each) => `revoke ${base(each)}`),
      ...[gdb, python].map((each) => `grant ${base(each)}`),
    ])
    await host.stop()
  })

  it('can still read everything after a unit has failed to unbind it', async () => {
    let failures = 0
    const { host, unit } = await opened({
      injection: 'view',
      onStoreRequest: (type) => (type === 'unbind' && failures++ === 0 ? 'refused' : 'served'),
    })
    await unit.inject(closure(gdb))
    const error = (await unit.revoke(closure(gdb)))._unsafeUnwrapErr()
    expect(error.message).not.toContain('And ')
    expect(await seen(unit)).toEqual(afterwards)
    expect(await runsPython(unit)).toBe(true)
    await host.stop()
  })

  it('says so when a unit cannot read any more what it has refused to unbind', async () => {
    const { host, unit } = await opened({
      injection: 'view',
      onStoreRequest: (type) => (type === 'unbind' ? 'refused' : 'served'),
    })
    await unit.inject(closure(gdb))
    const error = (await unit.revoke(closure(gdb)))._unsafeUnwrapErr()
    expect(error.message).toContain('And the unit cannot read what its view shows again')
    expect(await runsPython(unit)).toBe(false)
    await host.stop()
  })

  it('ends with its unit when it cannot hide what the unit was not granted after all', async () => {
    const { host, unit } = await opened({
      injection: 'view',
      onView: (request, name) =>
        request === 'revoke' || (request === 'grant' && name === base(python)) ? 'fails' : 'works',
    })
    const error = (await unit.inject(closure(gdb)))._unsafeUnwrapErr()
    expect(error).toMatchObject({
      kind: 'view-failed',
      message: expect.stringMatching(/to show .*python.* so it is ended: .*to hide/s),
    })
    await unit.ended
    expect(unit.state).toBe('failed')
    await host.stop()
  })

  it.each(['its deadline', 'the end of its unit'])('gives up hiding at %s', async (why) => {
    const clock = manualClock()
    let hanging = 0
    const { host, unit } = await opened({
      injection: 'view',
      clock,
      onView(request, name) {
        if (request === 'grant' && name === base(python)) return 'fails'
        if (request === 'revoke') hanging += 1
        return request === 'revoke' ? 'hangs' : 'works'
      },
    })
    const injecting = unit.inject(closure(gdb))
    await expect.poll(() => hanging).toBe(1)
    if (why === 'its deadline') clock.advance(30_000)
    else await unit.stop({ graceMs: 0 })
    const error = (await injecting)._unsafeUnwrapErr()
    expect(error.kind).toBe('view-failed')
    expect(error.message.includes('And its view')).toBe(why === 'its deadline')
    // One deadline for all names.
    expect(hanging).toBe(1)
    await unit.ended
    await host.stop()
  })

  it('does not start where the server of the view does not, and leaves nothing', async () => {
    const host = (await openFakeHost({ store, injection: 'view', onView: () => 'fails' }))._unsafeUnwrap()
    const graph = compose({ unit: defineUnit('unit', { store: closure(hello) }) })._unsafeUnwrap()
    expect((await host.start(graph))._unsafeUnwrapErr()).toMatchObject({ kind: 'view-failed', unit: 'unit' })
    expect(host.units.size).toBe(0)
    const { files } = (await host.leftovers())._unsafeUnwrap()
    expect(files.filter((file) => /\/u\d+/.test(file))).toEqual([])
    await host.stop()
  })
})

describe('a kernel without persistent memory', () => {
  it.each(['virtio_pmem', 'nd_pmem', 'dax'])(
    'for want of %s gives its units disks, which share nothing',
    async (kernelLacks) => {
      const { host, unit } = await opened({ kernelLacks })
      expect(unit.store).toMatchObject({ transport: 'block', shared: false })
      expect(unit.store.message).toContain('nothing is shared')
      expect(unit.dax).toBe(false)
      expect((await unit.inject(closure(gdb)))._unsafeUnwrap()).toMatchObject({ way: 'devices', devices: 3 })
      expect(await seen(unit)).toEqual(afterwards)
      await host.stop()
    },
  )

  it('is no excuse for any other lack', async () => {
    const host = (await openFakeHost({ store, kernelLacks: 'erofs' }))._unsafeUnwrap()
    const graph = compose({ unit: defineUnit('unit', { store: closure(hello) }) })._unsafeUnwrap()
    expect((await host.start(graph))._unsafeUnwrapErr()).toMatchObject({
      kind: 'kernel-lacks',
      feature: 'erofs',
    })
    await host.stop()
  })

  it('fails the start on a monitor that has no disks either', async () => {
    const host = (
      await openFakeHost({ store, kernelLacks: 'dax', capabilities: { block: false } })
    )._unsafeUnwrap()
    const graph = compose({ unit: defineUnit('unit', { store: closure(hello) }) })._unsafeUnwrap()
    expect((await host.start(graph))._unsafeUnwrapErr()).toMatchObject({
      kind: 'kernel-lacks',
      feature: 'dax',
    })
    await host.stop()
  })
})
