import type { Size, SurfaceState } from '../frame/surface.js'
import type { CompiledInterface } from '../protocol/compile.js'
import type { RelayedMessage } from '../relay/hooks.js'
import type { Route } from '../relay/routes.js'

/** How the proxy itself answers the requests of an object that the compositor does not know. */
export interface Behaviour {
  /** The request is valid. Descriptors that it does not keep are closed, new objects are inert unless adopted. */
  request(relayed: RelayedMessage): void
  /** The client destroyed the object, or has gone. */
  removed?(object: ProtocolObject): void
}

/** Receives the events of an object that only the proxy knows. */
export type Listener = (relayed: RelayedMessage) => void

/**
 * An object of the protocol, as one client pair sees it. It has an id on each side that knows it: an object
 * without `serverId` is answered by the proxy, one without `clientId` is the proxy's own or a zombie.
 */
export class ProtocolObject {
  readonly type: CompiledInterface
  readonly version: number
  /** 0 when the client does not know it. */
  clientId: number
  /** 0 when the compositor does not know it. */
  serverId: number
  /** False from its destruction on, while events that were sent before may still arrive. */
  alive = true
  readonly requests: readonly Route[]
  readonly events: readonly Route[]
  behaviour: Behaviour | undefined
  listener: Listener | undefined
  /** Whether it counts against the limits: from its creation to its destruction, whatever is confirmed when. */
  counted = false
  /** Whether the compositor has yet to confirm it: an answer, or its end. */
  awaited = false
  /** Counts for a rule about this object alone, such as the rectangles of a region. */
  tally = 0
  /** What is known of the surface that it is, or is about: its role, its viewport. */
  surface: SurfaceState | undefined
  /** Of a wl_buffer whose size is known. */
  size: Size | undefined
  /** Called once when the client cannot use it any more: it destroyed it, or has gone. */
  whenGone: (() => void) | undefined

  constructor(
    type: CompiledInterface,
    version: number,
    routes: { readonly requests: readonly Route[]; readonly events: readonly Route[] },
  ) {
    this.type = type
    this.version = version
    this.clientId = 0
    this.serverId = 0
    this.requests = routes.requests
    this.events = routes.events
  }

  /** The end of its use by the client, once. */
  end(): void {
    if (!this.alive) return
    this.alive = false
    const { whenGone } = this
    this.whenGone = undefined
    whenGone?.()
    this.behaviour?.removed?.(this)
  }
}
