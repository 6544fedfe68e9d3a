import type { HostCommand } from './host/command.js'
import { failed } from './host/reach.js'
import type { CommandPowers } from './powers.js'

type GcCommand = Extract<HostCommand, { kind: 'gc' }>

/** Removes cached files that no unit uses. */
export async function gc(
  { dryRun, json }: GcCommand,
  powers: Pick<CommandPowers, 'stdout' | 'stderr' | 'interrupted' | 'collect'>,
): Promise<number> {
  const collected = await powers.collect({ dryRun, signal: powers.interrupted })
  if (collected.isErr()) return failed(collected.error, powers)
  const { removed, freedBytes, kept } = collected.value
  const keptFiles = Object.values(kept).reduce((sum, count) => sum + count, 0)
  const verb = dryRun ? 'would free' : 'freed'
  const text = json
    ? `${JSON.stringify({ dryRun, freedBytes, removed, kept })}\n`
    : `${verb} ${sizeOf(freedBytes)} in ${removed.length} files; ${keptFiles} files are in use\n`
  await powers.stdout.write(text)
  return 0
}

function sizeOf(bytes: number): string {
  const steps = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  const step = Math.min(steps.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  return `${step === 0 ? bytes : (bytes / 1024 ** step).toFixed(1)} ${steps[step]}`
}
