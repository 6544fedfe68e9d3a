import type { ResourceLimits } from '@spectrum/unit-graph'
import type { HostDirectory } from '../host-directory.js'
import type { GroupsRoot, ProcessUsage, ResourcePowers } from './resource-powers.js'

/** What became of the limits in a unit's definition. */
export type LimitsReport =
  /** It has none. */
  | { readonly kind: 'none' }
  /** The kernel keeps them; `group` is the path of the unit's control group. */
  | { readonly kind: 'enforced'; readonly group: string }
  /** The unit runs without them. */
  | { readonly kind: 'not-enforced'; readonly why: string }

/** What a unit takes of its host now, and what it may. */
export interface UnitUsage extends ProcessUsage {
  readonly limits: LimitsReport
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

/** The name of a host's own group, by which the next host knows it. */
export function groupName(host: string): string {
  return `spectrum-${host}`
}

/** The limits of one machine, while it lives. */
export interface MachineLimits extends AsyncDisposable {
  readonly report: LimitsReport
}

const NONE: MachineLimits = { report: { kind: 'none' }, async [Symbol.asyncDispose]() {} }

/** The control groups of one host: its own one, and one below it for each machine that has limits. */
export class HostGroups {
  readonly #root = new Map<string, Promise<GroupsRoot>>()
  #own: string | undefined
  #made: Promise<void> | undefined
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
    let group: string | undefined
    try {
      const own = await this.#ownGroup(wanted.map(([limit]) => FILES[limit][0]))
      if (own.kind === 'absent') return notEnforced(own.why)
      this.#machines += 1
      group = `${own.path}/${unit}-${this.#machines}`
      await groups.make(group)
      // A machine of which swap takes over what it may not have is not limited; kernels without swap have no such file.
      if (limits?.memoryBytes !== undefined) await groups.write(group, 'memory.swap.max', '0').catch(() => {})
      for (const [limit, value] of wanted) {
        const [, file, print] = FILES[limit]
        await groups.write(group, file, print(value))
      }
      for (const pid of pids) await groups.write(group, 'cgroup.procs', String(pid))
      const path = group
      return {
        report: { kind: 'enforced', group: path },
        [Symbol.asyncDispose]: () => groups.remove(path),
      }
    } catch (cause) {
      // A group with only some of the limits would promise too much. Its processes must outlive it.
      const why = `the kernel refused them: ${cause instanceof Error ? cause.message : String(cause)}`
      if (group !== undefined) await this.#leave(group, pids)
      return notEnforced(why)
    }
  }

  async usage(report: LimitsReport, pids: readonly number[]): Promise<UnitUsage> {
    return { ...(await this.powers.usage(pids)), limits: report }
  }

  /** When all machines are gone. */
  async close(): Promise<void> {
    if (this.#own === undefined) return
    await this.powers.groups.remove(this.#own)
    await this.directory.journal.append({ record: 'path-removed', path: this.#own }).catch(() => {})
    this.#own = undefined
  }

  async #leave(group: string, pids: readonly number[]): Promise<void> {
    const { groups } = this.powers
    const parent = group.slice(0, group.lastIndexOf('/'))
    const root = parent.slice(0, parent.lastIndexOf('/'))
    const inside = new Set((await groups.read(group, 'cgroup.procs').catch(() => ''))?.split('\n'))
    for (const pid of pids) {
      if (inside.has(String(pid))) await groups.write(root, 'cgroup.procs', String(pid)).catch(() => {})
    }
    const left = await groups.read(group, 'cgroup.procs').catch(() => 'unknown')
    // Removing a group ends what is in it.
    if (left?.trim() === '') await groups.remove(group).catch(() => {})
  }

  async #ownGroup(controllers: readonly string[]): Promise<GroupsRoot> {
    const { groups } = this.powers
    const key = [...controllers].sort().join(' ')
    const asked = this.#root.get(key) ?? groups.root(controllers)
    this.#root.set(key, asked)
    const root = await asked
    if (root.kind === 'absent') return root
    const path = `${root.path}/${groupName(this.directory.name)}`
    this.#own = path
    this.#made ??= this.directory.journal
      .append({ record: 'path-intended', what: 'cgroup', path })
      .then(() => groups.make(path))
    await this.#made
    await groups.write(path, 'cgroup.subtree_control', controllers.map((each) => `+${each}`).join(' '))
    return { kind: 'ready', path }
  }
}

function notEnforced(why: string): MachineLimits {
  return { report: { kind: 'not-enforced', why }, async [Symbol.asyncDispose]() {} }
}
