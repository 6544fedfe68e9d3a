import { closure, compose, defineUnit, openHostWith } from '@spectrum/unit-runtime'
import { fakeHostPowers, memoryStore } from '@spectrum/unit-runtime/fake'
import { errAsync } from 'neverthrow'
import { expect, it } from 'vitest'

const path = (digit: string, name: string) => `/nix/store/${digit.repeat(32)}-${name}`
const [hello, gdb] = [path('1', 'hello'), path('2', 'gdb')]
const store = { [hello]: {}, [gdb]: {} }

it('an injection into a unit whose monitor cannot plug devices is refused before anything is touched', async () => {
  const powers = fakeHostPowers({ store })
  let plugged = 0
  const rigid: typeof powers = {
    ...powers,
    chooseMonitor: (...given) =>
      powers.chooseMonitor(...given).map((chosen) => {
        const { monitor } = chosen
        const capabilities = { ...monitor.capabilities, pmemHotplug: false }
        const start: typeof monitor.start = (...machine) =>
          monitor.start(...machine).map((started) => {
            started.addPmem = () => {
              plugged += 1
              return errAsync({ kind: 'aborted', message: 'too late' })
            }
            return started
          })
        return { ...chosen, monitor: { ...monitor, capabilities, start } }
      }),
  }
  const places = { state: '/fake/state', cache: '/fake/cache' }
  await using host = (await openHostWith(rigid, places, { store: memoryStore(store) }))._unsafeUnwrap()
  const graph = compose({ left: defineUnit('left', { store: closure(hello) }) })._unsafeUnwrap()
  const { left } = (await host.start(graph))._unsafeUnwrap()
  const error = (await left.inject(closure(gdb)))._unsafeUnwrapErr()
  expect(error).toMatchObject({ kind: 'monitor-failed', unit: 'left', cause: { capability: 'injection' } })
  expect(error.message).toContain('at the start')
  expect(plugged).toBe(0)
  expect(left.closure.paths.map((info) => info.path)).toEqual([hello])
  // What it has already needs no device.
  expect((await left.inject(closure(hello)))._unsafeUnwrap()).toMatchObject({ added: [], devices: 0 })
})
