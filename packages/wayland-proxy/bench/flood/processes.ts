import { readdirSync, readFileSync } from 'node:fs'

/** Nothing of what has ended meanwhile. */
function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** The processes and all that descend from them. */
function family(pids: readonly number[]): readonly number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    parents.set(Number(name), Number(/^PPid:\s+(\d+)/m.exec(text(`/proc/${name}/status`))?.[1]))
  }
  const belongs = (pid: number): boolean => pids.includes(pid) || (pid > 1 && belongs(parents.get(pid) ?? 0))
  return [...parents.keys()].filter(belongs)
}

/** MiB that they hold: a page that several have counts once, by parts. */
export function memoryOf(pids: readonly number[]): number {
  let sum = 0
  for (const pid of family(pids))
    sum += Number(/^Pss:\s+(\d+)/m.exec(text(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1_024
  return sum
}

/** Nanoseconds that their threads have run on a processor. Says more than a clock where others run, too. */
export function workOf(pids: readonly number[]): number {
  let sum = 0
  for (const pid of family(pids)) {
    try {
      for (const thread of readdirSync(`/proc/${pid}/task`))
        sum += Number(text(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0])
    } catch {
      // It has ended meanwhile.
    }
  }
  return sum
}
