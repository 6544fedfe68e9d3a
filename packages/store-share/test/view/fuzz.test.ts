import { randomFillSync } from 'node:crypto'
import type { Fd } from '@spectrum/unix-fd'
import { expect, test } from 'vitest'
import { expectNothingKept, held } from '../../../unix-fd/test/held.js'
import { FuseServer } from '../../src/view/fuse/server.js'
import { Grants } from '../../src/view/grants.js'
import { DEFAULT_LIMITS } from '../../src/view/limits.js'
import { GuestMemory } from '../../src/view/memory/guest-memory.js'
import { PieceList } from '../../src/view/memory/piece-list.js'
import { Device } from '../../src/view/vhost/device.js'
import {
  decodeHeader,
  decodePayload,
  REQUEST,
  type RequestName,
  SHAPES,
} from '../../src/view/vhost/message.js'
import { ChainWalker } from '../../src/view/virtqueue/chain.js'
import { inHeader } from './driver.js'
import {
  descriptors,
  GUEST,
  PROTOCOL,
  PROTOCOL_FEATURES,
  SharedMemory,
  USER,
  u32,
  u64,
  VERSION_1,
} from './front-end.js'
import { Random } from './random.js'
import { NAME, OTHER, Sample } from './serving.js'

// SPECTRUM_FUZZ_ROUNDS=1000 runs so many times longer, SPECTRUM_FUZZ_SEED=7 another way.
const ROUNDS = Number(process.env['SPECTRUM_FUZZ_ROUNDS'] ?? 1)
const SEED = Number(process.env['SPECTRUM_FUZZ_SEED'] ?? 1)
const DEADLINE = ROUNDS > 1 ? 3_600_000 : 60_000

/** `expect` would take most of the time. */
function hold(condition: boolean, what: string): void {
  if (!condition) throw new Error(what)
}

/** Runs `body` with a seed of its own each time, which a failure names. */
function rounds(count: number, body: (random: Random) => void): void {
  for (let round = 0; round < count * ROUNDS; round++) {
    const seed = (SEED * 0x9e3779b1 + round) >>> 0
    try {
      body(new Random(seed))
    } catch (cause) {
      throw new Error(`with seed ${seed}`, { cause })
    }
  }
}

test(
  'no message of a front end, in any order, is more than refused',
  () => {
    const before = held()
    using memory = new SharedMemory(1 << 20)
    const numbers = Object.keys(REQUEST).map(Number)
    rounds(300, (random) => {
      const counters = { requests: 0, kicks: 0, calls: 0, malformedChains: 0, brokenRings: 0 }
      using device = new Device({
        descriptors,
        limits: { ...DEFAULT_LIMITS, maxRegions: 4 },
        config: new Uint8Array(40),
        queueCount: 2,
        counters,
        serve: () => 0,
      })
      device.handle('set-owner', { kind: 'empty' }, [])
      device.handle('set-protocol-features', { kind: 'number', value: PROTOCOL }, [])
      if (random.chance(90)) {
        device.handle('set-features', { kind: 'number', value: VERSION_1 | PROTOCOL_FEATURES }, [])
      }
      for (let i = 0; i < 30; i++) {
        const number = random.chance(95) ? random.pick(numbers) : random.word()
        const bytes = Buffer.concat([u32(number, random.chance(95) ? 1 : random.word(), 0)])
        const header = decodeHeader(bytes)
        if (header.isErr()) continue
        const { request } = header.value
        const fds = filesFor(request, random, memory)
        const payload = decodePayload(request, payloadFor(request, random), fds.length)
        if (payload.isOk()) {
          const answer = device.handle(request, payload.value, fds)
          if (answer.isOk() && payload.value.kind === 'vring-file') continue
        }
        for (const fd of fds) fd.close()
      }
    })
    memory[Symbol.dispose]()
    expectNothingKept(before)
  },
  DEADLINE,
)

function filesFor(request: RequestName, random: Random, memory: SharedMemory): Fd[] {
  const { fds } = SHAPES[request]
  const due = fds === 'regions' ? 1 + random.below(2) : fds === 'file' ? 1 : fds
  const count = random.chance(90) ? due : random.below(3)
  return Array.from({ length: count }, () => {
    if (random.chance(fds === 'file' ? 90 : 10)) return descriptors.createEventFd()._unsafeUnwrap().fd
    return memory.memfd.fd.duplicate()._unsafeUnwrap()
  })
}

function payloadFor(request: RequestName, random: Random): Uint8Array {
  const address = () => (random.chance(80) ? USER + BigInt(random.below(256) * 4096) : random.number())
  const region = () => {
    const guest = random.chance(80) ? BigInt(GUEST + random.below(4) * 0x40000) : random.number()
    const size = random.chance(80) ? BigInt(random.pick([0x40000, 0x80000, 4096])) : random.number()
    return u64(guest, size, address(), random.chance(90) ? random.pick([0n, 4096n]) : random.number())
  }
  const index = random.chance(95) ? random.below(2) : random.word()
  switch (SHAPES[request].shape) {
    case 'number':
      return u64(random.chance(50) ? VERSION_1 | PROTOCOL_FEATURES : random.number())
    case 'regions':
      if (request !== 'set-mem-table') return random.mutated(Buffer.concat([u64(0), region()]))
      return random.mutated(
        Buffer.concat([
          u32(random.pick([1, 1, 1, 2]), 0),
          region(),
          ...(random.chance(50) ? [region()] : []),
        ]),
      )
    case 'vring-state':
      return u32(index, random.chance(60) ? random.pick([1, 64, 128]) : random.word())
    case 'vring-addresses':
      return Buffer.concat([u32(index, random.chance(95) ? 0 : 1), u64(address(), address(), address(), 0n)])
    case 'vring-file':
      return u64(random.chance(95) ? index : random.number())
    case 'config':
      return random.mutated(Buffer.concat([u32(random.below(64), 8, 0), Buffer.alloc(8)]))
    case 'empty':
      return random.chance(95) ? new Uint8Array(0) : random.bytes(8)
  }
}

const WINDOW = 1 << 16

test('no descriptor table leads a walk out of the memory, or round for ever', () => {
  const windows = [0, 1].map((i) => ({
    guestAddress: GUEST + i * WINDOW * (1 + i),
    userAddress: USER + BigInt(i * WINDOW),
    bytes: new Uint8Array(WINDOW),
  }))
  const memory = new GuestMemory(windows)
  const table = new Uint32Array(windows[0]!.bytes.buffer, 0, 64 * 4)
  const walker = new ChainWalker(true)
  let right = 0
  rounds(5_000, (random) => {
    const view = new DataView(windows[0]!.bytes.buffer)
    for (let i = 0; i < 64; i++) {
      const address = random.chance(85) ? BigInt(GUEST + random.below(3 * WINDOW)) : random.number()
      view.setBigUint64(i * 16, address, true)
      view.setUint32(i * 16 + 8, random.chance(90) ? random.below(300) * 16 : random.word(), true)
      view.setUint16(i * 16 + 12, random.chance(90) ? random.below(8) : random.word(), true)
      view.setUint16(i * 16 + 14, random.chance(95) ? random.below(66) : random.word(), true)
    }
    if (walker.walk(memory, table, random.below(64)) !== undefined) return
    right += 1
    for (const list of [walker.readable, walker.writable]) {
      let total = 0
      for (let i = 0; i < list.count; i++) {
        const window = windows[list.windows[i]!]!
        hold(list.offsets[i]! >= 0 && list.lengths[i]! > 0, 'a piece that is empty')
        hold(list.offsets[i]! + list.lengths[i]! <= window.bytes.length, 'a piece outside its window')
        total += list.lengths[i]!
      }
      hold(list.byteLength === total, 'a sum that is wrong')
    }
  })
  expect(right).toBeGreaterThan(50)
})

test(
  'no request makes the server write where it should not, answer twice, or hold more than it may',
  () => {
    const before = held()
    using sample = new Sample()
    using grants = new Grants(descriptors, 10)
    for (const name of [NAME, OTHER]) grants.add(name, sample.open(name))._unsafeUnwrap()
    const limits = { maxNodes: 6, maxOpenDirectories: 2, maxOpenFiles: 2, maxListedEntries: 20 }
    const counters = { errors: 0, bytesRead: 0 }
    const fillRandom = (words: Uint32Array) => {
      randomFillSync(words)
    }
    using server = new FuseServer(descriptors, grants, fillRandom, limits, counters)
    const bytes = new Uint8Array(1 << 18)
    const memory = new GuestMemory([{ guestAddress: 0, userAddress: 0n, bytes }])
    const [readable, writable] = [new PieceList(64), new PieceList(64)]
    const ids: bigint[] = [1n]
    let answered = 0
    rounds(4_000, (random) => {
      const opcode = random.chance(95)
        ? random.pick([1, 1, 1, 2, 3, 5, 14, 15, 15, 17, 26, 27, 28, 28, 42, 44, 44])
        : random.word()
      const nodeId = random.chance(90) ? random.pick(ids) : random.number()
      const args = argumentsOf(opcode, random, ids)
      const header = inHeader(opcode, nodeId, args.length, 77n)
      const request = random.chance(70)
        ? Buffer.concat([header, args])
        : random.mutated(Buffer.concat([header, args]))
      if (random.chance(90) && request.length >= 4) request.writeUInt32LE(request.length, 0)
      bytes.fill(0xa5, 0x10000)
      bytes.set(request, 0)
      readable.clear()
      writable.clear()
      if (request.length > 0) memory.append(0, request.length, readable)
      let at = 0x10000
      const parts = random.below(5)
      for (let i = 0; i < parts; i++) {
        const length = random.pick([1, 7, 16, 100, 144, 4096])
        memory.append(at, length, writable)
        at += length + 1
      }
      const written = server.serve(memory, readable, writable)
      hold(written <= writable.byteLength, 'more than there is room for')
      const answer = Buffer.alloc(writable.byteLength)
      writable.copyOut(memory, answer)
      // Neither the gaps between the buffers nor what is behind them.
      for (let i = 0, gap = 0x10000; i < writable.count; i++) {
        gap = writable.offsets[i]! + writable.lengths[i]!
        hold(bytes[gap] === 0xa5, 'a byte between two buffers')
      }
      hold(bytes[at + 4096] === 0xa5, 'a byte behind the buffers')
      expect(server.nodeCount).toBeLessThanOrEqual(limits.maxNodes)
      expect(server.openCount).toBeLessThanOrEqual(4)
      if (written === 0) return
      answered += 1
      hold(answer.readUInt32LE(0) === written, 'a length that is wrong')
      const error = answer.readInt32LE(4)
      hold(error <= 0 && error > -134, 'no errno')
      if (opcode === 1 && error === 0 && written === 144) ids.push(answer.readBigUInt64LE(16))
      if (ids.length > 40) ids.splice(1, 20)
    })
    expect(answered).toBeGreaterThan(1_000)
    server[Symbol.dispose]()
    grants[Symbol.dispose]()
    sample[Symbol.dispose]()
    expectNothingKept(before)
  },
  DEADLINE,
)

const NAMES = [NAME, OTHER, 'text', 'bin', 'run', 'none', 'out', 'within', 'file', '..', '.', 'x/y', '']

function argumentsOf(opcode: number, random: Random, ids: readonly bigint[]): Buffer {
  switch (opcode) {
    case 1:
      return Buffer.concat([Buffer.from(random.pick(NAMES)), Buffer.alloc(random.chance(95) ? 1 : 0)])
    case 2:
      return u64(random.chance(50) ? 1n : random.number())
    case 15:
    case 28:
    case 44: {
      const offset = random.chance(80) ? BigInt(random.below(8)) : random.number()
      const size = random.chance(80) ? random.pick([100, 4096]) : random.word()
      return Buffer.concat([u64(0, offset), u32(size, 0), u64(0), u32(0, 0)])
    }
    case 26:
      return Buffer.concat([
        u32(7, random.chance(95) ? 38 : random.word(), 4096, random.word()),
        Buffer.alloc(48),
      ])
    case 42:
      return Buffer.concat([u32(random.pick([1, 2, 0xffff_ffff]), 0), u64(random.pick(ids), random.number())])
    default:
      return random.bytes(random.below(64))
  }
}
