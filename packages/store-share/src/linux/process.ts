import { createReadStream } from 'node:fs'
import { lstat, readFile, readlink } from 'node:fs/promises'
import type { Clock, Owners } from '../powers.js'
import type { SharingPowers } from '../sharing/sharing-report.js'
import { linuxFrames } from './frames.js'
import { isMissing } from './tree.js'

/** This machine's monotonic clock. */
export const clock: Clock = {
  deadline(ms) {
    const controller = new AbortController()
    // Timers hold 31 bits; a longer wait is no deadline at all.
    const timer = setTimeout(() => controller.abort(), Math.min(ms, 2 ** 31 - 1))
    return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

/**
 * `PID-STARTTIME-NAMESPACE-BOOT`: a process number may be used again, together with its start time it is not, but
 * both mean something only in their PID namespace and until the machine starts anew.
 */
export async function processOwners(): Promise<Owners> {
  const place = `${await pidNamespace()}-${await bootId()}`
  return {
    self: `${process.pid}-${(await startTime(process.pid)) ?? 0}-${place}`,
    async alive(owner) {
      const [pid = '', started = '', namespace, boot] = owner.split('-')
      const [ownNamespace, ownBoot] = place.split('-')
      if (boot !== undefined && boot !== ownBoot) return false
      // What cannot be seen from here is not called dead.
      if (namespace !== undefined && namespace !== ownNamespace) return true
      return (await startTime(Number(pid))) === started
    },
  }
}

async function pidNamespace(): Promise<string> {
  return /[0-9]+/.exec(await readlink('/proc/self/ns/pid'))?.[0] ?? '0'
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).slice(0, 8)
}

/** Field 22 of `/proc/PID/stat`; the second field is a name that may hold anything, in parentheses. */
async function startTime(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch (thrown) {
    if (isMissing(thrown) || (thrown as NodeJS.ErrnoException).code === 'ESRCH') return undefined
    throw thrown
  }
}

/** What a report of sharing reads, from this machine's /proc. */
export const sharingPowers: SharingPowers = {
  clock,
  readSmaps: (pid) => createReadStream(`/proc/${pid}/smaps`),
  frames: linuxFrames,
  async identify(file) {
    try {
      const { dev, ino } = await lstat(file)
      return { device: `${hex(major(dev))}:${hex(minor(dev))}`, inode: ino }
    } catch (thrown) {
      if (isMissing(thrown)) return undefined
      throw thrown
    }
  },
}

/** glibc's encoding of a device number (sys/sysmacros.h), within the 53 bits that a number holds. */
function major(device: number): number {
  return Math.floor(device / 256) % 4096
}

function minor(device: number): number {
  return (device % 256) + Math.floor(device / 2 ** 20) * 256
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0')
}
