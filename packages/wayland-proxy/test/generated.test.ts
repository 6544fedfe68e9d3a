import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { installedFiles, merged, sourceText } from '../generate/tables.js'
import { extendedTable, parseProtocol, printTables, readTables, standardInterfaces } from '../src/index.js'

const generated = new URL('../src/protocol/generated.ts', import.meta.url)

describe('the standard table', () => {
  test('says what the installed XML says, and generating it again changes nothing', () => {
    const files = installedFiles()
    expect(files.length).toBeGreaterThan(25)
    expect(sourceText(merged(files))).toBe(readFileSync(generated, 'utf8'))
  })

  test('reads back from its compact form', () => {
    expect(readTables(printTables(standardInterfaces()))._unsafeUnwrap()).toEqual(standardInterfaces())
  })

  test('has the only request whose new object is untyped in wl_registry', () => {
    const untyped = standardInterfaces().flatMap(({ name, requests }) =>
      requests
        .filter((one) => one.arguments.some(({ type }) => type.kind === 'untyped-new-id'))
        .map((one) => `${name}.${one.name}`),
    )
    expect(untyped).toEqual(['wl_registry.bind'])
  })

  for (const line of [
    'wl_x',
    '>before 1 any:i',
    'wl_x 1\n>m 1 a:q',
    'wl_x 1\n>m 1 a:u?',
    'wl_x 1\n>m 1 a:+wl_y?',
  ]) {
    test(`refuses the line ${JSON.stringify(line)}`, () => {
      expect(readTables(line)._unsafeUnwrapErr().kind).toBe('not-a-protocol')
    })
  }
})

describe('a protocol of the user’s own', () => {
  const xml = (inside: string, version: number, name = 'my_desk') =>
    parseProtocol(
      `<protocol name="p"><interface name="${name}" version="${version}">${inside}</interface></protocol>`,
    )._unsafeUnwrap().interfaces

  test('is added at run time', () => {
    const table = extendedTable(xml('<request name="r"/>', 1))._unsafeUnwrap()
    expect(table.find('my_desk')?.requests[0]?.fullName).toBe('my_desk.r')
    expect(table.find('wl_surface')).toBeDefined()
  })

  test('may bring a newer version of what is known', () => {
    const [old, more] = ['<request name="r"/>', '<request name="r"/><request name="s" since="2"/>']
    const table = extendedTable(xml(old!, 1), xml(more!, 2))._unsafeUnwrap()
    expect(table.find('my_desk')?.version).toBe(2)
  })

  test('must not contradict what is known', () => {
    expect(extendedTable(xml('<request name="r"/>', 1, 'wl_shm'))._unsafeUnwrapErr().message).toMatch(
      'two different interfaces are called wl_shm',
    )
  })
})
