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

/** Which paths lie together in which device file. */
export interface LayerPlan {
  /** Sorted by their first path. */
  readonly layers: readonly PlannedLayer[]
  /** Paths that lie in several layers, sorted, with the number of layers. Empty unless a budget forced it. */
  readonly duplicates: readonly { readonly path: string; readonly copies: number }[]
  /** NAR bytes that are stored, and held in memory, more than once. */
  readonly duplicatedBytes: number
}

/** Paths with the same holders, while the plan is made. */
interface Group {
  readonly paths: Map<string, StorePathInfo>
  readonly holders: readonly number[]
}

/**
 * Groups the paths of closures so that none needs more than `budget` devices, its metadata image included.
 *
 * No closure gets a path it lacks: a layer is given only to closures that hold all of it. Paths that the same
 * closures hold may share a layer at no cost. Where closures overlap in more ways than one of them may have
 * devices, its cheapest groups are stored once more, together, and the plan says so (`duplicates`). As far as
 * the budget allows, paths stay single, the largest first: a blob of one path is shared with closures that are
 * not known yet, a layer only with the same layer.
 *
 * Fails with `device-budget` when not even one device is left for data, and with `hash-mismatch` when two
 * closures disagree about one path. The order of `closures` only numbers the holders.
 *
 * @example
 * ```ts
 * import { type Closure, planLayers } from '@spectrum/store-share'
 *
 * export function show(mail: Closure, web: Closure): void {
 *   const plan = planLayers([mail, web], 24)._unsafeUnwrap()
 *   for (const { paths, holders } of plan.layers) console.log(paths.length, 'paths for', holders) // [0], [1], [0, 1]
 *   console.log('stored more than once:', plan.duplicatedBytes, 'bytes')
 * }
 * ```
 */
export function planLayers(closures: readonly Closure[], budget: number): Result<LayerPlan, StoreError> {
  const slots = budget - 1
  const classes = equivalenceClasses(closures)
  if (classes.isErr()) return err(classes.error)
  if (slots < 0 || (slots === 0 && classes.value.length > 0)) {
    return err(overBudget(classes.value.length > 0 ? 2 : 1, budget))
  }
  const merged = mergeUntilTheyFit(classes.value, closures.length, slots)
  const layers = joinEqual(splitWhatFits(merged, closures.length, slots))
  return ok({ layers, ...duplication(layers) })
}

/** Paths by the set of closures that hold them. */
function equivalenceClasses(closures: readonly Closure[]): Result<Group[], StoreError> {
  const known = new Map<string, { readonly info: StorePathInfo; readonly holders: number[] }>()
  for (const [holder, closure] of closures.entries()) {
    for (const info of closure.paths) {
      const entry = known.get(info.path)
      if (entry === undefined) known.set(info.path, { info, holders: [holder] })
      else if (entry.info.narHash !== info.narHash) return err(disagreement(entry.info, info))
      else if (entry.holders.at(-1) !== holder) entry.holders.push(holder)
    }
  }
  const classes = new Map<string, Group>()
  for (const { info, holders } of known.values()) {
    const group = classes.get(holders.join()) ?? { paths: new Map(), holders }
    group.paths.set(info.path, info)
    classes.set(holders.join(), group)
  }
  return ok([...classes.values()])
}

/** How many of a closure's smallest groups are looked at for the cheapest pair. */
const CANDIDATES = 16

interface Pair {
  readonly one: Group
  readonly other: Group
  /** NAR bytes that are stored once more. */
  readonly cost: number
  /** Closures that need one device less. */
  readonly together: readonly number[]
}

/** Stores groups once more, together, for closures that have too many: each step saves each of them one device. */
function mergeUntilTheyFit(classes: readonly Group[], closures: number, slots: number): Group[] {
  let groups = [...classes]
  for (;;) {
    const counts = deviceCounts(groups, closures)
    const most = Math.max(...counts, 0)
    if (most <= slots) return groups
    const worst = closuresWith(most, counts)
    const [best] = worst.map((holder) => cheapestPair(groups, holder)).sort(byCost)
    const { one, other, together } = best!
    const rest = [one, other].flatMap(({ paths, holders }) => {
      const left = holders.filter((holder) => !together.includes(holder))
      return left.length === 0 ? [] : [{ paths, holders: left }]
    })
    const union = { paths: new Map([...one.paths, ...other.paths]), holders: together }
    groups = [...groups.filter((group) => group !== one && group !== other), ...rest, union]
  }
}

function closuresWith(count: number, counts: readonly number[]): number[] {
  return counts.flatMap((each, holder) => (each === count ? [holder] : []))
}

/** Of the pairs of a closure's smallest groups. */
function cheapestPair(groups: readonly Group[], holder: number): Pair {
  const own = groups
    .filter(({ holders }) => holders.includes(holder))
    .sort(bySize)
    .slice(0, CANDIDATES)
  const pairs = own.flatMap((one, index) => own.slice(index + 1).map((other) => pairOf(one, other)))
  return pairs.sort(byCost)[0]!
}

function pairOf(one: Group, other: Group): Pair {
  const together = one.holders.filter((holder) => other.holders.includes(holder))
  const copied = [one, other].filter(({ holders }) => holders.length > together.length)
  return { one, other, cost: copied.reduce((sum, group) => sum + bytesOf(group), 0), together }
}

/** Ties are broken by names, never by the order of the closures. */
function byCost(a: Pair, b: Pair): number {
  const names = (pair: Pair) => `${firstPath(pair.one)} ${firstPath(pair.other)}`
  return a.cost - b.cost || b.together.length - a.together.length || (names(a) < names(b) ? -1 : 1)
}

/** Takes single paths out of their groups, the largest first, while all who hold them have a device left. */
function splitWhatFits(groups: readonly Group[], closures: number, slots: number): PlannedLayer[] {
  const counts = deviceCounts(groups, closures)
  const left = groups.map(({ paths, holders }) => ({ paths: new Map(paths), holders }))
  const byWeight = left
    .flatMap((group) => [...group.paths.values()].map((info) => ({ info, group })))
    .sort((a, b) => b.info.narSize - a.info.narSize || byPath(a.info, b.info))
  const layers: PlannedLayer[] = []
  for (const { info, group } of byWeight) {
    if (group.paths.size === 1 || group.holders.some((holder) => counts[holder]! >= slots)) continue
    group.paths.delete(info.path)
    layers.push({ paths: [info], holders: group.holders })
    for (const holder of group.holders) counts[holder]!++
  }
  for (const { paths, holders } of left) layers.push({ paths: [...paths.values()].sort(byPath), holders })
  return layers
}

/** Layers of the same paths are one file, whoever holds it. */
function joinEqual(layers: readonly PlannedLayer[]): PlannedLayer[] {
  const byPaths = new Map<string, PlannedLayer>()
  for (const layer of layers) {
    const key = layer.paths.map(({ path }) => path).join()
    const holders = new Set([...(byPaths.get(key)?.holders ?? []), ...layer.holders])
    byPaths.set(key, { paths: layer.paths, holders: [...holders].sort((a, b) => a - b) })
  }
  const order = ({ paths, holders }: PlannedLayer) => `${paths[0]!.path} ${paths.length} ${holders.join()}`
  return [...byPaths.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

function duplication(layers: readonly PlannedLayer[]): Pick<LayerPlan, 'duplicates' | 'duplicatedBytes'> {
  const copies = new Map<string, { readonly narSize: number; copies: number }>()
  for (const { path, narSize } of layers.flatMap(({ paths }) => paths)) {
    const entry = copies.get(path)
    if (entry === undefined) copies.set(path, { narSize, copies: 1 })
    else entry.copies++
  }
  const twice = [...copies].filter(([, { copies }]) => copies > 1).sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    duplicates: twice.map(([path, { copies }]) => ({ path, copies })),
    duplicatedBytes: twice.reduce((sum, [, { narSize, copies }]) => sum + narSize * (copies - 1), 0),
  }
}

function deviceCounts(groups: readonly Group[], closures: number): number[] {
  const counts = new Array<number>(closures).fill(0)
  for (const { holders } of groups) for (const holder of holders) counts[holder]!++
  return counts
}

function bytesOf({ paths }: Group): number {
  let sum = 0
  for (const { narSize } of paths.values()) sum += narSize
  return sum
}

function bySize(a: Group, b: Group): number {
  return bytesOf(a) - bytesOf(b) || (firstPath(a) < firstPath(b) ? -1 : 1)
}

function firstPath({ paths }: Group): string {
  return [...paths.keys()].sort()[0] ?? ''
}

function byPath(a: StorePathInfo, b: StorePathInfo): number {
  return a.path < b.path ? -1 : 1
}

function overBudget(needed: number, budget: number): StoreError {
  return {
    kind: 'device-budget',
    needed,
    budget,
    message: `A unit needs at least ${needed} devices (its metadata image included) and may have ${budget}; raise deviceBudget.`,
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
