import type { ResourcePowers } from '../limits/resource-powers.js'

/** Control groups in memory. */
export interface MemoryGroups extends ResourcePowers {
  /** What was written, by `GROUP/FILE`. Processes are all that were put into a group, in order. */
  readonly files: ReadonlyMap<string, string>
  /** Groups that exist, sorted. */
  paths(): readonly string[]
}

/** `absent`: why there are no groups; `refuses`: a file that takes nothing. */
export function memoryGroups(
  options: { readonly absent?: string | undefined; readonly refuses?: string | undefined } = {},
): MemoryGroups {
  const groups = new Set<string>(['/cgroup'])
  const files = new Map<string, string>()
  return {
    files,
    paths: () => [...groups].sort(),
    groups: {
      async root() {
        return options.absent === undefined
          ? { kind: 'ready', path: '/cgroup' }
          : { kind: 'absent', why: options.absent }
      },
      async make(path) {
        groups.add(path)
      },
      async write(path, file, text) {
        if (file === options.refuses) throw Object.assign(new Error(`EINVAL: ${file}`), { code: 'EINVAL' })
        const before = file === 'cgroup.procs' ? (files.get(`${path}/${file}`) ?? '') : ''
        files.set(`${path}/${file}`, `${before}${text}\n`)
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
