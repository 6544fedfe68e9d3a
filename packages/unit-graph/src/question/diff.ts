import type { Graph } from '../compose.js'
import { type Edge, edgesOf } from '../engine/edge.js'

/** `grants`: whether the change gives more authority, takes some away, or cannot be ordered. */
export type Change =
  | {
      readonly kind: 'unit-added'
      /** Key of the unit. */
      readonly unit: string
      readonly grants: 'more'
    }
  | {
      readonly kind: 'unit-removed'
      /** Key of the unit. */
      readonly unit: string
      readonly grants: 'less'
    }
  | {
      readonly kind: 'unit-changed'
      /** Key of the unit. */
      readonly unit: string
      /** Key of the definition that differs: `memoryBytes`, `store` … */
      readonly field: string
      readonly grants: 'more' | 'less' | 'other'
    }
  | { readonly kind: 'edge-added'; readonly edge: Edge; readonly grants: 'more' }
  | { readonly kind: 'edge-removed'; readonly edge: Edge; readonly grants: 'less' }
  | {
      readonly kind: 'edge-changed'
      /** As the first graph has it. */
      readonly before: Edge
      /** As the second graph has it. */
      readonly after: Edge
      readonly grants: 'more' | 'less' | 'other'
    }

/**
 * What changes in who may do what, from one graph to another: for a review. Empty for equal authority.
 *
 * @example
 * ```ts
 * import { diff, parseGraph } from '@spectrum/unit-graph'
 *
 * export function isNoWider(before: string, after: string): boolean {
 *   const changes = diff(parseGraph(before)._unsafeUnwrap(), parseGraph(after)._unsafeUnwrap())
 *   return changes.every(({ grants }) => grants === 'less')
 * }
 * ```
 */
export function diff(before: Graph, after: Graph): readonly Change[] {
  return [...unitChanges(before, after), ...edgeChanges(edgesOf(before), edgesOf(after))]
}

function unitChanges(before: Graph, after: Graph): readonly Change[] {
  const changes: Change[] = []
  for (const [unit, definition] of Object.entries(before.units)) {
    if (!Object.hasOwn(after.units, unit)) {
      changes.push({ kind: 'unit-removed', unit, grants: 'less' })
      continue
    }
    const other = after.units[unit]!
    for (const field of new Set([...Object.keys(definition), ...Object.keys(other)])) {
      const [old, now] = [definition, other].map((one) => (one as unknown as Record<string, unknown>)[field])
      if (JSON.stringify(old) === JSON.stringify(now)) continue
      const grants = field === 'store' ? setChange(definition.store.roots, other.store.roots) : 'other'
      changes.push({ kind: 'unit-changed', unit, field, grants })
    }
  }
  for (const unit of Object.keys(after.units)) {
    if (!Object.hasOwn(before.units, unit)) changes.push({ kind: 'unit-added', unit, grants: 'more' })
  }
  return changes
}

function edgeChanges(before: readonly Edge[], after: readonly Edge[]): readonly Change[] {
  const placeOf = ({ unit, need }: Edge) => JSON.stringify([unit, need])
  const later = new Map(after.map((edge) => [placeOf(edge), edge]))
  const earlier = new Set(before.map(placeOf))
  const changed = before.flatMap((edge): Change[] => {
    const now = later.get(placeOf(edge))
    if (now === undefined) return [{ kind: 'edge-removed', edge, grants: 'less' }]
    if (JSON.stringify(edge) === JSON.stringify(now)) return []
    return [{ kind: 'edge-changed', before: edge, after: now, grants: grantChange(edge, now) }]
  })
  const added = after.filter((edge) => !earlier.has(placeOf(edge)))
  return [...changed, ...added.map((edge): Change => ({ kind: 'edge-added', edge, grants: 'more' }))]
}

function grantChange(before: Edge, after: Edge): 'more' | 'less' | 'other' {
  const sameEnds =
    JSON.stringify([before.to, before.service]) === JSON.stringify([after.to, after.service]) &&
    before.strength === after.strength
  if (!sameEnds) return 'other'
  const [old, now] = [before, after].map(({ attenuators }) => attenuators.map((one) => JSON.stringify(one)))
  // Every attenuator takes away, so more of the same is less authority.
  const change = setChange(old!, now!)
  return change === 'more' ? 'less' : change === 'less' ? 'more' : 'other'
}

function setChange(before: readonly string[], after: readonly string[]): 'more' | 'less' | 'other' {
  const [old, now] = [new Set(before), new Set(after)]
  if (before.every((one) => now.has(one))) return after.every((one) => old.has(one)) ? 'other' : 'more'
  return after.every((one) => old.has(one)) ? 'less' : 'other'
}
