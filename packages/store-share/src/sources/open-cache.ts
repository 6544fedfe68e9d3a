import { err, ok, type Result } from 'neverthrow'
import type { CacheFailure } from '../errors.js'
import type { CacheFiles, Clock } from '../powers.js'
import { quote } from '../quote.js'
import { BinaryCache } from './binary-cache.js'
import { FileTransport } from './file-transport.js'
import { type HttpClient, HttpTransport, type HttpTuning, type Retry } from './http-transport.js'

/** What a binary cache needs of the world. */
export interface BinaryCachePowers {
  /** Deadlines in milliseconds. */
  readonly clock: Clock
  /** For caches at `http:` and `https:` addresses. */
  readonly http: HttpClient
  /** For caches in a directory, at `file:` addresses. */
  readonly files: Pick<CacheFiles, 'open' | 'sizeOf' | 'read'>
}

/** How a binary cache is called and how patient one is with it. */
export interface BinaryCacheOptions extends HttpTuning {
  /** For people. Default: the address. */
  readonly name?: string | undefined
  /** Hears of each request that will be made again. */
  readonly onRetry?: ((retry: Retry) => void) | undefined
}

/**
 * The binary cache at `https://…`, `http://…` or `file:///…`, as Nix writes it; a query, which Nix uses for settings,
 * is left out. Nothing is asked of it yet. Fails with `cache-failed` for another address, or one with a password.
 */
export function binaryCache(
  powers: BinaryCachePowers,
  address: string,
  options: BinaryCacheOptions = {},
): Result<BinaryCache, CacheFailure> {
  const url = parse(address)
  if (url === undefined) {
    const message = `${quote(address)} is no binary cache; write https://HOST/…, http://HOST/… or file:///DIRECTORY, without a password.`
    return err({ kind: 'cache-failed', reason: 'unsupported', url: '', message })
  }
  const name = options.name ?? url.href.replace(/\/$/, '')
  if (url.protocol === 'file:') {
    const directory = decodeURIComponent(url.pathname).replace(/(.)\/+$/, '$1')
    return ok(new BinaryCache(name, new FileTransport(directory, powers.files)))
  }
  const onRetry = options.onRetry ?? (() => {})
  return ok(new BinaryCache(name, new HttpTransport(url, powers.http, powers.clock, onRetry, options)))
}

/** With a slash at its end, so that names are resolved below it. */
function parse(address: string): URL | undefined {
  try {
    const url = new URL(address)
    url.search = ''
    url.hash = ''
    if (!url.pathname.endsWith('/')) url.pathname += '/'
    const known = /^(?:https?|file):$/.test(url.protocol) && (url.protocol !== 'file:' || url.host === '')
    return known && url.username === '' && url.password === '' ? url : undefined
  } catch {
    return undefined
  }
}
