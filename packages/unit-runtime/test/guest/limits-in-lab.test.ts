import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { bundle, outputOf, programFolder } from '../../../kvm-ioctl/test/guest/lab/run-in-lab.js'
import type { asRoot, asUser } from './lab/limits-program.js'

const MIB = 2 ** 20

// A kernel of its own, with control groups of version 2 and every controller.
describe('the limits of units, by the kernel’s control groups', () => {
  let root: Awaited<ReturnType<typeof asRoot>>
  let user: Awaited<ReturnType<typeof asUser>>

  beforeAll(async () => {
    const folder = programFolder()
    try {
      const program = fileURLToPath(new URL('./lab/limits-program.ts', import.meta.url))
      const output = await outputOf('x86_64', ['node', await bundle(program, folder)])
      ;({ root, user } = JSON.parse(output))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('are written into a group of the machine’s own, where its processes are', () => {
    expect(root.group).toMatch(/^\/sys\/fs\/cgroup\/spectrum-[0-9a-z-]+\/hog-1$/)
    expect(root.written).toEqual({
      'memory.max': String(64 * MIB),
      'memory.swap.max': '0',
      'memory.oom.group': '1',
      'cpu.weight': '50',
      'io.weight': 'default 20',
      'pids.max': '30',
    })
    expect(root.members.sort()).toEqual(root.expected.sort())
  })

  it('end a machine that takes too much memory, whole and alone, and say so', () => {
    expect(root.ended).toEqual(['SIGKILL', 'SIGKILL'])
    expect(root.exceeded).toMatchObject({ limit: 'memoryBytes', value: 64 * MIB })
    expect(root.others).toEqual({ live: true, exceeded: null })
  })

  it('are read back with what the kernel has counted', () => {
    expect(root.before).toMatchObject({
      processes: 2,
      group: { tasks: 2, killedForMemory: 0, tasksRefused: 0 },
    })
    expect(root.after).toMatchObject({ processes: 0, group: { tasks: 0 } })
    expect(root.after.group!.killedForMemory).toBeGreaterThan(0)
    expect(root.after.group!.cpuMs).toBeGreaterThan(root.before.group!.cpuMs)
    expect(root.before.group!.memoryBytes).toBeLessThan(64 * MIB)
  })

  it('refuse more processes than are allowed', () => {
    expect(root.gaveUp).not.toBe(0)
    expect(root.forks).toMatchObject({ tasks: 3 })
    expect(root.forks!.tasksRefused).toBeGreaterThan(0)
  })

  it('end what is left in a group with it, and nothing else', () => {
    expect(root.removed).toEqual([true, true])
    expect(root.liveAfter).toBe(true)
  })

  it('leave nothing when their host was killed, once the next one has opened', () => {
    expect(root.next).toEqual({ left: true, failures: [], bystander: 'SIGKILL', groups: [] })
  })

  it('cannot be kept by a user to whom no group was delegated, who hears what to do', () => {
    expect(user.refused).toEqual({
      kind: 'absent',
      why: expect.stringMatching(
        /^\/sys\/fs\/cgroup\/session may not be divided.*systemd-run --user --scope/,
      ),
    })
  })

  it('can be foretold to be kept or not, without a change', () => {
    expect(user.lookedAt).toEqual([
      user.refused,
      { kind: 'ready', path: '/sys/fs/cgroup/delegated', unlimited: '/sys/fs/cgroup/delegated' },
    ])
    expect(user.ownUntouched).toBe('/delegated')
  })

  it('are kept in a delegated group, out of which its programs move first', () => {
    expect(user.group).toMatch(/^\/sys\/fs\/cgroup\/delegated\/spectrum-[0-9a-z-]+\/hog-1$/)
    expect(user.own).toBe('/delegated/unlimited')
    expect(user.ended).toBe('SIGKILL')
    expect(user.exceeded).toMatchObject({ limit: 'memoryBytes', value: 64 * MIB })
    expect(user.siblingLives).toBe(true)
  })

  it('are kept there by a second host, too, and both leave nothing', () => {
    expect(user.groupOfSecond).toMatch(/^\/sys\/fs\/cgroup\/delegated\/spectrum-[0-9a-z-]+\/second-1$/)
    expect(user.second).toBe('SIGKILL')
    expect(user.left).toEqual([])
  })
})
