import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bracketedCpus,
  choice,
  flag,
  list,
  optional,
  parseValue,
  path,
  printValue,
  quote,
  record,
  required,
  text,
  u64,
} from '../src/grammar.js'
import { hostileText } from './machines.js'

const any = text({ name: 'text' })
const borrowed = text({ name: 'text' }, 'borrowed')
const guessed = text({ name: 'text' }, 'guessed')
interface Disk {
  readonly path: string
  readonly ro?: boolean | undefined
}
const disk = record<Disk>({ path: required('path', path('path')), ro: optional('ro', flag, 'readonly') })

describe('a text in a key-value', () => {
  test('is read back as it was printed, whatever it holds', () => {
    fc.assert(
      fc.property(hostileText, (value) => {
        const printed = printValue(any, value)._unsafeUnwrap()
        expect(parseValue(any, printed)._unsafeUnwrap()).toBe(value)
      }),
    )
  })

  test('gets no quotes where none are needed, single ones next, double ones last', () => {
    expect(quote('/a b=c:d', 'owned')).toBe('/a b=c:d')
    expect(quote('', 'owned')).toBe("''")
    expect(quote('a,b"[]', 'owned')).toBe(`'a,b"[]'`)
    expect(quote(`it's "so" \\`, 'owned')).toBe(`"it's \\"so\\" \\\\"`)
  })

  test('for a borrowed field is never in double quotes, and refused where only they would do', () => {
    expect(quote('a,b', 'borrowed')).toBe("'a,b'")
    expect(printValue(borrowed, "it's")._unsafeUnwrapErr()).toMatchObject({ kind: 'unrepresentable' })
    expect(parseValue(borrowed, '"x"')._unsafeUnwrapErr().message).toContain('double quotes')
  })

  test('for a guessed field is quoted where it looks like a number or a boolean', () => {
    for (const word of ['42', '-7', '0x1f', '0b1', 'true', 'trueblue', 'falsetto']) {
      expect(quote(word, 'guessed')).toBe(`'${word}'`)
      expect(parseValue(guessed, word).isErr()).toBe(true)
    }
    expect(quote('tap0', 'guessed')).toBe('tap0')
    expect(quote('0xzz', 'guessed')).toBe('0xzz')
  })

  test('with a zero byte, half a surrogate pair or more than an argument holds is refused', () => {
    for (const value of ['a\0', '\ud800', 'x'.repeat(131_072)]) {
      expect(printValue(any, value)._unsafeUnwrapErr().kind).toBe('unrepresentable')
    }
    expect(printValue(any, 'x'.repeat(131_071)).isOk()).toBe(true)
  })

  test('knows only two escapes', () => {
    expect(parseValue(any, '"a\\"\\\\"')._unsafeUnwrap()).toBe('a"\\')
    expect(parseValue(any, '"a\\n"').isErr()).toBe(true)
    expect(parseValue(any, '"open').isErr()).toBe(true)
    expect(parseValue(any, 'a"b').isErr()).toBe(true)
  })
})

describe('numbers and booleans', () => {
  test('have radixes but no unit, no sign for unsigned ones, no underscore', () => {
    expect(parseValue(u64, '0x10')._unsafeUnwrap()).toBe(16n)
    expect(parseValue(u64, '0o17')._unsafeUnwrap()).toBe(15n)
    expect(parseValue(u64, '18446744073709551615')._unsafeUnwrap()).toBe(2n ** 64n - 1n)
    for (const word of ['2G', '+1', '1_0', '', '0x', '-1', '18446744073709551616', '1.5', '9'.repeat(100)]) {
      expect(parseValue(u64, word).isErr()).toBe(true)
    }
  })

  test('a boolean is true, false, or a bare key', () => {
    const read = (value: string) => parseValue(disk, value)
    expect(read('path=/a,ro')._unsafeUnwrap()).toEqual({ path: '/a', ro: true })
    expect(read('path=/a,ro=false')._unsafeUnwrap()).toEqual({ path: '/a', ro: false })
    for (const word of ['1', 'True', 'yes', '']) expect(read(`path=/a,ro=${word}`).isErr()).toBe(true)
  })
})

describe('a record', () => {
  test('names its first key always, and reads it where it is left out', () => {
    expect(printValue(disk, { path: '/a=b.img' })._unsafeUnwrap()).toBe('path=/a=b.img')
    expect(parseValue(disk, '/a,ro')._unsafeUnwrap()).toEqual({ path: '/a', ro: true })
  })

  test('refuses a key that is unknown, twice there (also by its alias) or missing', () => {
    for (const value of ['path=/a,rw', 'path=/a,path=/b', 'path=/a,ro,readonly', 'ro', '', 'path']) {
      expect(parseValue(disk, value)._unsafeUnwrapErr().kind).toBe('malformed')
    }
  })

  test('ends with at most one comma, and its items are not empty', () => {
    expect(parseValue(disk, 'path=/a,').isOk()).toBe(true)
    for (const value of ['path=/a,,', ',path=/a', 'path=/a, ro', '[path=/a]']) {
      expect(parseValue(disk, value).isErr()).toBe(true)
    }
  })

  test('inside another stands in brackets, which are never empty', () => {
    interface Outer {
      readonly disks?: readonly Disk[] | undefined
      readonly mode?: 'a' | 'b' | undefined
    }
    const outer = record<Outer>({
      disks: optional('disks', list(disk)),
      mode: optional('mode', choice(['a', 'b'])),
    })
    const value = { disks: [{ path: '/x,y', ro: true }, { path: '/z' }], mode: 'b' as const }
    const printed = printValue(outer, value)._unsafeUnwrap()
    expect(printed).toBe("disks=[[path='/x,y',ro=true],[path=/z]],mode=b")
    expect(parseValue(outer, printed)._unsafeUnwrap()).toEqual(value)
    expect(parseValue(outer, 'disks=[[]]').isErr()).toBe(true)
  })

  test('refuses at run time what its type forbids', () => {
    const wrong = [{}, { path: 1 }, { path: '/a', ro: 'yes' }, { path: '/a', extra: 1 }, null, [], '/a']
    for (const value of wrong) expect(printValue(disk, value as never).isErr()).toBe(true)
  })

  test('with a relative path reads it only where it is told from where', () => {
    expect(parseValue(disk, 'a.img').isErr()).toBe(true)
    expect(parseValue(disk, 'a.img', { workingDirectory: '/w' })._unsafeUnwrap()).toEqual({
      path: '/w/a.img',
    })
  })
})

describe('CPU sets', () => {
  test('hold numbers and ranges from low to high', () => {
    expect(parseValue(bracketedCpus, '[0,2-3]')._unsafeUnwrap()).toEqual([0, [2, 3]])
    for (const value of ['[3-2]', '["2-3"]', '[a]', '[]', '[-1]']) {
      expect(parseValue(bracketedCpus, value).isErr()).toBe(true)
    }
  })
})

describe('the reader, fed with anything', () => {
  test('gives a value that prints and reads back, or a refusal; it never throws and never hangs', () => {
    const soup = fc
      .array(
        fc.constantFrom('path', 'ro', '=', ',', '[', ']', "'", '"', '\\', '/', 'a', '0x1', 'true', '-'),
        {
          maxLength: 30,
        },
      )
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(soup, hostileText), (value) => {
        const read = parseValue(disk, value)
        if (read.isErr()) return
        const printed = printValue(disk, read.value)._unsafeUnwrap()
        expect(parseValue(disk, printed)._unsafeUnwrap()).toEqual(read.value)
      }),
      { numRuns: Number(process.env['CROSVM_SPEC_FUZZ'] ?? 1000) },
    )
  })
})
