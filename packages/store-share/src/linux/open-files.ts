import { readdir, readFile, stat } from 'node:fs/promises'
import type { OpenFiles } from '../powers.js'

/** One spelling for both sources: a mapping's device is `MAJOR:MINOR` in hexadecimal, a file's is a number. */
export function fileKey(device: bigint, inode: bigint): string {
  return `${device}:${inode}`
}

const MAPPING = /^[0-9a-f]+-[0-9a-f]+ \S+ [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) ([1-9][0-9]*) /gm

/** A process that ends meanwhile, or that another user owns, tells nothing. */
export const openFiles: OpenFiles = async (signal) => {
  const keys = new Set<string>()
  for (const pid of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(pid) || signal.aborted) continue
    const maps = await readFile(`/proc/${pid}/maps`, 'latin1').catch(() => '')
    for (const [, major, minor, inode] of maps.matchAll(MAPPING)) {
      keys.add(fileKey(deviceNumber(BigInt(`0x${major}`), BigInt(`0x${minor}`)), BigInt(inode!)))
    }
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const found = await stat(`/proc/${pid}/fd/${fd}`, { bigint: true }).catch(() => undefined)
      if (found?.isFile()) keys.add(fileKey(found.dev, found.ino))
    }
  }
  return keys
}

/** As `gnu_dev_makedev` of glibc (sys/sysmacros.h). */
function deviceNumber(major: bigint, minor: bigint): bigint {
  return (
    ((major & 0xfffff000n) << 32n) |
    ((major & 0xfffn) << 8n) |
    ((minor & 0xffffff00n) << 12n) |
    (minor & 0xffn)
  )
}
