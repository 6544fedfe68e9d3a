import { type AgentError, type AgentOptions, type ConnectAgent, connectAgent } from '@spectrum/guest-agent'
import type { MonitorError } from '@spectrum/unit-monitor'
import {
  closure,
  compose,
  defineUnit,
  type HostEvents,
  type HostPowers,
  newHostEmitter,
  openHostWith,
  type TrialPlace,
  type Unit,
} from '@spectrum/unit-runtime'
import {
  type FakeHostOptions,
  type FakeProgram,
  fakeHostPowers,
  manualClock,
  memoryFiles,
  memoryStore,
  openFakeHost,
} from '@spectrum/unit-runtime/fake'
import { err, errAsync, type Result, ResultAsync } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { withMachines } from './changed-machines.js'

const path = (digit: string, name: string) => `/nix/store/${digit.repeat(32)}-${name}`
const [hello, libc, jq, gdb] = [path('1', 'hello'), path('2', 'libc'), path('3', 'jq'), path('4', 'gdb')]
const store = {
  [hello]: { references: [libc] },
  [libc]: {},
  [jq]: { references: [libc] },
  [gdb]: { references: [libc] },
}
const greet: FakeProgram = async (process) => {
  await process.stdout.write(`hello ${process.argv[1]}\n`)
  return 7
}
const forever: FakeProgram = (process) =>
  new Promise((resolve) => process.killed.addEventListener('abort', () => resolve({ signal: 9 })))
const programs = {
  [`${hello}/bin/hello`]: greet,
  [`${hello}/bin/forever`]: forever,
  [`${gdb}/bin/gdb`]: greet,
}
const two = compose({
  left: defineUnit('left', { store: closure(hello) }),
  right: defineUnit('right', { store: closure(jq) }),
})._unsafeUnwrap()
const one = compose({ left: defineUnit('left', { store: closure(hello) }) })._unsafeUnwrap()

const open = async (options: Partial<FakeHostOptions> = {}) =>
  (await openFakeHost({ store, programs, ...options }))._unsafeUnwrap()
const pathsOf = (unit: Unit) => unit.closure.paths.map((info) => info.path)
const settle = async () => {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
/** After the host is gone only the cache has something left. Logs stay as long as the host, and are looked at elsewhere. */
const hostPaths = (files: ReturnType<typeof memoryFiles>) =>
  files.paths().filter((each) => /\/hosts\/|\/unfinished\/./.test(each) && !/\/logs(\/|$)/.test(each))

const places = { state: '/fake/state', cache: '/fake/cache' }

/** Agents of guests that hear that they shall end and do nothing about it. */
const connectDeafAgent: ConnectAgent = (channel, powers, options) =>
  connectAgent(channel, powers, options).map((agent) => {
    const deaf = ({ signal }: AgentOptions = {}) =>
      new ResultAsync(
        new Promise<Result<never, AgentError>>((resolve) => {
          const end = () => resolve(err({ kind: 'aborted', message: 'aborted' }))
          signal?.addEventListener('abort', end)
        }),
      )
    return new Proxy(agent, {
      get: (target, name) => {
        const isAsked = name === 'shutDown' || name === 'powerOff'
        const value = isAsked ? deaf : Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  })

/** Counts how often the blob cache was closed. */
function withClosings(powers: HostPowers) {
  let count = 0
  const openBlobCache: HostPowers['openBlobCache'] = (...given) =>
    powers.openBlobCache(...given).map((cache) => ({
      ...cache,
      close: () => {
        count += 1
        return cache.close()
      },
    }))
  return { powers: { ...powers, openBlobCache }, closed: () => count }
}

/** Machines that no signal ends, as one that is stuck in the kernel. */
function immortalMachines(powers: HostPowers): HostPowers {
  const hangs = { kind: 'timed-out', message: 'it hangs in the kernel', lastLines: [] } as const
  return withMachines(powers, {
    kill: () => errAsync(hangs),
    [Symbol.asyncDispose]: () => Promise.reject(new Error(hangs.message)),
  })
}

/** The next exception that nobody catches; it does not reach the test runner. */
function nextUncaught(): Promise<unknown> {
  const usual = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  return new Promise((resolve) => {
    process.once('uncaughtException', (error) => {
      for (const listener of usual) process.on('uncaughtException', listener)
      resolve(error)
    })
  })
}

const notReached: MonitorError = { kind: 'aborted', message: 'not reached' }

describe('a host', () => {
  it('starts a graph, runs commands by argument vector, and leaves nothing', async () => {
    const files = memoryFiles()
    await using host = await open({ files })
    const { left, right } = (await host.start(two))._unsafeUnwrap()
    const run = (await left.exec([`${hello}/bin/hello`, 'world']))._unsafeUnwrap()
    expect(run.outcome).toEqual({ kind: 'exited', code: 7 })
    expect(new TextDecoder().decode(run.stdout)).toBe('hello world\n')
    expect([...host.units.keys()].sort()).toEqual(['left', 'right'])
    expect((await host.stop()).isOk()).toBe(true)
    expect((await host.leftovers())._unsafeUnwrap()).toEqual({
      processes: [],
      sockets: [],
      mounts: [],
      files: [],
    })
    expect(hostPaths(files)).toEqual([])
    expect([left.state, right.state]).toEqual(['stopped', 'stopped'])
  })

  it('gives its leases on the blob cache back when it stops, and not before', async () => {
    const { powers, closed } = withClosings(fakeHostPowers({ store, programs }))
    const host = (await openHostWith(powers, places, { store: memoryStore(store) }))._unsafeUnwrap()
    ;(await host.start(one))._unsafeUnwrap()
    expect(closed()).toBe(0)
    ;(await host.stop())._unsafeUnwrap()
    expect(closed()).toBe(1)
  })

  it('that cannot be opened gives its leases back', async () => {
    const { powers, closed } = withClosings(fakeHostPowers({ store }))
    const failing: HostPowers = { ...powers, chooseMonitor: () => errAsync(notReached) }
    expect((await openHostWith(failing, places, { store: memoryStore(store) })).isErr()).toBe(true)
    expect(closed()).toBe(1)
  })

  it('looks for leftovers only until it is late, or told to stop looking', async () => {
    const clock = manualClock()
    const fake = fakeHostPowers({ store, clock })
    const files = { ...fake.files, walk: () => new Promise<never>(() => {}) }
    const powers = { ...fake, files }
    const host = (await openHostWith(powers, places, { store: memoryStore(store) }))._unsafeUnwrap()
    const late = host.leftovers({ deadlineMs: 20 })
    clock.advance(20)
    expect((await late)._unsafeUnwrapErr()).toMatchObject({ kind: 'timed-out', step: 'leftovers' })
    const aborted = await host.leftovers({ signal: AbortSignal.abort() })
    expect(aborted._unsafeUnwrapErr().kind).toBe('aborted')
    ;(await host.stop())._unsafeUnwrap()
  })

  it('shows what it uses while units run', async () => {
    await using host = await open()
    ;(await host.start(one))._unsafeUnwrap()
    expect((await host.leftovers())._unsafeUnwrap().files.length).toBeGreaterThan(0)
  })

  it('stops units in the reverse order of their start', async () => {
    const host = await open({ concurrentStarts: 1 })
    const stopped: string[] = []
    host.events.on('unit-state', ({ unit, state }) => state === 'stopped' && stopped.push(unit))
    ;(await host.start(two))._unsafeUnwrap()
    await host[Symbol.asyncDispose]()
    expect(stopped).toEqual(['right', 'left'])
  })

  it('says that a command does not exist in the unit as an outcome', async () => {
    await using host = await open()
    const { left } = (await host.start(one))._unsafeUnwrap()
    const run = (await left.exec([`${gdb}/bin/gdb`]))._unsafeUnwrap()
    expect(run.outcome).toMatchObject({ kind: 'not-started', reason: 'not-found' })
  })

  it('refuses a second unit of the same name while the first one runs', async () => {
    await using host = await open()
    const { left } = (await host.start(one))._unsafeUnwrap()
    expect((await host.start(one))._unsafeUnwrapErr()).toMatchObject({ kind: 'unit-exists', unit: 'left' })
    await left.stop()
    expect((await host.start(one)).isOk()).toBe(true)
  })

  it('does not wait for a guest that never answers when it is stopped', async () => {
    const files = memoryFiles()
    const host = await open({ files, silent: () => true })
    const starting = host.start(one)
    await settle()
    expect((await host.stop()).isOk()).toBe(true)
    expect((await starting)._unsafeUnwrapErr().kind).toBe('aborted')
    expect(hostPaths(files)).toEqual([])
  })

  it.each(['a second stop', 'the abort of the host'])(
    'does not wait out the grace of a guest that will not power off, after %s',
    async (how) => {
      const files = memoryFiles()
      const controller = new AbortController()
      const powers = { ...fakeHostPowers({ store, files }), connectAgent: connectDeafAgent }
      const options = { store: memoryStore(store), signal: controller.signal }
      const host = (await openHostWith(powers, places, options))._unsafeUnwrap()
      ;(await host.start(two))._unsafeUnwrap()
      const stopping = host.stop({ graceMs: 10_000 })
      await settle()
      expect(host.units.size).toBe(2)
      if (how === 'a second stop') expect((await host.stop({ graceMs: 0 })).isOk()).toBe(true)
      else controller.abort()
      expect((await stopping).isOk()).toBe(true)
      expect(hostPaths(files)).toEqual([])
    },
  )

  it('leaves nothing when the disk is full while it stops', async () => {
    const files = memoryFiles()
    const host = await open({ files })
    const { left } = (await host.start(one))._unsafeUnwrap()
    files.failWrites('ENOSPC')
    expect((await left.stop()).isOk()).toBe(true)
    expect((await host.stop()).isOk()).toBe(true)
    expect(hostPaths(files)).toEqual([])
  })

  it.each<[string, (place: TrialPlace) => ResultAsync<never, MonitorError>]>([
    [
      'rejects',
      (place) => ResultAsync.fromSafePromise(place.directory()).andThen(() => errAsync(notReached)),
    ],
    [
      'has an error',
      (place) =>
        ResultAsync.fromPromise(
          place.directory(),
          (): MonitorError => ({ kind: 'system', message: 'no' }),
        ).andThen(() => errAsync(notReached)),
    ],
  ])('is not opened, and leaves nothing, when the disk is full and the choice %s', async (_, choose) => {
    const files = memoryFiles()
    const powers: HostPowers = {
      ...fakeHostPowers({ store, files }),
      chooseMonitor: (_powers, place) => {
        files.failWrites('ENOSPC')
        return choose(place)
      },
    }
    const opened = await openHostWith(powers, places, { store: memoryStore(store) })
    const error = opened._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'state', code: 'ENOSPC' })
    expect(error.message).toContain('free some space')
    expect(hostPaths(files)).toEqual([])
  })

  it('stops a unit whole although somebody who listens to it throws', async () => {
    const files = memoryFiles()
    const host = await open({ files })
    const { left } = (await host.start(one))._unsafeUnwrap()
    const uncaught = nextUncaught()
    left.events.once('state', () => {
      throw new Error('a mistake of the listener')
    })
    expect((await left.stop()).isOk()).toBe(true)
    expect((await host.stop()).isOk()).toBe(true)
    expect(hostPaths(files)).toEqual([])
    expect(await uncaught).toMatchObject({ message: 'a mistake of the listener' })
  })

  it('says that a machine cannot be ended, and keeps what names it', async () => {
    const files = memoryFiles()
    const powers = immortalMachines(fakeHostPowers({ store, files, silent: () => true }))
    const host = (await openHostWith(powers, places, { store: memoryStore(store) }))._unsafeUnwrap()
    const aborting = new AbortController()
    const starting = host.start(one, { signal: aborting.signal })
    await settle()
    aborting.abort()
    expect((await starting)._unsafeUnwrapErr()).toMatchObject({
      kind: 'timed-out',
      message: expect.stringContaining('hangs in the kernel'),
    })
    expect(hostPaths(files).some((each) => each.endsWith('/u1'))).toBe(true)
  })

  it('gives back what a machine held that could not be ended, when it ends after all, and its log says it', async () => {
    const files = memoryFiles()
    let crash = () => {}
    const onGuest: FakeHostOptions['onGuest'] = (guest) => {
      crash = () => guest.crash()
    }
    const hangs: MonitorError = { kind: 'timed-out', message: 'it hangs in the kernel', lastLines: [] }
    const powers = withMachines(fakeHostPowers({ store, files, onGuest }), { kill: () => errAsync(hangs) })
    await using host = (await openHostWith(powers, places, { store: memoryStore(store) }))._unsafeUnwrap()
    const { left } = (await host.start(one))._unsafeUnwrap()
    expect((await left.stop({ graceMs: 0 }))._unsafeUnwrapErr().kind).toBe('timed-out')
    await settle()
    expect(left.state).toBe('stopping')
    const said: string[] = []
    for await (const { text } of left.logs()) said.push(text)
    expect(said).toContain('its machine could not be ended: it hangs in the kernel')
    crash()
    expect(await left.ended).toMatchObject({ state: 'stopped', exit: { kind: 'failed' } })
    expect(hostPaths(files).some((each) => each.endsWith('/u1'))).toBe(false)
  })

  it('says what one of its services throws when it is closed, and leaves nothing all the same', async () => {
    const files = memoryFiles()
    let closed = 0
    const owning = (close: () => Promise<void>) => ({ open: () => ({ serve: () => {}, close }) })
    const host = await open({
      files,
      services: {
        bad: owning(() => Promise.reject(new Error('no end'))),
        good: owning(async () => {
          await settle()
          closed += 1
        }),
      },
    })
    expect((await host.stop())._unsafeUnwrapErr()).toMatchObject({
      kind: 'state',
      cause: new Error('no end'),
    })
    expect(closed).toBe(1)
    expect(hostPaths(files)).toEqual([])
  })

  it('does nothing after it was stopped', async () => {
    const host = await open()
    const { left } = (await host.start(one))._unsafeUnwrap()
    await host.stop()
    expect((await host.start(one))._unsafeUnwrapErr().kind).toBe('host-closed')
    expect((await left.exec(['/x']))._unsafeUnwrapErr().kind).toBe('unit-not-running')
    expect((await host.stop()).isOk()).toBe(true)
  })
})

describe('a start that fails', () => {
  async function failure(options: Partial<FakeHostOptions>, roots: readonly string[] = [hello]) {
    const files = memoryFiles()
    const host = await open({ files, ...options })
    const before = hostPaths(files).length
    const graph = compose({
      good: defineUnit('good', { store: closure(jq) }),
      bad: defineUnit('bad', { store: closure(...roots) }),
    })._unsafeUnwrap()
    const error = (await host.start(graph))._unsafeUnwrapErr()
    expect([...host.units.keys()]).toEqual([])
    expect(hostPaths(files).length, 'nothing but the host’s own directory').toBe(before)
    expect((await host.stop()).isOk()).toBe(true)
    expect(hostPaths(files)).toEqual([])
    return error
  }

  it('for what is not a store path names it', async () => {
    expect(await failure({}, ['/etc/passwd'])).toMatchObject({
      kind: 'store-failed',
      unit: 'bad',
      cause: { kind: 'not-a-store-path', path: '/etc/passwd' },
    })
  })

  it('for a closure with a missing reference names both ends', async () => {
    const broken = { ...store, [hello]: { references: [path('9', 'gone')] } }
    expect(await failure({ store: broken })).toMatchObject({
      kind: 'store-failed',
      cause: { kind: 'missing-reference', path: path('9', 'gone'), referrer: hello },
    })
  })

  it('for a monitor that dies has its last lines in the error', async () => {
    const error = await failure({
      startup: ({ name }) =>
        name === 'bad' ? { kind: 'dies', code: 1, lines: ['qemu: no such cpu'] } : { kind: 'connects' },
    })
    expect(error).toMatchObject({ kind: 'monitor-failed', unit: 'bad', lastLines: ['qemu: no such cpu'] })
    expect(error.message).toContain('no such cpu')
  })

  it('for a guest that never answers has the kernel’s last lines in the error', async () => {
    const clock = manualClock()
    const starting = failure({ clock, silent: (unit) => unit === 'bad' })
    await settle()
    clock.advance(200_000)
    const error = await starting
    expect(error).toMatchObject({ kind: 'timed-out', unit: 'bad', step: 'agent' })
    expect(error.message).toContain('Linux version 0-fake')
  })

  it('for a closure of more paths than the unit may have devices', async () => {
    expect(await failure({ deviceBudget: 2 })).toMatchObject({
      kind: 'store-failed',
      cause: { kind: 'device-budget', needed: 3, budget: 2 },
    })
  })

  it('for a full disk says so, and works again when there is room', async () => {
    const files = memoryFiles()
    await using host = await open({ files })
    files.failWrites('ENOSPC')
    const error = (await host.start(one))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'state', code: 'ENOSPC' })
    expect(error.message).toContain('free some space')
    files.failWrites(undefined)
    expect((await host.start(one)).isOk()).toBe(true)
  })
})

describe('an abort', () => {
  const steps = ['closure-known', 'attached', 'machine-started', 'agent-answered', 'store-mounted'] as const

  it.each(steps)('of the start at "%s" leaves nothing of the unit and the host usable', async (at) => {
    const files = memoryFiles()
    await using host = await open({ files })
    const before = hostPaths(files)
    const controller = new AbortController()
    const stopAt: HostEvents['step'] = ({ step }) => step === at && controller.abort()
    host.events.on('step', stopAt)
    const error = (await host.start(one, { signal: controller.signal }))._unsafeUnwrapErr()
    expect(error.kind).toBe('aborted')
    expect(hostPaths(files)).toEqual(before)
    expect(host.units.size).toBe(0)
    host.events.off('step', stopAt)
    expect((await host.start(one)).isOk()).toBe(true)
  })

  it.each([...steps, 'inject-begun', 'inject-plugged'] as const)(
    'of the whole host at "%s" leaves nothing at all',
    async (at) => {
      const files = memoryFiles()
      const controller = new AbortController()
      const host = await open({ files, signal: controller.signal })
      host.events.on('step', ({ step }) => step === at && controller.abort())
      const started = await host.start(one)
      if (started.isOk()) await started.value.left.inject(closure(gdb))
      expect((await host.stop()).isOk()).toBe(true)
      expect(hostPaths(files)).toEqual([])
    },
  )

  it('at each record of the journal while the host opens leaves nothing', async () => {
    for (let nth = 1; nth <= 2; nth += 1) {
      const files = memoryFiles()
      const controller = new AbortController()
      const events = newHostEmitter()
      let seen = 0
      events.on('journal', () => {
        seen += 1
        if (seen === nth) controller.abort()
      })
      const opened = await openFakeHost({ store, files, events, signal: controller.signal })
      expect(opened._unsafeUnwrapErr().kind).toBe('aborted')
      expect(hostPaths(files)).toEqual([])
    }
  })

  it('of a command is its outcome', async () => {
    await using host = await open()
    const { left } = (await host.start(one))._unsafeUnwrap()
    const controller = new AbortController()
    const running = left.exec([`${hello}/bin/forever`], { signal: controller.signal })
    await settle()
    controller.abort()
    expect((await running)._unsafeUnwrap().outcome).toEqual({ kind: 'cancelled' })
  })
})

describe('an injection', () => {
  it('adds only what the unit lacks, and a second one does nothing', async () => {
    await using host = await open()
    const { left, right } = (await host.start(two))._unsafeUnwrap()
    const first = (await left.inject(closure(gdb)))._unsafeUnwrap()
    expect(first).toMatchObject({ added: [gdb], devices: 2 })
    expect((await left.inject(closure(gdb)))._unsafeUnwrap()).toMatchObject({ added: [], devices: 0 })
    expect(pathsOf(left)).toEqual([hello, libc, gdb])
    expect(pathsOf(right)).toEqual([libc, jq])
    const debug = [`${gdb}/bin/gdb`, 'x']
    expect((await left.exec(debug))._unsafeUnwrap().outcome.kind).toBe('exited')
    expect((await right.exec(debug))._unsafeUnwrap().outcome.kind).toBe('not-started')
  })

  it('is refused before anything is touched when the slots run out', async () => {
    let plugged = 0
    await using host = await open({
      hotplug: () => {
        plugged += 1
        return 'works'
      },
    })
    const tight = compose({ left: defineUnit('left', { store: closure(hello), hotplugSlots: 1 }) })
    const { left } = (await host.start(tight._unsafeUnwrap()))._unsafeUnwrap()
    expect((await left.inject(closure(gdb)))._unsafeUnwrapErr()).toMatchObject({
      kind: 'no-slot-left',
      needed: 2,
      left: 1,
    })
    expect(plugged).toBe(0)
    expect(pathsOf(left)).toEqual([hello, libc])
  })

  it('needs no slot for what was revoked, whose devices are in the machine still', async () => {
    await using host = await open()
    const full = compose({ left: defineUnit('left', { store: closure(hello), hotplugSlots: 2 }) })
    const { left } = (await host.start(full._unsafeUnwrap()))._unsafeUnwrap()
    expect((await left.inject(closure(gdb)))._unsafeUnwrap().devices).toBe(2)
    ;(await left.revoke(closure(gdb)))._unsafeUnwrap()
    expect((await left.inject(closure(gdb)))._unsafeUnwrap()).toMatchObject({ added: [gdb], devices: 0 })
    expect((await left.inject(closure(jq)))._unsafeUnwrapErr()).toMatchObject({
      kind: 'no-slot-left',
      needed: 2,
      left: 0,
    })
  })

  it('says that no slot is left when attempts that failed have used them up', async () => {
    const full = { kind: 'no-slot-left', slots: 16, message: 'all 16 are in use' } as const
    const powers = withMachines(fakeHostPowers({ store }), { addPmem: () => errAsync(full) })
    await using host = (await openHostWith(powers, places, { store: memoryStore(store) }))._unsafeUnwrap()
    const { left } = (await host.start(one))._unsafeUnwrap()
    const error = (await left.inject(closure(gdb)))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'no-slot-left', needed: 2, left: 0 })
    expect(error.message).toContain('room for 0 more devices')
  })

  it('that fails in the middle leaves the unit running, and can be done again', async () => {
    let outcome: 'works' | 'declined' = 'declined'
    let calls = 0
    await using host = await open({
      hotplug: () => {
        calls += 1
        return calls === 2 ? outcome : 'works'
      },
    })
    const { left } = (await host.start(one))._unsafeUnwrap()
    const error = (await left.inject(closure(gdb)))._unsafeUnwrapErr()
    expect(error).toMatchObject({ kind: 'monitor-failed', unit: 'left' })
    expect(left.state).toBe('running')
    expect(pathsOf(left)).toEqual([hello, libc])
    outcome = 'works'
    // The device that was plugged in before is used, not plugged in again.
    expect((await left.inject(closure(gdb)))._unsafeUnwrap()).toMatchObject({ added: [gdb], devices: 1 })
  })

  it('is given up with the unit, and has ended when the unit has', async () => {
    const files = memoryFiles()
    const fake = fakeHostPowers({ store, files })
    let ended = false
    const powers: HostPowers = {
      ...fake,
      openBlobCache: (...given) =>
        fake.openBlobCache(...given).map((cache) => ({
          ...cache,
          attach: (_closure, options) =>
            new ResultAsync(
              new Promise((resolve) => {
                options?.signal?.addEventListener('abort', async () => {
                  await settle()
                  ended = true
                  resolve(err({ kind: 'aborted', message: 'aborted' }))
                })
              }),
            ),
        })),
    }
    const host = (await openHostWith(powers, places, { store: memoryStore(store) }))._unsafeUnwrap()
    const { left } = (await host.start(one))._unsafeUnwrap()
    const injecting = left.inject(closure(gdb))
    await settle()
    expect((await left.stop()).isOk()).toBe(true)
    expect(ended).toBe(true)
    expect((await injecting)._unsafeUnwrapErr()).toMatchObject({ kind: 'unit-not-running', unit: 'left' })
    await host.stop()
  })

  it('that waits for its turn hears its own abort and deadline', async () => {
    const clock = manualClock()
    await using host = await open({ clock, hotplug: () => 'hangs' })
    const { left } = (await host.start(one))._unsafeUnwrap()
    const first = left.inject(closure(gdb))
    await settle()
    const aborting = new AbortController()
    const second = left.inject(closure(jq), { signal: aborting.signal })
    const third = left.inject(closure(jq), { deadlineMs: 5 })
    aborting.abort()
    expect((await second)._unsafeUnwrapErr().kind).toBe('aborted')
    clock.advance(5)
    expect((await third)._unsafeUnwrapErr().kind).toBe('timed-out')
    clock.advance(200_000)
    expect((await first)._unsafeUnwrapErr().kind).toBe('timed-out')
  })

  it('twice at once takes its turns', async () => {
    await using host = await open()
    const { left } = (await host.start(one))._unsafeUnwrap()
    const both = await Promise.all([left.inject(closure(gdb)), left.inject(closure(gdb, jq))])
    expect(both.map((each) => each._unsafeUnwrap().added)).toEqual([[gdb], [jq]])
  })

  it('of a path that the store does not have is refused with the reason', async () => {
    await using host = await open()
    const { left } = (await host.start(one))._unsafeUnwrap()
    expect((await left.inject(closure(path('9', 'gone'))))._unsafeUnwrapErr()).toMatchObject({
      kind: 'store-failed',
      cause: { kind: 'missing-path' },
    })
  })
})
