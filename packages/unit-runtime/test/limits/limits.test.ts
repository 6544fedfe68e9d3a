import { closure, compose, defineUnit, type ResourceLimits } from '@spectrum/unit-runtime'
import { memoryGroups } from '@spectrum/unit-runtime/fake'
import { describe, expect, it } from 'vitest'
import { linuxResources } from '../../src/linux/resource-groups.js'
import { program, watchedHost } from '../supervision/watched-host.js'

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

describe('the resources of this machine', () => {
  it('say where limits can be kept, or why they cannot', async () => {
    const root = await linuxResources.groups.root(['memory', 'pids'])
    if (root.kind === 'absent') expect(root.why).toMatch(/cgroup|divided/)
    else expect(await linuxResources.groups.read(root.path, 'cgroup.controllers')).toContain('memory')
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
