import { closure, compose, defineUnit } from '@spectrum/unit-graph'
import { expect, it } from 'vitest'
import { manualClock, openFakeHost } from '../src/fake.js'

const tool = '/nix/store/00000000000000000000000000000000-tool'
const AN_HOUR = 3_600_000

async function started(command?: readonly string[]) {
  const clock = manualClock()
  const host = (
    await openFakeHost({
      clock,
      store: { [tool]: {} },
      programs: {
        [`${tool}/bin/stay`]: () => new Promise<number>(() => {}),
      },
    })
  )._unsafeUnwrap()
  const graph = compose({ one: defineUnit('one', { store: closure(tool), ...(command && { command }) }) })
  const { one } = (await host.start(graph._unsafeUnwrap()))._unsafeUnwrap()
  return { clock, host, one }
}

/** So many turns as any of it may take. */
const settle = async () => {
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
}

it('lets what was spawned run for as long as it likes', async () => {
  const { clock, host, one } = await started()
  const running = (await one.spawn([`${tool}/bin/stay`]))._unsafeUnwrap()
  let outcome: unknown
  void running.outcome.then((end) => {
    outcome = end
  })
  clock.advance(AN_HOUR)
  await settle()
  expect(outcome).toBeUndefined()
  await host.stop({ graceMs: 0 })
})

it('lets a unit’s command run for as long as it likes', async () => {
  const { clock, host, one } = await started([`${tool}/bin/stay`])
  clock.advance(AN_HOUR)
  await settle()
  expect(one.state).toBe('running')
  await host.stop({ graceMs: 0 })
})
