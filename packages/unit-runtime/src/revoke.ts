import type { AgentError, StoreUnbindReport } from '@spectrum/guest-agent'
import type { ClosureReference } from '@spectrum/unit-graph'
import { err, ok, type Result } from 'neverthrow'
import { nameOf, withoutRoots } from './closures.js'
import { heldBlobs } from './devices.js'
import { agentFailed, type HostError, viewFailed } from './errors.js'
import { type Changeable, type ChangePowers, isUnknown } from './inject.js'
import { also, openUndo, showAgain } from './undo-change.js'
import type { Wait } from './wait.js'

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
    /** How many processes those are, by the unit's word. */
    readonly processes: number
    /** Paths whose bytes lie on devices of the machine: root in the unit can read them there. */
    readonly onDevices: readonly string[]
  }
  /** Milliseconds of the host's clock, from the unit's turn to the end. */
  readonly ms: number
}

/**
 * Takes roots away that were granted to the unit, and what only they needed. First the unit's view stops to show what
 * came by it, whatever the unit says; then the unit unbinds the paths. After a failure it sees what it saw before, unless
 * the error says what it could not be given back.
 */
export async function revokeClosure(
  powers: ChangePowers,
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
  const shown = unit.view?.shown(names) ?? []
  if (unit.view !== undefined && shown.length > 0) {
    const hidden = await unit.view.hide(shown, wait)
    if (hidden.isErr()) {
      using undo = openUndo(powers, unit)
      const error = unit.whyNot(viewFailed(unit.name, hidden.error))
      return err(await showAgain(unit, unit.view, shown, error, undo))
    }
    powers.step('revoke-hidden')
  }
  const unbound = await unbind(powers, unit, names, wait)
  if (unbound.isErr()) {
    const error = unit.whyNot(agentFailed(unit.name, unbound.error, unit.machine.lastLines()))
    if (isUnknown(unbound.error)) return err(also(error, UNANSWERED))
    if (unit.view === undefined) return err(error)
    using undo = openUndo(powers, unit)
    return err(await showAgain(unit, unit.view, shown, error, undo))
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

const UNANSWERED =
  'Whether it unbound the paths is not known, and what its view hid of them stays hidden: revoke them again, or stop the unit.'

/** A request that was given up half-way is asked again: names that are gone are passed over. */
async function unbind(
  powers: ChangePowers,
  unit: Changeable,
  names: readonly string[],
  wait: Wait,
): Promise<Result<StoreUnbindReport, AgentError>> {
  const first = await unit.agent.unbindStore(names, { signal: wait.signal, deadlineMs: wait.leftMs() })
  if (first.isOk() || !isUnknown(first.error)) return first
  using last = openUndo(powers, unit)
  const second = await unit.agent.unbindStore(names, { signal: last.signal, deadlineMs: last.leftMs() })
  return second.isErr() && second.error.kind !== 'refused' ? err(first.error) : second
}

function notGranted(unit: string, path: string): HostError {
  const message =
    `Unit "${unit}" was not granted ${path} as such: name a path that it was started or injected with. ` +
    'What those reference goes with them.'
  return { kind: 'not-granted', message, unit, path }
}
