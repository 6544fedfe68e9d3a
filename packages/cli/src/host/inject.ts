import { escapeLines } from '../escape.js'
import type { HostCommand } from './command.js'
import { failed, type ReachPowers, withHost } from './reach.js'

type InjectCommand = Extract<HostCommand, { kind: 'inject' }>

/** Adds software to a unit that runs. */
export async function inject(command: InjectCommand, powers: ReachPowers): Promise<number> {
  const { host, unit, paths, timeoutMs, json } = command
  return withHost(host, powers, async (client) => {
    const signal = powers.interrupted
    const done = await client.inject(
      unit,
      paths,
      timeoutMs === undefined ? { signal } : { signal, deadlineMs: timeoutMs },
    )
    if (done.isErr()) return failed(done.error, powers)
    const { added, way, ms } = done.value
    const words =
      added.length === 0
        ? `${unit} had everything already.`
        : `${unit} sees ${added.length} more store paths (by ${way}, ${(ms / 1000).toFixed(1)} s).`
    await powers.stdout.write(
      json ? `${JSON.stringify({ unit, ...done.value })}\n` : `${escapeLines(words)}\n`,
    )
    return 0
  })
}
