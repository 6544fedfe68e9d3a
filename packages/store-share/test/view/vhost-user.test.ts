import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expectNothingKept, type Held, held } from '../../../unix-fd/test/held.js'
import { clock } from '../../src/linux.js'
import { serveView } from '../../src/view.js'
import {
  descriptors,
  EVENT_IDX,
  FrontEnd,
  GUEST,
  INDIRECT,
  MEMORY,
  NUMBER,
  PROTOCOL,
  PROTOCOL_FEATURES,
  SharedMemory,
  soon,
  USER,
  u32,
  u64,
  VERSION_1,
} from './front-end.js'
import { NAME, Sample, Serving } from './serving.js'

let before: Held

beforeEach(() => {
  before = held()
})
afterEach(() => {
  expectNothingKept(before)
})

const KICK = () => descriptors.createEventFd()._unsafeUnwrap()

describe('a front end', () => {
  test('is told the features, the number of rings and the memory slots, and asked nothing', async () => {
    await using serving = new Serving()
    const { frontEnd } = serving
    const number = async (message: number) => (await frontEnd.ask(message))!.payload.readBigUInt64LE(0)
    expect(await number(NUMBER.getFeatures)).toBe(VERSION_1 | PROTOCOL_FEATURES | INDIRECT | EVENT_IDX)
    expect(await number(NUMBER.getProtocolFeatures)).toBe(PROTOCOL)
    await frontEnd.send(NUMBER.setProtocolFeatures, u64(PROTOCOL))
    expect(await number(NUMBER.getQueueNum)).toBe(2n)
    expect(await number(NUMBER.getMaxMemSlots)).toBe(64n)
    expect(await frontEnd.ask(NUMBER.getFeatures)).toMatchObject({ number: NUMBER.getFeatures, flags: 1 | 4 })
  })

  test('reads the tag and one request queue from the configuration, and nothing beyond it', async () => {
    await using serving = new Serving()
    const { frontEnd } = serving
    await frontEnd.send(NUMBER.setProtocolFeatures, u64(PROTOCOL))
    const read = async (offset: number, size: number) => {
      const asked = Buffer.concat([u32(offset, size, 1), Buffer.alloc(size)])
      return (await frontEnd.ask(NUMBER.getConfig, asked))!.payload
    }
    const whole = await read(0, 40)
    expect(whole.subarray(12, 16).toString()).toBe('view')
    expect(whole.subarray(16, 48).every((byte) => byte === 0)).toBe(true)
    expect(whole.readUInt32LE(48)).toBe(1)
    expect((await read(36, 4)).readUInt32LE(12)).toBe(1)
    for (const [offset, size] of [
      [0, 41],
      [40, 1],
      [41, 0],
      [0xffff_ffff, 8],
    ] as const) {
      expect(await read(offset, size)).toHaveLength(12)
    }
  })

  test('may leave and come again, and finds everything as at the start', async () => {
    using sample = new Sample()
    const serving = await Serving.started(sample)
    expect(await serving.driver.walk(NAME)).toBeGreaterThan(0n)
    expect(serving.view.busy).toBe(true)
    serving.frontEnd[Symbol.dispose]()
    expect(await serving.end).toMatchObject({ kind: 'finished' })
    expect(serving.view.counters()).toMatchObject({ nodes: 0, memoryRegions: 0, openFiles: 0 })
    const [ours, theirs] = descriptors.socketpair('stream')._unsafeUnwrap()
    const again = serving.view.serve(theirs)
    await expect(serving.view.serve(theirs)).rejects.toThrow('another front end')
    using frontEnd = new FrontEnd(ours)
    await frontEnd.start()
    frontEnd[Symbol.dispose]()
    await again
    serving.view.close()
  })

  test('stops a ring by asking for its base, and starts it where it was', async () => {
    using sample = new Sample()
    await using serving = await Serving.started(sample)
    const { frontEnd, driver } = serving
    const ring = frontEnd.rings[1]!
    const base = async () => (await frontEnd.ask(NUMBER.getVringBase, u32(1, 0)))!.payload
    await base()
    expect((await base()).readUInt32LE(4)).toBe(ring.availableIndex)
    await frontEnd.startRing(ring)
    expect(await driver.walk(NAME)).toBeGreaterThan(0n)
    // A request that was made while it stood still is served when it goes on.
    await base()
    const asked = driver.lookup(1n, NAME)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(ring.deviceUsedIndex).toBe(ring.usedIndex)
    ring.kick.clear()
    await frontEnd.send(NUMBER.setVringKick, u64(1), { fds: [ring.kick.fd] })
    expect((await asked)!.error).toBe(0)
  })

  test('without protocol features has rings that are enabled from the start', async () => {
    using sample = new Sample()
    await using serving = new Serving()
    serving.view.grant(NAME, sample.open(NAME))._unsafeUnwrap()
    const { frontEnd, driver } = serving
    await frontEnd.send(NUMBER.setOwner)
    await frontEnd.send(NUMBER.setFeatures, u64(VERSION_1))
    await frontEnd.shareMemory()
    for (const ring of frontEnd.rings) await frontEnd.startRing(ring)
    expect((await driver.initialise())!.error).toBe(0)
  })

  test('disables and enables a ring', async () => {
    using sample = new Sample()
    await using serving = await Serving.started(sample)
    const { frontEnd, driver } = serving
    expect(await frontEnd.acknowledged(NUMBER.setVringEnable, u32(1, 0))).toBe(true)
    const asked = driver.lookup(1n, NAME)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(frontEnd.rings[1]!.deviceUsedIndex).toBe(frontEnd.rings[1]!.usedIndex)
    await frontEnd.send(NUMBER.setVringEnable, u32(1, 1))
    expect((await asked)!.error).toBe(0)
  })

  test('plugs memory in and out while rings run, up to 64 regions', async () => {
    using sample = new Sample()
    await using serving = await Serving.started(sample)
    const { frontEnd, driver } = serving
    const region = (i: number) =>
      Buffer.concat([u64(0), frontEnd.region(GUEST * 2 + i * 4096, 4096, USER * 2n + BigInt(i * 4096))])
    const { fd } = frontEnd.memory.memfd
    for (let i = 0; i < 63; i++)
      expect(await frontEnd.acknowledged(NUMBER.addMemReg, region(i), [fd])).toBe(true)
    expect(await frontEnd.acknowledged(NUMBER.addMemReg, region(63), [fd])).toBe(false)
    expect(serving.view.counters().memoryRegions).toBe(64)
    expect(await driver.walk(NAME)).toBeGreaterThan(0n)
    for (let i = 0; i < 63; i++) {
      // With its descriptor and without.
      expect(await frontEnd.acknowledged(NUMBER.remMemReg, region(i), i % 2 ? [fd] : [])).toBe(true)
    }
    expect(await frontEnd.acknowledged(NUMBER.remMemReg, region(0))).toBe(false)
    expect(await driver.walk(NAME)).toBeGreaterThan(0n)
  })

  test('takes the memory of a ring that runs away, and the ring stops', async () => {
    using sample = new Sample()
    await using serving = await Serving.started(sample)
    const { frontEnd, driver } = serving
    const elsewhere = Buffer.concat([u32(1, 0), frontEnd.region(GUEST, 4096, USER * 2n)])
    const { fd } = frontEnd.memory.memfd
    expect(await frontEnd.acknowledged(NUMBER.setMemTable, elsewhere, [fd])).toBe(false)
    frontEnd.rings[1]!.kick.signal()
    await frontEnd.shareMemory()
    for (const ring of frontEnd.rings) await frontEnd.startRing(ring)
    expect(await driver.walk(NAME)).toBeGreaterThan(0n)
  })
})

test('memory of more than a gigabyte is one for the guest, wherever it is cut on this side', async () => {
  using sample = new Sample()
  await using serving = new Serving({}, 128, undefined, 2 ** 30 + 2 ** 20)
  serving.view.grant(NAME, sample.open(NAME))._unsafeUnwrap()
  const { frontEnd, driver } = serving
  await frontEnd.start()
  await driver.initialise()
  const run = await driver.walk(NAME, 'bin', 'run')
  const edge = 2 ** 30
  // The header of the answer lies across the edge, and so does a file's contents.
  for (const before of [3, 16, 1000]) {
    const answer = await driver.read(run, 0, 5000, [5016], edge - before)
    expect(answer!.payload.equals(Buffer.alloc(5000, 'abcdefg'))).toBe(true)
  }
})

/** Whatever it is, it must not be taken: the device says no where it was asked to say, and hangs up where not. */
describe('the device refuses', () => {
  const memory = (count: number, ...regions: readonly Buffer[]) => Buffer.concat([u32(count, 0), ...regions])
  const region = (guest: number | bigint, size: number | bigint, user = USER, offset = 0n) =>
    u64(guest, size, user, offset)
  const address = (change: Partial<Record<'descriptors' | 'used' | 'available', bigint>>) => {
    const { descriptors = USER, used = USER + 0x8000n, available = USER + 0x4000n } = change
    return Buffer.concat([u32(1, 0), u64(descriptors, used, available, 0n)])
  }
  type Step = readonly [number, Buffer, number?]
  const startsWith = (...steps: readonly Step[]): readonly Step[] => [
    ...steps,
    [NUMBER.setVringKick, u64(1), 1],
  ]
  const num = (entries: number): Step => [NUMBER.setVringNum, u32(1, entries)]
  const cases: Readonly<Record<string, readonly Step[]>> = {
    'features that were not offered': [[NUMBER.setFeatures, u64(VERSION_1 | 1n)]],
    'a legacy driver': [[NUMBER.setFeatures, u64(INDIRECT)]],
    'protocol features that were not offered': [[NUMBER.setProtocolFeatures, u64(PROTOCOL | (1n << 20n))]],
    'a second owner': [[NUMBER.setOwner, Buffer.alloc(0)]],
    'a region without a byte': [[NUMBER.setMemTable, memory(1, region(GUEST, 0)), 1]],
    'a region beyond its file': [[NUMBER.setMemTable, memory(1, region(GUEST, MEMORY + 4096)), 1]],
    'a region at an offset beyond its file': [
      [NUMBER.setMemTable, memory(1, region(GUEST, 4096, USER, BigInt(MEMORY))), 1],
    ],
    'a region that is not made of pages': [[NUMBER.setMemTable, memory(1, region(GUEST, 4095)), 1]],
    'a region that does not begin with a page': [[NUMBER.setMemTable, memory(1, region(GUEST + 1, 4096)), 1]],
    'a file offset that is no page': [[NUMBER.setMemTable, memory(1, region(GUEST, 4096, USER, 1n)), 1]],
    'guest addresses that overflow': [[NUMBER.setMemTable, memory(1, region(2n ** 64n - 4096n, 8192)), 1]],
    'user addresses that overflow': [
      [NUMBER.setMemTable, memory(1, region(GUEST, 8192, 2n ** 64n - 4096n)), 1],
    ],
    'offsets that overflow': [
      [NUMBER.setMemTable, memory(1, region(GUEST, 8192, USER, 2n ** 64n - 4096n)), 1],
    ],
    'a size that overflows': [[NUMBER.setMemTable, memory(1, region(GUEST, 2n ** 64n - 4096n)), 1]],
    'regions whose guest addresses overlap': [
      [NUMBER.setMemTable, memory(2, region(GUEST, 8192), region(GUEST + 4096, 8192, USER * 2n)), 2],
    ],
    'regions whose user addresses overlap': [
      [NUMBER.setMemTable, memory(2, region(GUEST, 8192), region(GUEST * 2, 8192, USER + 4096n)), 2],
    ],
    'a ring without an entry': [num(0)],
    'a ring whose size is no power of two': [num(96)],
    'a ring of more than 32768 entries': [num(65536)],
    'a ring that is not there': [[NUMBER.setVringNum, u32(2, 128)]],
    'a ring number beyond all bounds': [[NUMBER.setVringBase, u32(0xffff_ffff, 0)]],
    'a base beyond 16 bits': [[NUMBER.setVringBase, u32(1, 0x10000)]],
    'a ring neither enabled nor disabled': [[NUMBER.setVringEnable, u32(1, 2)]],
    'a log of writes': [[NUMBER.setVringAddr, Buffer.concat([u32(1, 1), u64(USER, USER, USER, 0n)])]],
    'a start without a size': startsWith([NUMBER.setVringAddr, address({})]),
    'a start without addresses': startsWith(num(128)),
    'a descriptor table outside the memory': startsWith(num(128), [
      NUMBER.setVringAddr,
      address({ descriptors: USER + BigInt(MEMORY) - 2047n }),
    ]),
    'an available ring outside the memory': startsWith(num(128), [
      NUMBER.setVringAddr,
      address({ available: USER + BigInt(MEMORY) - 260n }),
    ]),
    'a used ring outside the memory': startsWith(num(128), [
      NUMBER.setVringAddr,
      address({ used: USER - 4n }),
    ]),
    'addresses of a ring that overflow': startsWith(num(128), [
      NUMBER.setVringAddr,
      address({ descriptors: 2n ** 64n - 16n }),
    ]),
    'a descriptor table that is not aligned': startsWith(num(128), [
      NUMBER.setVringAddr,
      address({ descriptors: USER + 8n }),
    ]),
    'an available ring that is not aligned': startsWith(num(128), [
      NUMBER.setVringAddr,
      address({ available: USER + 0x4001n }),
    ]),
    'a used ring that is not aligned': startsWith(num(128), [
      NUMBER.setVringAddr,
      address({ used: USER + 0x8002n }),
    ]),
    'a ring that would be polled': [[NUMBER.setVringKick, u64(0x101)]],
  }
  for (const [what, steps] of Object.entries(cases)) {
    test(what, async () => {
      for (const asked of [true, false]) {
        await using serving = new Serving()
        const { frontEnd } = serving
        await frontEnd.negotiate()
        // Some come with memory of their own, most need one that is right.
        if (steps[0]![0] !== NUMBER.setMemTable) await frontEnd.shareMemory()
        using kick = KICK()
        const file = steps[0]![0] === NUMBER.setMemTable ? frontEnd.memory.memfd.fd : kick.fd
        for (const [number, payload, count = 0] of steps.slice(0, -1)) {
          expect(await frontEnd.acknowledged(number, payload, Array(count).fill(file))).toBe(true)
        }
        const [number, payload, count = 0] = steps.at(-1)!
        const fds = Array(count).fill(file)
        if (asked) {
          expect(await frontEnd.acknowledged(number, payload, fds)).toBe(false)
          // And goes on.
          expect(await frontEnd.ask(NUMBER.getQueueNum)).toBeDefined()
        } else {
          await frontEnd.send(number, payload, { fds })
          expect(await serving.end).toMatchObject({ kind: 'protocol-error' })
          expect(serving.view.counters().protocolErrors).toBe(1)
        }
      }
    })
  }

  const broken: Readonly<Record<string, readonly [Buffer, number?]>> = {
    'a message that does not exist': [u32(99, 1, 0)],
    'a message of number 0': [u32(0, 1, 0)],
    'one that was not offered: set-log-base': [u32(6, 1, 0)],
    'one that was not offered: set-config': [u32(25, 1, 0)],
    'another version': [u32(NUMBER.getFeatures, 2, 0)],
    'a reply': [u32(NUMBER.getFeatures, 1 | 4, 0)],
    'a payload of a megabyte': [u32(NUMBER.setFeatures, 1, 2 ** 20)],
    'a payload one byte longer than any': [u32(NUMBER.setMemTable, 1, 273)],
    'a payload that is too short': [Buffer.concat([u32(NUMBER.setFeatures, 1, 4), Buffer.alloc(4)])],
    'a payload that is too long': [Buffer.concat([u32(NUMBER.setFeatures, 1, 9), Buffer.alloc(9)])],
    'a payload where none is due': [Buffer.concat([u32(NUMBER.setOwner, 1, 1), Buffer.alloc(1)])],
    'more regions than the payload has': [Buffer.concat([u32(NUMBER.setMemTable, 1, 8), u32(1, 0)])],
    'nine regions': [Buffer.concat([u32(NUMBER.setMemTable, 1, 8), u32(9, 0)])],
    'fewer descriptors than regions': [
      Buffer.concat([u32(NUMBER.setMemTable, 1, 40), u32(1, 0), Buffer.alloc(32)]),
    ],
    'a descriptor where none is due': [u32(NUMBER.getFeatures, 1, 0), 1],
    'more descriptors than any message has': [u32(NUMBER.getFeatures, 1, 0), 9],
    'a kick without its descriptor': [Buffer.concat([u32(NUMBER.setVringKick, 1, 8), u64(1)])],
    'a kick whose number has other bits': [Buffer.concat([u32(NUMBER.setVringKick, 1, 8), u64(0x200)]), 1],
    'a kick that is no eventfd': [Buffer.concat([u32(NUMBER.setVringKick, 1, 8), u64(1)]), -1],
    'a second kick for a ring that runs': [Buffer.concat([u32(NUMBER.setVringKick, 1, 8), u64(1)]), 1],
    'another size for a ring that runs': [Buffer.concat([u32(NUMBER.setVringNum, 1, 8), u32(1, 64)])],
    'other addresses for a ring that runs': [
      Buffer.concat([u32(NUMBER.setVringAddr, 1, 40), u32(1, 0), u64(USER, USER, USER, 0n)]),
    ],
    'another base for a ring that runs': [Buffer.concat([u32(NUMBER.setVringBase, 1, 8), u32(1, 5)])],
    'other features while a ring runs': [Buffer.concat([u32(NUMBER.setFeatures, 1, 8), u64(VERSION_1)])],
    'protocol features while a ring runs': [Buffer.concat([u32(NUMBER.setProtocolFeatures, 1, 8), u64(0)])],
  }
  for (const [what, [bytes, count = 0]] of Object.entries(broken)) {
    test(`${what}, and hangs up`, async () => {
      await using serving = new Serving()
      const { frontEnd } = serving
      await frontEnd.start()
      using kick = KICK()
      const fd = count < 0 ? frontEnd.memory.memfd.fd : kick.fd
      const fds = Array(Math.abs(count)).fill(fd)
      ;(await frontEnd.socket.send(bytes, { fds, signal: soon() }))._unsafeUnwrap()
      expect(await serving.end).toMatchObject({ kind: 'protocol-error' })
      expect(await frontEnd.reply()).toBeUndefined()
    })
  }

  const early: Readonly<Record<string, readonly [number, Buffer]>> = {
    'features before an owner': [NUMBER.setFeatures, u64(VERSION_1)],
    'memory before an owner': [NUMBER.setMemTable, u32(0, 0)],
    'a ring before an owner': [NUMBER.setVringNum, u32(0, 128)],
    'its number of rings before MQ': [NUMBER.getQueueNum, Buffer.alloc(0)],
    'its configuration before CONFIG': [NUMBER.getConfig, Buffer.concat([u32(0, 4, 0), Buffer.alloc(4)])],
    'its memory slots before CONFIGURE_MEM_SLOTS': [NUMBER.getMaxMemSlots, Buffer.alloc(0)],
  }
  for (const [what, [number, payload]] of Object.entries(early)) {
    test(what, async () => {
      await using serving = new Serving()
      await serving.frontEnd.send(number, payload)
      expect(await serving.end).toMatchObject({ kind: 'protocol-error' })
    })
  }

  test('memory that could be truncated under it', async () => {
    await using serving = new Serving()
    const { frontEnd } = serving
    await frontEnd.negotiate()
    using memfd = descriptors.createMemfd('unsealed', { size: MEMORY })._unsafeUnwrap()
    const payload = memory(1, region(GUEST, MEMORY))
    expect(await frontEnd.acknowledged(NUMBER.setMemTable, payload, [memfd.fd])).toBe(false)
    await using vouched = new Serving({ allowUnsealed: true })
    await vouched.frontEnd.negotiate()
    expect(await vouched.frontEnd.acknowledged(NUMBER.setMemTable, payload, [memfd.fd])).toBe(true)
  })

  test('more memory than its limit', async () => {
    await using serving = new Serving({ maxMemoryBytes: MEMORY - 1 })
    const { frontEnd } = serving
    await frontEnd.negotiate()
    using shared = new SharedMemory(MEMORY)
    const payload = memory(1, region(GUEST, MEMORY))
    expect(await frontEnd.acknowledged(NUMBER.setMemTable, payload, [shared.memfd.fd])).toBe(false)
  })

  test('a message that stops half-way, after its deadline', async () => {
    for (const part of [u32(NUMBER.setFeatures, 1), Buffer.concat([u32(NUMBER.setFeatures, 1, 8), u32(0)])]) {
      await using serving = new Serving({}, undefined, 50)
      ;(await serving.frontEnd.socket.send(part, { signal: soon() }))._unsafeUnwrap()
      expect(await serving.end).toMatchObject({ kind: 'timed-out' })
    }
  })

  test('a connection that ends within a message', async () => {
    await using serving = new Serving()
    ;(await serving.frontEnd.socket.send(u32(1, 1), { signal: soon() }))._unsafeUnwrap()
    serving.frontEnd.socket.close()
    expect(await serving.end).toMatchObject({ kind: 'protocol-error' })
  })
})

test('messages are taken whole however they are cut', async () => {
  await using serving = new Serving()
  const { socket } = serving.frontEnd
  const message = Buffer.concat([u32(NUMBER.setProtocolFeatures, 1 | 8, 8), u64(PROTOCOL), u32(17, 1, 0)])
  for (const byte of message) (await socket.send(Uint8Array.of(byte), { signal: soon() }))._unsafeUnwrap()
  expect((await serving.frontEnd.reply())!.number).toBe(NUMBER.setProtocolFeatures)
  expect((await serving.frontEnd.reply())!.number).toBe(NUMBER.getQueueNum)
})

test('a front end that always has another message leaves everything else its turn', async () => {
  const [frontEnd, socket] = descriptors.socketpair('stream')._unsafeUnwrap()
  using view = serveView({ descriptors, clock, fillRandom: () => {} })
  const many = Buffer.concat([
    u32(NUMBER.setOwner, 1, 0),
    ...Array<Buffer>(4_096).fill(u32(NUMBER.resetOwner, 1, 0)),
  ])
  // All of it lies there before the first is read.
  ;(await frontEnd.send(many, { signal: soon() }))._unsafeUnwrap()
  frontEnd.close()
  let hadTurns = 0
  const turn = () => {
    hadTurns += 1
    next = setImmediate(turn)
  }
  let next = setImmediate(turn)
  expect((await view.serve(socket)).kind).toBe('finished')
  clearImmediate(next)
  expect(hadTurns).toBeGreaterThan(32)
})
