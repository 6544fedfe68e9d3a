import type { ResourcePowers } from '../limits/resource-powers.js'

/** Control groups in memory, below `/cgroup`. Each process takes 4096 bytes and one millisecond. */
export interface MemoryGroups extends ResourcePowers {
  /** What was written, by `GROUP/FILE`. Processes are in the group that they were put into last. */
  readonly files: ReadonlyMap<string, string>
  /** Paths of the groups that exist, sorted; `/cgroup` alone at first. */
  paths(): readonly string[]
  /** What is read from a file of a group from now on, as if the kernel counted there. */
  count(path: string, file: string, text: string): void
}

/** `absent`: why there are no groups; `refuses`: a file that takes nothing, or (`FILE TEXT`) not this. */
export function memoryGroups(
  options: {
    /** Why there are no control groups: `root` answers `absent` with it. */
    readonly absent?: string | undefined
    /** A file, or `FILE TEXT`, to which writing fails with `EINVAL`. */
    readonly refuses?: string | undefined
  } = {},
): MemoryGroups {
  const groups = new Set<string>(['/cgroup'])
  const files = new Map<string, string>()
  /** A process is in one group at a time. */
  const move = (pid: string, to: string) => {
    for (const group of groups) {
      const procs = `${group}/cgroup.procs`
      const others = (files.get(procs) ?? '').split('\n').filter((each) => each !== '' && each !== pid)
      if (group === to) others.push(pid)
      if (group === to || files.has(procs)) files.set(procs, others.map((each) => `${each}\n`).join(''))
    }
  }
  return {
    files,
    paths: () => [...groups].sort(),
    count: (path, file, text) => void files.set(`${path}/${file}`, text),
    groups: {
      async root() {
        return options.absent === undefined
          ? { kind: 'ready', path: '/cgroup', unlimited: '/cgroup' }
          : { kind: 'absent', why: options.absent }
      },
      async make(path) {
        groups.add(path)
      },
      async write(path, file, text) {
        if (file === options.refuses || `${file} ${text}` === options.refuses)
          throw Object.assign(new Error(`EINVAL: ${file}`), { code: 'EINVAL' })
        if (file !== 'cgroup.procs') files.set(`${path}/${file}`, `${text}\n`)
        else move(text, path)
      },
      async read(path, file) {
        return groups.has(path) ? (files.get(`${path}/${file}`) ?? '') : undefined
      },
      async remove(path) {
        for (const each of groups) if (each === path || each.startsWith(`${path}/`)) groups.delete(each)
      },
    },
    usage: async (pids) => ({ memoryBytes: pids.length * 4096, cpuMs: pids.length, processes: pids.length }),
  }
}
