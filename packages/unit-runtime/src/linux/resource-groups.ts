import { constants } from 'node:fs'
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import type { ProcessUsage, ResourcePowers } from '../limits/resource-powers.js'
import { orAbsent } from './absence.js'
import { findGroupsRoot } from './groups-root.js'

/** Clock ticks of /proc are hundredths of a second on every architecture (USER_HZ). */
const TICK_MS = 10
const KIBIBYTE = 1024
/** What was killed needs a moment until its group is empty. */
const EMPTY_ROUNDS = 500
const EMPTY_PAUSE_MS = 20

/** The control groups of this machine, and what `/proc` says of processes. */
export const linuxResources: ResourcePowers = {
  groups: {
    root: findGroupsRoot,
    async make(path) {
      await mkdir(path, { mode: 0o755 })
    },
    async write(path, file, text) {
      await writeFile(`${path}/${file}`, text, { flag: 'r+' })
    },
    read: (path, file) => orAbsent(readFile(`${path}/${file}`, 'latin1')),
    remove: removeGroup,
  },
  async usage(pids) {
    const found = await Promise.all(pids.map(usageOf))
    const alive = found.filter((each) => each !== undefined)
    return alive.reduce(
      (sum, each) => ({
        memoryBytes: sum.memoryBytes + each.memoryBytes,
        cpuMs: sum.cpuMs + each.cpuMs,
        processes: sum.processes + 1,
      }),
      { memoryBytes: 0, cpuMs: 0, processes: 0 },
    )
  },
}

async function removeGroup(path: string): Promise<void> {
  const entries = await orAbsent(readdir(path, { withFileTypes: true }))
  if (entries === undefined) return
  // To whom it was delegated it can be written and not read.
  await writeFile(`${path}/cgroup.kill`, '1', { flag: constants.O_WRONLY }).catch(() => {})
  for (const entry of entries) if (entry.isDirectory()) await removeGroup(`${path}/${entry.name}`)
  for (let round = 0; ; round += 1) {
    try {
      await rmdir(path)
      return
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'ENOENT') return
      if (code !== 'EBUSY' || round >= EMPTY_ROUNDS) throw cause
      await new Promise((resolve) => setTimeout(resolve, EMPTY_PAUSE_MS))
    }
  }
}

async function usageOf(pid: number): Promise<ProcessUsage | undefined> {
  const [stat, status] = await Promise.all(
    ['stat', 'status'].map((file) => orAbsent(readFile(`/proc/${pid}/${file}`, 'latin1'))),
  )
  if (stat === undefined || status === undefined) return undefined
  // Behind the command's name, which may hold anything, in parentheses; 14 and 15 are utime and stime (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const rss = Number(/^VmRSS:\s+([0-9]+) kB$/m.exec(status)?.[1] ?? 0)
  return {
    memoryBytes: rss * KIBIBYTE,
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    processes: 1,
  }
}
