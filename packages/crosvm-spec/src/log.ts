import { visible } from './visible.js'

/** How much a line of crosvm's log matters. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace'

/**
 * One line of crosvm's standard error. Control characters in it are escaped, and it is cut at 8192 characters: a
 * device may log what the guest chose. Source: `[RFC3339 LEVEL module] message` of crosvm's base/src/syslog.rs.
 */
export type LogLine =
  | {
      readonly kind: 'record'
      /** As crosvm wrote it: RFC 3339. */
      readonly time: string
      readonly level: LogLevel
      /** `crosvm::sys::linux`, `devices::virtio::block` */
      readonly module: string
      readonly message: string
    }
  /** Without a level: a further line of the record before, or what came before logging was set up. */
  | { readonly kind: 'text'; readonly message: string }

/** Lines are cut at this many characters: a device may log what the guest chose. */
export const LONGEST_LINE = 8192

const RECORD =
  /^\[([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,20}(?:Z|[+-][0-9]{2}:[0-9]{2})) +(ERROR|WARN|INFO|DEBUG|TRACE) +([\w:.-]{1,200})\] ?(.*)$/u

/** Takes a line of crosvm's standard error apart; never fails, what has no form is a message. */
export function parseLogLine(line: string): LogLine {
  const cut = line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)} …` : line
  const found = RECORD.exec(cut)
  if (!found) return { kind: 'text', message: visible(cut) }
  const [, time, level, module, message] = found as unknown as [string, string, string, string, string]
  return { kind: 'record', time, level: level.toLowerCase() as LogLevel, module, message: visible(message) }
}

/**
 * Cuts a stream of UTF-8 into lines and reads each. A line without an end is given when it gets too long. Ends
 * with the stream, and fails as it does.
 */
export async function* parseLog(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<LogLine, void, void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop()!
    for (const line of lines) yield parseLogLine(line)
    if (rest.length > LONGEST_LINE) {
      yield parseLogLine(rest)
      rest = ''
    }
  }
  rest += decoder.decode()
  if (rest !== '') yield parseLogLine(rest)
}
