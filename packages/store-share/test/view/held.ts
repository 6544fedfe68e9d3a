import { readdirSync } from 'node:fs'
import { liveFds, liveMappings } from '@spectrum/unix-fd'
import { expect } from 'vitest'

/** What this process holds: descriptors of any kind, and what of them and of its memory is owned by this project. */
export interface Held {
  readonly open: number
  readonly live: number
  readonly mapped: number
}

export const held = (): Held => ({
  open: readdirSync('/proc/self/fd').length,
  live: liveFds(),
  mapped: liveMappings(),
})

/** Nothing has been kept since then. One less is no leak: the runner closes what it read a test from when it likes. */
export function expectNothingKept({ open, live, mapped }: Held): void {
  const now = held()
  expect({ live: now.live, mapped: now.mapped }).toEqual({ live, mapped })
  expect(now.open).toBeLessThanOrEqual(open)
}
