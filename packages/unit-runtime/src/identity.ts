import type { ProcessIdentity, ProcessTable } from './powers.js'

/** The environment variable that marks every process of a host. Its value is `HOST/TOKEN`. */
export const MARKER = 'SPECTRUM_PROCESS'

/** Who owns a host directory. It is the directory's name, so that no moment exists in which the owner is unknown. */
export interface HostOwner {
  readonly process: ProcessIdentity
  /** The first eight digits of the kernel's boot id. */
  readonly boot: string
}

/** Short, because Unix socket paths below it end at 107 bytes. */
export function nameHost(table: ProcessTable, random: string): string {
  const { pid, startTime } = table.self
  return `${pid}-${BigInt(startTime).toString(36)}-${bootDigits(table.bootId)}-${random}`
}

export function parseHostName(name: string): HostOwner | undefined {
  const match = /^([1-9][0-9]{0,9})-([0-9a-z]{1,13})-([0-9a-f]{8})-[0-9a-f]{8}$/.exec(name)
  if (match === null) return undefined
  const startTime = [...match[2]!].reduce((sum, digit) => sum * 36n + BigInt(Number.parseInt(digit, 36)), 0n)
  return { process: { pid: Number(match[1]), startTime: startTime.toString() }, boot: match[3]! }
}

/** Whether the program that owns this host directory still runs. */
export async function ownerLives(table: ProcessTable, owner: HostOwner): Promise<boolean> {
  if (owner.boot !== bootDigits(table.bootId)) return false
  const now = await table.identify(owner.process.pid)
  return now !== undefined && sameProcess(now, owner.process)
}

export function sameProcess(one: ProcessIdentity, other: ProcessIdentity): boolean {
  return one.pid === other.pid && one.startTime === other.startTime
}

export function markerValue(host: string, token: string): string {
  return `${host}/${token}`
}

function bootDigits(bootId: string): string {
  return bootId.replaceAll('-', '').slice(0, 8)
}
