import { err, ok, type Result } from 'neverthrow'
import type { Refusal } from './refusal.js'
import { carriesToken } from './token.js'

/** What a request says of itself. Lists, because a header that comes twice is read differently by everybody. */
export interface Asked {
  readonly method: string
  /** As on the request line. */
  readonly target: string
  readonly host: readonly string[]
  readonly origin: readonly string[]
  readonly fetchSite: readonly string[]
  readonly authorization: readonly string[]
  readonly contentType: readonly string[]
}

export type Route =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'events' }
  | { readonly kind: 'command'; readonly unit: string; readonly verb: 'start' | 'stop' | 'inject' }

export interface Admission {
  /** What this server is called: `127.0.0.1:8000`. */
  readonly names: readonly string[]
  readonly token: string
  /** The paths of the page's files. They hold no secret, and are given to whoever reaches this server by its name. */
  readonly files: ReadonlySet<string>
}

const COMMAND = /^\/api\/units\/([a-z][a-z0-9-]{0,31})\/(start|stop|inject)$/

/**
 * Decides on a request before anything of its body is read. First whether it may come from where it comes from, then
 * what it is about, then whether it has the token.
 */
export function admit(asked: Asked, { names, token, files }: Admission): Result<Route, Refusal> {
  const foreign = faultOfPlace(asked, names)
  if (foreign !== undefined) return err(foreign)
  const route = routeOf(asked.target, files)
  if (route === undefined) return refuse(404, 'not-found', 'There is nothing here.')
  const reads = asked.method === 'GET' || (asked.method === 'HEAD' && route.kind === 'file')
  if (route.kind === 'command' ? asked.method !== 'POST' : !reads)
    return refuse(405, 'method', 'This is not done by that method.')
  if (route.kind === 'file') return ok(route)
  const [authorization = ''] = asked.authorization
  if (asked.authorization.length > 1 || !carriesToken(authorization, token))
    return refuse(401, 'token', 'Open the address that the host program has printed: it has the token.')
  if (route.kind === 'command' && !isJson(asked.contentType))
    return refuse(415, 'content-type', 'Commands are application/json.')
  return ok(route)
}

/** A page of another site must not reach this server, by whatever name and from whatever form or script. */
function faultOfPlace(
  { method, target, host, origin, fetchSite }: Asked,
  names: readonly string[],
): Refusal | undefined {
  // A name that was made to lead here (DNS rebinding) is the other site's own origin to its browser.
  const [name] = host
  if (host.length !== 1 || name === undefined || !names.includes(name))
    return { status: 403, kind: 'host', message: 'This server answers to its own name only.' }
  if (!target.startsWith('/') || target.startsWith('//'))
    return { status: 400, kind: 'target', message: 'This server is no proxy.' }
  const own = `http://${name}`
  const changes = method !== 'GET' && method !== 'HEAD'
  if (origin.some((one) => one !== own) || origin.length > 1 || (changes && origin.length === 0))
    return { status: 403, kind: 'origin', message: 'Another site may not ask this server for anything.' }
  // Also what carries no Origin: an image, a frame, a link of another site, or of another port of this machine.
  const near = changes ? ['same-origin'] : ['same-origin', 'none']
  if (fetchSite.length > 1 || fetchSite.some((site) => !near.includes(site)))
    return { status: 403, kind: 'site', message: 'Type the address, or come from the page itself.' }
  return undefined
}

function routeOf(target: string, files: ReadonlySet<string>): Route | undefined {
  if (files.has(target)) return { kind: 'file', path: target }
  if (target === '/api/events') return { kind: 'events' }
  const [, unit, verb] = COMMAND.exec(target) ?? []
  if (unit === undefined || verb === undefined) return undefined
  return { kind: 'command', unit, verb: verb as 'start' | 'stop' | 'inject' }
}

function isJson(contentType: readonly string[]): boolean {
  return contentType.length === 1 && /^application\/json(; ?charset=utf-8)?$/i.test(contentType[0] ?? '')
}

function refuse(status: number, kind: string, message: string): Result<never, Refusal> {
  return err({ status, kind, message })
}
