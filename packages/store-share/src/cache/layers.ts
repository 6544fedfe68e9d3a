import { err, ok, type Result } from 'neverthrow'
import type { Closure, StorePathInfo } from '../closure.js'
import type { StoreError } from '../errors.js'
import { quote } from '../quote.js'

/** Store paths that become one device. */
export interface PlannedLayer {
  /** Sorted by path. */
  readonly paths: readonly StorePathInfo[]
  /** Positions of the closures that get it, ascending. Each of them holds every path of the layer. */
  readonly holders: readonly number[]
}

/**
 * Groups the paths of closures so that none needs more than `budget` devices, its metadata image included.
 *
 * Paths that the same closures hold may share a layer; others never do, so no closure gets a path it lacks
 * and nothing is stored twice. As far as the budget allows, paths stay single, the largest first: a blob of
 * one path is shared with closures that are not known yet, a layer only with the same layer.
 *
 * Fails with `device-budget` when a closure falls into more groups than it may have devices, and with
 * `hash-mismatch` when two closures disagree about one path. The order of `closures` only numbers the holders.
 */
export function planLayers(
  closures: readonly Closure[],
  budget: number,
): Result<readonly PlannedLayer[], StoreError> {
  const slots = budget - 1
  const known = new Map<string, { readonly info: StorePathInfo; readonly holders: number[] }>()
  for (const [holder, closure] of closures.entries()) {
    for (const info of closure.paths) {
      const entry = known.get(info.path)
      if (entry === undefined) known.set(info.path, { info, holders: [holder] })
      else if (entry.info.narHash !== info.narHash) return err(disagreement(entry.info, info))
      else if (entry.holders.at(-1) !== holder) entry.holders.push(holder)
    }
  }

  const classes = new Map<
    string,
    { readonly paths: Set<StorePathInfo>; readonly holders: readonly number[] }
  >()
  for (const { info, holders } of known.values()) {
    const key = holders.join()
    const group = classes.get(key) ?? { paths: new Set(), holders }
    group.paths.add(info)
    classes.set(key, group)
  }

  const used = closures.map(
    (_, holder) => [...classes.values()].filter((c) => c.holders.includes(holder)).length,
  )
  const worst = Math.max(0, ...used)
  if (worst > slots || slots < 0) return err(overBudget(worst + 1, budget, closures.length))

  const layers: PlannedLayer[] = []
  const byWeight = [...known.values()].sort(
    (a, b) => b.info.narSize - a.info.narSize || (a.info.path < b.info.path ? -1 : 1),
  )
  for (const { info, holders } of byWeight) {
    const group = classes.get(holders.join())!
    if (group.paths.size === 1 || holders.some((holder) => used[holder]! >= slots)) continue
    group.paths.delete(info)
    layers.push({ paths: [info], holders })
    for (const holder of holders) used[holder]!++
  }
  for (const { paths, holders } of classes.values()) {
    layers.push({ paths: [...paths].sort(byPath), holders })
  }
  return ok(layers.sort((a, b) => byPath(a.paths[0]!, b.paths[0]!)))
}

function byPath(a: StorePathInfo, b: StorePathInfo): number {
  return a.path < b.path ? -1 : 1
}

function overBudget(needed: number, budget: number, closures: number): StoreError {
  return {
    kind: 'device-budget',
    needed,
    budget,
    message: `A unit would need ${needed} devices (metadata image included) and may have ${budget}: the paths of ${closures} closures overlap in too many ways. Raise deviceBudget, or attach fewer units together.`,
  }
}

function disagreement(one: StorePathInfo, other: StorePathInfo): StoreError {
  return {
    kind: 'hash-mismatch',
    path: one.path,
    expected: one.narHash,
    actual: other.narHash,
    message: `Two closures disagree about the contents of ${quote(one.path)}; take both from the same store.`,
  }
}
