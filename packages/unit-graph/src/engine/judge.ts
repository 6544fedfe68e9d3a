import { type Attenuator, conditionOf, PERIOD_MS } from '../attenuator/attenuator.js'
import { holds } from '../attenuator/predicate.js'
import type { Edge } from './edge.js'

/** What is known about earlier calls on one edge. */
export interface EdgeHistory {
  readonly uses: number
  /** Moments of the latest calls in ascending order, as many as the largest rate counts. */
  readonly recent: readonly number[]
  /** A person's earlier answer to this very call, if it is remembered. */
  readonly remembered?: boolean | undefined
}

/** Under what an edge is judged. */
export interface Circumstances {
  /** Milliseconds since 1970, as the host's clock says. */
  readonly now: number
  /** The conformed argument; without this field the question is about calls in general. */
  readonly argument?: { readonly value: unknown }
  readonly revoked: ReadonlySet<string>
  /** What a person has just answered. */
  readonly answer?: boolean | undefined
}

/** What one attenuator said, and in which words. */
export interface Reason {
  /** Which one it was. */
  readonly attenuator: Attenuator
  /** `depends`: on the argument, which is not known. */
  readonly says: 'passes' | 'refuses' | 'asks' | 'depends'
  /** In words, for a log or a person. */
  readonly because: string
}

/** `depends`: on the argument, which is not known yet. */
export type Outcome = 'allowed' | 'asks' | 'depends' | 'refused'

/** What the attenuators of an edge say, and why. */
export interface Judgement {
  /** What all of them come to. */
  readonly outcome: Outcome
  /** One for each attenuator in its order, up to the first that refuses. */
  readonly reasons: readonly Reason[]
}

/**
 * Whether a call may go along an edge. Pure: enforcement and questions both come here. All attenuators must
 * pass; nothing is counted yet, so that a call which a later one refuses has used nothing up.
 */
export function judge(edge: Edge, history: EdgeHistory, circumstances: Circumstances): Judgement {
  const reasons: Reason[] = []
  let outcome: Outcome = 'allowed'
  for (const attenuator of edge.attenuators) {
    const says = opinion(attenuator, history, circumstances)
    reasons.push({ attenuator, says, because: conditionOf(attenuator) })
    if (says === 'refuses') return { outcome: 'refused', reasons }
    if (says === 'depends') outcome = 'depends'
    else if (says === 'asks' && outcome === 'allowed') outcome = 'asks'
  }
  return { outcome, reasons }
}

function opinion(
  attenuator: Attenuator,
  history: EdgeHistory,
  { now, argument, revoked, answer }: Circumstances,
): Reason['says'] {
  const passes = (condition: boolean) => (condition ? 'passes' : 'refuses')
  switch (attenuator.kind) {
    case 'ask': {
      const known = answer ?? (attenuator.remember ? history.remembered : undefined)
      return known === undefined ? 'asks' : passes(known)
    }
    case 'once':
      return passes(history.uses === 0)
    case 'only':
      return argument === undefined ? 'depends' : passes(holds(attenuator.that, argument.value))
    case 'rate': {
      const since = now - PERIOD_MS[attenuator.per]
      const within = history.recent.filter((moment) => moment > since).length
      return passes(within < attenuator.count)
    }
    case 'until':
      return passes(now < attenuator.time)
    case 'revocable':
      return passes(!revoked.has(attenuator.name))
    case 'audit':
    case 'read-only':
      return 'passes'
  }
}
