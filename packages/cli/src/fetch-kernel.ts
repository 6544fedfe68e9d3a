import { escapeLines } from './escape.js'
import { failed } from './host/reach.js'
import type { CommandPowers } from './powers.js'

/** Fetches the kernel that units boot, where there is none yet. Resolves with the exit status. */
export async function fetchKernel(
  powers: Pick<CommandPowers, 'stdout' | 'stderr' | 'interrupted' | 'fetchKernel'>,
): Promise<number> {
  const say = (line: string): void => {
    // Nobody may be there to see it.
    powers.stderr.write(`${escapeLines(line)}\n`).catch(() => {})
  }
  const fetched = await powers.fetchKernel({ signal: powers.interrupted, say })
  if (fetched.isErr()) return failed(fetched.error, powers)
  const { place, isNew } = fetched.value
  await powers.stdout.write(`${isNew ? 'fetched' : 'there already'}: ${escapeLines(place)}\n`)
  return 0
}
