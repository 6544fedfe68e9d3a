import type { StoreError, StoreOptions, StoreSource } from '@spectrum/store-share'
import { closure, defineUnit } from '@spectrum/unit-graph'
import { ResultAsync } from 'neverthrow'
import { describe, expect, it } from 'vitest'
import { attachUnits } from '../src/attach-units.js'
import { manualClock } from '../src/fake.js'
import type { UnitContext } from '../src/unit-context.js'
import { openWait } from '../src/wait.js'

/** A store that answers only when it is told to stop: with the one word that a signal can carry. */
const slowStore: StoreSource = {
  locate: (path) => path,
  closure: (_roots, options: StoreOptions = {}) =>
    ResultAsync.fromPromise(
      new Promise<never>((_, reject) => options.signal?.addEventListener('abort', reject)),
      (): StoreError => ({ kind: 'aborted', message: 'the store command was aborted' }),
    ),
}

const definition = defineUnit('mail', { store: closure('/nix/store/whatever') })

describe('a store that is too slow', () => {
  it.each([
    ['its deadline', 'timed-out', (clock: ReturnType<typeof manualClock>) => clock.advance(1000)],
    ['an abort', 'aborted', (_: unknown, stop: AbortController) => stop.abort()],
  ])('fails a start with what cut it: %s', async (_, kind, cut) => {
    const clock = manualClock()
    const stop = new AbortController()
    using wait = openWait(clock, 1000, stop.signal)
    const context = { powers: { clock, store: slowStore }, step() {} } as unknown as UnitContext
    const attaching = attachUnits(context, [definition], 24, wait)
    cut(clock, stop)
    expect((await attaching)._unsafeUnwrapErr()).toMatchObject({ kind, unit: 'mail' })
  })
})
