import { quote } from '../quote.js'
import { CacheFailed } from './cache-transport.js'

/** A query may hold a secret. */
export function shown(url: URL): string {
  return quote(`${url.origin}${url.pathname}`)
}

export function failed(
  url: URL,
  reason: CacheFailed['failure']['reason'],
  what: string,
  more = {},
): CacheFailed {
  return new CacheFailed({
    kind: 'cache-failed',
    url: shown(url),
    reason,
    message: `${shown(url)} cannot be fetched: ${what}.`,
    ...more,
  })
}

export function unreachable(url: URL, why: string, cause?: unknown): CacheFailed {
  return failed(url, 'unreachable', why, { cause })
}

export function certificateRefused(url: URL, code: string, cause: unknown): CacheFailed {
  const remedy =
    code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? 'its certificate is for another name; use the name that it is for'
      : 'its certificate does not prove who it is; name the authority that vouches for it, or have it renewed'
  return failed(url, 'certificate', `${remedy} (${code})`, { cause })
}

export function stalled(url: URL, why: string): CacheFailed {
  return failed(url, 'stalled', why)
}

export function statusFailure(url: URL, status: number, what = 'the server answered'): CacheFailed {
  return failed(url, 'status', `${what} (status ${status})`, { status })
}

export function failStatus(url: URL, status: number, what?: string): never {
  throw statusFailure(url, status, what)
}

export function failRedirect(url: URL, why: string): never {
  throw failed(url, 'redirects', why)
}

export function failTooLarge(url: URL, maxBytes: number): never {
  throw failed(url, 'too-large', `it is longer than the ${maxBytes} bytes it may have`)
}
