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
