import { bindAnew } from './bind-view.js'
import type { HostError } from './errors.js'
import type { Changeable, ChangePowers } from './inject.js'
import type { UnitView, ViewEntry } from './unit-view.js'
import { openWait, orAborted, type Wait } from './wait.js'

const UNDO_MS = 30_000

/** For all of one undo. The caller's patience may have ended; what was begun is undone all the same, while the unit lives. */
export function openUndo({ clock }: ChangePowers, { ending }: Changeable): Wait {
  return openWait(clock, UNDO_MS, ending)
}

/** The view hides what the unit was not granted after all; a view that cannot is ended. Returns the change's error. */
export async function hideAgain(
  view: UnitView,
  names: readonly string[],
  error: HostError,
  undo: Wait,
): Promise<HostError> {
  const hidden = await view.hide(view.shown(names), undo)
  if (hidden.isOk()) return error
  const failed = unlessEnding(
    undo,
    error,
    `And its view could not be told to hide what it showed for that, so it is ended: ${hidden.error.message}`,
  )
  await orAborted(view.endServer(), undo.signal)
  return failed
}

/** The unit unbinds what it may have bound of a change that failed. Returns the change's error. */
export async function unbindAgain(
  { agent }: Changeable,
  names: readonly string[],
  error: HostError,
  undo: Wait,
): Promise<HostError> {
  const unbound = await agent.unbindStore(names, { signal: undo.signal, deadlineMs: undo.leftMs() })
  if (unbound.isOk() || unbound.error.kind === 'unit-lost') return error
  return unlessEnding(
    undo,
    error,
    `And the unit could not be told to unbind what it may have bound: ${unbound.error.message}`,
  )
}

/** The view shows again what it hid, and the unit binds it anew. Returns the change's error. */
export async function showAgain(
  unit: Changeable,
  view: UnitView,
  entries: readonly ViewEntry[],
  error: HostError,
  undo: Wait,
): Promise<HostError> {
  if (entries.length === 0) return error
  const shown = await view.show(entries, undo)
  if (shown.isErr())
    return unlessEnding(
      undo,
      error,
      `And its view could not be told to show again what it hid: ${shown.error.message}`,
    )
  const bound = await bindAnew(
    unit,
    view,
    entries.map(({ name }) => name),
    undo,
  )
  if (bound.isOk() || bound.error.kind === 'unit-lost') return error
  return unlessEnding(
    undo,
    error,
    `And the unit cannot read what its view shows again until that is revoked and injected: ${bound.error.message}`,
  )
}

/** Of a unit that ends nothing has to be undone. */
function unlessEnding(undo: Wait, error: HostError, more: string): HostError {
  return undo.reason() === 'aborted' ? error : also(error, more)
}

export function also(error: HostError, more: string): HostError {
  return { ...error, message: `${error.message} ${more}` }
}
