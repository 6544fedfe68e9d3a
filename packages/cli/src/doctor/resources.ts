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

/** The controllers that the limits of units take. */
const controllers = ['cpu', 'io', 'memory', 'pids'] as const

export async function checkCgroup(powers: DoctorPowers): Promise<Finding> {
  const subject = 'cgroup'
  const root = await powers.groupsRoot(controllers)
  if (root.kind === 'ready')
    return { subject, verdict: 'ok', found: `limits of units can be kept below ${root.path}` }
  const found = 'units run, but not every limit of their resources can be kept'
  return { subject, verdict: 'limited', found, remedy: root.why }
}

const inGiB = (bytes: number): string => `${(bytes / gibibyte).toFixed(1)} GiB`
