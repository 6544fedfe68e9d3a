import { EventEmitter } from 'node:events'
import { err, errAsync, ok, type Result, type ResultAsync } from 'neverthrow'
import type TypedEmitter from 'typed-emitter'
import type { Blob, OpenBlobCache } from '../blob/blob.js'
import type { Closure, StoreOptions, StorePathInfo } from '../closure.js'
import type { CacheFailure, StoreError } from '../errors.js'
import { asResult, fail, throwIfAborted, withDeadline } from '../failure.js'
import { type ContentAddressedInfo, ContentAddressHasher } from '../nix/content-hash.js'
import { parseStorePath } from '../nix/store-path.js'
import type { Clock } from '../powers.js'
import { quote } from '../quote.js'
import { limitConcurrency } from '../tree.js'
import {
  admittedValue,
  checkPolicy,
  judge,
  type PathValue,
  type PathVerdict,
  type PolicyError,
  type TrustPolicy,
  type Verdict,
} from '../trust/index.js'
import type { BinaryCache } from './binary-cache.js'
import { CacheFailed } from './cache-transport.js'
import { type Gathered, gatherClaims, type Offer, TooManyPaths } from './gather.js'
import type { Retry } from './http-transport.js'

/** What fetching needs of the world. */
export interface FetchPowers {
  /** Deadlines in milliseconds. */
  readonly clock: Clock
  /** Milliseconds since 1970, for keys that expire. */
  now(): number
}

/** From where a closure is fetched, on whose word, and to where. */
export interface FetchOptions extends StoreOptions {
  /** In the order in which they are to be used. All of them are asked what they know. */
  readonly caches: readonly BinaryCache[]
  /** Who has to vouch for each path before anything of it is fetched. */
  readonly policy: TrustPolicy
  /** Where the blobs go. They stay leased until they are released, or the blob cache is closed. */
  readonly cache: OpenBlobCache
  /** The most paths that a closure may have. Default 20,000. */
  readonly maxPaths?: number | undefined
  /** Paths that are fetched at the same time. Default 6. */
  readonly parallel?: number | undefined
}

/** A closure that was admitted and is in the blob cache. */
export interface FetchedClosure {
  /** What was asked for, with everything it references. */
  readonly closure: Closure
  /** Why each path was admitted. */
  readonly verdict: Verdict
  /** One for each path, in the order of the closure. */
  readonly blobs: readonly Blob[]
}

/** Why a closure was not fetched. `not-admitted` carries the verdict. */
export type FetchError = StoreError | CacheFailure | PolicyError | NotAdmitted

/** The policy refuses at least one path; nothing was fetched. */
export interface NotAdmitted {
  readonly kind: 'not-admitted'
  /** Which paths were refused; safe to print. */
  readonly message: string
  /** What the policy says of each path, and why. */
  readonly verdict: Verdict
  /** Caches that could not be asked, which may be why a path is missing. */
  readonly failures: readonly CacheFailure[]
}

/** What is told while a closure is fetched. */
export type FetchEvents = {
  /** A cache has said whether it knows a path. */
  claim: (event: {
    /** The store path. */
    readonly path: string
    /** Name of the cache. */
    readonly cache: string
    /** Whether the cache knows it. */
    readonly found: boolean
  }) => void
  /** Everything is known; what is admitted is fetched next. */
  verdict: (verdict: Verdict) => void
  /** A path begins to come from this cache; `narSize` in bytes. */
  'path-begun': (event: {
    /** The store path. */
    readonly path: string
    /** Name of the cache. */
    readonly cache: string
    /** Bytes of its NAR. */
    readonly narSize: number
  }) => void
  /** About once for every MiB of a path. */
  progress: (event: {
    /** The store path. */
    readonly path: string
    /** Bytes of its NAR that have come. */
    readonly narBytes: number
    /** Bytes of its NAR. */
    readonly narSize: number
  }) => void
  /** Its blob is in the cache, fetched now or before. */
  'path-done': (event: {
    /** The store path. */
    readonly path: string
    /** Bytes of its NAR. */
    readonly narSize: number
  }) => void
  /** A request failed and will be made again. */
  retry: (retry: Retry) => void
  /** Another cache may still have it. */
  'cache-failed': (event: {
    /** Name of the cache. */
    readonly cache: string
    /** What it failed with. */
    readonly error: StoreError | CacheFailure
  }) => void
}

/** A closure that is being fetched. */
export interface ClosureFetch {
  /** Tells of the fetch while it goes on. */
  readonly events: TypedEmitter<FetchEvents>
  /** The fetch, which is under way already. */
  readonly result: ResultAsync<FetchedClosure, FetchError>
}

const DEFAULT_DEADLINE_MS = 3_600_000
const DEFAULT_MAX_PATHS = 20_000
const DEFAULT_PARALLEL = 6
const PROGRESS_BYTES = 1 << 20

/** For caches that tell of their retries. */
export function fetchEvents(): TypedEmitter<FetchEvents> {
  return new EventEmitter() as TypedEmitter<FetchEvents>
}

/**
 * Fetches the closure of these roots from binary caches into a blob cache: first what all caches claim, then the
 * verdict of the policy on the whole closure, and only if that admits all of it the data, from any cache that offers
 * exactly what was admitted. A NAR goes straight into its blob while it is hashed; nothing of a path is visible before
 * its hash is right, and paths that were right stay when another one fails.
 *
 * Fails with `not-a-store-path`, `invalid-policy`, `not-admitted` (with the verdict and its reasons), `missing-path` (no cache has a
 * root), `fetch-failed` (with the last failure of each cache), `no-space`, `timed-out`, `aborted`, `system`, and
 * `cache-failed` where the closure has too many paths.
 */
export function fetchClosure(
  powers: FetchPowers,
  roots: readonly string[],
  options: FetchOptions,
  events: TypedEmitter<FetchEvents> = fetchEvents(),
): ClosureFetch {
  const policy = checkPolicy(options.policy)
  if (policy.isErr()) return { events, result: errAsync<FetchedClosure, FetchError>(policy.error) }
  const { deadlineMs = DEFAULT_DEADLINE_MS, signal } = options
  const outcome = asResult(() =>
    withDeadline(powers.clock, 'Fetching the closure', deadlineMs, signal, (signal) =>
      new Fetching(powers, options, events, signal).run(roots),
    ),
  )
  return { events, result: outcome.mapErr((error): FetchError => error).andThen((settled) => settled) }
}

class Fetching {
  constructor(
    readonly powers: FetchPowers,
    readonly options: FetchOptions,
    readonly events: TypedEmitter<FetchEvents>,
    readonly signal: AbortSignal,
  ) {}

  async run(roots: readonly string[]): Promise<Result<FetchedClosure, FetchError>> {
    for (const root of roots) parseStorePath(root).mapErr(fail)
    const gathered = await this.#gather(roots)
    if (gathered.isErr()) return err(gathered.error)
    const { offers, claims, failures } = gathered.value
    this.#checkRoots(roots, gathered.value)
    const question = { paths: offers.keys(), claims, now: this.powers.now() }
    const verdict = judge(this.options.policy, question)
    if (verdict.isErr()) return err(verdict.error)
    this.events.emit('verdict', verdict.value)
    if (!verdict.value.admitted) return err(notAdmitted(verdict.value, failures))
    const wanted = verdict.value.paths.map((verdict) => ({ verdict, info: infoOf(verdict) }))
    const blobs = await this.#fetchAll(wanted, offers)
    const closure = { roots: [...roots].sort(), paths: wanted.map(({ info }) => info) }
    return ok({ closure, verdict: verdict.value, blobs })
  }

  async #gather(roots: readonly string[]): Promise<Result<Gathered, CacheFailure>> {
    const { caches, policy, maxPaths = DEFAULT_MAX_PATHS } = this.options
    const options = {
      policy,
      now: this.powers.now(),
      maxPaths,
      onClaim: (event: Parameters<FetchEvents['claim']>[0]) => this.events.emit('claim', event),
      onFailure: (cache: string, { failure }: CacheFailed) =>
        this.events.emit('cache-failed', { cache, error: failure }),
    }
    try {
      return ok(await gatherClaims(roots, caches, options, this.signal))
    } catch (thrown) {
      if (!(thrown instanceof TooManyPaths)) throw thrown
      const message = `The closure has more than ${maxPaths} paths; raise maxPaths if that is right.`
      return err({ kind: 'cache-failed', reason: 'too-large', url: '', message })
    }
  }

  #checkRoots(roots: readonly string[], { offers, failures }: Gathered): void {
    for (const path of roots) {
      if (offers.get(path)?.length !== 0) continue
      const failed = failures.filter((each) => each.path === path)
      if (failed.length > 0)
        failFetch(
          path,
          failed.map(({ cache, error }) => ({ cache, error: error.failure })),
        )
      const message = `None of the caches has ${path}; add one that does, or build it.`
      fail({ kind: 'missing-path', path, message })
    }
  }

  /** One failure ends the other fetches before it is reported; a lease is kept for none of them. */
  async #fetchAll(
    wanted: readonly { readonly verdict: PathVerdict; readonly info: StorePathInfo }[],
    offers: Gathered['offers'],
  ): Promise<Blob[]> {
    const limit = limitConcurrency(this.options.parallel ?? DEFAULT_PARALLEL)
    const controller = new AbortController()
    const abort = () => controller.abort(this.signal.reason)
    if (this.signal.aborted) abort()
    this.signal.addEventListener('abort', abort, { once: true })
    let first: { readonly cause: unknown } | undefined
    try {
      const settled = await Promise.all(
        wanted.map(async ({ verdict, info }) => {
          try {
            const from = (offers.get(info.path) ?? []).filter((offer) => isValue(offer, verdict))
            return [await limit(() => this.#fetchOne(verdict, info, from, controller.signal))]
          } catch (cause) {
            first ??= { cause }
            controller.abort(this.signal.reason)
            return []
          }
        }),
      )
      const blobs = settled.flat()
      if (first === undefined) return blobs
      for (const blob of blobs) await this.options.cache.release(blob)
      throw (first as { cause: unknown }).cause
    } finally {
      this.signal.removeEventListener('abort', abort)
    }
  }

  async #fetchOne(
    verdict: PathVerdict,
    info: StorePathInfo,
    offers: readonly Offer[],
    signal: AbortSignal,
  ): Promise<Blob> {
    const failures: { readonly cache: string; readonly error: StoreError | CacheFailure }[] = []
    for (const offer of offers) {
      throwIfAborted(signal)
      const blob = await this.#import(offer, verdict, info, signal)
      if (blob.isOk()) {
        this.events.emit('path-done', { path: info.path, narSize: info.narSize })
        return blob.value
      }
      const { error } = blob
      // What another cache cannot make better.
      if (error.kind === 'aborted' || error.kind === 'timed-out' || error.kind === 'no-space') fail(error)
      failures.push({ cache: offer.cache.name, error })
      this.events.emit('cache-failed', { cache: offer.cache.name, error })
    }
    return failFetch(info.path, failures)
  }

  async #import(
    { cache, info: offered }: Offer,
    verdict: PathVerdict,
    info: StorePathInfo,
    signal: AbortSignal,
  ): Promise<Result<Blob, StoreError | CacheFailure>> {
    const read = async function* (this: Fetching, signal: AbortSignal) {
      this.events.emit('path-begun', { path: info.path, cache: cache.name, narSize: info.narSize })
      yield* this.#watched(verdict, info, cache.nar(offered, signal))
    }.bind(this)
    try {
      return await this.options.cache.importNar(info, read, { signal, deadlineMs: DEFAULT_DEADLINE_MS })
    } catch (thrown) {
      if (thrown instanceof CacheFailed) return err(thrown.failure)
      throw thrown
    }
  }

  /** Reports progress, and checks the content address of a path that is admitted because of it. */
  async *#watched(
    { outcome }: PathVerdict,
    { path, narSize }: StorePathInfo,
    nar: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    const recheck = outcome.kind === 'content-addressed' ? outcome.recheck : undefined
    const hasher =
      recheck === undefined || !('value' in outcome)
        ? undefined
        : new ContentAddressHasher(addressed(path, outcome.value, recheck))
    let narBytes = 0
    let reported = 0
    for await (const chunk of nar) {
      hasher?.push(chunk)
      narBytes += chunk.length
      if (narBytes - reported >= PROGRESS_BYTES) {
        reported = narBytes
        this.events.emit('progress', { path, narBytes, narSize })
      }
      yield chunk
    }
    hasher?.finish().mapErr(fail)
  }
}

function addressed(
  path: string,
  { references, selfReference }: PathValue,
  contentAddress: ContentAddressedInfo['contentAddress'],
): ContentAddressedInfo {
  return { path, references, selfReference, contentAddress }
}

function isValue({ info }: Offer, verdict: PathVerdict): boolean {
  const value = admittedValue(verdict)
  return (
    value !== undefined &&
    info.narHash === value.narHash &&
    info.narSize === value.narSize &&
    info.selfReference === value.selfReference &&
    info.references.join() === value.references.join()
  )
}

function infoOf(verdict: PathVerdict): StorePathInfo {
  const value = admittedValue(verdict)
  if (value === undefined) throw new TypeError(`${verdict.path} is not admitted`)
  const { narHash, narSize, references } = value
  return { path: verdict.path, narHash, narSize, references }
}

function notAdmitted(verdict: Verdict, failures: Gathered['failures']): NotAdmitted {
  const refused = verdict.paths.filter((each) => admittedValue(each) === undefined)
  const caches = [...new Set(failures.map(({ cache }) => cache))]
  const unasked =
    caches.length === 0
      ? ''
      : ` Not everything could be asked of: ${caches.map((each) => quote(each)).join(', ')}.`
  return {
    kind: 'not-admitted',
    verdict,
    failures: failures.map(({ error }) => error.failure),
    message: `The policy admits ${verdict.paths.length - refused.length} of ${verdict.paths.length} paths, so nothing was fetched; ask a cache that more builders sign for, or change the policy.${unasked} First: ${refused[0]?.path} is ${refused[0]?.outcome.kind}.`,
  }
}

function failFetch(
  path: string,
  failures: readonly { readonly cache: string; readonly error: StoreError | CacheFailure }[],
): never {
  const last = failures.at(-1)?.error.message ?? 'no cache offers what was admitted'
  return fail({ kind: 'fetch-failed', path, failures, message: `No cache delivered ${path}: ${last}` })
}
