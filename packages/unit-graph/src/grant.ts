import type { Attenuator } from './attenuator/attenuator.js'
import type { AnyService, Offer, Provider } from './service/service.js'

/** Where a call ends: at what a unit provides, or at a function of the host program. */
export type Source =
  | {
      readonly kind: 'unit'
      /** Name of the providing unit. */
      readonly unit: string
      /** Key in that unit's `provides`. */
      readonly provision: string
    }
  | {
      readonly kind: 'host'
      /** What the host program calls its function: a key of `openHost({ services })`. */
      readonly name: string
    }

/**
 * The authority to call one service of one provider, perhaps weakened. A value: hand it on, or hand on a weaker
 * one made by {@link Grant.with}; there is no way back to the stronger one from it.
 */
export class Grant<S extends AnyService = AnyService> {
  readonly kind = 'grant'
  /** What may be called. */
  readonly service: S
  /** Whose it is. */
  readonly from: Source
  /** In the order in which they were put on; frozen. */
  readonly attenuators: readonly Attenuator[]
  /**
   * `weak`: the consumer lives without it. A weak edge is ignored for the order of starting and for cycles,
   * and its provider may end before its consumer does.
   */
  readonly strength: 'strong' | 'weak'

  constructor(
    service: S,
    from: Source,
    attenuators: readonly Attenuator[] = [],
    strength: 'strong' | 'weak' = 'strong',
  ) {
    this.service = service
    this.from = Object.freeze({ ...from })
    this.attenuators = Object.freeze([...attenuators])
    this.strength = strength
    Object.freeze(this)
  }

  /** A weaker grant: what this one allows and every one of these allows, too. */
  with(...attenuators: readonly Attenuator[]): Grant<S> {
    return new Grant(this.service, this.from, [...this.attenuators, ...attenuators], this.strength)
  }

  /** The same, but neither unit waits for the other to start, so that it may close a circle. */
  weak(): Grant<S> {
    return new Grant(this.service, this.from, this.attenuators, 'weak')
  }
}

/** Nothing, on purpose: what an optional need is wired to when it stays unfulfilled. */
export const absent = Object.freeze({ kind: 'absent' } as const)
/** The type of `absent`: a need that is wired to nothing on purpose. */
export type Absent = typeof absent

/** What a unit provides. Wiring it gives the whole of it; `with` makes a weaker grant. */
export class Provision<S extends AnyService = AnyService> {
  readonly kind = 'provision'
  /** What is provided. */
  readonly service: S
  /** The name of the unit that provides it. */
  readonly unit: string
  /** Key in the unit's `provides`. */
  readonly name: string
  /** What carries a call out in the unit. */
  readonly by: Provider

  constructor(unit: string, name: string, offer: Offer<S>) {
    this.service = offer.service
    this.unit = unit
    this.name = name
    this.by = offer.by
    Object.freeze(this)
  }

  /** The whole authority to call it. */
  grant(): Grant<S> {
    return new Grant(this.service, { kind: 'unit', unit: this.unit, provision: this.name })
  }

  /** See {@link Grant.with}. */
  with(...attenuators: readonly Attenuator[]): Grant<S> {
    return this.grant().with(...attenuators)
  }

  /** See {@link Grant.weak}. */
  weak(): Grant<S> {
    return this.grant().weak()
  }
}

/** A service that a function of the host program provides; the program names the function when it opens the host. */
export function fromHost<S extends AnyService>(service: S, name: string): Grant<S> {
  return new Grant(service, { kind: 'host', name })
}
