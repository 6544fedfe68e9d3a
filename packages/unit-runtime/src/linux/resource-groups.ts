import { constants } from 'node:fs'
import { access, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import type { GroupsRoot, ProcessUsage, ResourcePowers } from '../limits/resource-powers.js'

/** Clock ticks of /proc are hundredths of a second on every architecture (USER_HZ). */
const TICK_MS = 10
const KIBIBYTE = 1024
/** What was killed needs a moment until its group is empty. */
const EMPTY_ROUNDS = 100
const EMPTY_PAUSE_MS = 20

/** The control groups of this machine, and what `/proc` says of processes. */
export const linuxResources: ResourcePowers = {
  groups: {
    root: findRoot,
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

/**
 * The program's own group where it was given one to itself (its controllers are on for what is below it), else the root
 * of the hierarchy where it may write there. A group that has processes cannot have limited groups below it
 * (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint"); the root can.
 */
async function findRoot(controllers: readonly string[]): Promise<GroupsRoot> {
  const mounts = (await orAbsent(readFile('/proc/self/mountinfo', 'latin1'))) ?? ''
  const mount = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .find((fields) => fields[fields.indexOf('-') + 1] === 'cgroup2')?.[4]
  if (mount === undefined) return absent('this machine has no cgroup v2 hierarchy; boot it with one')
  const own = (await orAbsent(readFile('/proc/self/cgroup', 'latin1')))?.match(/^0::(\/.*)$/m)?.[1] ?? '/'
  const candidates = [...new Set([`${mount}${own === '/' ? '' : own}`, mount])]
  const reasons: string[] = []
  for (const path of candidates) {
    const why = await whyNotBelow(path, controllers)
    if (why === undefined) return { kind: 'ready', path }
    reasons.push(why)
  }
  return absent(
    `${reasons.join('; ')}. Start this program in a group that is its own: systemd-run --user --scope -p Delegate=yes`,
  )
}

async function whyNotBelow(path: string, controllers: readonly string[]): Promise<string | undefined> {
  const there = ((await orAbsent(readFile(`${path}/cgroup.controllers`, 'latin1'))) ?? '').trim().split(' ')
  const missing = controllers.filter((each) => !there.includes(each))
  if (missing.length > 0) return `${path} has no controller ${missing.join(', ')} of cgroup v2`
  try {
    await writeFile(`${path}/cgroup.subtree_control`, controllers.map((each) => `+${each}`).join(' '), {
      flag: 'r+',
    })
    await access(path, constants.W_OK)
    return undefined
  } catch (cause) {
    return `${path} may not be divided (${(cause as NodeJS.ErrnoException).code})`
  }
}

const absent = (why: string): GroupsRoot => ({ kind: 'absent', why })

async function removeGroup(path: string): Promise<void> {
  const entries = await orAbsent(readdir(path, { withFileTypes: true }))
  if (entries === undefined) return
  await writeFile(`${path}/cgroup.kill`, '1', { flag: 'r+' }).catch(() => {})
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

async function orAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    if (['ENOENT', 'ENOTDIR', 'ESRCH', 'ENODEV'].includes(code)) return undefined
    throw cause
  }
}
