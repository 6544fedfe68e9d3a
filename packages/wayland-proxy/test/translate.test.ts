import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ObjectTable } from '../src/objects/object-table.js'
import { compileInterfaces } from '../src/protocol/compile.js'
import { Output } from '../src/relay/output.js'
import { type Findings, TRANSLATION, translate } from '../src/relay/translate.js'
import { decodeArguments } from '../src/wire/decode.js'
import { encodeMessage } from '../src/wire/encode.js'
import { message } from './arbitrary.js'

/** Every object exists, is of any interface, and has the same number on both sides. */
const everything = {
  get: (id: number) => ({ alive: true, serverId: id, clientId: id, type: undefined }),
} as unknown as ObjectTable

/** The relay has two ways to read a message: word by word, and decoded. */
function bothWays(signature: Parameters<typeof decodeArguments>[0], bytes: Uint8Array) {
  const size = bytes.length
  const [type] = compileInterfaces([{ name: 'any', version: 1, requests: [signature], events: [] }])
  const compiled = { ...type!.requests[0]!, targets: signature.arguments.map(() => undefined) }
  const words = new Int32Array(bytes.buffer.slice(0, size))
  const copy = new Uint8Array(words.buffer)
  const output = new Output()
  output.reserve(8_192)
  // What was there before must not show.
  output.bytes.fill(0xee)
  const findings: Findings = { newId: 0, newIdWord: 0, argument: 0 }
  const result = translate(compiled, words, copy, 0, size, everything, true, output, 0, findings)
  if (findings.newId !== 0) output.words[findings.newIdWord] = findings.newId
  const fast = result === TRANSLATION.done ? [...output.bytes.subarray(8, size)] : 'refused'
  const decoded = decodeArguments(signature, { objectId: 1, opcode: 0, bytes: copy }, [])
  const slow = decoded.isErr()
    ? 'refused'
    : [...encodeMessage(signature, 1, 0, decoded.value.arguments)._unsafeUnwrap().bytes.subarray(8)]
  return { fast, slow }
}

/** Messages as the word-by-word way gets them: without descriptors, and with one new object at most. */
const relayed = message.filter(({ signature }) => {
  const kinds = signature.arguments.map(({ type }) => type.kind)
  return (
    !kinds.includes('fd') &&
    !kinds.includes('untyped-new-id') &&
    kinds.filter((one) => one === 'new-id').length < 2
  )
})

test('both ways of the relay take the same messages, and give the same canonical bytes', () => {
  fc.assert(
    fc.property(
      relayed,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      fc.nat(3),
      (given, changes, cut) => {
        const { bytes } = encodeMessage(given.signature, 1, 0, given.values)._unsafeUnwrap()
        const broken = bytes.slice(0, Math.max(8, bytes.length - 4 * cut))
        for (const [at, value] of changes)
          if (broken.length > 8) broken[8 + (at % (broken.length - 8))] = value
        const { fast, slow } = bothWays(given.signature, broken)
        expect(fast).toEqual(slow)
      },
    ),
    { numRuns: 600 },
  )
})

test('an untouched message comes out as it went in', () => {
  fc.assert(
    fc.property(relayed, (given) => {
      const { bytes } = encodeMessage(given.signature, 1, 0, given.values)._unsafeUnwrap()
      expect(bothWays(given.signature, bytes).fast).toEqual([...bytes.subarray(8)])
    }),
    { numRuns: 300 },
  )
})
