import type { ResourceLimits } from '@spectrum/unit-graph'
import type { MachineExit } from '@spectrum/unit-monitor'
import type { HostDirectory } from '../host-directory.js'
import { type GroupUsage, groupUsage } from './group-usage.js'
import type { GroupsRoot, ProcessUsage, ResourcePowers } from './resource-powers.js'

/** What became of the limits in a unit's definition. */
export type LimitsReport =
  /** It has none. */
  | { readonly kind: 'none' }
  /** The kernel keeps them; `group` is the path of the unit's control group. */
  | {
      readonly kind: 'enforced'
      /** Absolute path below the mount point of cgroup v2. */
      readonly group: string
    }
  /** The unit runs without them. */
  | {
      readonly kind: 'not-enforced'
      /** In words, with what to do about it. */
      readonly why: string
    }

/** The limit that a machine has ended of. */
export interface ExceededLimit {
  /**
   * As in the unit's definition. `memoryBytes`: the kernel ended its processes, for they took more. `pids`: its monitor gave
   * up when the kernel refused it another process or thread.
   */
  readonly limit: 'memoryBytes' | 'pids'
  /** What the definition allows: bytes, or processes and threads. */
  readonly value: number
  /** The same in words, with what to do about it. */
  readonly why: string
}

/** What a unit takes of its host now, and what it may. */
export interface UnitUsage extends ProcessUsage {
  /** What became of the limits in the unit's definition. */
  readonly limits: LimitsReport
  /** What its control group has counted, where the kernel keeps its limits. */
  readonly group?: GroupUsage
}

/** By the limit: the controller that it takes, the file of the group, and what is written there. */
const FILES: {
  readonly [Key in keyof Required<ResourceLimits>]: readonly [string, string, (value: number) => string]
} = {
  memoryBytes: ['memory', 'memory.max', String],
  cpuWeight: ['cpu', 'cpu.weight', String],
  ioWeight: ['io', 'io.weight', (weight) => `default ${weight}`],
  pids: ['pids', 'pids.max', String],
}

/**
 * A machine of which swap takes over what it may not have is not limited, and one that lost one of its processes is of
 * no use. Kernels without swap, or before 4.19, have no such file.
 */
const WITH_MEMORY = [
  ['memory.swap.max', '0'],
  ['memory.oom.group', '1'],
] as const

/** The name of a host's own group, by which the next host knows it. */
export function groupName(host: string): string {
  return `spectrum-${host}`
}

/** The limits of one machine, while it lives. */
export interface MachineLimits extends AsyncDisposable {
  readonly report: LimitsReport
  /** Which of them the machine has ended of, so far as is known; `exit`: how, once it has. Never rejects. */
  exceeded(exit?: MachineExit): Promise<ExceededLimit | undefined>
}

const NONE: MachineLimits = without({ kind: 'none' })

/** The control groups of one host: its own one, and one below it for each machine that has limits. */
export class HostGroups {
  /** By the controllers that are wanted. */
  readonly #roots = new Map<string, Promise<GroupsRoot>>()
  /** The groups of the host itself: one, unless no place has all controllers. */
  readonly #own = new Map<string, Promise<void>>()
  #machines = 0

  constructor(
    private readonly powers: ResourcePowers,
    private readonly directory: HostDirectory,
  ) {}

  /**
   * Puts the processes of a machine under these limits. What they took before is not counted. Never rejects: limits that
   * cannot be kept are reported.
   */
  async limit(
    unit: string,
    limits: ResourceLimits | undefined,
    pids: readonly number[],
  ): Promise<MachineLimits> {
    const wanted = Object.entries(limits ?? {}) as [keyof ResourceLimits, number][]
    if (wanted.length === 0) return NONE
    const { groups } = this.powers
    const root = await this.#rootFor(wanted.map(([limit]) => FILES[limit][0]))
    if (root.kind === 'absent') return without({ kind: 'not-enforced', why: root.why })
    this.#machines += 1
    const group = `${root.path}/${groupName(this.directory.name)}/${unit}-${this.#machines}`
    try {
      await this.#ownGroup(root.path, wanted)
      await groups.make(group)
      if (limits?.memoryBytes !== undefined)
        for (const [file, text] of WITH_MEMORY) await groups.write(group, file, text).catch(() => {})
      for (const [limit, value] of wanted) {
        const [, file, print] = FILES[limit]
        await groups.write(group, file, print(value))
      }
      for (const pid of pids) await groups.write(group, 'cgroup.procs', String(pid))
    } catch (cause) {
      // A group with only some of the limits would promise too much. Its processes must outlive it.
      const why = `the kernel refused them: ${cause instanceof Error ? cause.message : String(cause)}`
      await this.#leave(group, root.unlimited, pids)
      return without({ kind: 'not-enforced', why })
    }
    return {
      report: { kind: 'enforced', group },
      exceeded: (exit) => this.#exceeded(group, limits ?? {}, exit),
      [Symbol.asyncDispose]: () => groups.remove(group),
    }
  }

  /** What these processes take, and the group that has them. */
  async usage(report: LimitsReport, pids: readonly number[]): Promise<UnitUsage> {
    const { groups, usage } = this.powers
    const counted = report.kind === 'enforced' ? await groupUsage(groups, report.group) : undefined
    return { ...(await usage(pids)), limits: report, ...(counted === undefined ? {} : { group: counted }) }
  }

  /** When all machines are gone. */
  async close(): Promise<void> {
    for (const path of this.#own.keys()) {
      await this.powers.groups.remove(path)
      await this.directory.journal.append({ record: 'path-removed', path }).catch(() => {})
      this.#own.delete(path)
    }
  }

  async #exceeded(
    group: string,
    { memoryBytes, pids }: ResourceLimits,
    exit: MachineExit | undefined,
  ): Promise<ExceededLimit | undefined> {
    const counted = await groupUsage(this.powers.groups, group).catch(() => undefined)
    const { killedForMemory = 0, tasksRefused = 0 } = counted ?? {}
    if (memoryBytes !== undefined && killedForMemory > 0) return tooMuchMemory(memoryBytes)
    if (pids !== undefined && tasksRefused > 0 && gaveUp(exit)) return tooManyTasks(pids)
    return undefined
  }

  async #leave(group: string, unlimited: string, pids: readonly number[]): Promise<void> {
    const { groups } = this.powers
    const inside = new Set((await groups.read(group, 'cgroup.procs').catch(() => ''))?.split('\n'))
    for (const pid of pids) {
      if (inside.has(String(pid))) await groups.write(unlimited, 'cgroup.procs', String(pid)).catch(() => {})
    }
    const left = await groups.read(group, 'cgroup.procs').catch(() => 'unknown')
    // Removing a group ends what is in it.
    if (left?.trim() === '') await groups.remove(group).catch(() => {})
  }

  /** What is not there now may be there when the next machine starts. */
  async #rootFor(controllers: readonly string[]): Promise<GroupsRoot> {
    const key = [...controllers].sort().join(' ')
    const asked = this.#roots.get(key) ?? this.powers.groups.root(controllers)
    this.#roots.set(key, asked)
    const root = await asked
    if (root.kind === 'absent') this.#roots.delete(key)
    return root
  }

  async #ownGroup(root: string, wanted: readonly [keyof ResourceLimits, number][]): Promise<void> {
    const { groups } = this.powers
    const { journal, name } = this.directory
    const path = `${root}/${groupName(name)}`
    const made =
      this.#own.get(path) ??
      journal.append({ record: 'path-intended', what: 'cgroup', path }).then(() => groups.make(path))
    this.#own.set(path, made)
    made.catch(() => this.#own.delete(path))
    await made
    const controllers = wanted.map(([limit]) => `+${FILES[limit][0]}`)
    await groups.write(path, 'cgroup.subtree_control', controllers.join(' '))
  }
}

function without(report: LimitsReport): MachineLimits {
  return { report, exceeded: async () => undefined, async [Symbol.asyncDispose]() {} }
}

function tooMuchMemory(value: number): ExceededLimit {
  const why =
    `the kernel ended its monitor, which took more than its limits.memoryBytes, ${value}; that has to hold the guest's ` +
    'memory and some 64 MiB for the monitor itself'
  return { limit: 'memoryBytes', value, why }
}

function tooManyTasks(value: number): ExceededLimit {
  const why =
    `its monitor gave up when the kernel refused it another process or thread because of its limits.pids, ${value}; that ` +
    'has to hold one for each of its processors and some ten for the monitor itself, and with volumes up to 64 more'
  return { limit: 'pids', value, why }
}

/** A monitor that is refused a thread says so and ends: by abort(3), or with a status of its own. */
function gaveUp(exit: MachineExit | undefined): boolean {
  if (exit?.kind === 'signalled') return exit.signal === 'SIGABRT'
  return exit?.kind === 'failed' && exit.reason === 'monitor-failed'
}
