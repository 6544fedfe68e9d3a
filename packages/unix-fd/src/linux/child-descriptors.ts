import { closeSync, constants, openSync, readdirSync, readFileSync } from 'node:fs'

/** `O_CLOEXEC` as /proc/PID/fdinfo prints it (asm-generic/fcntl.h; octal). */
const O_CLOEXEC = 0o2000000
const FIRST = 3

/** The end of the `stdio` of a child to spawn, from descriptor 3 on. Release it once the child is spawned. */
export interface ChildDescriptors {
  readonly stdio: readonly ('ignore' | number)[]
  /** Closes what covers inherited descriptors here; the child keeps its own. Call it once the child was spawned. */
  release(): void
}

/**
 * What a child has as its descriptors from 3 on: those in `given` (by the number in the child, the number here,
 * borrowed until `release`) and nothing else. What Node opens closes on exec, but what this program itself inherited
 * may not: each such descriptor becomes `/dev/null` in the child.
 */
export function childDescriptors(given: ReadonlyMap<number, number> = new Map()): ChildDescriptors {
  const leaked = readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd >= FIRST && !given.has(fd) && !closesOnExec(fd))
  const nothing = leaked.length > 0 ? openSync('/dev/null', constants.O_RDONLY) : undefined
  const last = Math.max(FIRST - 1, ...leaked, ...given.keys())
  const stdio = Array.from({ length: last - FIRST + 1 }, (_, index) => {
    const number = index + FIRST
    return given.get(number) ?? (nothing !== undefined && leaked.includes(number) ? nothing : 'ignore')
  })
  return { stdio, release: () => nothing !== undefined && closeSync(nothing) }
}

function closesOnExec(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]
    return flags === undefined || (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0
  } catch {
    return true // It was the listing of the directory itself, closed since.
  }
}
