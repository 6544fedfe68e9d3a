import { Buffer } from 'node:buffer'
import { err, ok, type Result } from 'neverthrow'
import type { ByteString } from '../../powers.js'
import { isName } from '../grants.js'
import type { ViewLimits } from '../limits.js'
import type { ViewCounters } from '../serve.js'

/**
 * What a host and the program of a view tell each other: packets of JSON, each with at most one descriptor. Both
 * sides take exactly what is described here and nothing else.
 */
export type ControlRequest =
  /** Comes first, and once. */
  | { readonly do: 'configure'; readonly tag: string; readonly limits: Partial<ViewLimits> }
  /** With the file. */
  | { readonly do: 'grant'; readonly name: ByteString }
  | { readonly do: 'revoke'; readonly name: ByteString }
  /** With the socket of a front end. `front-end-gone` tells when it has been served. */
  | { readonly do: 'attach' }
  | { readonly do: 'counters' }

export interface ControlFailure {
  readonly kind: ControlFailureKind
  readonly message: string
}

export type ControlAnswer =
  | { readonly id: number; readonly counters?: ViewCounters }
  | { readonly id: number; readonly failure: ControlFailure }

/** Why a front end is no longer served; the message is for people. */
export interface FrontEndGone {
  readonly event: 'front-end-gone'
  readonly kind: (typeof END_KINDS)[number]
  /** Why, in words. */
  readonly message: string
}

export const MOST_PACKET_BYTES = 8192

const FAILURE_KINDS = [
  'invalid-name',
  'already-granted',
  'unsupported-file',
  'too-many-grants',
  'not-granted',
  'busy',
  'refused',
] as const
/**
 * Why a view's program did not do what its host asked.
 *
 * @useDeclaredType
 */
export type ControlFailureKind = (typeof FAILURE_KINDS)[number]

const END_KINDS = ['finished', 'protocol-error', 'timed-out', 'aborted', 'lost'] as const

const COUNTERS = [
  'errors',
  'bytesRead',
  'requests',
  'kicks',
  'calls',
  'malformedChains',
  'brokenRings',
  'frontEnds',
  'protocolErrors',
  'grants',
  'nodes',
  'openFiles',
  'memoryRegions',
] as const satisfies readonly (keyof ViewCounters)[]

const LIMITS = [
  'maxGrants',
  'maxNodes',
  'maxOpenDirectories',
  'maxOpenFiles',
  'maxListedEntries',
  'maxRegions',
  'maxMemoryBytes',
] as const satisfies readonly (keyof ViewLimits)[]

export function encode(message: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(message), 'utf8')
}

/** The error is a sentence. */
export function parseRequest(bytes: Uint8Array): Result<{ id: number; request: ControlRequest }, string> {
  const message = parseObject(bytes)
  if (message === undefined || !isId(message['id'])) return err('no request')
  const { id, ...rest } = message
  const request = asRequest(rest)
  return request === undefined ? err('a request that is not known or not complete') : ok({ id, request })
}

export function parseAnswer(bytes: Uint8Array): Result<ControlAnswer | FrontEndGone, string> {
  const message = parseObject(bytes)
  if (message === undefined) return err('no answer')
  const { id, counters, failure, event, kind, message: text } = message
  if (event === 'front-end-gone' && isOneOf(END_KINDS, kind) && typeof text === 'string') {
    return ok({ event, kind, message: text })
  }
  if (!isId(id)) return err('an answer to nothing')
  if (failure !== undefined) {
    if (!isObject(failure) || !isOneOf(FAILURE_KINDS, failure['kind'])) return err('a failure without a kind')
    if (typeof failure['message'] !== 'string') return err('a failure without a message')
    return ok({ id, failure: { kind: failure['kind'], message: failure['message'] } })
  }
  if (counters === undefined) return ok({ id })
  return isCounters(counters) ? ok({ id, counters }) : err('counters that are none')
}

function asRequest(message: Readonly<Record<string, unknown>>): ControlRequest | undefined {
  const { do: verb, name, tag, limits, ...more } = message
  if (Object.keys(more).length > 0) return undefined
  const bare = name === undefined && tag === undefined && limits === undefined
  switch (verb) {
    case 'configure':
      if (name !== undefined || typeof tag !== 'string' || !isLimits(limits)) return undefined
      return { do: verb, tag, limits }
    case 'grant':
    case 'revoke':
      if (tag !== undefined || limits !== undefined || typeof name !== 'string' || !isName(name))
        return undefined
      return { do: verb, name }
    case 'attach':
    case 'counters':
      return bare ? { do: verb } : undefined
    default:
      return undefined
  }
}

function isLimits(value: unknown): value is Partial<ViewLimits> {
  if (!isObject(value)) return false
  return Object.entries(value).every(([name, limit]) =>
    name === 'allowUnsealed' ? typeof limit === 'boolean' : isOneOf(LIMITS, name) && isCount(limit),
  )
}

function isCounters(value: unknown): value is ViewCounters {
  if (!isObject(value) || Object.keys(value).length !== COUNTERS.length) return false
  return COUNTERS.every((name) => isCount(value[name]))
}

function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const isId = (value: unknown): value is number => isCount(value)

function isOneOf<T extends string>(names: readonly T[], value: unknown): value is T {
  return (names as readonly unknown[]).includes(value)
}
