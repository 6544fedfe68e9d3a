import { type Graph, startOrder, type UnitDefinition, type UnitMap } from '@spectrum/unit-graph'
import { err, ok, type Result } from 'neverthrow'
import type { HostError } from './errors.js'
import type { RunningUnit } from './running-unit.js'

/**
 * Starts the units of a graph in its order, at most `width` at once. The first failure ends the starts under
 * way, stops what runs in reverse order, and is the error; aborts that it caused elsewhere are not.
 */
export async function startGraph<Units extends UnitMap>(
  graph: Graph<Units>,
  width: number,
  start: (definition: UnitDefinition, signal: AbortSignal) => Promise<Result<RunningUnit, HostError>>,
): Promise<Result<ReadonlyMap<string, RunningUnit>, HostError>> {
  const started = new Map<string, RunningUnit>()
  const failing = new AbortController()
  let failure: HostError | undefined
  for (const independent of startOrder(graph)) {
    const waiting = [...independent]
    const worker = async () => {
      for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
        if (failure !== undefined) return
        const unit = await start(graph.units[key]!, failing.signal)
        if (unit.isOk()) {
          started.set(key, unit.value)
        } else {
          failure ??= unit.error
          failing.abort()
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(width, independent.length) }, worker))
    if (failure !== undefined) break
  }
  if (failure === undefined) return ok(started)
  await stopInReverse([...started.values()], 0)
  return err(failure)
}

/**
 * Stops units one after the other, the last started first. Returns what could not be stopped. From the moment
 * that `hurry` aborts no guest is waited for.
 */
export async function stopInReverse(
  units: readonly RunningUnit[],
  graceMs: number,
  hurry?: AbortSignal,
): Promise<readonly HostError[]> {
  const failures: HostError[] = []
  for (const unit of units.toReversed()) {
    const stopping = unit.stop({ graceMs: hurry?.aborted ? 0 : graceMs })
    const kill = () => void unit.stop({ graceMs: 0 })
    hurry?.addEventListener('abort', kill, { once: true })
    const stopped = await stopping
    hurry?.removeEventListener('abort', kill)
    if (stopped.isErr()) failures.push(stopped.error)
  }
  return failures
}
