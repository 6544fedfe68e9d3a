import { quotedText } from '../escape.js'
import { type Predicate, wordsOf } from './predicate.js'

/** What a rate is counted over. */
export type RatePeriod = 'second' | 'minute' | 'hour' | 'day'

/**
 * What takes something away from a grant. Plain data, in the order in which it was put on; none of them can
 * add authority, so any chain of them allows at most what its shorter chains allow.
 */
export type Attenuator =
  /** A person decides. `remember` keeps the answer for calls with the same argument while the host runs. */
  | {
      readonly kind: 'ask'
      /** Keep the answer for calls with the same argument while the host runs; false unless asked for. */
      readonly remember: boolean
    }
  /** One call, for the life of the consuming unit. */
  | { readonly kind: 'once' }
  /** Only calls whose argument the predicate holds for. */
  | {
      readonly kind: 'only'
      /** Over the argument of the call, which the service must take. */
      readonly that: Predicate
    }
  /** At most `count` calls within any `per`, counted over a sliding window. */
  | {
      readonly kind: 'rate'
      /** A whole number of calls. */
      readonly count: number
      /** The length of the sliding window. */
      readonly per: RatePeriod
    }
  /** No call from this moment on: milliseconds since 1970-01-01T00:00Z. */
  | {
      readonly kind: 'until'
      /** Milliseconds since 1970, by the host's clock. */
      readonly time: number
    }
  /** Every decision is written down, under this label. */
  | {
      readonly kind: 'audit'
      /** 1 to 64 printable characters, for who reads what was decided. */
      readonly label: string
    }
  /** The consumer sends nothing but its argument: the request stream is closed from the start. */
  | { readonly kind: 'read-only' }
  /** May be taken back while the host runs, by this name. */
  | {
      readonly kind: 'revocable'
      /** What `revokeGrant` of a host takes; several edges may bear one name. */
      readonly name: string
    }

/**
 * A person allows each call; with `remember`, the answer holds for the same argument while the host runs.
 *
 * @example
 * ```ts
 * import { ask, bytes, defineService, rate, revocable, until } from '@spectrum/unit-graph'
 *
 * const Sign = defineService('org.example.sign', { request: bytes() })
 * const sign = Sign.command(['/nix/store/…-gnupg/bin/gpg', '--sign'])
 * // All of a chain have to pass; `wire` takes what `with` of a unit's provision gives.
 * const weak = [ask({ remember: true }), rate(10, 'minute'), until(1_900_000_000_000), revocable('mail')]
 * console.log(sign, weak)
 * ```
 */
export const ask = (options: { readonly remember?: boolean } = {}): Attenuator =>
  Object.freeze({ kind: 'ask', remember: options.remember ?? false })
/** One call passes, for the life of the unit that calls. */
export const once = (): Attenuator => Object.freeze({ kind: 'once' })
/**
 * Only calls pass whose argument fits; the service must take one.
 *
 * @example
 * ```ts
 * import { equal, field, only, startingWith } from '@spectrum/unit-graph'
 *
 * const oneKey = only(equal('mail@example.org'))
 * const below = only(field('path', startingWith('/home/mail/')))
 * console.log(oneKey, below)
 * ```
 */
export const only = (that: Predicate): Attenuator => Object.freeze({ kind: 'only', that })
/** At most so many calls pass within any period of this length (a sliding window). */
export const rate = (count: number, per: RatePeriod): Attenuator =>
  Object.freeze({ kind: 'rate', count, per })
/** No call passes from this moment on: milliseconds since 1970, by the host's clock. */
export const until = (time: number): Attenuator => Object.freeze({ kind: 'until', time })
/** Each decision is told to the host under this label, refusals too. Refuses nothing. */
export const audit = (label: string): Attenuator => Object.freeze({ kind: 'audit', label })
/** The caller may read and send nothing: the request stream is closed. */
export const readOnly = (): Attenuator => Object.freeze({ kind: 'read-only' })
/** Passes until the host revokes the name; all edges with it end together. */
export const revocable = (name: string): Attenuator => Object.freeze({ kind: 'revocable', name })

export const PERIOD_MS: Readonly<Record<RatePeriod, number>> = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}

// Prints a number of milliseconds without asking what time it is now: "2026-11-22 13:00:00".
const UTC = new Intl.DateTimeFormat('sv-SE', { timeZone: 'UTC', dateStyle: 'short', timeStyle: 'medium' })

/** A person's words for it; what `explain` prints and what a refusal names. */
export function conditionOf(attenuator: Attenuator): string {
  switch (attenuator.kind) {
    case 'ask':
      return attenuator.remember ? 'asks, and remembers the answer' : 'asks each time'
    case 'once':
      return 'once'
    case 'only':
      return `only if ${wordsOf(attenuator.that)}`
    case 'rate':
      return `at most ${attenuator.count} each ${attenuator.per}`
    case 'until':
      return `until ${UTC.format(attenuator.time)} UTC`
    case 'audit':
      return `written down as ${quotedText(attenuator.label)}`
    case 'read-only':
      return 'without a request stream'
    case 'revocable':
      return `until ${quotedText(attenuator.name)} is revoked`
  }
}
