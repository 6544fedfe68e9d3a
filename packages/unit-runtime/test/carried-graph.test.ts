import { absent, closure, compose, defineService, defineUnit, fromHost } from '@spectrum/unit-graph'
import { expect, it } from 'vitest'
import { faultOfGraph } from '../src/carried-graph.js'

const store = closure('/nix/store/00000000000000000000000000000000-x')
const Ping = defineService('org.example.ping')
const server = defineUnit('server', { store, provides: { ping: Ping.socket('/run/ping') } })
const client = defineUnit('client', { store, needs: { ping: Ping.optional() } })
const toHost = fromHost(Ping, 'ping')
const wired = (ping: typeof absent | typeof server.provides.ping | typeof toHost) =>
  compose({ server, client }).wire({ client: { ping } })._unsafeUnwrap()

it('a host refuses a graph that is wired to a function which it does not have', () => {
  expect(faultOfGraph(wired(toHost))).toMatchObject({ kind: 'invalid-request', field: 'client.ping' })
})

it('a host takes a graph whose needs are wired to nothing, to a unit, or to a function that it has', () => {
  expect(faultOfGraph(wired(absent))).toBeUndefined()
  expect(faultOfGraph(wired(server.provides.ping))).toBeUndefined()
  expect(faultOfGraph(wired(toHost), { ping: () => {} })).toBeUndefined()
})
