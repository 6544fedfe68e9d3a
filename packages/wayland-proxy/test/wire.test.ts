import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Argument,
  type ArgumentType,
  decodeArguments,
  encodeMessage,
  type MessageSignature,
  nextFrame,
} from '../src/index.js'
import { message, signature } from './arbitrary.js'

function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values, (value) => value >>> 0).buffer)
}

function joined(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

const text = (value: string) => new TextEncoder().encode(value)
const header = (size: number, opcode = 0, objectId = 1) => words(objectId, (size << 16) | opcode)

function taking(...types: ArgumentType[]): MessageSignature {
  return {
    name: 'message',
    since: 1,
    destructor: false,
    arguments: types.map((type, index) => ({ name: `argument_${index}`, type })),
  }
}

/** Decodes a message made of these bytes after a fitting header. */
function decode(types: ArgumentType[], body: Uint8Array, queue: readonly number[] = []) {
  const frame = nextFrame(joined(header(8 + body.length), body))._unsafeUnwrap()
  if (frame === undefined) throw new Error('not whole')
  return decodeArguments(taking(...types), frame, queue)
}

const string: ArgumentType = { kind: 'string', nullable: false }
const array: ArgumentType = { kind: 'array' }

describe('framing', () => {
  test('takes sizes from 8 to 4096 in words, and nothing else', () => {
    for (const size of [8, 12, 4092, 4096]) {
      const bytes = new Uint8Array(size)
      bytes.set(header(size, 7, 3))
      const frame = nextFrame(bytes)._unsafeUnwrap()
      expect(frame).toMatchObject({ objectId: 3, opcode: 7 })
      expect(frame?.bytes.length).toBe(size)
    }
    for (const size of [0, 4, 7, 9, 13, 4094, 4097, 4100, 65_532]) {
      const result = nextFrame(joined(header(size), new Uint8Array(65_536)))
      expect(result._unsafeUnwrapErr()).toMatchObject({ kind: 'invalid-size', size })
    }
  })

  test('waits for what is not whole, and judges a size before its bytes have come', () => {
    const whole = joined(header(16), words(1, 2))
    for (let length = 0; length < whole.length; length++) {
      expect(nextFrame(whole.subarray(0, length))._unsafeUnwrap()).toBeUndefined()
    }
    expect(nextFrame(header(4100))._unsafeUnwrapErr().kind).toBe('invalid-size')
  })

  test('reads from any place in a larger buffer and leaves the next message alone', () => {
    const stream = joined(Uint8Array.of(9), header(12, 1, 2), words(5), header(8, 3, 4))
    const first = nextFrame(stream.subarray(1))._unsafeUnwrap()
    expect(first).toMatchObject({ objectId: 2, opcode: 1 })
    expect(nextFrame(stream.subarray(1 + first!.bytes.length))._unsafeUnwrap()).toMatchObject({
      objectId: 4,
      opcode: 3,
    })
  })

  test('knows no message to the null object', () => {
    expect(nextFrame(header(8, 0, 0))._unsafeUnwrapErr().kind).toBe('null-receiver')
  })
})

describe('decoding', () => {
  test('reads each type at its bounds', () => {
    const types: ArgumentType[] = [{ kind: 'int' }, { kind: 'uint' }, { kind: 'fixed' }, { kind: 'fixed' }]
    const decoded = decode(types, words(-1, 0xffff_ffff, -256, 0x7fff_ffff))._unsafeUnwrap()
    expect(decoded.arguments.map((value) => 'value' in value && value.value)).toEqual([
      -1, 0xffff_ffff, -1, 8_388_607.99609375,
    ])
  })

  test('wants strings that end with a NUL, and takes NULs before it as they are', () => {
    const good = decode([string], joined(words(4), text('abc\0')))._unsafeUnwrap()
    expect(good.arguments).toEqual([{ kind: 'string', bytes: text('abc') }])
    const inside = decode([string], joined(words(4), text('a\0c\0')))._unsafeUnwrap()
    expect(inside.arguments).toEqual([{ kind: 'string', bytes: text('a\0c') }])
    const open = decode([string], joined(words(4), text('abcd')))
    expect(open._unsafeUnwrapErr()).toMatchObject({
      kind: 'unterminated-string',
      argument: 'argument_0',
      offset: 8,
    })
  })

  test.each([string, array])('bounds the length of a $kind, up to the last of 32 bits', (type) => {
    // 8 bytes of room: lengths of 5 to 8 fit with their padding.
    for (const length of [9, 12, 0x7fff_ffff, 0x8000_0000, 0xffff_fffc, 0xffff_fffd, 0xffff_ffff]) {
      const result = decode([type], joined(words(length), new Uint8Array(8)))
      expect(result._unsafeUnwrapErr()).toMatchObject({ kind: 'truncated-argument', offset: 8 })
    }
    for (const length of [5, 8]) {
      expect(decode([type], joined(words(length), new Uint8Array(8))).isOk()).toBe(true)
    }
  })

  test('allows null where the protocol does', () => {
    const types: ((nullable: boolean) => ArgumentType)[] = [
      (nullable) => ({ kind: 'string', nullable }),
      (nullable) => ({ kind: 'object', nullable }),
    ]
    for (const type of types) {
      expect(decode([type(true)], words(0)).isOk()).toBe(true)
      expect(decode([type(false)], words(0))._unsafeUnwrapErr().kind).toBe('null-not-allowed')
    }
    expect(decode([{ kind: 'new-id', interface: 'wl_surface' }], words(0))._unsafeUnwrapErr().kind).toBe(
      'null-not-allowed',
    )
    expect(decode([{ kind: 'untyped-new-id' }], words(0, 1, 2))._unsafeUnwrapErr().kind).toBe(
      'null-not-allowed',
    )
  })

  test('leaves no byte over and reads none too many', () => {
    expect(decode([{ kind: 'int' }], words(1, 2))._unsafeUnwrapErr()).toMatchObject({
      kind: 'trailing-bytes',
      offset: 12,
    })
    expect(decode([], words(1))._unsafeUnwrapErr().kind).toBe('trailing-bytes')
    expect(decode([{ kind: 'int' }, { kind: 'int' }], words(1))._unsafeUnwrapErr()).toMatchObject({
      kind: 'truncated-argument',
      argument: 'argument_1',
    })
    const untyped = decode([{ kind: 'untyped-new-id' }], joined(words(4), text('abc\0'), words(1)))
    expect(untyped._unsafeUnwrapErr().kind).toBe('truncated-argument')
  })

  test('takes descriptors from the front of the queue in the order of the arguments, or none at all', () => {
    const two: ArgumentType[] = [{ kind: 'fd' }, { kind: 'uint' }, { kind: 'fd' }]
    const decoded = decode(two, words(9), [70, 80, 90])._unsafeUnwrap()
    expect(decoded.descriptorsTaken).toBe(2)
    expect(decoded.arguments).toEqual([
      { kind: 'fd', descriptor: 70 },
      { kind: 'uint', value: 9 },
      { kind: 'fd', descriptor: 80 },
    ])
    expect(decode(two, words(9), [70])._unsafeUnwrapErr()).toMatchObject({
      kind: 'missing-descriptor',
      argument: 'argument_2',
    })
    expect(decode([{ kind: 'uint' }], words(9), [70])._unsafeUnwrap().descriptorsTaken).toBe(0)
  })
})

describe('encoding', () => {
  test('refuses what the signature does not hold', () => {
    const refused: [ArgumentType, Argument<number>][] = [
      [{ kind: 'int' }, { kind: 'uint', value: 1 }],
      [{ kind: 'int' }, { kind: 'int', value: 2 ** 31 }],
      [{ kind: 'int' }, { kind: 'int', value: 0.5 }],
      [{ kind: 'uint' }, { kind: 'uint', value: -1 }],
      [{ kind: 'uint' }, { kind: 'uint', value: 2 ** 32 }],
      [{ kind: 'uint' }, { kind: 'uint', value: Number.NaN }],
      [{ kind: 'fixed' }, { kind: 'fixed', value: 2 ** 23 }],
      [{ kind: 'fixed' }, { kind: 'fixed', value: 1 / 512 }],
      [string, { kind: 'string', bytes: null }],
      [
        { kind: 'object', nullable: false },
        { kind: 'object', id: null },
      ],
      [
        { kind: 'object', nullable: true },
        { kind: 'object', id: 0 },
      ],
      [
        { kind: 'new-id', interface: 'wl_surface' },
        { kind: 'new-id', id: 0 },
      ],
      [{ kind: 'untyped-new-id' }, { kind: 'untyped-new-id', interface: text('x'), version: -1, id: 1 }],
    ]
    for (const [type, value] of refused) {
      expect(encodeMessage(taking(type), 1, 0, [value])._unsafeUnwrapErr()).toMatchObject({
        kind: 'invalid-value',
      })
    }
    for (const [objectId, opcode] of [
      [0, 0],
      [2 ** 32, 0],
      [1, 65_536],
      [1, -1],
    ] as const) {
      expect(encodeMessage(taking(), objectId, opcode, [])._unsafeUnwrapErr().kind).toBe('invalid-value')
    }
    expect(encodeMessage(taking(), 1, 0, [{ kind: 'int', value: 1 }])._unsafeUnwrapErr().kind).toBe(
      'invalid-value',
    )
    expect(encodeMessage(taking(string), 1, 0, [])._unsafeUnwrapErr().kind).toBe('invalid-value')
  })

  test('fits a message of 4096 bytes and no longer one', () => {
    const of = (length: number) =>
      encodeMessage(taking(string), 1, 0, [{ kind: 'string', bytes: new Uint8Array(length).fill(65) }])
    // 4096 = header 8 + length 4 + 4083 bytes + NUL.
    expect(of(4083)._unsafeUnwrap().bytes.length).toBe(4096)
    expect(of(4084)._unsafeUnwrapErr()).toMatchObject({ kind: 'message-too-long', size: 4100 })
  })

  test('writes zeros for padding, whatever stood there before', () => {
    const dirty = joined(words(2), Uint8Array.of(65, 0, 0xaa, 0xbb))
    const decoded = decode([string], dirty)._unsafeUnwrap()
    const encoded = encodeMessage(taking(string), 1, 0, decoded.arguments)._unsafeUnwrap()
    expect([...encoded.bytes.subarray(8)]).toEqual([...words(2), 65, 0, 0, 0])
  })
})

describe('for every message', () => {
  test('decoding what was encoded gives it back, descriptors and all', () => {
    fc.assert(
      fc.property(
        message,
        fc.array(fc.nat(), { maxLength: 3 }),
        ({ signature, objectId, opcode, values }, others) => {
          const { bytes, descriptors } = encodeMessage(signature, objectId, opcode, values)._unsafeUnwrap()
          const frame = nextFrame(joined(bytes, Uint8Array.of(1, 2, 3)))._unsafeUnwrap()!
          expect(frame).toMatchObject({ objectId, opcode })
          const decoded = decodeArguments(signature, frame, [...descriptors, ...others])._unsafeUnwrap()
          expect(decoded.arguments).toEqual(values)
          expect(decoded.descriptorsTaken).toBe(descriptors.length)
        },
      ),
      { numRuns: 1_000 },
    )
  }, 60_000)

  test('bytes at random decode to an error, or to what encodes to as many bytes and decodes the same', () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 64 }).map((bytes) => bytes.subarray(0, bytes.length & ~3)),
      // Small words look like lengths and ids, so more of them get past the first argument.
      fc
        .array(fc.oneof(fc.nat(24), fc.constant(0xffff_ffff)), { maxLength: 16 })
        .map((values) => words(...values)),
    )
    let decodedSome = 0
    fc.assert(
      fc.property(signature, hostile, (signature, body) => {
        const bytes = joined(header(8 + body.length), body)
        const frame = nextFrame(bytes)._unsafeUnwrap()!
        const decoded = decodeArguments(signature, frame, [1, 2, 3])
        if (decoded.isErr()) return
        decodedSome += 1
        const again = encodeMessage(signature, 1, 0, decoded.value.arguments)._unsafeUnwrap()
        expect(again.bytes.length).toBe(bytes.length)
        const second = decodeArguments(signature, nextFrame(again.bytes)._unsafeUnwrap()!, again.descriptors)
        expect(second._unsafeUnwrap().arguments).toEqual(decoded.value.arguments)
      }),
      { numRuns: 2_000 },
    )
    expect(decodedSome).toBeGreaterThan(50)
  }, 60_000)

  test('a flipped byte never makes the decoder throw or read outside the message', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat(255), ({ signature, objectId, opcode, values }, at, byte) => {
        const { bytes, descriptors } = encodeMessage(signature, objectId, opcode, values)._unsafeUnwrap()
        bytes[at % bytes.length] = byte
        // What lies behind the message must never be seen.
        const framed = nextFrame(joined(bytes, new Uint8Array(16).fill(0x5a)))
        if (framed.isErr() || framed.value === undefined) return
        const frame = framed.value
        const decoded = decodeArguments(signature, frame, descriptors)
        if (decoded.isErr()) return
        for (const value of decoded.value.arguments) {
          if (!('bytes' in value) || value.bytes === null) continue
          const start = value.bytes.byteOffset - frame.bytes.byteOffset
          expect(start + value.bytes.length).toBeLessThanOrEqual(frame.bytes.length)
        }
      }),
      { numRuns: 2_000 },
    )
  }, 60_000)
})
