import { readdirSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { liveFds, liveMappings } from '../src/index.js'

const checkout = fileURLToPath(new URL('../../../', import.meta.url))

/** What each descriptor of this process refers to, as the kernel says; two of the same are there twice. */
export function openDescriptors(): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((number) => {
    try {
      return [readlinkSync(`/proc/self/fd/${number}`)]
    } catch {
      return [] // the listing's own
    }
  })
}

/**
 * What is open now and was not then. The test runner's own descriptors come and go at any time, in threads too: one that
 * has gone is no leak, and none that reads a source is a test's.
 */
export function openedSince(before: readonly string[]): readonly string[] {
  const known = new Map<string, number>()
  for (const target of before) known.set(target, (known.get(target) ?? 0) + 1)
  return openDescriptors().filter((target) => {
    const left = known.get(target) ?? 0
    known.set(target, left - 1)
    return left <= 0 && !target.startsWith(checkout)
  })
}

/** What this process holds: descriptors of any kind, and what of them and of its memory is owned by this project. */
export interface Held {
  readonly open: readonly string[]
  readonly live: number
  readonly mapped: number
}

export const held = (): Held => ({ open: openDescriptors(), live: liveFds(), mapped: liveMappings() })

/** Nothing has been kept since then. */
export function expectNothingKept({ open, live, mapped }: Held): void {
  expect({ opened: openedSince(open), live: liveFds(), mapped: liveMappings() }).toEqual({
    opened: [],
    live,
    mapped,
  })
}
