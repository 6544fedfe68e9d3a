import type { ExecOutcome } from '@spectrum/guest-agent'
import type { Reason } from '@spectrum/unit-graph'

/** Where a call goes: what a unit (by its name) provides, or a function of the host program. */
export type CallTarget =
  | {
      readonly kind: 'unit'
      /** Name of the unit. */
      readonly unit: string
      /** Key of what it provides, in its definition's `provides`. */
      readonly provision: string
    }
  | {
      readonly kind: 'host'
      /** The name that the graph gave to `fromHost`. */
      readonly name: string
    }

/** What was decided, and by which conditions of the edge. */
export interface CallProvenance {
  /** Absent: no edge, as with a need that is wired to nothing. */
  readonly target?: CallTarget
  /** Conditions in their order, up to the first that refused. */
  readonly reasons: readonly Reason[]
  /** Labels of `audit` on the edge, in the order of its conditions. */
  readonly audit: readonly string[]
}

/** Why a call was not carried. Its caller sees the same in every case: the end of the stream, at once. */
export type Refusal =
  /** The need is wired to nothing. */
  | 'no-edge'
  /** The caller's line with the argument never came, was too long, no JSON, or does not fit the service. */
  | 'invalid-argument'
  /** A condition of the edge does not hold, a person said no, or nobody could be asked. */
  | 'attenuated'
  /** The provider's unit does not run, and will not come up for a call. */
  | 'provider-absent'
  /** The call waited for the provider's unit, which did not come up, or not in time. */
  | 'provider-not-started'
  /** As many calls of this unit, on this edge, to this provider or before a person are open as may be. */
  | 'busy'
  /** The caller hung up before it was decided. */
  | 'caller-gone'

/** How a call that was carried came to its end. */
export type CallEnd =
  /** Both directions were carried to their ends. `outcome`: of a provider that is a command. */
  | {
      readonly kind: 'completed'
      /** How the provider's command has ended; absent where the provider is a function of the host program. */
      readonly outcome?: ExecOutcome
    }
  /** The caller, or its unit, went away before it had its answer. */
  | { readonly kind: 'caller-gone' }
  /** The provider did not start, died, went away in the middle, or its function threw. */
  | {
      readonly kind: 'provider-failed'
      /** For the host's log; text of a guest in it is escaped. */
      readonly message: string
    }
  /** More bytes than the service allows. */
  | {
      readonly kind: 'too-long'
      /** Whose limit it was: what the caller sends, or what the provider answers. */
      readonly stream: 'request' | 'response'
    }
  /** Nothing moved in either direction for the limit's `idleMs`. */
  | { readonly kind: 'stalled' }
  /** The edge was revoked while the call was open. */
  | { readonly kind: 'revoked' }
  /** The broker was closed. */
  | { readonly kind: 'host-closed' }

/** What every event of one call has in common. */
export interface CallIdentity {
  /** Counts the calls of one broker: the events of one call have the same number. */
  readonly call: number
  /** Name of the unit on whose channel the call arrived. */
  readonly unit: string
  /** Key of the need in the calling unit's definition. */
  readonly need: string
  /** Name of the service that the need is of. */
  readonly service: string
}

/** What a host tells of a call: that it was allowed or refused, and how it ended. Match on `kind`. */
export type CallEvent =
  | (CallIdentity & CallProvenance & { readonly kind: 'allowed' })
  /** `message` says why, for the host's log; text of the caller in it is escaped. */
  | (CallIdentity &
      CallProvenance & { readonly kind: 'refused'; readonly refusal: Refusal; readonly message: string })
  | (CallIdentity & {
      readonly kind: 'ended'
      readonly end: CallEnd
      /** Bytes carried from the caller to the provider; its argument is not counted. */
      readonly requestBytes: number
      /** Bytes carried from the provider to the caller. */
      readonly responseBytes: number
      /** Milliseconds of the host's clock that the call was carried for; the decision before it is not counted. */
      readonly ms: number
    })
