import { closure, compose, defineUnit, startOrder, type UnitDefinition } from '@spectrum/unit-graph'
import fc from 'fast-check'
import { describe, expect, expectTypeOf, it } from 'vitest'

const store = closure('/nix/store/00000000000000000000000000000000-hello')

describe('compose', () => {
  it('keeps the name of each unit in the type and the value', () => {
    const graph = compose({ mail: defineUnit('mail', { store }) })._unsafeUnwrap()
    expectTypeOf(graph.units.mail.name).toEqualTypeOf<'mail'>()
    expect(graph.units.mail.name).toBe('mail')
    // @ts-expect-error: a unit that was not composed does not compile
    expect(graph.units.vault).toBeUndefined()
  })

  it('starts every unit exactly once', () => {
    const graph = compose({ a: defineUnit('a', { store }), b: defineUnit('b', { store }) })._unsafeUnwrap()
    expect(startOrder(graph).flat().sort()).toEqual(['a', 'b'])
  })

  it('is plain data that survives JSON unchanged', () => {
    const graph = compose({
      a: defineUnit('a', { store, memoryBytes: 64 * 2 ** 20, vcpuCount: 2 }),
    })._unsafeUnwrap()
    expect(JSON.parse(JSON.stringify(graph))).toEqual(graph)
  })

  it('cannot be changed afterwards', () => {
    const units: Record<string, UnitDefinition> = { a: defineUnit('a', { store }) }
    const graph = compose(units)._unsafeUnwrap()
    Object.assign(units, { b: defineUnit('b', { store }) })
    expect(Object.keys(graph.units)).toEqual(['a'])
    expect(Object.values(graph.units).every((unit) => Object.isFrozen(unit.store.roots))).toBe(true)
  })

  it('refuses an empty graph', () => {
    expect(compose({})._unsafeUnwrapErr()).toMatchObject({ kind: 'no-units', path: [] })
  })

  it('refuses two units of one name and says which keys hold it', () => {
    const fault = compose({
      a: defineUnit('mail', { store }),
      b: defineUnit('mail', { store }),
    })._unsafeUnwrapErr()
    expect(fault).toMatchObject({ kind: 'duplicate-name', path: ['b', 'name'], other: 'a', name: 'mail' })
  })

  it('refuses an empty closure and a root that is no string', () => {
    expect(compose({ a: defineUnit('a', { store: closure() }) })._unsafeUnwrapErr().kind).toBe(
      'empty-closure',
    )
    const broken = { kind: 'closure', roots: ['/nix/store/x', 7] } as unknown as typeof store
    expect(compose({ a: defineUnit('a', { store: broken }) })._unsafeUnwrapErr()).toMatchObject({
      kind: 'invalid-value',
      path: ['a', 'store', 'roots', '1'],
    })
  })

  it('refuses a value that defineUnit did not make', () => {
    expect(compose({ a: undefined as unknown as UnitDefinition })._unsafeUnwrapErr().kind).toBe('not-a-unit')
  })

  it.each([
    ['memoryBytes', 31 * 2 ** 20],
    ['memoryBytes', 64 * 2 ** 20 + 1],
    ['memoryBytes', Number.NaN],
    ['vcpuCount', 0],
    ['vcpuCount', 256],
    ['vcpuCount', 1.5],
    ['hotplugSlots', -1],
    ['hotplugSlots', 256],
  ])('refuses %s = %d and points at it', (field, value) => {
    const fault = compose({ a: defineUnit('a', { store, [field]: value }) })._unsafeUnwrapErr()
    expect(fault).toMatchObject({ kind: 'invalid-value', path: ['a', field] })
  })

  it.each([
    ['vcpuCount', 1],
    ['vcpuCount', 255],
    ['hotplugSlots', 0],
    ['hotplugSlots', 255],
    ['memoryBytes', 32 * 2 ** 20],
  ])('accepts %s = %d', (field, value) => {
    expect(compose({ a: defineUnit('a', { store, [field]: value }) }).isOk()).toBe(true)
  })
})

describe('the limits of a unit', () => {
  const faultOf = (limits: object) => compose({ a: defineUnit('a', { store, limits }) }).map(() => 'fine')

  it.each([
    ['memoryBytes', 32 * 2 ** 20, 2 ** 44],
    ['cpuWeight', 1, 10_000],
    ['ioWeight', 1, 10_000],
    ['pids', 1, 4_194_304],
  ])('hold %s between %d and %d', (field, least, most) => {
    for (const value of [least, most]) expect(faultOf({ [field]: value })._unsafeUnwrap()).toBe('fine')
    for (const value of [least - 1, most + 1, 1.5, '1']) {
      expect(faultOf({ [field]: value })._unsafeUnwrapErr()).toMatchObject({
        kind: 'invalid-value',
        path: ['a', 'limits', field],
      })
    }
  })

  it('have no other fields', () => {
    expect(faultOf({ disk: 1 })._unsafeUnwrapErr()).toMatchObject({ path: ['a', 'limits', 'disk'] })
    const odd = faultOf({ 'a\nb': 1 })._unsafeUnwrapErr()
    expect(odd).toMatchObject({ path: ['a', 'limits', 'a\nb'], message: expect.not.stringContaining('\n') })
    expect(faultOf([])._unsafeUnwrapErr()).toMatchObject({ path: ['a', 'limits'] })
  })
})

describe('the volumes of a unit', () => {
  const faultOf = (volumes: object) =>
    compose({ a: defineUnit('a', { store, volumes: volumes as never }) }).map(() => 'fine')
  const data = { path: '/data', sizeBytes: 16 * 2 ** 20 }

  it('take names, places and sizes within bounds', () => {
    for (const fine of [
      {},
      { data },
      { data: { ...data, sizeBytes: 2 ** 44, readOnly: true } },
      { [`a${'0'.repeat(14)}`]: { ...data, path: '/run/own' } },
      { data, more: { ...data, path: '/data/more' } },
    ]) {
      expect(faultOf(fine)._unsafeUnwrap()).toBe('fine')
    }
  })

  it.each<[string, object, readonly string[]]>([
    ['a name that is too long', { [`a${'0'.repeat(15)}`]: data }, [`a${'0'.repeat(15)}`]],
    ['a name with a slash', { 'a/b': data }, ['a/b']],
    ['the root', { data: { ...data, path: '/' } }, ['data', 'path']],
    ['a path that is not absolute', { data: { ...data, path: 'data' } }, ['data', 'path']],
    ['a path that climbs', { data: { ...data, path: '/data/../nix' } }, ['data', 'path']],
    ['a place in the store', { data: { ...data, path: '/nix/store/x' } }, ['data', 'path']],
    ['the sockets of services', { data: { ...data, path: '/run/spectrum' } }, ['data', 'path']],
    ['a place that is taken', { data, more: data }, ['more', 'path']],
    ['less than 16 MiB', { data: { ...data, sizeBytes: 15 * 2 ** 20 } }, ['data', 'sizeBytes']],
    ['half a MiB', { data: { ...data, sizeBytes: 16.5 * 2 ** 20 } }, ['data', 'sizeBytes']],
    ['another field', { data: { ...data, mode: 7 } }, ['data', 'mode']],
    ['a word for readOnly', { data: { ...data, readOnly: 'yes' } }, ['data', 'readOnly']],
  ])('refuse %s', (_, volumes, path) => {
    expect(faultOf(volumes)._unsafeUnwrapErr()).toMatchObject({
      kind: 'invalid-value',
      path: ['a', 'volumes', ...path],
    })
  })

  it('are at most sixteen', () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`v${at}`, { ...data, path: `/v${at}` }]))
    expect(faultOf(many(16)).isOk()).toBe(true)
    expect(faultOf(many(17))._unsafeUnwrapErr()).toMatchObject({ path: ['a', 'volumes'] })
  })
})

describe('a unit name', () => {
  const isName = (name: string) => compose({ key: defineUnit(name, { store }) }).isOk()

  it('holds 1 to 32 characters', () => {
    expect(isName('')).toBe(false)
    expect(isName('a')).toBe(true)
    expect(isName('a'.repeat(32))).toBe(true)
    expect(isName('a'.repeat(33))).toBe(false)
  })

  it('is accepted only when it is safe as a file name and in a log', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (name) => {
        if (isName(name)) expect(name).toMatch(/^[a-z][a-z0-9-]*$/)
      }),
    )
    for (const name of ['A', '1a', '-a', 'a_b', 'a/b', '..', 'a\n', 'a\u202e'])
      expect(isName(name)).toBe(false)
  })

  it('does not carry terminal sequences into the message', () => {
    const fault = compose({ key: defineUnit('\u001b[2Jx\u202e', { store }) })._unsafeUnwrapErr()
    expect(fault.message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })
})
