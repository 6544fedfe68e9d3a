import type { FileVerity, VerityState } from '../cache/verity.js'
import { quote, quoteOutput } from '../quote.js'
import { runCommand } from './command.js'

const MAX_OUTPUT_BYTES = 64 << 10

/** Through `fsverity` (fsverity-utils), because Node has no ioctl. */
export const fileVerity: FileVerity = {
  async enable(path, signal): Promise<VerityState> {
    const enabled = await run(['enable', path], signal)
    if (enabled !== undefined && 'refused' in enabled)
      return { kind: 'unsupported', message: enabled.refused }
    const digest = await this.measure(path, signal)
    if (digest !== undefined) return { kind: 'enabled', digest }
    return {
      kind: 'unsupported',
      message: `fs-verity was enabled for ${quote(path)} but cannot be measured.`,
    }
  },
  async measure(path, signal) {
    const measured = await run(['measure', path], signal)
    if (measured === undefined || 'refused' in measured) return undefined
    return /^(sha(?:256|512):[0-9a-f]+) /.exec(measured.output)?.[1]
  },
}

async function run(
  argv: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly output: string } | { readonly refused: string } | undefined> {
  const outcome = await runCommand({
    file: 'fsverity',
    argv,
    environment: { LC_ALL: 'C' },
    signal,
    maxOutputBytes: MAX_OUTPUT_BYTES,
  })
  if (outcome.kind === 'not-found') {
    return { refused: 'fs-verity is not used: there is no fsverity command; install fsverity-utils.' }
  }
  if (outcome.kind !== 'exited') return undefined
  if (outcome.code === 0) return { output: Buffer.from(outcome.stdout).toString('latin1') }
  const why = quoteOutput(outcome.stderr)
  return { refused: `fs-verity is not used: the file system or the kernel refused it (${why}).` }
}
