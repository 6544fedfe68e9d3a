/**
 * Who said it: the guest's kernel and agent on the console, the monitor, the unit's command on its two streams, or the
 * host, of what it did with the unit.
 */
export type LogSource = 'console' | 'monitor' | 'stdout' | 'stderr' | 'host'

/** A line that a unit or its monitor has said; escaped and bounded. */
export interface LogLine {
  /** Counts the lines of one unit on one host, from 1 on; what is missing was dropped. */
  readonly seq: number
  /** Milliseconds since 1970, by the host's clock. */
  readonly at: number
  /** Who said it. */
  readonly source: LogSource
  /** Escaped: what a unit says cannot reach a terminal as anything but text. Never longer than 2,048 characters. */
  readonly text: string
}

/** Which lines are wanted, and for how long. */
export interface LogOptions {
  /** Go on with what is said from now on, until the signal aborts or the host stops. */
  readonly follow?: boolean | undefined
  /** At most so many of the lines that were said already, the newest; all that are kept by default. */
  readonly lastLines?: number | undefined
  /** Ends following; the loop then ends without an error. */
  readonly signal?: AbortSignal | undefined
}

const SOURCES: readonly string[] = ['console', 'monitor', 'stdout', 'stderr', 'host'] satisfies LogSource[]

export function printLine(line: LogLine): string {
  return `${JSON.stringify([line.seq, line.at, line.source, line.text])}\n`
}

/** Undefined: not a whole line, as at the end of a file that was being written. */
export function parseLine(text: string): LogLine | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(value)) return undefined
  const [seq, at, source, said] = value as unknown[]
  return typeof seq === 'number' &&
    typeof at === 'number' &&
    typeof said === 'string' &&
    SOURCES.includes(source as string)
    ? { seq, at, source: source as LogSource, text: said }
    : undefined
}
