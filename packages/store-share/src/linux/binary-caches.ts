import type { Result } from 'neverthrow'
import type { CacheFailure } from '../errors.js'
import type { BinaryCache } from '../sources/binary-cache.js'
import {
  type ClosureFetch,
  type FetchOptions,
  fetchEvents,
  fetchClosure as fetchWith,
} from '../sources/fetch-closure.js'
import { type BinaryCacheOptions, binaryCache as cacheWith } from '../sources/open-cache.js'
import { cacheFiles } from './cache-files.js'
import { httpClient } from './http.js'
import { clock } from './process.js'

/** A binary cache, over this machine's network and files. See `binaryCache` of the package. */
export function binaryCache(
  address: string,
  options: BinaryCacheOptions = {},
): Result<BinaryCache, CacheFailure> {
  return cacheWith({ clock, http: httpClient, files: cacheFiles }, address, options)
}

/** Fetches a closure from binary caches. See `fetchClosure` of the package for what can fail. */
export function fetchClosure(
  roots: readonly string[],
  options: FetchOptions,
  events = fetchEvents(),
): ClosureFetch {
  return fetchWith({ clock, now: () => Date.now() }, roots, options, events)
}

export { httpClient }
