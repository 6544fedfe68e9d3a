import type { Agent } from '@spectrum/guest-agent'
import type { Clock } from '@spectrum/unit-monitor'
import type { Result } from 'neverthrow'
import type { Prompter } from '../prompter/prompter.js'
import type { CallEvent } from './events.js'

/** What the broker needs of a unit. */
export type CallAgent = Pick<Agent, 'offerServices' | 'connect' | 'exec' | 'closed'>

/** One call as a function of the host program sees it. */
export interface HostCall {
  /** Name of the calling unit, from the channel on which the call arrived. */
  readonly caller: string
  /** Name of the service that is called, as its definition has it. */
  readonly service: string
  /** Conforms to the service's schema. */
  readonly argument: unknown
  /** What the caller sends; empty where the service or the edge allows no request. */
  readonly request: AsyncIterable<Uint8Array>
  /** Resolves when there is room. Rejects once the call has ended. */
  respond(bytes: Uint8Array): Promise<void>
  /** Aborts when the call has ended, for whatever reason: its caller hung up, a limit, a revocation, the host's end. */
  readonly signal: AbortSignal
}

/**
 * A service that the host program provides. The call is complete when it returns; a throw is its failure.
 *
 * @example
 * ```ts
 * import type { HostService } from '@spectrum/unit-runtime'
 *
 * // For `openHost({ services: { log } })`, and `fromHost(Log, 'log')` in the graph.
 * export const log: HostService = async ({ caller, request, respond }) => {
 *   let size = 0
 *   for await (const chunk of request) size += chunk.length
 *   await respond(new TextEncoder().encode(`${size} bytes from ${caller}`))
 * }
 * ```
 */
export interface HostService {
  /** Carries one call. What it throws, or rejects with, ends the call as `provider-failed`. */
  (call: HostCall): void | Promise<void>
  /** Its calls are not ended for having nothing to say. */
  readonly mayIdle?: boolean
}

/** Units that do not run and may come to, by their names. */
export interface CallProviders {
  /** Whether a call may wait for this unit. */
  mayCome(unit: string): boolean
  /** Resolves when it runs, which may start it; otherwise with why it does not. */
  bringUp(
    unit: string,
    options: { readonly signal: AbortSignal; readonly deadlineMs: number },
  ): Promise<Result<void, { readonly message: string }>>
}

export interface BrokerPowers {
  readonly clock: Clock
  /** Milliseconds since 1970, for conditions that name a moment. */
  epochMs(): number
  /** Whoever answers for `ask`. Without one, whatever must be asked is refused. */
  readonly prompter?: Prompter | undefined
  /** Without it a unit that does not run is absent. */
  readonly providers?: CallProviders | undefined
  /** By the names that the graph uses in `fromHost`. */
  readonly services: Readonly<Record<string, HostService>>
  /** The agent of a unit that the graph only names, because it was started by another one, by its key. */
  borrowed?(unit: string): CallAgent | undefined
  /** Must not throw. */
  onEvent(event: CallEvent): void
}
