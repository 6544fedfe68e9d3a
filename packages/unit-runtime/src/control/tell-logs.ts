import type { Host } from '../host.js'
import type { LogLine as UnitLine } from '../supervision/log-line.js'
import type { Unit } from '../unit.js'
import type { LogLine, RequestOf } from './requests.js'

type Logs = Pick<Host, 'logs'> & { readonly units: ReadonlyMap<string, Pick<Unit, 'ended'>> }

/** So many of the lines that came while others were told are looked for; more of them count as lost. */
const CAUGHT_UP_LINES = 200

interface Teller {
  readonly signal: AbortSignal
  /** False when nobody hears it any more. */
  tell(line: LogLine): Promise<boolean>
}

/**
 * The newest lines of these units in the order in which they came, then, where it is asked for, what each says until it
 * has ended. A client that is slow misses lines and is told how many: the logs hold back for nobody.
 */
export async function tellLogs(
  host: Logs,
  units: readonly string[],
  { lines, follow }: RequestOf<'logs'>,
  { signal, tell }: Teller,
): Promise<void> {
  const last = new Map<string, number>()
  const kept: { readonly unit: string; readonly line: UnitLine }[] = []
  for (const unit of units) {
    for await (const line of host.logs(unit, { lastLines: lines, signal })) kept.push({ unit, line })
  }
  kept.sort((one, other) => one.line.at - other.line.at)
  for (const { unit, line } of kept) last.set(unit, Math.max(line.seq, last.get(unit) ?? 0))
  for (const { unit, line } of kept.slice(Math.max(0, kept.length - lines))) {
    if (!(await tell(wireLine(unit, line)))) return
  }
  if (!follow) return
  const from = (unit: string) => last.get(unit) ?? (lines > 0 ? 0 : undefined)
  await Promise.all(units.map((unit) => tellNews(host, unit, from(unit), { signal, tell })))
}

async function tellNews(
  host: Logs,
  unit: string,
  from: number | undefined,
  { signal, tell }: Teller,
): Promise<void> {
  let last = from
  const told = async (line: UnitLine): Promise<boolean> => {
    // Some of what was said meanwhile is in the log already.
    if (last !== undefined && line.seq <= last) return true
    const lost = last === undefined ? 0 : line.seq - last - 1
    last = line.seq
    return (lost === 0 || (await tell({ lost }))) && (await tell(wireLine(unit, line)))
  }
  const lastLines = from === undefined ? 0 : CAUGHT_UP_LINES
  const running = host.units.get(unit)
  if (running !== undefined) {
    const ended = new AbortController()
    const end = () => ended.abort()
    void running.ended.then(end)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    try {
      const news = host.logs(unit, { follow: true, lastLines, signal: ended.signal })
      for await (const line of news) if (!(await told(line))) return
    } finally {
      signal.removeEventListener('abort', end)
    }
  }
  // Its end may have come before its last words were read.
  const missed = host.logs(unit, { lastLines: last === undefined ? 0 : CAUGHT_UP_LINES, signal })
  for await (const line of missed) if (!(await told(line))) return
}

const wireLine = (unit: string, { source, text, at }: UnitLine): LogLine => ({
  unit,
  source,
  text,
  at: Math.max(0, Math.floor(at)),
})
