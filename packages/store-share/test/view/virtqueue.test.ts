import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expectNothingKept, type Held, held } from '../../../unix-fd/test/held.js'
import { GuestMemory } from '../../src/view/memory/guest-memory.js'
import { type ChainProblem, ChainWalker } from '../../src/view/virtqueue/chain.js'
import { inHeader } from './driver.js'
import {
  type DescriptorEntry,
  EVENT_IDX,
  GUEST,
  INDIRECT,
  INDIRECT_TABLE,
  MEMORY,
  NEXT,
  NUMBER,
  PROTOCOL_FEATURES,
  USER,
  u32,
  VERSION_1,
  WRITE,
} from './front-end.js'
import { NAME, Sample, Serving } from './serving.js'

let sample: Sample
let before: Held

beforeEach(() => {
  sample = new Sample()
  before = held()
})
afterEach(() => {
  sample[Symbol.dispose]()
  expectNothingKept(before)
})

const REQUEST = 0x40000
const ANSWER = 0x50000
const TABLE = 0x60000
const GETATTR = 3
const SIZE = 128

const entry = (offset: number | bigint, length: number, flags = 0, next = 0): DescriptorEntry => ({
  address: BigInt(GUEST) + BigInt(offset),
  length,
  flags,
  next,
})

/** A ring with one chain in it, laid out by hand; what the device did with it. */
async function offered(
  serving: Serving,
  chain: readonly DescriptorEntry[],
  table: readonly DescriptorEntry[] = [],
) {
  const { frontEnd } = serving
  const ring = frontEnd.rings[1]!
  frontEnd.memory.bytes.set(inHeader(GETATTR, 1n, 0), REQUEST)
  frontEnd.memory.bytes.fill(0xee, ANSWER, ANSWER + 256)
  chain.forEach((one, i) => {
    ring.write(i, one)
  })
  table.forEach((one, i) => {
    ring.write(i, one, TABLE)
  })
  ring.offer(0)
  ring.kick.signal()
  return ring.completion()
}

const RIGHT = [entry(REQUEST, 40, NEXT, 1), entry(ANSWER, 200, WRITE)]
const READ_ONLY_TABLE = [entry(REQUEST, 40, NEXT, 1), entry(ANSWER, 200, WRITE)]

describe('a chain of descriptors', () => {
  const right: Readonly<
    Record<string, readonly [readonly DescriptorEntry[], (readonly DescriptorEntry[])?]>
  > = {
    'of two': [RIGHT],
    'with a request cut into pieces': [
      [
        entry(REQUEST, 1, NEXT, 1),
        entry(REQUEST + 1, 38, NEXT, 2),
        entry(REQUEST + 39, 1, NEXT, 3),
        entry(ANSWER, 1, NEXT | WRITE, 4),
        entry(ANSWER + 1, 199, WRITE),
      ],
    ],
    'in an indirect table': [[entry(TABLE, 32, INDIRECT_TABLE)], READ_ONLY_TABLE],
    'in an indirect table that is not aligned': [[entry(TABLE, 32, INDIRECT_TABLE | WRITE)], READ_ONLY_TABLE],
    'that goes on in an indirect table': [
      [entry(REQUEST, 40, NEXT, 1), entry(TABLE, 16, INDIRECT_TABLE)],
      [entry(ANSWER, 200, WRITE)],
    ],
    'whose flags have bits that mean nothing': [
      [entry(REQUEST, 40, NEXT | 0xfff8, 1), entry(ANSWER, 200, WRITE | 0xfff0, 9999)],
    ],
  }
  for (const [what, [chain, table]] of Object.entries(right)) {
    test(`${what} is served`, async () => {
      await using serving = await Serving.started(sample)
      expect(await offered(serving, chain, table)).toEqual({ head: 0, written: 16 + 16 + 88 })
    })
  }

  const wrong: Readonly<
    Record<string, readonly [ChainProblem, readonly DescriptorEntry[], (readonly DescriptorEntry[])?]>
  > = {
    'that loops': ['loop-or-too-long', [entry(REQUEST, 40, NEXT, 0)]],
    'that loops through another': [
      'loop-or-too-long',
      [entry(REQUEST, 40, NEXT, 1), entry(REQUEST, 40, NEXT, 0)],
    ],
    'whose next is outside the table': ['next-outside-table', [entry(REQUEST, 40, NEXT, SIZE)]],
    'with an empty buffer': ['empty-buffer', [entry(REQUEST, 40, NEXT, 1), entry(ANSWER, 0, WRITE)]],
    'that is writable before it is readable': [
      'writable-before-readable',
      [entry(ANSWER, 200, WRITE | NEXT, 1), entry(REQUEST, 40)],
    ],
    'before the memory': ['address-outside-memory', [entry(-1, 40, NEXT, 1), entry(ANSWER, 200, WRITE)]],
    'behind the memory': ['address-outside-memory', [entry(MEMORY, 1, NEXT, 1), entry(ANSWER, 200, WRITE)]],
    'that reaches beyond the memory': [
      'address-outside-memory',
      [entry(REQUEST, 40, NEXT, 1), entry(MEMORY - 199, 200, WRITE)],
    ],
    'as long as the address space': [
      'address-outside-memory',
      [entry(REQUEST, 40, NEXT, 1), entry(ANSWER, 0xffff_ffff, WRITE)],
    ],
    'whose address overflows': [
      'address-outside-memory',
      [entry(REQUEST, 40, NEXT, 1), { ...entry(0, 200, WRITE), address: 2n ** 64n - 100n }],
    ],
    'whose address is beyond every memory': [
      'address-outside-memory',
      [{ ...entry(0, 40), address: 2n ** 52n }],
    ],
    'with an indirect table of no size': ['indirect-size', [entry(TABLE, 0, INDIRECT_TABLE)]],
    'with an indirect table that ends within an entry': [
      'indirect-size',
      [entry(TABLE, 24, INDIRECT_TABLE)],
      READ_ONLY_TABLE,
    ],
    'with an indirect table of 1025': [
      'indirect-size',
      [entry(TABLE, 1025 * 16, INDIRECT_TABLE)],
      READ_ONLY_TABLE,
    ],
    'with an indirect table outside the memory': [
      'address-outside-memory',
      [entry(MEMORY - 16, 32, INDIRECT_TABLE)],
    ],
    'with an indirect table and a next': [
      'indirect-with-next',
      [entry(TABLE, 32, INDIRECT_TABLE | NEXT, 1)],
      READ_ONLY_TABLE,
    ],
    'with an indirect table in an indirect table': [
      'nested-indirect',
      [entry(TABLE, 32, INDIRECT_TABLE)],
      [entry(TABLE, 32, INDIRECT_TABLE), entry(ANSWER, 200, WRITE)],
    ],
    'that loops in an indirect table': [
      'loop-or-too-long',
      [entry(TABLE, 16, INDIRECT_TABLE)],
      [entry(REQUEST, 40, NEXT, 0)],
    ],
    'whose next is outside its indirect table': [
      'next-outside-table',
      [entry(TABLE, 16, INDIRECT_TABLE)],
      [entry(REQUEST, 40, NEXT, 1)],
    ],
  }
  for (const [what, [problem, chain, table]] of Object.entries(wrong)) {
    test(`${what} comes back empty, and the next one is served`, async () => {
      await using serving = await Serving.started(sample)
      expect(await offered(serving, chain, table)).toEqual({ head: 0, written: 0 })
      expect(serving.view.counters()).toMatchObject({ malformedChains: 1, brokenRings: 0 })
      const { bytes } = serving.frontEnd.memory
      const memory = new GuestMemory([{ guestAddress: GUEST, userAddress: USER, bytes }])
      const words = new Uint32Array(bytes.buffer, serving.frontEnd.rings[1]!.descriptors, SIZE * 4)
      expect(new ChainWalker(true).walk(memory, words, 0)).toBe(problem)
      expect(bytes.subarray(ANSWER, ANSWER + 200).every((byte) => byte === 0xee)).toBe(true)
      expect(await offered(serving, RIGHT)).toEqual({ head: 0, written: 120 })
    })
  }

  test('of 1024 descriptors is the longest', async () => {
    const long = (count: number) =>
      Array.from({ length: count }, (_, i) =>
        i === 0
          ? entry(REQUEST, 40, NEXT, 1)
          : entry(ANSWER + i * 8, 4, i + 1 < count ? WRITE | NEXT : WRITE, i + 1),
      )
    await using serving = await Serving.started(sample)
    expect((await offered(serving, [entry(TABLE, 1024 * 16, INDIRECT_TABLE)], long(1024))).written).toBe(120)
    expect((await offered(serving, [entry(TABLE, 1025 * 16, INDIRECT_TABLE)], long(1025))).written).toBe(0)
    // In the ring itself, as many as it has entries.
    expect((await offered(serving, long(SIZE))).written).toBe(120)
  })

  test('with an indirect table is refused where that was not agreed on', async () => {
    await using serving = new Serving()
    await serving.frontEnd.start(VERSION_1 | PROTOCOL_FEATURES)
    await serving.driver.initialise()
    expect((await offered(serving, [entry(TABLE, 32, INDIRECT_TABLE)], READ_ONLY_TABLE)).written).toBe(0)
    expect((await offered(serving, RIGHT)).written).toBe(120)
  })

  test('without an answer’s room, or without a request, comes back empty', async () => {
    await using serving = await Serving.started(sample)
    expect((await offered(serving, [entry(REQUEST, 40)])).written).toBe(0)
    expect((await offered(serving, [entry(REQUEST, 40, NEXT, 1), entry(ANSWER, 15, WRITE)])).written).toBe(0)
    expect((await offered(serving, [entry(ANSWER, 200, WRITE)])).written).toBe(16)
    expect((await offered(serving, [entry(REQUEST, 39, NEXT, 1), entry(ANSWER, 200, WRITE)])).written).toBe(
      16,
    )
  })
})

describe('a ring', () => {
  test('whose available index jumps is served no more, and its front end is told', async () => {
    for (const jump of [SIZE + 1, 0xffff]) {
      await using serving = await Serving.started(sample)
      const ring = serving.frontEnd.rings[1]!
      const used = ring.deviceUsedIndex
      ring.setAvailableIndex(ring.availableIndex + jump)
      ring.kick.signal()
      ;(await ring.error.take(AbortSignal.timeout(20_000)))._unsafeUnwrap()
      expect(ring.deviceUsedIndex).toBe(used)
      expect(serving.view.counters().brokenRings).toBe(1)
      // The other ring goes on, and so does the connection.
      await serving.driver.forget(99n, 1)
      // Until its front end starts it anew.
      await serving.frontEnd.ask(NUMBER.getVringBase, u32(1, 0))
      ring.availableIndex = used
      ring.setAvailableIndex(used)
      await serving.frontEnd.startRing(ring)
      expect((await offered(serving, RIGHT)).written).toBe(120)
    }
  })

  test('whose head is outside the table is served no more', async () => {
    await using serving = await Serving.started(sample)
    const ring = serving.frontEnd.rings[1]!
    ring.offer(SIZE)
    ring.kick.signal()
    ;(await ring.error.take(AbortSignal.timeout(20_000)))._unsafeUnwrap()
    expect(serving.view.counters()).toMatchObject({ brokenRings: 1, malformedChains: 0 })
  })

  test('that is full is served whole, in the order it was filled, also when its indexes wrap', async () => {
    await using serving = new Serving()
    const { frontEnd } = serving
    for (const ring of frontEnd.rings) ring.beginAt(0x1_0000 - 3 * SIZE - 2)
    await frontEnd.start()
    await serving.driver.initialise()
    const ring = frontEnd.rings[1]!
    frontEnd.memory.bytes.set(inHeader(GETATTR, 1n, 0), REQUEST)
    for (let round = 0; round < 12; round++) {
      const heads: number[] = []
      for (let i = 0; i < SIZE; i += 2) {
        ring.write(i, entry(REQUEST, 40, NEXT, i + 1))
        ring.write(i + 1, entry(ANSWER, 200, WRITE))
        ring.offer(i)
        heads.push(i)
      }
      ring.kick.signal()
      const done: number[] = []
      for (const _ of heads) done.push((await ring.completion()).head)
      expect(done).toEqual(heads)
    }
    expect(ring.availableIndex).toBeLessThan(SIZE * 4)
  })

  test('calls its driver as often as that wants to be called', async () => {
    await using serving = await Serving.started(sample)
    const ring = serving.frontEnd.rings[1]!
    ring.call.clear()
    await offered(serving, RIGHT)
    await expect.poll(() => ring.call.clear()).toBe(true)
    ring.view.setUint16(ring.available, 1, true)
    const { calls } = serving.view.counters()
    await offered(serving, RIGHT)
    await serving.frontEnd.ask(NUMBER.getQueueNum)
    expect(serving.view.counters().calls).toBe(calls)
    // While it is looking it asks for no kicks, and when it stops it does.
    expect(ring.view.getUint16(ring.used, true)).toBe(0)
  })

  test('with an event index calls once that one is passed, and asks for the next kick', async () => {
    await using serving = new Serving()
    serving.view.grant(NAME, sample.open(NAME))._unsafeUnwrap()
    await serving.frontEnd.start(VERSION_1 | PROTOCOL_FEATURES | INDIRECT | EVENT_IDX)
    await serving.driver.initialise()
    const ring = serving.frontEnd.rings[1]!
    const usedEvent = ring.available + 4 + SIZE * 2
    const availableEvent = ring.used + 4 + SIZE * 8
    const calls = async () => {
      await serving.frontEnd.ask(NUMBER.getQueueNum)
      return serving.view.counters().calls
    }
    const at = await calls()
    ring.view.setUint16(usedEvent, ring.usedIndex + 2, true)
    await offered(serving, RIGHT)
    await offered(serving, RIGHT)
    expect(await calls()).toBe(at)
    await offered(serving, RIGHT)
    expect(await calls()).toBe(at + 1)
    await offered(serving, RIGHT)
    expect(await calls()).toBe(at + 1)
    expect(ring.view.getUint16(availableEvent, true)).toBe(ring.availableIndex)
  })
})
