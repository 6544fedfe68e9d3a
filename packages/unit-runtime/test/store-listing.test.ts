import { closure, compose, defineUnit } from '@spectrum/unit-runtime'
import { openFakeHost } from '@spectrum/unit-runtime/fake'
import { expect, it } from 'vitest'

const path = (digit: string, name: string) => `/nix/store/${digit.repeat(32)}-${name}`
const [hello, libc, jq, gdb] = [path('1', 'hello'), path('2', 'libc'), path('3', 'jq'), path('4', 'gdb')]
const store = {
  [hello]: { references: [libc] },
  [libc]: {},
  [jq]: { references: [libc] },
  [gdb]: { references: [libc] },
}
const names = (...paths: readonly string[]) => paths.map((each) => each.slice('/nix/store/'.length)).sort()

it('lists exactly what a unit was granted, and what was injected since', async () => {
  await using host = (await openFakeHost({ store }))._unsafeUnwrap()
  const graph = compose({
    left: defineUnit('left', { store: closure(hello) }),
    right: defineUnit('right', { store: closure(jq) }),
  })._unsafeUnwrap()
  const { left, right } = (await host.start(graph))._unsafeUnwrap()
  expect((await left.storeListing())._unsafeUnwrap()).toEqual(names(hello, libc))
  expect((await right.storeListing())._unsafeUnwrap()).toEqual(names(jq, libc))
  ;(await left.inject(closure(gdb)))._unsafeUnwrap()
  expect((await left.storeListing())._unsafeUnwrap()).toEqual(names(gdb, hello, libc))
  expect((await right.storeListing())._unsafeUnwrap()).toEqual(names(jq, libc))
})
