import {
  absent,
  bytes,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  type Grant,
  type Graph,
  once,
  type Provision,
  startOrder,
  text,
} from '@spectrum/unit-graph'
import fc from 'fast-check'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { example, Log, mail, net, Sign, store, Uplink, vault } from './graph-example.js'

const wired = {
  vault: { log: fromHost(Log, 'log') },
  mail: { sign: vault.provides.sign, uplink: absent },
} as const

describe('wiring in a program', () => {
  it('gives each provision the type of its service', () => {
    expectTypeOf(vault.provides.sign).toEqualTypeOf<Provision<typeof Sign>>()
    expectTypeOf(vault.provides.sign.with(once())).toEqualTypeOf<Grant<typeof Sign>>()
    expect(vault.provides.sign.grant().from).toEqual({ kind: 'unit', unit: 'vault', provision: 'sign' })
  })

  it('makes a graph once every need is bound', () => {
    const graph = compose({ vault, mail }).wire(wired)._unsafeUnwrap()
    expect(graph.wires.map(({ unit, need, to }) => [unit, need, to.kind])).toEqual([
      ['vault', 'log', 'grant'],
      ['mail', 'sign', 'grant'],
      ['mail', 'uplink', 'absent'],
    ])
  })

  it('is no graph to the compiler while a need is unbound, and a refusal at run time', () => {
    const composed = compose({ vault, mail })
    // @ts-expect-error: units with needs are a graph only once they are wired
    expect(composed.isErr()).toBe(true)
    // @ts-expect-error: mail.uplink is decided by nobody
    const fault = composed.wire({ ...wired, mail: { sign: vault.provides.sign } })._unsafeUnwrapErr()
    expect(fault).toMatchObject({
      kind: 'unbound-need',
      unit: 'mail',
      need: 'uplink',
      path: ['mail', 'needs', 'uplink'],
    })
    expect(fault.message).toContain('absent')
  })

  it('does not compile, and is refused, when a need is wired to another service', () => {
    const fault = compose({ vault, mail, net })
      // @ts-expect-error: net.out is an uplink, not a signer
      .wire({ vault: wired.vault, mail: { sign: net.provides.out, uplink: absent } })
      ._unsafeUnwrapErr()
    expect(fault).toMatchObject({ kind: 'wrong-service', wanted: Sign.name, offered: Uplink.name })
  })

  it('does not compile, and is refused, when a required need is wired to nothing', () => {
    const fault = compose({ vault, mail })
      // @ts-expect-error: mail cannot do without a signer
      .wire({ vault: wired.vault, mail: { sign: absent, uplink: absent } })
      ._unsafeUnwrapErr()
    expect(fault).toMatchObject({ kind: 'unbound-need', unit: 'mail', need: 'sign' })
  })

  it('does not compile, and is refused, when something is wired that nobody needs', () => {
    const fault = compose({ vault, mail, net })
      // @ts-expect-error: mail has no need of that name
      .wire({ ...wired, mail: { ...wired.mail, sing: vault.provides.sign } })
      ._unsafeUnwrapErr()
    expect(fault).toMatchObject({ kind: 'unknown-need', need: 'sing' })
    const stranger = compose({ vault, mail })
      // @ts-expect-error: no unit has that key
      .wire({ ...wired, male: { sign: vault.provides.sign } })
      ._unsafeUnwrapErr()
    expect(stranger).toMatchObject({ kind: 'unknown-unit', unit: 'male' })
  })

  it('refuses a provider that is not in the graph', () => {
    const fault = compose({ mail }).wire({ mail: wired.mail })._unsafeUnwrapErr()
    expect(fault).toMatchObject({ kind: 'unknown-unit', unit: 'vault' })
  })

  it('refuses a provision that the unit of that name does not have', () => {
    const other = defineUnit('vault', { store, provides: { other: Sign.socket('/run/x') } })
    const fault = compose({ vault: other, mail }).wire({ mail: wired.mail })._unsafeUnwrapErr()
    expect(fault).toMatchObject({ kind: 'unknown-provision', provision: 'sign' })
  })

  it('refuses two definitions of one service name that differ, wherever they are', () => {
    const Other = defineService('org.example.sign', { argument: text({ max: 65 }), request: bytes() })
    const apart = defineUnit('apart', { store, provides: { sign: Other.socket('/run/x') } })
    const fault = compose({ vault, mail, apart }).wire(wired)._unsafeUnwrapErr()
    expect(fault).toMatchObject({ kind: 'service-clash', service: 'org.example.sign' })
    const vault2 = defineUnit('vault', { store, provides: { sign: Other.socket('/run/x') } })
    expect(compose({ vault: vault2, mail }).wire({ mail: wired.mail })._unsafeUnwrapErr()).toMatchObject({
      kind: 'wrong-service',
      message: expect.stringContaining('share one definition'),
    })
  })

  it('takes two definitions of one service that are equal, in whatever order of fields', () => {
    const Record = (first: boolean) =>
      defineService('org.example.r', {
        argument: {
          kind: 'record',
          fields: first
            ? { a: text({ max: 1 }), b: text({ max: 2 }) }
            : { b: text({ max: 2 }), a: text({ max: 1 }) },
        } as const,
      })
    const server = defineUnit('server', { store, provides: { r: Record(true).socket('/run/r') } })
    const client = defineUnit('client', { store, needs: { r: Record(false) } })
    const result = compose({ server, client }).wire({ client: { r: server.provides.r as never } })
    expect(result.isOk()).toBe(true)
  })
})

describe('the order of a graph', () => {
  const Ping = defineService('org.example.ping')
  const ring = (strengths: readonly boolean[]) => {
    const units = Object.fromEntries(
      strengths.map((_, index) => [
        `u${index}`,
        defineUnit(`u${index}`, { store, needs: { next: Ping }, provides: { ping: Ping.socket('/run/p') } }),
      ]),
    )
    const wires = Object.fromEntries(
      strengths.map((strong, index) => {
        const { ping } = units[`u${(index + 1) % strengths.length}`]!.provides as never as {
          ping: Provision<typeof Ping>
        }
        return [`u${index}`, { next: strong ? ping : ping.weak() }]
      }),
    )
    return compose(units).wire(wires as never)
  }

  it('starts providers before consumers', () => {
    const order = startOrder(example())
    expect(order).toEqual([['vault', 'net'], ['mail']])
  })

  it('refuses a circle of strong wires and names its units', () => {
    const fault = ring([true, true, true])._unsafeUnwrapErr()
    expect(fault).toMatchObject({ kind: 'cycle', units: ['u0', 'u1', 'u2', 'u0'] })
    expect(fault.message).toContain('u0 → u1 → u2 → u0')
    expect(ring([true])._unsafeUnwrapErr()).toMatchObject({ kind: 'cycle', units: ['u0', 'u0'] })
  })

  it('takes a circle that one weak wire opens', () => {
    expect(startOrder(ring([true, true, false])._unsafeUnwrap())).toEqual([['u2'], ['u1'], ['u0']])
  })

  it('follows chains of thousands of units', () => {
    const graph = ring([...Array.from({ length: 4_000 }, () => true), false])._unsafeUnwrap()
    expect(startOrder(graph)).toHaveLength(4_001)
  })

  it('starts a unit after those it dies with, and refuses to die with a stranger', () => {
    const first = defineUnit('first', { store })
    const second = defineUnit('second', { store, diesWith: ['first'] })
    expect(startOrder(compose({ second, first })._unsafeUnwrap())).toEqual([['first'], ['second']])
    expect(compose({ second })._unsafeUnwrapErr()).toMatchObject({ kind: 'unknown-unit', unit: 'first' })
  })

  it('takes units that die with each other, whom that puts into no order', () => {
    const first = defineUnit('first', { store, diesWith: ['second', 'first'] })
    const second = defineUnit('second', { store, diesWith: ['first'] })
    expect(startOrder(compose({ first, second })._unsafeUnwrap())).toEqual([['first', 'second']])
  })

  it('puts what dies with one of a circle behind all whom that waits for', () => {
    const units = {
      log: defineUnit('log', { store }),
      a: defineUnit('a', { store, diesWith: ['b', 'log'] }),
      b: defineUnit('b', { store, diesWith: ['c'] }),
      c: defineUnit('c', { store, diesWith: ['a'] }),
      last: defineUnit('last', { store, diesWith: ['b', 'a'] }),
    }
    expect(startOrder(compose(units)._unsafeUnwrap())).toEqual([['log', 'b', 'c'], ['a'], ['last']])
  })

  it('starts a provider first that dies with its consumer', () => {
    const server = defineUnit('server', {
      store,
      diesWith: ['client'],
      provides: { ping: Ping.socket('/run/p') },
    })
    const client = defineUnit('client', { store, needs: { ping: Ping } })
    const graph = compose({ client, server }).wire({ client: { ping: server.provides.ping } })
    expect(startOrder(graph._unsafeUnwrap())).toEqual([['server'], ['client']])
  })

  it('refuses a lazy unit that nobody can call', () => {
    const lazy = defineUnit('lazy', { store, start: 'lazy', provides: { ping: Ping.socket('/run/p') } })
    expect(compose({ lazy })._unsafeUnwrapErr()).toMatchObject({ kind: 'unreachable-unit', unit: 'lazy' })
    const caller = defineUnit('caller', { store, needs: { ping: Ping } })
    expect(
      compose({ lazy, caller })
        .wire({ caller: { ping: lazy.provides.ping } })
        .isOk(),
    ).toBe(true)
  })

  it('is the same for any graph: everything once, and never a consumer before its provider', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(9), fc.nat(9), fc.boolean()), { maxLength: 12 }), (pairs) => {
        const names = Array.from({ length: 10 }, (_, index) => `u${index}`)
        const needs = (index: number) =>
          pairs.flatMap(([from, to, strong], pair) => (from === index ? [{ pair, to, strong }] : []))
        const units = Object.fromEntries(
          names.map((name, index) => [
            name,
            defineUnit(name, {
              store,
              needs: Object.fromEntries(needs(index).map(({ pair }) => [`n${pair}`, Ping])),
              provides: { ping: Ping.socket('/run/p') },
            }),
          ]),
        )
        const wiring = Object.fromEntries(
          names.map((name, index) => [
            name,
            Object.fromEntries(
              needs(index).map(({ pair, to, strong }) => {
                const grant = units[names[to]!]!.provides.ping.grant()
                return [`n${pair}`, strong ? grant : grant.weak()]
              }),
            ),
          ]),
        )
        const composed = compose(units).wire(wiring as never) as ReturnType<typeof ring>
        if (composed.isErr()) {
          const { error } = composed
          const circle = error.kind === 'cycle' ? error.units : []
          // The circle is one: each of its steps is a strong wire, and it ends where it begins.
          expect(circle[0]).toBe(circle[circle.length - 1])
          for (const [step, from] of circle.slice(0, -1).entries()) {
            const to = names.indexOf(circle[step + 1]!)
            expect(pairs.some(([a, b, strong]) => strong && names[a] === from && b === to)).toBe(true)
          }
          return
        }
        const order = startOrder(composed.value as Graph)
        const rank = new Map(order.flatMap((keys, level) => keys.map((key) => [key, level])))
        expect(order.flat().sort()).toEqual([...names].sort())
        for (const [from, to, strong] of pairs) {
          if (strong) expect(rank.get(names[to]!)!).toBeLessThan(rank.get(names[from]!)!)
        }
      }),
    )
  })
})

describe('definitions that no unit can have', () => {
  const at = (unit: unknown) =>
    (compose({ a: unit } as never) as { _unsafeUnwrapErr(): unknown })._unsafeUnwrapErr()

  it.each([
    ['a need of no service', { needs: { x: {} } }, ['a', 'needs', 'x', 'service']],
    ['a need whose name is no file name', { needs: { '../x': Sign } }, ['a', 'needs']],
    [
      'a service with an empty name',
      { needs: { x: defineService('') } },
      ['a', 'needs', 'x', 'service', 'name'],
    ],
    [
      'a service whose name climbs',
      { needs: { x: defineService('a..b') } },
      ['a', 'needs', 'x', 'service', 'name'],
    ],
    [
      'an argument without a bound',
      { needs: { x: defineService('x', { argument: text({ max: Number.POSITIVE_INFINITY }) }) } },
      ['a', 'needs', 'x', 'service', 'argument', 'maxBytes'],
    ],
    [
      'a stream of minus one byte',
      { needs: { x: defineService('x', { request: bytes({ max: -1 }) }) } },
      ['a', 'needs', 'x', 'service', 'request', 'max'],
    ],
    ['a command with NUL', { provides: { x: Sign.command(['a\0b']) } }, ['a', 'provides', 'x', 'by', 'argv']],
    [
      'a socket without a root',
      { provides: { x: Sign.socket('run/x') } },
      ['a', 'provides', 'x', 'by', 'path'],
    ],
    [
      'a socket path of 108 bytes',
      { provides: { x: Sign.socket(`/${'x'.repeat(107)}`) } },
      ['a', 'provides', 'x', 'by', 'path'],
    ],
    ['an empty command', { command: [] }, ['a', 'command']],
    [
      'a restart that never heard of its policy',
      { restart: { when: 'sometimes' } },
      ['a', 'restart', 'when'],
    ],
    [
      'a restart sooner than at once',
      { restart: { when: 'always', backoffMs: -1 } },
      ['a', 'restart', 'backoffMs'],
    ],
  ])('are refused: %s', (_, options, path) => {
    expect(at(defineUnit('a', { store, ...options } as never))).toMatchObject({ kind: 'invalid-value', path })
  })

  it('include a provision that says it is another unit’s', () => {
    const forged = { ...defineUnit('a', { store }), provides: { sign: vault.provides.sign } }
    expect(at(forged)).toMatchObject({ kind: 'invalid-value', path: ['a', 'provides', 'sign'] })
  })

  it('do not include the longest socket path', () => {
    const unit = defineUnit('a', {
      store: closure('/nix/store/x'),
      provides: { x: Sign.socket(`/${'x'.repeat(106)}`) },
    })
    expect(compose({ a: unit }).isOk()).toBe(true)
  })
})
