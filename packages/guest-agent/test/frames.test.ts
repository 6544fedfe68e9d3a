import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { encodeFrame, FrameDecoder, ProtocolViolation } from '../src/codec.js'
import { codes, type Frame, frames, limits, protocolVersion } from '../src/frames.js'

const header = readFileSync(new URL('../agent/protocol.h', import.meta.url), 'utf8')
const inC = new Map(
  [...header.matchAll(/^#define ([A-Z_]+) (0x[0-9a-f]+|\d+)$/gm)].map(([, name, value]) => [
    name,
    Number(value),
  ]),
)
const constant = (prefix: string, name: string) =>
  `${prefix}_${name
    .replace(/([A-Z])/g, '_$1')
    .replaceAll('-', '_')
    .toUpperCase()}`

it('has the same constants in C, no more and no fewer', () => {
  const expected = new Map<string, number>([
    ['PROTOCOL_VERSION_MIN', protocolVersion.min],
    ['PROTOCOL_VERSION_MAX', protocolVersion.max],
    ...Object.entries(limits).map(([name, value]) => [constant('LIMIT', name), value] as const),
    ...Object.entries(frames).map(([name, { code }]) => [constant('FRAME', name), code] as const),
    ...Object.entries(codes.stream).map(([name, value]) => [constant('STREAM', name), value] as const),
    ...Object.entries(codes.end).map(([name, value]) => [constant('END', name), value] as const),
    ...Object.entries(codes.ended).map(([name, value]) => [constant('ENDED', name), value] as const),
    ...Object.entries(codes.notStarted).map(
      ([name, value]) => [constant('NOT_STARTED', name), value] as const,
    ),
    ...Object.entries(codes.failed).map(([name, value]) => [constant('FAILED', name), value] as const),
    ...Object.entries(codes.user).map(([name, value]) => [constant('USER', name), value] as const),
    ...Object.entries(codes.shutdownStep).map(
      ([name, value]) => [constant('SHUTDOWN_STEP', name), value] as const,
    ),
    ...Object.entries(codes.file).map(([name, value]) => [constant('FILE', name), value] as const),
  ])
  expect(Object.fromEntries(inC)).toEqual(Object.fromEntries(expected))
})

it('documents every frame with its number and direction', () => {
  const protocol = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8').replace(/ +/g, ' ')
  for (const [name, { code, from, fields }] of Object.entries(frames)) {
    const row = protocol.split('\n').find((line) => line.startsWith(`| \`${name}\` |`))
    expect(row, name).toContain(`0x${code.toString(16).padStart(2, '0')} | ${from} |`)
    for (const field of Object.keys(fields)) expect(row, name).toContain(field)
  }
})

const text = (max: number) =>
  fc
    .string({ unit: 'grapheme', maxLength: 20 })
    .filter((s) => !s.includes('\0') && Buffer.byteLength(s) <= max)
const u32 = fc.nat(0xffffffff)
const rest = fc.uint8Array({ minLength: 1, maxLength: 100 })
const some: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constant('started' as const), command: u32 }),
  fc.record({
    type: fc.constant('output' as const),
    command: u32,
    stream: fc.nat(255),
    offset: fc.maxSafeNat(),
    bytes: rest,
  }),
  fc.record({
    type: fc.constant('failed' as const),
    request: u32,
    kind: fc.nat(255),
    errno: u32,
    feature: text(64),
    message: text(512),
  }),
)

it('decodes what it encoded, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(some), fc.infiniteStream(fc.integer({ min: 1, max: 50 })), (list, sizes) => {
      const bytes = Buffer.concat(list.map(encodeFrame))
      const decoder = new FrameDecoder('unit')
      const decoded: Frame[] = []
      for (let at = 0; at < bytes.length; ) {
        const size = sizes.next().value as number
        decoded.push(...decoder.push(bytes.subarray(at, at + size)))
        at += size
      }
      decoder.end()
      expect(decoded).toEqual(list)
    }),
  )
})

it('survives any bytes: it decodes, waits, or calls it a violation', () => {
  const header = fc.tuple(
    fc.nat(80),
    fc.constantFrom(...Object.values(frames).map(({ code }) => code), 0, 255),
  )
  const nearly = fc.tuple(header, fc.uint8Array({ maxLength: 80 })).map(([[length, code], body]) => {
    const frame = Buffer.alloc(5 + body.length)
    frame.writeUInt32LE(length)
    frame.writeUInt8(code, 4)
    frame.set(body, 5)
    return frame
  })
  fc.assert(
    fc.property(fc.constantFrom('unit' as const, 'host' as const), fc.array(nearly), (from, chunks) => {
      const decoder = new FrameDecoder(from)
      try {
        for (const chunk of chunks) for (const frame of decoder.push(chunk)) encodeFrame(frame)
      } catch (cause) {
        expect(cause).toBeInstanceOf(ProtocolViolation)
      }
    }),
    { numRuns: 2_000 },
  )
})

it('round-trips the largest frame of each list, and refuses one more', () => {
  const ids = (count: number) => Array.from({ length: count }, () => 'a'.repeat(64))
  const mount = { type: 'mount', request: 1, deadlineMs: 0, image: 'b'.repeat(64), names: 1 } as const
  const largest: Frame = { ...mount, devices: ids(limits.mountDevices) }
  expect([...new FrameDecoder('host').push(encodeFrame(largest))]).toEqual([largest])
  expect(() => encodeFrame({ ...mount, devices: ids(limits.mountDevices + 1) })).toThrow(RangeError)
  const chunk = (size: number): Frame => ({
    type: 'output',
    command: 1,
    stream: 1,
    offset: 0,
    bytes: new Uint8Array(size),
  })
  expect([...new FrameDecoder('unit').push(encodeFrame(chunk(limits.chunkBytes)))]).toHaveLength(1)
  for (const size of [0, limits.chunkBytes + 1]) expect(() => encodeFrame(chunk(size))).toThrow(RangeError)
})

const raw = (length: number, code: number, ...body: number[]) => {
  const frame = Buffer.alloc(5 + body.length)
  frame.writeUInt32LE(length)
  frame.writeUInt8(code, 4)
  frame.set(body, 5)
  return frame
}

it.each([
  ['a length of zero', raw(0, 0x10)],
  ['a length of one frame and one byte', raw(limits.frameBytes - 3, 0x10)],
  ['an unknown type, before its body is there', raw(100, 0x7f)],
  ['a frame of the other side, before its body is there', raw(100, frames.exec.code)],
  ['a field cut short', raw(4, frames.started.code, 1, 0, 0)],
  ['a byte too many', raw(6, frames.started.code, 1, 0, 0, 0, 9)],
  ['an empty chunk', encodeEmptyOutput()],
  [
    'an offset that is no safe integer',
    raw(15, frames.output.code, 1, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255, 7),
  ],
])('refuses %s', (_, bytes) => {
  expect(() => [...new FrameDecoder('unit').push(bytes)]).toThrow(ProtocolViolation)
})

it('refuses a stream that ends inside a frame', () => {
  const decoder = new FrameDecoder('unit')
  expect([...decoder.push(raw(5, frames.started.code, 1))]).toEqual([])
  expect(() => decoder.end()).toThrow(ProtocolViolation)
})

function encodeEmptyOutput() {
  return raw(14, frames.output.code, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
}
