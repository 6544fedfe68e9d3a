import { mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { liveMappings } from '../src/index.js'
import { unixFd } from '../src/linux.js'
import { expectNothingKept, type Held, held } from './held.js'

const descriptors = unixFd()._unsafeUnwrap()
const PAGE = 4096
const mappingsOf = (name: string) =>
  readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter((line) => line.includes(`/memfd:${name} `)).length

let before: Held

beforeEach(() => {
  before = held()
})

afterEach(() => {
  expectNothingKept(before)
})

function sealed(name: string, size = 2 * PAGE) {
  const memfd = descriptors.createMemfd(name, { size })._unsafeUnwrap()
  memfd.addSeals('shrink')._unsafeUnwrap()
  return memfd
}

describe('a mapping', () => {
  test('of a memfd for writing is the file itself, for all who map it', () => {
    using memfd = sealed('both')
    using writer = descriptors.map(memfd.fd, { length: 2 * PAGE, access: 'write' })._unsafeUnwrap()
    using reader = descriptors.map(memfd.fd, { offset: PAGE, length: 10 })._unsafeUnwrap()
    writer.bytes.set([1, 2, 3], PAGE)
    expect([...reader.bytes]).toEqual([1, 2, 3, 0, 0, 0, 0, 0, 0, 0])
    const read = Buffer.alloc(3)
    readSync(memfd.fd.number, read, 0, 3, PAGE)
    expect([...read]).toEqual([1, 2, 3])
    expect(reader.length).toBe(10)
  })

  test('for reading never changes the file, whatever is written to its bytes', () => {
    using memfd = sealed('read-only')
    using reader = descriptors.map(memfd.fd, { length: PAGE })._unsafeUnwrap()
    using other = descriptors.map(memfd.fd, { length: PAGE })._unsafeUnwrap()
    reader.bytes[0] = 9
    expect(other.bytes[0]).toBe(0)
    const read = Buffer.alloc(1)
    readSync(memfd.fd.number, read, 0, 1, 0)
    expect(read[0]).toBe(0)
  })

  test('outlives its descriptor and ends with close, after which every view is empty', () => {
    const memfd = sealed('closing')
    const mapping = descriptors.map(memfd.fd, { length: PAGE })._unsafeUnwrap()
    memfd.close()
    const view = mapping.bytes
    const part = new DataView(view.buffer, 100, 8)
    expect({ length: view.length, maps: mappingsOf('closing') }).toEqual({ length: PAGE, maps: 1 })
    mapping.close()
    mapping.close()
    expect({ length: view.length, maps: mappingsOf('closing') }).toEqual({ length: 0, maps: 0 })
    expect(view[0]).toBeUndefined()
    expect(() => part.getUint8(0)).toThrow(TypeError)
    expect(() => mapping.bytes).toThrow('closed')
    expect(mapping.copy()._unsafeUnwrapErr().kind).toBe('closed')
  })

  test('whose memory was transferred is unmapped with the ArrayBuffer that has it, not under it', (ctx) => {
    if (!('transfer' in ArrayBuffer.prototype)) ctx.skip('this Node has no ArrayBuffer.prototype.transfer')
    using memfd = sealed('moved')
    const mapping = descriptors.map(memfd.fd, { length: PAGE })._unsafeUnwrap()
    const moved = (mapping.bytes.buffer as unknown as { transfer(): ArrayBuffer }).transfer()
    expect(() => mapping.close()).toThrow('transferred')
    new Uint8Array(moved).fill(1)
    expect(mappingsOf('moved')).toBe(1)
  })

  test('that was forgotten is unmapped by the collector', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    using memfd = sealed('forgotten')
    const calls: object[] = []
    for (let i = 0; i < 5; i++) {
      calls.push(new WeakRef(descriptors.map(memfd.fd, { length: PAGE })._unsafeUnwrap()))
    }
    for (let tries = 0; mappingsOf('forgotten') > 0 && tries < 50; tries++) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(mappingsOf('forgotten')).toBe(0)
    // They were never closed, and the counter says so: that is what it is for.
    expect(liveMappings()).toBe(before.mapped + calls.length)
    before = { ...before, mapped: liveMappings() }
  })

  test('copies what has to be parsed, so that nobody changes it meanwhile', () => {
    using memfd = sealed('copied')
    using writer = descriptors.map(memfd.fd, { length: PAGE, access: 'write' })._unsafeUnwrap()
    writer.bytes.set([1, 2, 3, 4])
    const copied = writer.copy(1, 2)._unsafeUnwrap()
    writer.bytes.fill(0)
    expect([...copied]).toEqual([2, 3])
    expect(writer.copy()._unsafeUnwrap()).toHaveLength(PAGE)
    expect(writer.copy(PAGE)._unsafeUnwrap()).toHaveLength(0)
    for (const [offset, length] of [
      [-1, 1],
      [0, PAGE + 1],
      [PAGE, 1],
      [0.5, 1],
      [0, -1],
      [2 ** 53, 1],
    ] as const) {
      expect(writer.copy(offset, length)._unsafeUnwrapErr().kind).toBe('invalid-argument')
    }
  })

  test('is refused beyond the end of the file, off a page, of nothing, and of what is no file', () => {
    using memfd = sealed('bounds', 2 * PAGE)
    const kindOf = (options: { offset?: number; length: number }) =>
      descriptors.map(memfd.fd, options).match(
        (mapping) => mapping.close(),
        (error) => error.kind,
      )
    for (const fits of [{ length: 1 }, { length: 2 * PAGE }, { offset: PAGE, length: PAGE }]) {
      expect(kindOf(fits)).toBeUndefined()
    }
    for (const beyond of [
      { length: 0 },
      { length: -1 },
      { length: 1.5 },
      { length: 2 * PAGE + 1 },
      { offset: PAGE, length: PAGE + 1 },
      { offset: 2 * PAGE, length: 1 },
      { offset: 1, length: 1 },
      { offset: -PAGE, length: 1 },
      { offset: Number.NaN, length: 1 },
      { offset: 2 ** 53, length: 1 },
      { length: 2 ** 32 },
    ]) {
      expect(kindOf(beyond)).toBe('invalid-argument')
    }
    using null_ = descriptors.adopt(openSync('/dev/null', 'r'))
    expect(descriptors.map(null_, { length: 1 })._unsafeUnwrapErr().kind).toBe('invalid-argument')
    memfd.close()
    expect(descriptors.map(memfd.fd, { length: 1 })._unsafeUnwrapErr().kind).toBe('closed')
  })

  test('of the most bytes there may be holds its last one', () => {
    using memfd = sealed('large', 2 ** 32)
    using mapping = descriptors.map(memfd.fd, { length: 2 ** 32 - 1, access: 'write' })._unsafeUnwrap()
    mapping.bytes[2 ** 32 - 2] = 7
    using end = descriptors.map(memfd.fd, { offset: 2 ** 32 - PAGE, length: PAGE })._unsafeUnwrap()
    expect(end.bytes[PAGE - 2]).toBe(7)
  })

  test('needs a file that cannot shrink under it, or somebody who vouches for that', () => {
    const folder = mkdtempSync(join(tmpdir(), 'unix-fd-'))
    writeFileSync(join(folder, 'file'), 'on disk')
    using file = descriptors.adopt(openSync(join(folder, 'file'), 'r'))
    expect(descriptors.map(file, { length: 7 })._unsafeUnwrapErr().kind).toBe('may-shrink')
    using mapping = descriptors.map(file, { length: 7, unsealed: true })._unsafeUnwrap()
    expect(Buffer.from(mapping.copy()._unsafeUnwrap()).toString()).toBe('on disk')
    using memfd = descriptors.createMemfd('unsealed', { size: 1 })._unsafeUnwrap()
    expect(descriptors.map(memfd.fd, { length: 1 })._unsafeUnwrapErr().kind).toBe('may-shrink')
    rmSync(folder, { recursive: true })
  })

  test('for writing needs a descriptor for writing and a file that is not sealed against it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'unix-fd-'))
    writeFileSync(join(folder, 'file'), 'x')
    using file = descriptors.adopt(openSync(join(folder, 'file'), 'r'))
    const refused = descriptors.map(file, { length: 1, access: 'write', unsealed: true })
    expect(refused._unsafeUnwrapErr().kind).toBe('permission-denied')
    rmSync(folder, { recursive: true })
    using memfd = sealed('sealed')
    const open = descriptors.map(memfd.fd, { length: PAGE, access: 'write' })._unsafeUnwrap()
    expect(memfd.addSeals('write')._unsafeUnwrapErr()).toMatchObject({ kind: 'system', code: 'EBUSY' })
    memfd.addSeals('future-write')._unsafeUnwrap()
    open.bytes[0] = 1
    const another = descriptors.map(memfd.fd, { length: PAGE, access: 'write' })
    expect(another._unsafeUnwrapErr().kind).toBe('permission-denied')
    open.close()
    memfd.addSeals('write')._unsafeUnwrap()
    using reader = descriptors.map(memfd.fd, { length: PAGE })._unsafeUnwrap()
    expect(reader.bytes[0]).toBe(1)
  })
})

test('a memfd is resized until its seals forbid it', () => {
  using memfd = descriptors.createMemfd('size')._unsafeUnwrap()
  for (const size of [-1, 1.5, 2 ** 53]) {
    expect(memfd.resize(size)._unsafeUnwrapErr().kind).toBe('invalid-argument')
  }
  memfd.resize(10)._unsafeUnwrap()
  memfd.addSeals('grow')._unsafeUnwrap()
  expect(memfd.resize(11)._unsafeUnwrapErr().kind).toBe('permission-denied')
  memfd.resize(9)._unsafeUnwrap()
  memfd.addSeals('shrink')._unsafeUnwrap()
  expect(memfd.resize(8)._unsafeUnwrapErr().kind).toBe('permission-denied')
  expect(descriptors.inspect(memfd.fd)._unsafeUnwrap().size).toBe(9n)
})
