import type { Listener, UnixFdError, UnixSocket } from '@spectrum/unix-fd'
import { err, ok, type Result } from 'neverthrow'
import type { WaylandProxy } from '../proxy.js'
import type { RelayPowers } from '../relay/unit-context.js'

/** Where clients come from and where they go. */
export interface Acceptance {
  /** Serves the clients. Stays the caller's: it is neither closed here nor when the listener ends. */
  readonly proxy: WaylandProxy
  /** To count connections per second, and to wait. */
  readonly powers: Pick<RelayPowers, 'clock' | 'later'>
  /** Where the unit's clients connect. Stays the caller's. */
  readonly listener: Listener
  /**
   * A new connection to the compositor, for one client; the proxy owns it. An error turns that client away,
   * with the warning `W-COMPOSITOR`.
   */
  readonly connect: () => Result<UnixSocket, UnixFdError>
}

/**
 * Serves every client that connects, until `signal` aborts: as many at a time and as fast as the policy's limits
 * say; the others wait in the listener's queue. Errors: what ended the listener.
 */
export async function acceptClients(
  { proxy, powers, listener, connect }: Acceptance,
  signal: AbortSignal,
): Promise<Result<void, UnixFdError>> {
  let tokens = proxy.policy.limits.connectionsPerSecond
  let filledAt = powers.clock.now()
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const pause = (ms: number) => new Promise<void>((resolve) => powers.later(ms, resolve))
  while (!signal.aborted) {
    await Promise.race([proxy.room(), stopped])
    const { connectionsPerSecond } = proxy.policy.limits
    const now = powers.clock.now()
    tokens = Math.min(connectionsPerSecond, tokens + ((now - filledAt) * connectionsPerSecond) / 1000)
    filledAt = now
    if (tokens < 1) {
      proxy.warn({
        code: 'W-CONNECTIONS',
        message: `more than ${connectionsPerSecond} connections per second`,
      })
      await Promise.race([pause(Math.ceil(1000 / connectionsPerSecond)), stopped])
      continue
    }
    const client = await listener.accept(signal)
    if (client.isErr()) return signal.aborted ? ok() : err(client.error)
    tokens -= 1
    const compositor = connect()
    if (compositor.isOk()) proxy.serve(client.value, compositor.value)
    else {
      // This one is turned away; the compositor may be back for the next.
      proxy.warn({ code: 'W-COMPOSITOR', message: compositor.error.message })
      client.value.close()
    }
  }
  return ok()
}
