import type { MachineExit } from '@spectrum/unit-monitor'
import { closure, compose, defineUnit, type HostError, type ResourceLimits } from '@spectrum/unit-runtime'
import { type MemoryGroups, manualClock, memoryGroups } from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'
import type { HostDirectory } from '../../src/host-directory.js'
import { type ExceededLimit, HostGroups } from '../../src/limits/host-groups.js'
import { linuxResources } from '../../src/linux/resource-groups.js'
import { MachineWatch, type WatchedMachine } from '../../src/supervision/machine-watch.js'
import { program, settle, watchedHost } from '../supervision/watched-host.js'

const limits = { memoryBytes: 256 << 20, cpuWeight: 50, ioWeight: 20, pids: 64 }
const graphOf = (limits?: ResourceLimits) =>
  compose({ unit: defineUnit('unit', { store: closure(program), limits }) })._unsafeUnwrap()

async function logOf(unit: { logs(): AsyncIterable<{ readonly text: string }> }) {
  const lines: string[] = []
  for await (const { text } of unit.logs()) lines.push(text)
  return lines
}

describe('the limits of a unit', () => {
  it('are written into a group of its machine, where its processes are, and go with it', async () => {
    const resources = memoryGroups()
    // A fake machine has no process, but its view has one.
    await using watched = await watchedHost({ resources, injection: 'view' })
    const { unit } = (await watched.host.start(graphOf(limits)))._unsafeUnwrap()
    const [, own, group] = resources.paths()
    expect([own, group]).toEqual([expect.stringMatching(/^\/cgroup\/spectrum-/), `${own}/unit-1`])
    expect(Object.fromEntries([...resources.files].filter(([file]) => file.startsWith(group!)))).toEqual({
      [`${group}/memory.swap.max`]: '0\n',
      [`${group}/memory.oom.group`]: '1\n',
      [`${group}/memory.max`]: `${256 << 20}\n`,
      [`${group}/cpu.weight`]: '50\n',
      [`${group}/io.weight`]: 'default 20\n',
      [`${group}/pids.max`]: '64\n',
      [`${group}/cgroup.procs`]: '1001\n',
    })
    expect((await unit.usage())._unsafeUnwrap()).toMatchObject({
      processes: 1,
      limits: { kind: 'enforced', group },
    })
    expect((await watched.host.leftovers())._unsafeUnwrap().files).toContain(own)
    await unit.stop()
    expect(resources.paths()).toEqual(['/cgroup', own])
    await watched.host.stop()
    expect(resources.paths()).toEqual(['/cgroup'])
  })

  it('are reported with what the kernel has counted in the group, where it counts', async () => {
    const resources = memoryGroups()
    await using watched = await watchedHost({ resources })
    const { unit } = (await watched.host.start(graphOf({ memoryBytes: 256 << 20 })))._unsafeUnwrap()
    const group = resources.paths().at(-1)!
    resources.count(group, 'cpu.stat', 'usage_usec 1500\nuser_usec 1000\n')
    resources.count(group, 'memory.current', '4096\n')
    resources.count(group, 'memory.events', 'low 0\nmax 12\noom 2\noom_kill 3\noom_group_kill 1\n')
    resources.count(group, 'pids.current', 'not a number\n')
    expect((await unit.usage())._unsafeUnwrap().group).toEqual({
      cpuMs: 1.5,
      memoryBytes: 4096,
      killedForMemory: 3,
    })
  })

  it('are why a unit has failed that the kernel ended because of them', async () => {
    const resources = memoryGroups()
    await using watched = await watchedHost({ resources })
    const { unit } = (await watched.host.start(graphOf({ memoryBytes: 300 << 20 })))._unsafeUnwrap()
    resources.count(resources.paths().at(-1)!, 'memory.events', 'oom 1\noom_kill 1\n')
    watched.guest('unit').crash()
    const { why, failure } = await unit.ended
    expect(why).toContain(`limits.memoryBytes, ${300 << 20}`)
    const exceeded = { limit: 'memoryBytes', value: 300 << 20, why: expect.any(String) }
    expect(failure).toMatchObject({ kind: 'unit-died', exceeded })
    expect(watched.told.find(({ state }) => state === 'failed')).toMatchObject({ failure: { exceeded } })
  })

  it('are why a unit does not start that they leave too little to boot', async () => {
    const resources = memoryGroups()
    await using watched = await watchedHost({ resources })
    watched.events.on('step', ({ step }) => {
      if (step !== 'agent-answered') return
      resources.count(resources.paths().at(-1)!, 'memory.events', 'oom 1\noom_kill 1\n')
      watched.guest('unit').crash()
    })
    const started = await watched.host.start(graphOf({ memoryBytes: 32 << 20 }))
    expect(started._unsafeUnwrapErr()).toMatchObject({
      kind: 'unit-died',
      message: expect.stringContaining('limits.memoryBytes, 33554432'),
    })
    expect(resources.paths()).toHaveLength(2)
  })

  it('take nothing of a unit that has none', async () => {
    const resources = memoryGroups()
    await using watched = await watchedHost({ resources })
    const { unit } = (await watched.host.start(graphOf()))._unsafeUnwrap()
    expect(resources.paths()).toEqual(['/cgroup'])
    expect((await unit.usage())._unsafeUnwrap().limits).toEqual({ kind: 'none' })
  })

  it('that the host cannot keep are reported, in the usage and in the log, and the unit runs', async () => {
    await using watched = await watchedHost({ resources: memoryGroups({ absent: 'there is no hierarchy' }) })
    const { unit } = (await watched.host.start(graphOf({ pids: 9 })))._unsafeUnwrap()
    expect((await unit.usage())._unsafeUnwrap().limits).toEqual({
      kind: 'not-enforced',
      why: 'there is no hierarchy',
    })
    expect(await logOf(unit)).toContain('its limits are not enforced: there is no hierarchy')
  })

  it('of which the kernel refuses one are none, and leave no group', async () => {
    const resources = memoryGroups({ refuses: 'io.weight' })
    await using watched = await watchedHost({ resources })
    const { unit } = (await watched.host.start(graphOf(limits)))._unsafeUnwrap()
    expect((await unit.usage())._unsafeUnwrap().limits).toMatchObject({
      kind: 'not-enforced',
      why: expect.stringContaining('io.weight'),
    })
    expect(resources.paths()).toHaveLength(2)
  })

  it('of units that start at once share the host’s group', async () => {
    const resources = memoryGroups()
    await using watched = await watchedHost({ resources })
    const both = ['a', 'b'].map((name) => [name, defineUnit(name, { store: closure(program), limits })])
    const units = (
      await watched.host.start(compose(Object.fromEntries(both) as never)._unsafeUnwrap())
    )._unsafeUnwrap() as Record<string, { stop(): PromiseLike<unknown> }>
    expect(resources.paths()).toHaveLength(4)
    await units['a']!.stop()
    expect(resources.paths()).toHaveLength(3)
  })
})

describe('the groups of a host', () => {
  const directory = {
    name: 'host',
    journal: { append: async () => {} },
  } as unknown as HostDirectory
  const groupsOf = (resources: MemoryGroups) => new HostGroups(resources, directory)

  it('know whether the kernel ended a machine for its memory', async () => {
    const resources = memoryGroups()
    const limited = await groupsOf(resources).limit('unit', { memoryBytes: 100 }, [7])
    expect(await limited.exceeded()).toBeUndefined()
    resources.count('/cgroup/spectrum-host/unit-1', 'memory.events', 'oom 1\noom_kill 1\n')
    expect(await limited.exceeded()).toEqual({
      ...{ limit: 'memoryBytes', value: 100 },
      why: expect.stringContaining('limits.memoryBytes, 100'),
    })
    await limited[Symbol.asyncDispose]()
    expect(await limited.exceeded()).toBeUndefined()
  })

  it('know whether a machine ended because it was refused a thread, and not because of what else', async () => {
    const resources = memoryGroups()
    const limited = await groupsOf(resources).limit('unit', { pids: 3 }, [7])
    const aborted = { kind: 'signalled', signal: 'SIGABRT', lastLines: [] } as const
    const gaveUp = { kind: 'failed', reason: 'monitor-failed', code: 1, lastLines: [] } as const
    expect(await limited.exceeded(aborted)).toBeUndefined()
    resources.count('/cgroup/spectrum-host/unit-1', 'pids.events', 'max 2\n')
    for (const exit of [aborted, gaveUp])
      expect(await limited.exceeded(exit)).toEqual({
        ...{ limit: 'pids', value: 3, why: expect.stringContaining('limits.pids, 3') },
      })
    const others = [
      undefined,
      { kind: 'powered-off' },
      { ...aborted, signal: 'SIGKILL' },
      { ...gaveUp, reason: 'guest-reset' },
    ] as const
    for (const exit of others) expect(await limited.exceeded(exit)).toBeUndefined()
  })

  it('put what they cannot limit where this program is, and leave no group', async () => {
    const resources = memoryGroups({ refuses: 'cgroup.procs 8' })
    const limited = await groupsOf(resources).limit('unit', { pids: 9 }, [7, 8])
    expect(limited.report).toMatchObject({ kind: 'not-enforced' })
    expect(resources.files.get('/cgroup/cgroup.procs')).toBe('7\n')
    expect(resources.paths()).toEqual(['/cgroup', '/cgroup/spectrum-host'])
  })

  it('look for a place again when there was none', async () => {
    const resources = memoryGroups()
    const ready = resources.groups.root
    const groups = groupsOf(resources)
    resources.groups.root = async () => ({ kind: 'absent', why: 'not yet' })
    expect((await groups.limit('unit', { pids: 9 }, [])).report).toEqual({
      kind: 'not-enforced',
      why: 'not yet',
    })
    resources.groups.root = ready
    expect((await groups.limit('unit', { pids: 9 }, [])).report).toMatchObject({ kind: 'enforced' })
  })
})

describe('a machine that is ended together with the server of its view', () => {
  /** Its view is gone, and it has not been seen to end yet. */
  function halfGone(exceeded: ExceededLimit | undefined) {
    const clock = manualClock()
    let exits = (_: MachineExit) => {}
    const exit = new Promise<MachineExit>((resolve) => {
      exits = resolve
    })
    const never = new Promise<never>(() => {})
    const told: HostError[] = []
    const watched = {
      ...{ name: 'unit', clock, heartbeat: undefined },
      machine: { exit, lastLines: () => [] },
      agent: { closed: never },
      view: { server: { ended: Promise.resolve() } },
      limits: { exceeded: async () => exceeded },
    } as unknown as WatchedMachine
    const watch = new MachineWatch(watched, (failure) => told.push(failure))
    return { clock, exits, told, watch }
  }
  const killed = { kind: 'signalled', signal: 'SIGKILL', lastLines: [] } as const
  const exceeded = { limit: 'memoryBytes', value: 100, why: 'it took too much' } as const

  it('has died of its limit, whichever of the two is missed first', async () => {
    const { exits, told } = halfGone(exceeded)
    await settle()
    expect(told).toEqual([])
    exits(killed)
    await settle()
    expect(told).toMatchObject([{ kind: 'unit-died', exit: killed, exceeded }])
  })

  it('has lost its view where it goes on without, or no limit was the reason', async () => {
    const without = halfGone(undefined)
    const lives = halfGone(exceeded)
    await settle()
    expect(without.told).toMatchObject([{ kind: 'view-failed' }])
    expect(lives.told).toEqual([])
    lives.clock.advance(3_000)
    await settle()
    expect(lives.told).toMatchObject([{ kind: 'view-failed' }])
  })
})

describe('the resources of this machine', () => {
  it('say why limits cannot be kept', async () => {
    // Asking for controllers that there are would turn them on for whoever runs this.
    expect(await linuxResources.groups.root(['no-such-controller'])).toEqual({
      kind: 'absent',
      why: expect.stringMatching(/no cgroup v2 hierarchy|no controller no-such-controller/),
    })
  })

  it('say what a process takes, and pass over one that is gone', async () => {
    const usage = await linuxResources.usage([process.pid, 2 ** 22 + 1])
    expect(usage.processes).toBe(1)
    expect(usage.memoryBytes).toBeGreaterThan(10 << 20)
    expect(usage.cpuMs).toBeGreaterThan(0)
  })

  it('has no group to remove where there is none', async () => {
    await linuxResources.groups.remove('/sys/fs/cgroup/no-such-group')
  })
})
