import { refuse, unsound } from '../grammar/refusal.js'
import { decimal, part } from '../grammar/separated.js'

/** A range of ids of a user namespace: `outer … outer + count - 1` of the host appear as `inner …`. */
export interface IdRange {
  /** The first id inside. 32 bits. */
  readonly inner: number
  /** The first id outside. 32 bits. */
  readonly outer: number
  /** How many there are; 1 or more. */
  readonly count: number
}

/** Which ids a jailed file server has and which of the host's it sees. Default: the caller's own id as 0. */
export interface OwnerMapping {
  /** The server's user id inside its user namespace. Default 0. */
  readonly uid?: number | undefined
  /** Its group id there. Default 0. */
  readonly gid?: number | undefined
  /**
   * User ids, 1 to 340 ranges: user_namespaces(7). Default `[{ inner: 0, outer: EUID, count: 1 }]`. More than one
   * range needs CAP_SETUID in the parent namespace.
   */
  readonly uidMap?: readonly IdRange[] | undefined
  /** Group ids, likewise. More than one range needs CAP_SETGID. */
  readonly gidMap?: readonly IdRange[] | undefined
}

function checkId(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    refuse(`an id is a whole number from 0 to ${0xffff_ffff}, not ${String(value)}`)
  }
  return value === 0 ? 0 : value
}

function printMap(ranges: readonly IdRange[]): string {
  if (!Array.isArray(ranges) || ranges.length === 0 || ranges.length > 340) refuse('expected 1 to 340 ranges')
  return ranges
    .map(({ inner, outer, count }) => `${checkId(inner)} ${checkId(outer)} ${checkId(count)}`)
    .join(',')
}

function readMap(text: string): readonly IdRange[] {
  const ranges = text.split(',').map((range) => {
    const numbers = /^ *([0-9]{1,10}) +([0-9]{1,10}) +([0-9]{1,10}) *$/.exec(range)
    // crosvm hands the text on to minijail, which fails at the start.
    if (!numbers) unsound(`'${range}' is not of the form INNER OUTER COUNT`)
    return { inner: Number(numbers[1]), outer: Number(numbers[2]), count: Number(numbers[3]) }
  })
  printMap(ranges)
  return ranges
}

const id = (text: string) => checkId(decimal(text))

export const ownerParts = {
  uid: part('uid', (value: number) => String(checkId(value)), id),
  gid: part('gid', (value: number) => String(checkId(value)), id),
  uidMap: part('uidmap', printMap, readMap),
  gidMap: part('gidmap', printMap, readMap),
}
