import { parseGraph, printGraph } from '@spectrum/unit-graph'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { example } from './graph-example.js'

type Json = Record<string, never> & { [key: string]: Json }
const changed = (change: (graph: Json) => void) => {
  const graph = JSON.parse(printGraph(example())) as Json
  change(graph)
  return parseGraph(JSON.stringify(graph))
}
const wire = (graph: Json, need: string) =>
  (graph['wires'] as unknown as Json[]).find((one) => (one['need'] as unknown) === need)!

describe('a graph in a file', () => {
  it('is the graph that was printed, in values, in behaviour and frozen', () => {
    const graph = parseGraph(printGraph(example()))._unsafeUnwrap()
    expect(graph).toStrictEqual(example())
    expect(Object.isFrozen(graph.units['mail']?.needs)).toBe(true)
    const to = graph.wires[1]!.to
    expect(to.kind === 'grant' && to.with().attenuators).toEqual(to.kind === 'grant' && to.attenuators)
    expect(to.kind === 'grant' && Object.isFrozen(to.attenuators[0])).toBe(true)
  })

  it.each<[string, (graph: Json) => void, string, readonly string[]]>([
    [
      'a wire twice',
      (graph) => (graph['wires'] as unknown as Json[]).push(wire(graph, 'sign')),
      'wired-twice',
      ['wires', '3'],
    ],
    [
      'a wire too few',
      (graph) => (graph['wires'] as unknown as Json[]).pop(),
      'unbound-need',
      ['mail', 'needs', 'uplink'],
    ],
    [
      'a required need wired to nothing',
      (graph) => Object.assign(wire(graph, 'sign'), { to: { kind: 'absent' } }),
      'unbound-need',
      ['wires', '1', 'to'],
    ],
    [
      'an unknown attenuator, which might have been a condition',
      (graph) => Object.assign(wire(graph, 'sign')['to']!, { attenuators: [{ kind: 'never' }] }),
      'invalid-value',
      ['wires', '1', 'to', 'attenuators', '0', 'kind'],
    ],
    [
      'an endless predicate',
      (graph) => {
        let that: object = { is: 'equal', to: 1 }
        for (let depth = 0; depth < 20; depth++) that = { is: 'not', that }
        Object.assign(wire(graph, 'sign')['to']!, { attenuators: [{ kind: 'only', that }] })
      },
      'invalid-value',
      ['wires', '1', 'to', 'attenuators', '0', ...Array.from({ length: 18 }, () => 'that')],
    ],
    [
      'a field that no version knows',
      (graph) => Object.assign(graph['units']!['mail']!, { network: true }),
      'invalid-value',
      ['units', 'mail', 'network'],
    ],
    [
      'an unknown field of an attenuator',
      (graph) => Object.assign(wire(graph, 'sign')['to']!['attenuators']!['0']!, { unless: 1 }),
      'invalid-value',
      ['wires', '1', 'to', 'attenuators', '0', 'unless'],
    ],
    [
      'an unknown field of a predicate',
      (graph) =>
        Object.assign(wire(graph, 'sign')['to']!, {
          attenuators: [{ kind: 'only', that: { is: 'not', that: { is: 'equal', to: 1, or: 2 } } }],
        }),
      'invalid-value',
      ['wires', '1', 'to', 'attenuators', '0', 'that', 'that', 'or'],
    ],
    [
      'an unknown field of a way to provide',
      (graph) => Object.assign(graph['units']!['vault']!['provides']!['sign']!['by']!, { shell: true }),
      'invalid-value',
      ['units', 'vault', 'provides', 'sign', 'by', 'shell'],
    ],
    [
      'a grant of a service that its provider does not provide',
      (graph) => Object.assign(wire(graph, 'sign')['to']!['from']!, { unit: 'net', provision: 'out' }),
      'wrong-service',
      ['wires', '1', 'to'],
    ],
    ['no units', (graph) => Object.assign(graph, { units: {} }), 'no-units', []],
    ['a list for units', (graph) => Object.assign(graph, { units: [] }), 'not-a-graph', []],
    ['another kind', (graph) => Object.assign(graph, { kind: 'graf' }), 'not-a-graph', []],
  ])('is refused with %s', (_, change, kind, path) => {
    expect(changed(change)._unsafeUnwrapErr()).toMatchObject({ kind, path })
  })

  it('is refused when it is no JSON, and cannot speak to the terminal in the message', () => {
    const fault = parseGraph('{"\u001b[2J')._unsafeUnwrapErr()
    expect(fault.kind).toBe('not-a-graph')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(fault.message).not.toMatch(/[\x00-\x1f]/)
  })

  it('is refused or a graph, whatever is in it', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => {
        parseGraph(text)
      }),
    )
  })

  it('never throws and never gains authority by a changed value anywhere', () => {
    const text = printGraph(example())
    const places: (readonly string[])[] = []
    const walk = (value: unknown, path: readonly string[]) => {
      places.push(path)
      if (typeof value === 'object' && value !== null)
        for (const [key, one] of Object.entries(value)) walk(one, [...path, key])
    }
    walk(JSON.parse(text), [])
    for (const path of places.slice(1)) {
      for (const value of [null, [], {}, '', 'x', -1, 1e9, true, undefined]) {
        const graph = JSON.parse(text) as Json
        const parent = path.slice(0, -1).reduce<Json>((one, key) => one[key]!, graph)
        parent[path[path.length - 1]!] = value as never
        const result = parseGraph(JSON.stringify(graph))
        // What is taken is taken as it stands, so what a reviewer reads in the file is what is enforced.
        if (result.isOk()) {
          const { wires, units } = JSON.parse(printGraph(result.value))
          expect(JSON.stringify({ units, wires })).toBe(
            JSON.stringify({ units: graph['units'], wires: graph['wires'] }),
          )
        }
      }
    }
  })
})
