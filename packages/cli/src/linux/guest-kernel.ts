import { fromPromise } from 'neverthrow'
import type { CommandPowers, Failure, FetchedKernel } from '../powers.js'

/** Fetches Debian's cloud kernel into the cache of this user, as the set-up of a checkout does. Nothing is installed. */
export const fetchGuestKernel: CommandPowers['fetchKernel'] = ({ signal, say }) =>
  fromPromise(fetchInto(signal, say), (cause) => failureOf(cause, signal))

async function fetchInto(signal: AbortSignal, say: (line: string) => void): Promise<FetchedKernel> {
  // Loaded when it is wanted: no other command pays for it.
  const { guestKernel, kernels } = await import('../../setup/guest-kernel.mjs')
  const missing = guestKernel.missing()
  for (const { what, why } of missing) say(`${what}: ${why}`)
  if (missing.length > 0) await guestKernel.install(missing, { signal, say })
  return { place: process.env['SPECTRUM_KERNEL'] || `${kernels}/current`, isNew: missing.length > 0 }
}

function failureOf(cause: unknown, signal: AbortSignal): Failure {
  if (signal.aborted) return { kind: 'aborted', message: 'stopped; what was begun has been taken back' }
  const { message, remedy, detail } = cause as Error & { readonly remedy?: string; readonly detail?: string }
  const lines = [remedy === undefined ? message : `${message}: ${remedy}`, detail ?? '']
  return { kind: 'kernel-not-fetched', message: lines.join('\n').trimEnd() }
}
