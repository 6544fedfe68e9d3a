import { conditionOf } from '../attenuator/attenuator.js'
import type { Authority } from '../engine/authority.js'
import type { Edge } from '../engine/edge.js'
import type { Outcome } from '../engine/judge.js'

/** One edge, as an answer shows it. */
export interface EdgeView {
  /** Key of the calling unit. */
  readonly consumer: string
  /** Key of the need in its definition. */
  readonly need: string
  /** Name of the service. */
  readonly service: string
  /** Key of a unit, or `host:NAME`. */
  readonly provider: string
  /** The provider's own name for it; absent for a function of the host program. */
  readonly provision?: string
  /** One for each attenuator in words, in their order. */
  readonly conditions: readonly string[]
  /** `weak`: neither unit waits for the other. */
  readonly strength: 'strong' | 'weak'
  /** What the enforcing engine says now; `depends`: on the argument. */
  readonly outcome: Outcome
}

export function viewOf(authority: Authority, edge: Edge, now: number): EdgeView {
  const { unit, need, service, to, attenuators, strength } = edge
  return {
    consumer: unit,
    need,
    service: service.name,
    provider: to.kind === 'unit' ? to.unit : `host:${to.name}`,
    ...(to.kind === 'unit' ? { provision: to.provision } : {}),
    conditions: attenuators.map(conditionOf),
    strength,
    outcome: authority.judge(edge, now).outcome,
  }
}
