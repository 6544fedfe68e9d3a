import type { Attachment, Closure } from '@spectrum/store-share'
import type { UnitDefinition } from '@spectrum/unit-graph'
import { err, ok, type Result } from 'neverthrow'
import { type HostError, storeFailed } from './errors.js'
import type { UnitContext } from './unit-context.js'
import type { Wait } from './wait.js'

/**
 * The closures of units that start together, and the devices that carry them. They are planned together, so
 * that paths which must share a device are grouped in a way that still lets the units share it.
 * Nothing but the blob cache is touched. The result is by unit name.
 */
export async function attachUnits(
  context: UnitContext,
  definitions: readonly UnitDefinition[],
  deviceBudget: number,
  wait: Wait,
): Promise<Result<ReadonlyMap<string, Attachment>, HostError>> {
  const { store, cache } = context.powers
  const options = () => ({ signal: wait.signal, deadlineMs: wait.leftMs() })
  const closures = new Map<string, Closure>()
  for (const { name, store: reference } of definitions) {
    const closure = await store.closure(reference.roots, options())
    if (closure.isErr()) return err(inTime(storeFailed(name, closure.error), wait))
    closures.set(name, closure.value)
    context.step(name, 'closure-known')
  }
  const attached = await cache.attachAll(closures, { ...options(), deviceBudget })
  if (attached.isErr()) {
    const [only] = definitions
    return err(inTime(storeFailed(definitions.length === 1 ? only?.name : undefined, attached.error), wait))
  }
  for (const { name } of definitions) context.step(name, 'attached')
  return ok(attached.value)
}

/** Whoever hears the wait's signal can only say that it was aborted; the wait knows that it was the deadline. */
function inTime(error: HostError, wait: Wait): HostError {
  if (error.kind !== 'aborted' || wait.reason() !== 'timed-out') return error
  const message = 'The store paths were not attached before the deadline; give the start more deadlineMs.'
  const whose = error.unit === undefined ? {} : { unit: error.unit }
  return { kind: 'timed-out', message, ...whose, step: 'store', lastLines: [] }
}
