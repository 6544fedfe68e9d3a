import {
  Authority,
  ask,
  audit,
  authorityOf,
  closure,
  compose,
  defineUnit,
  diff,
  explain,
  mermaidOf,
  once,
  rate,
  tableOf,
  whoCan,
} from '@spectrum/unit-graph'
import { describe, expect, it } from 'vitest'
import { example, Log, mail, Sign, store, Uplink, vault } from './graph-example.js'

const authority = new Authority(example())

describe('explain', () => {
  it('shows the edge that leads straight there, its conditions, and what the engine would say', () => {
    expect(explain(authority, 'mail', 'vault', 0)).toEqual({
      from: 'mail',
      to: 'vault',
      direct: [
        {
          consumer: 'mail',
          need: 'sign',
          service: Sign.name,
          provider: 'vault',
          provision: 'sign',
          conditions: ['asks, and remembers the answer', 'at most 2 each minute'],
          strength: 'strong',
          outcome: 'asks',
        },
      ],
      chain: [],
    })
  })

  it('shows the shortest chain where no edge is direct', () => {
    const { direct, chain } = explain(authority, 'mail', 'host:log', 0)
    expect(direct).toEqual([])
    expect(chain.map(({ consumer, provider }) => [consumer, provider])).toEqual([
      ['mail', 'vault'],
      ['vault', 'host:log'],
    ])
  })

  it('shows nothing where there is no way', () => {
    expect(explain(authority, 'vault', 'mail', 0)).toMatchObject({ direct: [], chain: [] })
    expect(explain(authority, 'mail', 'net', 0)).toMatchObject({ direct: [], chain: [] })
  })

  it('changes its answer with what has been decided', () => {
    const graph = compose({ vault, mail }).wire({
      vault: { log: example().wires[0]!.to as never },
      mail: { sign: vault.provides.sign.with(once()), uplink: example().wires[2]!.to as never },
    })
    const used = new Authority(graph._unsafeUnwrap())
    const outcome = () => explain(used, 'mail', 'vault', 0).direct[0]?.outcome
    expect(outcome()).toBe('allowed')
    expect(used.decide({ unit: 'mail', need: 'sign', argument: 'x', now: 0 }).kind).toBe('allowed')
    expect(outcome()).toBe('refused')
  })
})

it('whoCan lists every caller of a service, by value and by name', () => {
  expect(whoCan(authority, Sign, 0).map(({ consumer }) => consumer)).toEqual(['mail'])
  expect(whoCan(authority, 'org.example.log', 0).map(({ consumer }) => consumer)).toEqual(['vault'])
  expect(whoCan(authority, Uplink, 0)).toEqual([])
})

it('authorityOf lists what a unit sees, calls, serves and reaches', () => {
  expect(authorityOf(authority, 'mail', 0)).toMatchObject({
    store: store.roots,
    absent: ['uplink'],
    reaches: ['host:log', 'vault'],
    calls: [{ provider: 'vault' }],
    serves: [],
  })
  expect(authorityOf(authority, 'vault', 0)?.serves.map(({ consumer }) => consumer)).toEqual(['mail'])
  expect(authorityOf(authority, 'nobody', 0)).toBeUndefined()
  expect(authorityOf(authority, 'constructor', 0)).toBeUndefined()
})

describe('diff', () => {
  const uplink = example().wires.find(({ need }) => need === 'uplink')!.to
  const log = example().wires.find(({ need }) => need === 'log')!.to
  const wired = (sign: unknown, units: object = { vault, mail }) =>
    (compose(units as never) as { wire(wiring: unknown): { _unsafeUnwrap(): ReturnType<typeof example> } })
      .wire({ vault: { log }, mail: { sign, uplink } })
      ._unsafeUnwrap()
  const { sign } = vault.provides

  it('is empty between equal graphs', () => {
    expect(diff(example(), example())).toEqual([])
  })

  it('calls more conditions less authority, and fewer more', () => {
    const [loose, tight] = [wired(sign.with(ask())), wired(sign.with(ask(), audit('signs')))]
    expect(diff(loose, tight)).toMatchObject([{ kind: 'edge-changed', grants: 'less' }])
    expect(diff(tight, loose)).toMatchObject([{ kind: 'edge-changed', grants: 'more' }])
    expect(diff(wired(sign.with(rate(1, 'day'))), wired(sign.with(rate(2, 'day'))))).toMatchObject([
      { kind: 'edge-changed', grants: 'other' },
    ])
  })

  it('shows edges, units and store paths that come and go', () => {
    const richer = defineUnit('mail', {
      store: closure(...store.roots, '/nix/store/y'),
      needs: { sign: Sign, uplink: Uplink.optional() },
    })
    const other = defineUnit('other', { store })
    const before = wired(sign)
    const after = wired(sign, { vault, mail: richer, other })
    expect(diff(before, after)).toEqual([
      { kind: 'unit-changed', unit: 'mail', field: 'store', grants: 'more' },
      { kind: 'unit-added', unit: 'other', grants: 'more' },
    ])
    expect(diff(after, before)).toEqual([
      { kind: 'unit-changed', unit: 'mail', field: 'store', grants: 'less' },
      { kind: 'unit-removed', unit: 'other', grants: 'less' },
    ])
    expect(diff(example(), before).map(({ kind, grants }) => [kind, grants])).toEqual([
      ['unit-removed', 'less'],
      ['edge-changed', 'more'],
    ])
    expect(
      diff(before, compose({ lone: defineUnit('lone', { store }) })._unsafeUnwrap()).map(({ kind }) => kind),
    ).toEqual(['unit-removed', 'unit-removed', 'unit-added', 'edge-removed', 'edge-removed'])
  })
})

describe('the printers', () => {
  it('draw consumers pointing to providers, with what they need and on which conditions', () => {
    expect(mermaidOf(example())).toBe(
      [
        'flowchart LR',
        '  n0["vault"]',
        '  n1["net"]',
        '  n2["mail"]',
        '  n3(["host: log"])',
        '  n0 -.->|"log"| n3',
        '  n2 -->|"sign<br/>asks, and remembers the answer<br/>at most 2 each minute"| n0',
        '',
      ].join('\n'),
    )
  })

  it('keep a label from ending its quotes or bringing markup', () => {
    const graph = compose({ vault, mail }).wire({
      vault: { log: example().wires[0]!.to as never },
      mail: {
        sign: vault.provides.sign.with(audit('"]; click <b>')),
        uplink: example().wires[2]!.to as never,
      },
    })
    expect(mermaidOf(graph._unsafeUnwrap())).not.toMatch(/<b>|\]; click/)
  })

  it('line up a table', () => {
    expect(tableOf(whoCan(authority, Log, 0))).toBe(
      [
        'caller     service          provider  now      conditions',
        'vault.log  org.example.log  host:log  allowed  weak',
        '',
      ].join('\n'),
    )
  })
})
