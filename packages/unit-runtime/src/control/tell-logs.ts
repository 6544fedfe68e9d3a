import type { Host } from '../host.js'
import type { LogLine as UnitLine } from '../supervision/log-line.js'
import type { Unit } from '../unit.js'
import type { LogLine, RequestOf } from './requests.js'

type Logs = Pick<Host, 'logs'> & { readonly units: ReadonlyMap<string, Pick<Unit, 'ended'>> }

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
  const running = host.units.get(unit)
  if (running === undefined) return
  const ended = new AbortController()
  const end = () => ended.abort()
  void running.ended.then(end)
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  let last = from
  // Some of what was said meanwhile is in the log already.
  const news = host.logs(unit, {
    follow: true,
    lastLines: from === undefined ? 0 : 200,
    signal: ended.signal,
  })
  for await (const line of news) {
    if (last !== undefined && line.seq <= last) continue
    const lost = last === undefined ? 0 : line.seq - last - 1
    last = line.seq
    if (lost > 0 && !(await tell({ lost }))) break
    if (!(await tell(wireLine(unit, line)))) break
  }
  signal.removeEventListener('abort', end)
}

const wireLine = (unit: string, { source, text, at }: UnitLine): LogLine => ({
  unit,
  source,
  text,
  at: Math.max(0, Math.floor(at)),
})
