import { throwIfAborted } from '../failure.js'
import type { NarInfo } from '../nix/narinfo.js'
import { limitConcurrency } from '../tree.js'
import { type Claim, judge, type PathValue, type TrustPolicy } from '../trust/index.js'
import type { BinaryCache } from './binary-cache.js'
import { CacheFailed } from './cache-transport.js'

export interface Offer {
  readonly cache: BinaryCache
  readonly info: NarInfo
}

/** What the caches say of a closure. */
export interface Gathered {
  /** The paths of the closure as far as they are known, each with who offers it, in the order of the caches. */
  readonly offers: ReadonlyMap<string, readonly Offer[]>
  readonly claims: readonly Claim[]
  readonly failures: readonly { readonly path: string; readonly cache: string; readonly error: CacheFailed }[]
}

export interface GatherOptions {
  readonly policy: TrustPolicy
  /** Milliseconds since 1970. */
  readonly now: number
  readonly maxPaths: number
  readonly onClaim: (claim: {
    readonly path: string
    readonly cache: string
    readonly found: boolean
  }) => void
  readonly onFailure: (cache: string, error: CacheFailed) => void
}

/** Paths that are asked for at the same time, each of every cache. */
const CONCURRENT_PATHS = 16

/** A cache that failed so often in a row, whatever it was asked, is asked no more. */
const FAILURES_IN_A_ROW = 3

/** More paths than there may be. */
export class TooManyPaths extends Error {}

/**
 * Walks a closure by what the caches say, from the roots on. Every cache is asked for every path, because a policy may
 * want several to agree. Which references to follow, the policy decides: those of the value it would admit, or, where
 * it admits none, those of the value that most builders vouch for; so no cache can lead the walk astray alone.
 */
export async function gatherClaims(
  roots: readonly string[],
  caches: readonly BinaryCache[],
  options: GatherOptions,
  signal: AbortSignal,
): Promise<Gathered> {
  const offers = new Map<string, readonly Offer[]>()
  const claims: Claim[] = []
  const failures: Gathered['failures'][number][] = []
  const inARow = new Map<BinaryCache, number>()
  const limit = limitConcurrency(CONCURRENT_PATHS)
  const seen = new Set<string>()
  let running = 0
  let ended = () => {}
  const end = new Promise<void>((resolve) => {
    ended = resolve
  })
  let failure: { readonly cause: unknown } | undefined

  const ask = async (cache: BinaryCache, path: string): Promise<Offer | undefined> => {
    if ((inARow.get(cache) ?? 0) >= FAILURES_IN_A_ROW) return undefined
    try {
      const info = await cache.narInfo(path, signal)
      inARow.set(cache, 0)
      options.onClaim({ path, cache: cache.name, found: info !== undefined })
      return info === undefined ? undefined : { cache, info }
    } catch (error) {
      if (!(error instanceof CacheFailed)) throw error
      inARow.set(cache, (inARow.get(cache) ?? 0) + 1)
      failures.push({ path, cache: cache.name, error })
      options.onFailure(cache.name, error)
      return undefined
    }
  }
  const visit = async (path: string): Promise<void> => {
    throwIfAborted(signal)
    const answers = await Promise.all(caches.map((cache) => ask(cache, path)))
    const found = answers.filter((offer) => offer !== undefined)
    offers.set(path, found)
    const own = found.map(({ cache, info }) => ({ source: cache.name, info }))
    claims.push(...own)
    for (const reference of likelyValue(options, path, own)?.references ?? []) begin(reference)
  }
  const begin = (path: string): void => {
    if (seen.has(path) || failure !== undefined) return
    seen.add(path)
    if (seen.size > options.maxPaths) {
      failure = { cause: new TooManyPaths() }
      return
    }
    running++
    limit(() => (failure === undefined ? visit(path) : Promise.resolve()))
      .catch((cause: unknown) => {
        failure ??= { cause }
      })
      .finally(() => {
        if (--running === 0) ended()
      })
  }
  for (const root of roots) begin(root)
  if (running > 0) await end
  if (failure !== undefined) throw failure.cause
  return { offers, claims, failures }
}

function likelyValue(
  { policy, now }: GatherOptions,
  path: string,
  claims: readonly Claim[],
): PathValue | undefined {
  const verdict = judge(policy, { paths: [path], claims, now })
  if (verdict.isErr()) return undefined
  const [{ outcome, claimed } = { outcome: undefined, claimed: [] }] = verdict.value.paths
  return outcome !== undefined && 'value' in outcome ? outcome.value : claimed[0]?.value
}
