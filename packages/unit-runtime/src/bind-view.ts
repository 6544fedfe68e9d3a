import type { AgentError } from '@spectrum/guest-agent'
import { err, ok, type Result } from 'neverthrow'
import type { Changeable } from './inject.js'
import type { UnitView } from './unit-view.js'
import type { Wait } from './wait.js'

/**
 * Binds names that the view shows. Those that are bound already are bound anew: a change that was given up can have left
 * them, and what was bound of an earlier showing is stale for ever. After a failure some may be bound.
 */
export async function bindFromView(
  unit: Changeable,
  view: UnitView,
  paths: readonly string[],
  wait: Wait,
): Promise<Result<void, AgentError>> {
  const mounted = await mount(unit, view, paths, wait)
  if (mounted.isErr()) return err(mounted.error)
  const bound = new Set(mounted.value)
  const old = paths.filter((name) => !bound.has(name))
  return old.length === 0 ? ok(undefined) : bindAnew(unit, view, old, wait)
}

/** Binds names of the view that are bound, for when it has hidden them and shows them again. */
export async function bindAnew(
  unit: Changeable,
  view: UnitView,
  paths: readonly string[],
  wait: Wait,
): Promise<Result<void, AgentError>> {
  const unbound = await unit.agent.unbindStore(paths, { signal: wait.signal, deadlineMs: wait.leftMs() })
  if (unbound.isErr()) return err(unbound.error)
  const mounted = await mount(unit, view, paths, wait)
  if (mounted.isErr()) return err(mounted.error)
  const bound = new Set(mounted.value)
  const absent = paths.find((name) => !bound.has(name))
  if (absent === undefined) return ok(undefined)
  const message = `the unit did not bind ${absent}; its agent and this host do not agree`
  return err({ kind: 'refused', message, errno: undefined })
}

async function mount(
  { agent }: Changeable,
  { tag }: UnitView,
  paths: readonly string[],
  wait: Wait,
): Promise<Result<readonly string[], AgentError>> {
  const options = { signal: wait.signal, deadlineMs: wait.leftMs() }
  return (await agent.mountView({ tag, paths }, options)).map(({ bound }) => bound)
}
