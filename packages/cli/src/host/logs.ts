import { escapeText } from '@spectrum/unit-runtime'
import type { LogLine } from '@spectrum/unit-runtime/control'
import { interruptedStatus } from '../execute.js'
import { signalNumber } from '../exit-status.js'
import type { LogsCommand } from './command.js'
import { failed, type ReachPowers, withHost } from './reach.js'

/** Prints what units have said, and with `follow` what they say. */
export async function logs(command: LogsCommand, powers: ReachPowers): Promise<number> {
  const { host, unit, follow, lines, json } = command
  const { interrupted, stdout } = powers
  return withHost(host, powers, async (client) => {
    const found = await client.logs({ unit, lines, follow, signal: interrupted })
    if (found.isErr()) return failed(found.error, powers)
    try {
      for await (const line of found.value.lines)
        await stdout.write(json ? `${JSON.stringify(line)}\n` : wordsOf(line, unit))
    } catch {
      // Nobody reads any more.
      return 128 + signalNumber('SIGPIPE')
    }
    if (interrupted.aborted) return interruptedStatus(interrupted)
    const ended = await found.value.ended
    return ended.isErr() ? failed(ended.error, powers) : 0
  })
}

function wordsOf(line: LogLine, unit: string | undefined): string {
  if ('lost' in line) return `(${line.lost} lines are missing here)\n`
  const text = escapeText(line.text)
  return unit === undefined ? `${line.unit}: ${text}\n` : `${text}\n`
}
