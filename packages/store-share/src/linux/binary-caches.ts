import { X509Certificate } from 'node:crypto'
import { err, type Result } from 'neverthrow'
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
import { httpClient, httpClientTrusting } from './http.js'
import { clock } from './process.js'

/** As `BinaryCacheOptions`, with certificate authorities of one's own. */
export interface LinuxBinaryCacheOptions extends BinaryCacheOptions {
  /**
   * Certificates, in PEM, of authorities of your own that may vouch for an `https` cache, besides those that Node
   * knows. They decide whom you talk to; whom you believe is the trust policy's part.
   */
  readonly authorities?: readonly string[] | undefined
}

/** A binary cache, over this machine's network and files. See `binaryCache` of the package. */
export function binaryCache(
  address: string,
  { authorities = [], ...options }: LinuxBinaryCacheOptions = {},
): Result<BinaryCache, CacheFailure> {
  const wrong = authorities.findIndex((authority) => !isCertificate(authority))
  if (wrong >= 0) {
    const message = `Authority ${wrong + 1} of ${authorities.length} is no certificate; give each as text in PEM, from BEGIN CERTIFICATE on.`
    return err({ kind: 'cache-failed', reason: 'certificate', url: '', message })
  }
  const http = authorities.length === 0 ? httpClient : httpClientTrusting(authorities)
  return cacheWith({ clock, http, files: cacheFiles }, address, options)
}

function isCertificate(text: string): boolean {
  try {
    new X509Certificate(text)
    return true
  } catch {
    return false
  }
}

/**
 * Fetches a closure from binary caches. See `fetchClosure` of the package for what can fail.
 *
 * @example
 * ```ts
 * import type { OpenBlobCache, TrustPolicy } from '@spectrum/store-share'
 * import { binaryCache, fetchClosure } from '@spectrum/store-share/linux'
 *
 * export async function fetch(policy: TrustPolicy, cache: OpenBlobCache, path: string) {
 *   const mirror = binaryCache('https://cache.example.org')._unsafeUnwrap()
 *   const { result } = fetchClosure([path], { caches: [mirror], policy, cache })
 *   return await result // kind not-admitted: `formatVerdict(error.verdict)` says why
 * }
 * ```
 */
export function fetchClosure(
  roots: readonly string[],
  options: FetchOptions,
  events = fetchEvents(),
): ClosureFetch {
  return fetchWith({ clock, now: () => Date.now() }, roots, options, events)
}

export { httpClient }
