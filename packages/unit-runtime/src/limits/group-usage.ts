import type { ResourceGroups } from './resource-powers.js'

/**
 * What the kernel has counted in a unit's control group since its processes were put there. A figure is absent where
 * its limit is not set: nobody counts then.
 */
export interface GroupUsage {
  /** Milliseconds of processor time: `usage_usec` of `cpu.stat`. */
  readonly cpuMs: number
  /** Charged to the group, caches of files included; what the processes had before is charged elsewhere. */
  readonly memoryBytes?: number
  /** Processes and threads: `pids.current`. */
  readonly tasks?: number
  /** Above 0 when processes were ended because of the limit of memory. */
  readonly killedForMemory?: number
  /** How often a new process or thread was refused because of the limit. */
  readonly tasksRefused?: number
}

/** Undefined when the group is gone. Documentation/admin-guide/cgroup-v2.rst has the files. */
export async function groupUsage(groups: ResourceGroups, group: string): Promise<GroupUsage | undefined> {
  const read = async (file: string) => (await groups.read(group, file)) ?? ''
  if ((await groups.read(group, 'cgroup.procs')) === undefined) return undefined
  const [cpu, memory, memoryEvents, tasks, taskEvents] = await Promise.all(
    ['cpu.stat', 'memory.current', 'memory.events', 'pids.current', 'pids.events'].map(read),
  )
  return {
    cpuMs: (countOf(cpu!, 'usage_usec') ?? 0) / 1_000,
    ...present('memoryBytes', countOf(memory!)),
    ...present('tasks', countOf(tasks!)),
    ...present('killedForMemory', countOf(memoryEvents!, 'oom_kill')),
    ...present('tasksRefused', countOf(taskEvents!, 'max')),
  }
}

/** The only number of a file, or the one behind this key. */
function countOf(text: string, key?: string): number | undefined {
  const line = text.split('\n').find((each) => key === undefined || each.startsWith(`${key} `)) ?? ''
  const digits = key === undefined ? line : line.slice(key.length + 1)
  return /^[0-9]{1,16}$/.test(digits) ? Number(digits) : undefined
}

const present = <Key extends string>(key: Key, value: number | undefined) =>
  (value === undefined ? {} : { [key]: value }) as { readonly [Each in Key]?: number }
