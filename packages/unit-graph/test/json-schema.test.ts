import {
  any,
  ask,
  atMost,
  audit,
  bytes,
  choice,
  compose,
  defineService,
  defineUnit,
  equal,
  every,
  field,
  fromHost,
  graphJsonSchema,
  integer,
  not,
  once,
  oneOf,
  only,
  parseGraph,
  printGraph,
  rate,
  readOnly,
  record,
  revocable,
  startingWith,
  text,
  until,
} from '@spectrum/unit-graph'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { example, store } from './graph-example.js'

const isValid = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(graphJsonSchema)

/** Every kind of part that a graph can have. */
function everything() {
  const Call = defineService('org.example.call', {
    argument: record({ mode: choice('a', 'b'), size: integer({ min: 0, max: 9 }), note: text({ max: 10 }) }),
    request: bytes({ max: 1 }),
  })
  const provider = defineUnit('provider', {
    store,
    provides: { call: Call.command(['/bin/call', '']), socket: Call.socket('/run/call') },
    start: 'lazy',
    restart: { when: 'on-failure', most: 3, backoffMs: 10 },
  })
  const caller = defineUnit('caller', {
    store,
    needs: { call: Call, socket: Call, own: Call.optional() },
    command: ['/bin/caller'],
    memoryBytes: 64 << 20,
    vcpuCount: 2,
    hotplugSlots: 4,
    volumes: {
      data: { path: '/data', sizeBytes: 16 << 20 },
      old: { path: '/old', sizeBytes: 32 << 20, readOnly: true },
    },
    limits: { memoryBytes: 128 << 20, cpuWeight: 50, ioWeight: 50, pids: 100 },
    diesWith: ['provider'],
  })
  const predicate = every(
    field('mode', oneOf('a', 'b')),
    any(field('size', atMost(3)), not(field('size', equal(4)))),
    field('note', startingWith('x')),
  )
  const all = [
    ask(),
    once(),
    only(predicate),
    rate(2, 'hour'),
    until(1e12),
    audit('a'),
    readOnly(),
    revocable('r'),
  ]
  return compose({ provider, caller })
    .wire({
      caller: {
        call: provider.provides.call.with(...all),
        socket: provider.provides.socket,
        own: fromHost(Call, 'own').weak(),
      },
    })
    ._unsafeUnwrap()
}

type Path = readonly string[]

function placesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, one]) => placesOf(one, [...path, key]))]
}

/** A copy in which `change` was made to what is at a place. */
function changedAt(json: string, path: Path, change: (parent: Record<string, unknown>, key: string) => void) {
  const copy = JSON.parse(json)
  const parent = path.slice(0, -1).reduce((one, key) => one[key], copy)
  change(parent, path.at(-1)!)
  return copy
}

describe('the schema of a graph in a file', () => {
  it.each([
    ['a small graph', example],
    ['a graph with every kind of part', everything],
  ])('takes %s', (_name, graph) => {
    expect([isValid(JSON.parse(printGraph(graph()))), isValid.errors]).toEqual([true, null])
    expect(parseGraph(printGraph(graph())).isOk()).toBe(true)
  })

  const json = printGraph(everything())
  const places = placesOf(JSON.parse(json)).slice(1)

  it('takes whatever else is a graph', () => {
    let taken = 0
    for (const path of places) {
      for (const value of [[], {}, '', 'x', 'x.y', '/x', -1, 0, 1, 1.5, 2 ** 26, true, null, undefined]) {
        const changed = changedAt(json, path, (parent, key) => {
          parent[key] = value
        })
        if (parseGraph(JSON.stringify(changed)).isErr()) continue
        taken++
        expect([path, value, isValid(JSON.parse(JSON.stringify(changed)))]).toEqual([path, value, true])
      }
    }
    expect(taken).toBeGreaterThan(50)
  })

  it('refuses what is of another type, or not part of a graph, wherever it is', () => {
    for (const path of places) {
      const wrong = changedAt(json, path, (parent, key) => {
        parent[key] = null
      })
      expect([path, isValid(wrong)]).toEqual([path, false])
      const more = changedAt(json, path, (parent, key) => {
        const value = parent[key]
        if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
          Object.assign(value, { 'not part of a graph': 1 })
        }
      })
      // Lists and texts have no fields.
      if (JSON.stringify(more) === JSON.stringify(JSON.parse(json))) continue
      expect([path, isValid(more)]).toEqual([path, false])
      expect(parseGraph(JSON.stringify(more)).isErr()).toBe(true)
    }
  })
})
