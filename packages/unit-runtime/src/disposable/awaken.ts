import { Buffer } from 'node:buffer'
import { ResultAsync } from 'neverthrow'
import type { HostPowers } from '../powers.js'
import type { Awaken } from '../running-unit.js'

/** As much as the kernel's generator takes in at once. */
const ENTROPY_BYTES = 32

/**
 * Tells a guest that stood still what it missed: what time it is, and randomness that it shares with nobody. Whoever saw
 * its memory while it waited could otherwise foretell its keys. Both
 * are told at once: the guest answers them in one round trip.
 */
export function awakenWith({ epochMs, randomHex }: Pick<HostPowers, 'epochMs' | 'randomHex'>): Awaken {
  return (agent, options) =>
    ResultAsync.combine([
      agent.addEntropy(Buffer.from(randomHex(ENTROPY_BYTES), 'hex'), options),
      agent.setClock(Math.round(epochMs()), options),
    ])
}
