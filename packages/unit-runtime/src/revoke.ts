import type { ClosureReference } from '@spectrum/unit-graph'
import { err, ok, type Result } from 'neverthrow'
import { nameOf, withoutRoots } from './closures.js'
import { heldBlobs } from './devices.js'
import { agentFailed, type HostError, viewFailed } from './errors.js'
import type { Changeable, ChangePowers } from './inject.js'
import { openWait, type Wait } from './wait.js'

/** What was taken away from a running unit, and what could not be. */
export interface RevokeReport {
  /** Store paths that the unit sees no longer, sorted. What something that it keeps references stays. */
  readonly removed: readonly string[]
  /** What of those is not taken back before the unit ends, or lets it go. What was read stays read in any case. */
  readonly stays: {
    /**
     * Paths that processes of the unit run from, have open, mapped or as their directory, and how many processes those
     * are. It is the unit's word.
     */
    readonly inUse: readonly string[]
    readonly processes: number
    /** Paths whose bytes lie on devices of the machine: root in the unit can read them there. */
    readonly onDevices: readonly string[]
  }
  readonly ms: number
}

const UNDO_MS = 30_000

/**
 * Takes roots away that were granted to the unit, and what only they needed. First the unit's view stops to show what
 * came by it, whatever the unit says; then the unit unbinds the paths. After a failure it sees what it saw before.
 */
export async function revokeClosure(
  powers: ChangePowers & { readonly clock: Parameters<typeof openWait>[0] },
  unit: Changeable,
  reference: ClosureReference,
  wait: Wait,
): Promise<Result<Omit<RevokeReport, 'ms'>, HostError>> {
  const before = unit.closure()
  const stranger = reference.roots.find((root) => !before.roots.includes(root))
  if (stranger !== undefined) return err(notGranted(unit.name, stranger))
  const { left, gone } = withoutRoots(before, reference.roots)
  if (gone.length === 0) {
    unit.granted(left)
    return ok({ removed: [], stays: { inUse: [], processes: 0, onDevices: [] } })
  }
  powers.step('revoke-begun')
  const names = gone.map(nameOf)
  const hidden = unit.view === undefined ? ok([]) : await unit.view.hide(names)
  if (hidden.isErr()) return err(viewFailed(unit.name, hidden.error))
  if (hidden.value.length > 0) powers.step('revoke-hidden')
  const unbound = await unit.agent.unbindStore(names, { signal: wait.signal, deadlineMs: wait.leftMs() })
  if (unbound.isErr()) {
    const error = agentFailed(unit.name, unbound.error, unit.machine.lastLines())
    // The caller's patience may have ended; what was hidden comes back all the same.
    using undo = openWait(powers.clock, UNDO_MS)
    const back = await unit.view?.show(hidden.value, undo)
    if (back === undefined || back.isOk()) return err(error)
    const message = `${error.message} And its view could not be told to show them again: ${back.error.message}`
    return err({ ...error, message })
  }
  powers.step('revoke-unbound')
  unit.granted(left)
  const { inUse, processes } = unbound.value
  const held = new Set(heldBlobs(unit.devices).flatMap(({ storePaths }) => storePaths))
  const removed = gone.map(({ path }) => path)
  return ok({
    removed,
    stays: {
      inUse: inUse.map((name) => `/nix/store/${name}`),
      processes,
      onDevices: removed.filter((path) => held.has(path)),
    },
  })
}

function notGranted(unit: string, path: string): HostError {
  const message =
    `Unit "${unit}" was not granted ${path} as such: name a path that it was started or injected with. ` +
    'What those reference goes with them.'
  return { kind: 'not-granted', message, unit, path }
}
