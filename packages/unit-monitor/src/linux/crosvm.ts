import { readdir, readFile } from 'node:fs/promises'
import { linuxSpawnPowers } from '@spectrum/crosvm-spec/linux'
import type { Result } from 'neverthrow'
import type { CrosvmPowers, GroupMember } from '../crosvm/powers.js'
import type { MonitorError } from '../errors.js'
import type { MonitorPowers } from '../powers.js'

/**
 * What the crosvm driver takes beyond `powers`, added to them. `system` where the native part of
 * `@spectrum/unix-fd` is not built. Nothing is opened or started by it.
 */
export function linuxCrosvmPowers(powers: MonitorPowers): Result<CrosvmPowers, MonitorError> {
  return linuxSpawnPowers()
    .map(({ sockets, host, probe }) => ({
      ...powers,
      packets: sockets,
      host,
      probe,
      processGroups: { members },
    }))
    .mapErr((cause): MonitorError => {
      return { kind: 'system', message: `crosvm's control socket: ${cause.message}`, cause }
    })
}

async function members(group: number): Promise<readonly GroupMember[]> {
  const names = await readdir('/proc').catch(() => [])
  const pids = names.filter((name) => /^[0-9]+$/.test(name)).map(Number)
  const found = await Promise.all(pids.map((pid) => memberOf(group, pid)))
  return found.filter((member) => member !== undefined).sort((a, b) => a.pid - b.pid)
}

async function memberOf(group: number, pid: number): Promise<GroupMember | undefined> {
  // PID (NAME) STATE PARENT GROUP …, and the name may hold parentheses and spaces (proc(5)).
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  const end = text.lastIndexOf(')')
  const [, parent, itsGroup] = text.slice(end + 2).split(' ')
  if (end === -1 || Number(itsGroup) !== group) return undefined
  return { pid, parent: Number(parent), name: text.slice(text.indexOf('(') + 1, end) }
}
