import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeArguments, encodeMessage, nextFrame, parseProtocol } from '../src/index.js'

const DESK = `<?xml version="1.0" encoding="UTF-8"?>
<protocol name="desk">
  <copyright>Nobody's &lt;own&gt; &amp; everybody's</copyright>
  <description summary="a desk">Papers lie on it.</description>
  <interface name="desk" version="3">
    <description summary="where papers lie"/>
    <request name="lay">
      <description summary="lay a paper down"/>
      <arg name="id" type="new_id" interface="paper" summary="the paper"/>
      <arg name="title" type="string" allow-null="true"/>
      <arg name="sheet" type="fd"/>
      <arg name="x" type="fixed"/>
    </request>
    <request name="take_up"><arg name="name" type="uint"/><arg name="id" type="new_id"/></request>
    <request name="clear" type="destructor" since="2"/>
    <event name="moved" since="3">
      <arg name="paper" type="object" interface="paper" allow-null="true"/>
      <arg name="any" type="object"/>
      <arg name="places" type="array"/>
      <arg name="by" type="int" enum="side"/>
    </event>
    <enum name="side"><entry name="left" value="0"/></enum>
  </interface>
  <interface name="paper" version="1"><event name="gone" type="destructor"/></interface>
</protocol>`

/** A protocol with one interface that holds this. */
const around = (inside: string, version = '2') =>
  `<protocol name="p"><interface name="i" version="${version}">${inside}</interface></protocol>`

const withArgument = (attributes: string) => around(`<request name="r"><arg ${attributes}/></request>`)

describe('a protocol', () => {
  test('becomes a table: opcodes by order, types, nulls, versions and destructors', () => {
    const protocol = parseProtocol(DESK)._unsafeUnwrap()
    expect(protocol).toEqual({
      name: 'desk',
      interfaces: [
        {
          name: 'desk',
          version: 3,
          requests: [
            {
              name: 'lay',
              since: 1,
              destructor: false,
              arguments: [
                { name: 'id', type: { kind: 'new-id', interface: 'paper' } },
                { name: 'title', type: { kind: 'string', nullable: true } },
                { name: 'sheet', type: { kind: 'fd' } },
                { name: 'x', type: { kind: 'fixed' } },
              ],
            },
            {
              name: 'take_up',
              since: 1,
              destructor: false,
              arguments: [
                { name: 'name', type: { kind: 'uint' } },
                { name: 'id', type: { kind: 'untyped-new-id' } },
              ],
            },
            { name: 'clear', since: 2, destructor: true, arguments: [] },
          ],
          events: [
            {
              name: 'moved',
              since: 3,
              destructor: false,
              arguments: [
                { name: 'paper', type: { kind: 'object', nullable: true, interface: 'paper' } },
                { name: 'any', type: { kind: 'object', nullable: false } },
                { name: 'places', type: { kind: 'array' } },
                { name: 'by', type: { kind: 'int' } },
              ],
            },
          ],
        },
        {
          name: 'paper',
          version: 1,
          requests: [],
          events: [{ name: 'gone', since: 1, destructor: true, arguments: [] }],
        },
      ],
    })
  })

  test('drives the codec', () => {
    const [desk] = parseProtocol(DESK)._unsafeUnwrap().interfaces
    const lay = desk!.requests[0]!
    const encoded = encodeMessage(lay, 5, 0, [
      { kind: 'new-id', id: 6 },
      { kind: 'string', bytes: new TextEncoder().encode('bill') },
      { kind: 'fd', descriptor: 42 },
      { kind: 'fixed', value: 1.5 },
    ])._unsafeUnwrap()
    // In words: id, length, 'bill', NUL with padding, 1.5 · 256. The descriptor has no bytes.
    const expected = Uint32Array.of(5, 28 << 16, 6, 5, 0x6c6c_6962, 0, 384)
    expect(encoded.bytes).toEqual(new Uint8Array(expected.buffer))
    expect(encoded.descriptors).toEqual([42])
    const decoded = decodeArguments(lay, nextFrame(encoded.bytes)._unsafeUnwrap()!, [42])._unsafeUnwrap()
    expect(decoded.arguments[1]).toEqual({ kind: 'string', bytes: new TextEncoder().encode('bill') })
  })

  test.each([
    ['no text', ''],
    ['text that is not XML', 'hello'],
    ['an element that does not close', '<protocol name="p"><interface name="i" version="1"></protocol>'],
    ['two elements with one root expected', '<protocol name="p"/><protocol name="q"/>'],
    ['another root', '<interface name="i" version="1"/>'],
    ['a protocol without a name', '<protocol/>'],
    ['an interface without a version', '<protocol name="p"><interface name="i"/></protocol>'],
    ['version 0', around('', '0')],
    ['version 1.5', around('', '1.5')],
    ['version 0x1', around('', '0x1')],
    ['a name with a space', around('<request name="a b"/>')],
    ['a name that is none', around('<request name="1a"/>')],
    ['a message from a later version than its interface', around('<request name="r" since="3"/>')],
    ['a message type that is unknown', around('<request name="r" type="constructor"/>')],
    ['an unknown element among messages', around('<requests name="r"/>')],
    ['an unknown element at the top', '<protocol name="p"><interfaces/></protocol>'],
    ['the same request twice', around('<request name="r"/><request name="r"/>')],
    [
      'the same interface twice',
      '<protocol name="p"><interface name="i" version="1"/><interface name="i" version="1"/></protocol>',
    ],
    [
      'the same argument twice',
      around('<request name="r"><arg name="a" type="int"/><arg name="a" type="int"/></request>'),
    ],
    ['an argument without a type', withArgument('name="a"')],
    ['an argument of unknown type', withArgument('name="a" type="float"')],
    ['a number that may be null', withArgument('name="a" type="int" allow-null="true"')],
    ['allow-null that is neither', withArgument('name="a" type="string" allow-null="yes"')],
    ['an interface name that is none', withArgument('name="a" type="object" interface="a b"')],
    ['a name written with an entity', withArgument('name="&amp;" type="int"')],
    [
      'a name from an entity of its own',
      `<!DOCTYPE p [<!ENTITY e "x">]>${withArgument('name="&e;" type="int"')}`,
    ],
  ])('is refused with %s', (_what, xml) => {
    const error = parseProtocol(xml)._unsafeUnwrapErr()
    expect(['not-xml', 'not-a-protocol']).toContain(error.kind)
    expect(error.message.length).toBeGreaterThan(5)
  })

  test('takes 20 arguments and not 21', () => {
    const message = (count: number) => {
      const list = Array.from({ length: count }, (_, index) => `<arg name="a${index}" type="int"/>`)
      return around(`<request name="r">${list.join('')}</request>`)
    }
    expect(parseProtocol(message(20)).isOk()).toBe(true)
    expect(parseProtocol(message(21))._unsafeUnwrapErr().message).toContain('more than 20')
  })

  test('is bounded in length', () => {
    const comment = (length: number) => `${around('')}<!--${'x'.repeat(length)}-->`
    expect(parseProtocol(comment(1_000)).isOk()).toBe(true)
    expect(parseProtocol(comment(4 * 1024 * 1024))._unsafeUnwrapErr().kind).toBe('not-a-protocol')
  })

  test('that is broken does not speak through its error', () => {
    const loud = parseProtocol(`<protocol name="p"><\u001b[31m\u202e${'x'.repeat(10_000)}></protocol>`)
    expect(loud._unsafeUnwrapErr().message).toMatch(/^[\x20-\x7e…]{5,200}$/)
    expect(parseProtocol('<a>'.repeat(1_000))._unsafeUnwrapErr().message).toMatch(/^[\x20-\x7e…]{5,200}$/)
  })

  test('broken anywhere is an error or another protocol, never an exception', () => {
    fc.assert(
      fc.property(fc.nat(DESK.length - 1), fc.nat(20), fc.string({ maxLength: 8 }), (at, cut, put) => {
        const result = parseProtocol(DESK.slice(0, at) + put + DESK.slice(at + cut))
        expect(result.isOk() || result.error.message.length > 0).toBe(true)
      }),
      { numRuns: 300 },
    )
  }, 60_000)
})
