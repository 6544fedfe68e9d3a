import type { DoctorPowers, Finding } from '../doctor.js'

const gibibyte = 1024 ** 3

/** Room for a few closures as blobs. */
const wantedDisk = 2 * gibibyte
/** A unit of the default size, its monitor and the page cache of its blobs. */
const wantedMemory = gibibyte

export async function checkDisk(powers: DoctorPowers): Promise<Finding> {
  const subject = 'free disk'
  const { cache } = powers.places
  const free = await powers.freeBytes(cache)
  if (free === undefined)
    return {
      subject,
      verdict: 'unknown',
      found: `cannot tell for ${cache}`,
      remedy: `make ${cache} accessible`,
    }
  const found = `${inGiB(free)} for blobs in ${cache}`
  if (free >= wantedDisk) return { subject, verdict: 'ok', found }
  return {
    subject,
    verdict: 'limited',
    found,
    remedy: `free some: ${inGiB(wantedDisk)} hold a few closures; or point XDG_CACHE_HOME at a larger disk`,
  }
}

export async function checkMemory(powers: DoctorPowers): Promise<Finding> {
  const subject = 'memory'
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec((await powers.read('/proc/meminfo')) ?? '')?.[1]
  if (kib === undefined)
    return { subject, verdict: 'unknown', found: 'no MemAvailable in /proc/meminfo', remedy: 'mount /proc' }
  const available = Number(kib) * 1024
  const found = `${inGiB(available)} available`
  if (available >= wantedMemory) return { subject, verdict: 'ok', found }
  return {
    subject,
    verdict: 'limited',
    found,
    remedy: 'end something large, or give units less with --memory',
  }
}

export async function checkCgroup(powers: DoctorPowers): Promise<Finding> {
  const subject = 'cgroup'
  const controllers = await powers.read('/sys/fs/cgroup/cgroup.controllers')
  if (controllers === undefined) {
    return {
      subject,
      verdict: 'limited',
      found: 'no version 2 hierarchy at /sys/fs/cgroup; units run, but their resources cannot be limited',
      remedy: 'boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 there',
    }
  }
  const available = controllers.trim().split(/\s+/)
  const absent = ['cpu', 'memory', 'pids'].filter((name) => !available.includes(name))
  if (absent.length === 0) return { subject, verdict: 'ok', found: `version 2 with ${available.join(', ')}` }
  return {
    subject,
    verdict: 'limited',
    found: `version 2 without ${absent.join(', ')}; units run, but these cannot be limited`,
    remedy: 'delegate these controllers to this session',
  }
}

const inGiB = (bytes: number): string => `${(bytes / gibibyte).toFixed(1)} GiB`
