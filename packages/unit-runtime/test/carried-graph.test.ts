import {
  absent,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  type Graph,
} from '@spectrum/unit-graph'
import { expect, it } from 'vitest'
import { faultOfGraph } from '../src/carried-graph.js'

const store = closure('/nix/store/00000000000000000000000000000000-x')
const Ping = defineService('org.example.ping')
const server = defineUnit('server', { store, provides: { ping: Ping.socket('/run/ping') } })
const client = defineUnit('client', { store, needs: { ping: Ping.optional() } })
const toHost = fromHost(Ping, 'ping')
const wired = (ping: typeof absent | typeof server.provides.ping | typeof toHost) =>
  compose({ server, client }).wire({ client: { ping } })._unsafeUnwrap()

const lazy = { ...wired(absent), units: { a: defineUnit('a', { store, start: 'lazy' }) } }

it.each<[string, () => Graph]>([
  ['client.ping', () => wired(toHost)],
  ['a.start', () => lazy],
  ['a.command', () => compose({ a: defineUnit('a', { store, command: ['/bin/a'] }) })._unsafeUnwrap()],
  [
    'a.restart',
    () => compose({ a: defineUnit('a', { store, restart: { when: 'always' } }) })._unsafeUnwrap(),
  ],
  [
    'b.diesWith',
    () =>
      compose({
        a: defineUnit('a', { store }),
        b: defineUnit('b', { store, diesWith: ['a'] }),
      })._unsafeUnwrap(),
  ],
])('a host refuses what it would not keep: %s', (field, graph) => {
  expect(faultOfGraph(graph())).toMatchObject({ kind: 'invalid-request', field })
})

it('a host takes a graph whose needs are wired to nothing, to a unit, or to a function that it has', () => {
  expect(faultOfGraph(wired(absent))).toBeUndefined()
  expect(faultOfGraph(wired(server.provides.ping))).toBeUndefined()
  expect(faultOfGraph(wired(toHost), { ping: () => {} })).toBeUndefined()
})
