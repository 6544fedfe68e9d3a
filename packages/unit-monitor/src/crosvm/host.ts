import { absentOptions, type CrosvmSpec, type Help, prerequisites } from '@spectrum/crosvm-spec'
import { err, ok, type Result } from 'neverthrow'
import type { MonitorError } from '../errors.js'
import { escapeAndCut } from '../printable.js'
import type { CrosvmPowers } from './powers.js'

/**
 * What the spec takes for granted about this host and can be looked at: the root of the jails, KVM, the
 * namespaces. The files of the description are looked at as those of any monitor.
 */
export async function checkHost(
  spec: CrosvmSpec,
  powers: Pick<CrosvmPowers, 'files' | 'jails'>,
): Promise<Result<void, MonitorError>> {
  for (const item of prerequisites(spec)) {
    if (item.kind === 'privilege' && item.privilege === 'user-namespaces') {
      const why = await powers.jails.whyNone()
      if (why !== undefined) return err(lacks('user-namespaces', `${why}. Needed: ${item.message}`))
    } else if (item.kind === 'empty-directory' || item.kind === 'device') {
      const facts = await powers.files?.inspect(item.path)
      const wanted = item.kind === 'device' ? 'other' : 'directory'
      if (powers.files !== undefined && facts?.kind !== wanted) return err(lacks(item.path, item.message))
    }
  }
  return ok(undefined)
}

/** Asks the binary, once for each of its contents, which options it has. */
export async function askBinary(
  powers: Pick<CrosvmPowers, 'probe'>,
  binary: string,
  signal: AbortSignal,
): Promise<Result<Help | undefined, MonitorError>> {
  if (powers.probe === undefined || !binary.startsWith('/')) return ok(undefined)
  const asked = await powers.probe.probe(binary, signal)
  if (asked.isOk()) return ok(asked.value)
  signal.throwIfAborted()
  return err({
    kind: 'monitor-missing',
    binary,
    message: `crosvm: ${escapeAndCut(asked.error.message, 400)}`,
  })
}

export function checkOptions(spec: CrosvmSpec, help: Help | undefined): Result<void, MonitorError> {
  const absent = help === undefined ? undefined : absentOptions(spec, help)[0]
  return absent === undefined ? ok(undefined) : err(lacks(`--${absent.option}`, absent.message))
}

function lacks(capability: string, message: string): MonitorError {
  return { kind: 'unsupported', capability, message: `crosvm cannot run machines here: ${message}` }
}
