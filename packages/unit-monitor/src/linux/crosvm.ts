import { lstat, readdir, readFile, rm } from 'node:fs/promises'
import { linuxProbe } from '@spectrum/crosvm-spec/linux'
import { unixFd } from '@spectrum/unix-fd/linux'
import { err, ok, type Result } from 'neverthrow'
import type { CrosvmPowers, GroupMember } from '../crosvm/powers.js'
import type { MonitorError } from '../errors.js'
import type { MonitorPowers } from '../powers.js'

/**
 * What the crosvm driver takes beyond `powers`, added to them. `system` where the native part of
 * `@spectrum/unix-fd` is not built. Nothing is opened or started by it.
 */
export function linuxCrosvmPowers(powers: MonitorPowers): Result<CrosvmPowers, MonitorError> {
  const packets = unixFd()
  if (packets.isErr()) {
    const { message } = packets.error
    return err({ kind: 'system', message: `crosvm's control socket: ${message}`, cause: packets.error })
  }
  return ok({
    ...powers,
    packets: packets.value,
    processGroups: { members },
    jails: { whyNone },
    removeSocket,
    probe: linuxProbe(),
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

/** Root makes namespaces without asking; others need user namespaces, which some hosts switch off. */
async function whyNone(): Promise<string | undefined> {
  if (process.geteuid?.() === 0) return undefined
  for (const path of ['/proc/sys/kernel/unprivileged_userns_clone', '/proc/sys/user/max_user_namespaces']) {
    const value = await readFile(path, 'utf8').catch(() => '1')
    if (value.trim() === '0') return `${path} is 0 and this is not root`
  }
  return undefined
}

async function removeSocket(path: string): Promise<void> {
  const facts = await lstat(path).catch(() => undefined)
  if (facts?.isSocket()) await rm(path, { force: true })
}
