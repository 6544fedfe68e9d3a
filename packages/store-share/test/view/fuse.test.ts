import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expectNothingKept, type Held, held } from '../../../unix-fd/test/held.js'
import type { Answer, Entry } from './driver.js'
import { u32, u64 } from './front-end.js'
import { NAME, OTHER, Sample, Serving } from './serving.js'

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

const [ENOENT, EIO, ENOTDIR, EISDIR, EINVAL, ENFILE, EROFS, ENAMETOOLONG, ENOSYS, EPROTO, ESTALE] = [
  -2, -5, -20, -21, -22, -23, -30, -36, -38, -71, -116,
]

/** fuse_attr, where it stands in an answer. */
const attributes = (payload: Buffer, at: number) => ({
  inode: payload.readBigUInt64LE(at),
  size: Number(payload.readBigUInt64LE(at + 8)),
  times: [24, 32, 40].map((offset) => Number(payload.readBigUInt64LE(at + offset))),
  mode: payload.readUInt32LE(at + 60),
  links: payload.readUInt32LE(at + 64),
  uid: payload.readUInt32LE(at + 68),
  gid: payload.readUInt32LE(at + 72),
})

/** fuse_entry_out. */
const entryOf = ({ payload }: Answer) => ({
  nodeId: payload.readBigUInt64LE(0),
  nameValid: Number(payload.readBigUInt64LE(16)),
  attributesValid: Number(payload.readBigUInt64LE(24)),
  ...attributes(payload, 40),
})

const errorOf = async (answer: Promise<Answer | undefined>) => (await answer)?.error

describe('a granted path', () => {
  test('is read byte for byte, wherever the guest wants its bytes', async () => {
    await using serving = await Serving.started(sample)
    const { driver } = serving
    const run = await driver.walk(NAME, 'bin', 'run')
    const expected = Buffer.alloc(300_000, 'abcdefg')
    expect((await driver.read(run, 0, 300_000))!.payload.equals(expected)).toBe(true)
    const scattered = [16, 1, 4096, 5, 200_000]
    const part = (await driver.read(run, 70_001, 120_000, scattered))!.payload
    expect(part.equals(expected.subarray(70_001, 190_001))).toBe(true)
    // A header cut in two, and a buffer for the header alone.
    expect((await driver.read(run, 3, 8, [7, 9, 8]))!.payload.toString()).toBe('defgabcd')
    expect((await driver.read(run, 299_990, 4096))!.payload).toHaveLength(10)
    expect((await driver.read(run, 0, 4096, [16 + 100]))!.payload).toHaveLength(100)
    for (const beyond of [300_000, 300_001, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      expect(await driver.read(run, beyond, 4096)).toMatchObject({ error: 0, payload: Buffer.alloc(0) })
    }
    expect((await driver.read(await driver.walk(NAME, 'none'), 0, 10))!.payload).toHaveLength(0)
    expect(serving.view.counters().bytesRead).toBe(300_000 + 120_000 + 8 + 10 + 100)
  })

  test('has the modes, owner and time that every store path has, whatever the host has', async () => {
    await using serving = await Serving.started(sample)
    const { driver } = serving
    const top = await driver.walk(NAME)
    const bin = await driver.walk(NAME, 'bin')
    const of = async (parent: bigint, name: string) => entryOf((await driver.lookup(parent, name))!)
    expect(await of(1n, NAME)).toMatchObject({ mode: 0o40555, size: 0, nameValid: 1, attributesValid: 86400 })
    expect(await of(top, 'text')).toMatchObject({
      mode: 0o100444,
      size: 12,
      links: 1,
      uid: 0,
      gid: 0,
      times: [1, 1, 1],
      nameValid: 86400,
    })
    expect(await of(bin, 'run')).toMatchObject({ mode: 0o100555, size: 300_000 })
    expect(await of(top, 'out')).toMatchObject({ mode: 0o120777, size: 9 })
    const got = (await driver.ask(3, { nodeId: bin, args: Buffer.alloc(16) }))!
    expect(attributes(got.payload, 16)).toEqual(expect.objectContaining({ mode: 0o40555 }))
  })

  test('gives links as data and follows none', async () => {
    await using serving = await Serving.started(sample)
    const { driver } = serving
    const out = await driver.walk(NAME, 'out')
    expect((await driver.ask(5, { nodeId: out }))!.payload.toString()).toBe('../secret')
    expect(await errorOf(driver.lookup(await driver.walk(NAME, 'within'), 'run'))).toBe(ENOTDIR)
    expect(await errorOf(driver.read(out, 0, 10))).toBe(EINVAL)
    expect(await errorOf(driver.ask(5, { nodeId: await driver.walk(NAME) }))).toBe(EINVAL)
  })

  test('may be a file or a link by itself', async () => {
    await using serving = await Serving.started(sample)
    const { driver, view } = serving
    view.grant('link', sample.open(`${NAME}/out`))._unsafeUnwrap()
    // A place is not enough to read from.
    using place = sample.open(`${NAME}/text`)
    expect(view.grant('file', place)._unsafeUnwrapErr().kind).toBe('unsupported-file')
    view.grant('file', sample.openFile(`${NAME}/text`))._unsafeUnwrap()
    expect((await driver.ask(5, { nodeId: await driver.walk('link') }))!.payload.toString()).toBe('../secret')
    expect((await driver.read(await driver.walk('file'), 7, 100))!.payload.toString()).toBe('guest')
  })

  test('is listed whole, in parts of any size, and always in the same order', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `n${i}`)
    mkdirSync(join(sample.root, NAME, 'many'))
    for (const name of names) writeFileSync(join(sample.root, NAME, 'many', name), name)
    await using serving = await Serving.started(sample)
    const { driver, view } = serving
    const many = await driver.walk(NAME, 'many')
    for (const plus of [false, true]) {
      for (const size of [200, 4096, 100_000]) {
        const found: Entry[] = []
        for (let offset = 0n; ; offset = found.at(-1)!.offset) {
          const { entries } = await driver.readDirectory(many, offset, size, plus)
          if (entries.length === 0) break
          found.push(...entries)
        }
        expect(found.map(({ name }) => name)).toEqual(['.', '..', ...names.sort()])
        expect(new Set(found.map(({ inode }) => inode)).size).toBe(302)
        if (!plus) continue
        expect(found.slice(2).every(({ nodeId }) => nodeId > 1n)).toBe(true)
        expect((await driver.read(found.at(-1)!.nodeId, 0, 10))!.payload.toString()).toBe(names.at(-1))
      }
    }
    expect(view.counters().nodes).toBe(302)
    for (const beyond of [400n, 2n ** 53n, 2n ** 64n - 1n]) {
      expect(await driver.readDirectory(many, beyond)).toEqual({ error: 0, entries: [] })
    }
    // Too little room for a single entry says so by being empty, and counts nothing.
    expect(await driver.readDirectory(many, 2, 24, true)).toEqual({ error: 0, entries: [] })
  })

  test('shows neither what is no file, link or directory, nor another file system', async () => {
    execFileSync('mkfifo', [join(sample.root, NAME, 'pipe')], {
      timeout: 100_000,
      killSignal: 'SIGKILL',
    })
    await using serving = await Serving.started(sample)
    const { driver, view } = serving
    const top = await driver.walk(NAME)
    const { entries } = await driver.readDirectory(top, 0)
    expect(entries.map(({ name }) => name)).not.toContain('pipe')
    expect(entryOf((await driver.lookup(top, 'pipe'))!).nodeId).toBe(0n)
    view.grant('root', sample.openAbsolute('/'))._unsafeUnwrap()
    const root = await driver.walk('root')
    expect(entryOf((await driver.lookup(root, 'proc'))!).nodeId).toBe(0n)
    using device = sample.openAbsolute('/dev/null')
    expect(view.grant('device', device)._unsafeUnwrapErr().kind).toBe('unsupported-file')
  })

  test('names are bytes', async () => {
    const name = Buffer.from([0x63, 0xff, 0x01, 0xe9])
    writeFileSync(Buffer.concat([Buffer.from(join(sample.root, NAME, '/')), name]), 'bytes')
    await using serving = await Serving.started(sample)
    const { driver } = serving
    const top = await driver.walk(NAME)
    const node = entryOf((await driver.lookup(top, name))!).nodeId
    expect((await driver.read(node, 0, 10))!.payload.toString()).toBe('bytes')
    expect((await driver.readDirectory(top, 0)).entries.map((entry) => entry.name)).toContain('c\xff\x01\xe9')
  })
})

describe('the guest reaches nothing else', () => {
  test('by any name', async () => {
    await using serving = await Serving.started(sample)
    const { driver } = serving
    const top = await driver.walk(NAME)
    for (const parent of [1n, top]) {
      for (const name of ['..', '.', '../secret', `${NAME}/text`, 'bin/run', '/etc/passwd', '/']) {
        expect(await errorOf(driver.lookup(parent, name))).toBe(EINVAL)
      }
      expect(await errorOf(driver.lookup(parent, ''))).toBe(EINVAL)
      expect(await errorOf(driver.lookup(parent, 'a\0b'))).toBe(EINVAL)
      expect(await errorOf(driver.lookup(parent, 'x'.repeat(256)))).toBe(ENAMETOOLONG)
      expect(await errorOf(driver.ask(1, { nodeId: parent, args: Buffer.from('unended') }))).toBe(EINVAL)
      expect(await errorOf(driver.ask(1, { nodeId: parent }))).toBe(EINVAL)
    }
    for (const name of [OTHER, 'secret']) expect(await errorOf(driver.lookup(1n, name))).toBe(ENOENT)
    expect(await errorOf(driver.lookup(1n, 'x'.repeat(255)))).toBe(ENOENT)
  })

  test('by any node id that it was not given', async () => {
    await using serving = await Serving.started(sample)
    const { driver } = serving
    const text = await driver.walk(NAME, 'text')
    const low = text & 0xffff_ffffn
    expect(low).toBeLessThan(16n)
    const forged = [
      0n,
      low,
      text ^ (1n << 32n),
      text ^ (1n << 63n),
      text + 1n,
      text - 1n,
      (1n << 32n) | 1n,
      2n ** 64n - 1n,
    ]
    for (let slot = 0n; slot < 64n; slot++) forged.push(slot === 1n ? 0n : slot, (slot << 32n) | slot)
    for (const nodeId of forged) {
      expect(await errorOf(driver.read(nodeId, 0, 16))).toBe(ESTALE)
      expect(await errorOf(driver.ask(3, { nodeId, args: Buffer.alloc(16) }))).toBe(ESTALE)
      expect(await errorOf(driver.lookup(nodeId, 'text'))).toBe(ESTALE)
    }
  })

  test('by an id of another guest, or of its own past', async () => {
    await using one = await Serving.started(sample)
    await using two = await Serving.started(sample)
    const ids = [await one.driver.walk(NAME, 'text'), await two.driver.walk(NAME, 'text')]
    expect(ids[0]).not.toBe(ids[1])
    expect(await errorOf(two.driver.read(ids[0]!, 0, 16))).toBe(ESTALE)
    // A guest that is restarted begins with INIT.
    await one.driver.initialise()
    expect(await errorOf(one.driver.read(ids[0]!, 0, 16))).toBe(ESTALE)
    expect(one.view.counters().nodes).toBe(0)
    const again = await one.driver.walk(NAME, 'text')
    await one.driver.forget(again, 1)
    expect(await errorOf(one.driver.read(again, 0, 16))).toBe(ESTALE)
  })

  test('by what the host puts into the place of a directory that it knows', async () => {
    await using serving = await Serving.started(sample, { maxOpenDirectories: 1, maxOpenFiles: 1 })
    const { driver } = serving
    const bin = await driver.walk(NAME, 'bin')
    const run = await driver.walk(NAME, 'bin', 'run')
    // Its directory is closed to make room for another one.
    await driver.lookup(await driver.walk(NAME, 'empty'), 'x')
    renameSync(join(sample.root, NAME, 'bin'), join(sample.root, NAME, 'moved'))
    symlinkSync('..', join(sample.root, NAME, 'bin'))
    expect(await errorOf(driver.lookup(bin, 'secret'))).toBe(ENOTDIR)
    expect(await errorOf(driver.read(run, 0, 10))).toBe(ENOTDIR)
    rmSync(join(sample.root, NAME, 'bin'))
    expect(await errorOf(driver.read(run, 0, 10))).toBe(ENOENT)
  })

  test('by writing: every way to change something is refused', async () => {
    await using serving = await Serving.started(sample)
    const { driver } = serving
    const text = await driver.walk(NAME, 'text')
    for (const opcode of [4, 6, 8, 9, 10, 11, 12, 13, 16, 21, 24, 35, 43, 45, 47, 51]) {
      expect([opcode, await errorOf(driver.ask(opcode, { nodeId: text, args: Buffer.alloc(200) }))]).toEqual([
        opcode,
        EROFS,
      ])
    }
    for (const flags of [1, 2, 3, 0o1002]) {
      expect(await errorOf(driver.ask(14, { nodeId: text, args: u32(flags, 0) }))).toBe(EROFS)
    }
    // A megabyte that came along is not even looked at.
    expect(await errorOf(driver.ask(16, { nodeId: text, args: Buffer.alloc(100_000) }))).toBe(EROFS)
  })

  test('by what it does not know: everything else is answered ENOSYS', async () => {
    await using serving = await Serving.started(sample)
    for (const opcode of [
      0,
      7,
      19,
      20,
      22,
      23,
      25,
      30,
      31,
      32,
      33,
      34,
      37,
      39,
      40,
      41,
      46,
      48,
      49,
      50,
      52,
      4096,
      2 ** 32 - 1,
    ]) {
      expect([opcode, await errorOf(serving.driver.ask(opcode, { args: Buffer.alloc(64) }))]).toEqual([
        opcode,
        ENOSYS,
      ])
    }
  })
})

describe('what is granted', () => {
  test('is found at once, though it was looked for before, and is the whole listing', async () => {
    await using serving = await Serving.started(sample)
    const { driver, view } = serving
    const names = async () => (await driver.readDirectory(1n, 0)).entries.map(({ name }) => name)
    // An error, which no guest remembers, and not an absence, which it does.
    expect(await errorOf(driver.lookup(1n, OTHER))).toBe(ENOENT)
    expect(entryOf((await driver.lookup(await driver.walk(NAME), 'absent'))!)).toMatchObject({
      nodeId: 0n,
      nameValid: 86400,
    })
    expect(await names()).toEqual(['.', '..', NAME])
    view.grant(OTHER, sample.open(OTHER))._unsafeUnwrap()
    expect((await driver.read(await driver.walk(OTHER, 'file'), 0, 16))!.payload.toString()).toBe('other')
    expect(await names()).toEqual(['.', '..', NAME, OTHER])
    // The listing of the root is never to be remembered, others always.
    const opened = async (nodeId: bigint) => (await driver.ask(27, { nodeId, args: u32(0, 0) }))!.payload
    expect((await opened(1n)).readUInt32LE(8)).toBe(0)
    expect((await opened(await driver.walk(NAME))).readUInt32LE(8)).toBe((1 << 1) | (1 << 3))
  })

  test('may be granted again, but not to another file', async () => {
    await using serving = await Serving.started(sample)
    const { view } = serving
    view.grant(NAME, sample.open(NAME))._unsafeUnwrap()
    using other = sample.open(OTHER)
    expect(view.grant(NAME, other)._unsafeUnwrapErr().kind).toBe('already-granted')
    for (const name of ['', '.', '..', 'a/b', 'a\0b', 'x'.repeat(256), 'ā']) {
      expect(view.grant(name, other)._unsafeUnwrapErr().kind).toBe('invalid-name')
    }
    expect(view.counters().grants).toBe(1)
  })

  test('stays bounded in number', async () => {
    await using serving = await Serving.started(sample, { maxGrants: 2 })
    const { view } = serving
    view.grant('two', sample.open(OTHER))._unsafeUnwrap()
    using third = sample.open(OTHER)
    expect(view.grant('three', third)._unsafeUnwrapErr().kind).toBe('too-many-grants')
    view.revoke('two')._unsafeUnwrap()
    view.grant('three', third.duplicate()._unsafeUnwrap())._unsafeUnwrap()
  })

  test('and revoked is stale below its name, and nothing else is', async () => {
    await using serving = await Serving.started(sample)
    const { driver, view } = serving
    view.grant(OTHER, sample.open(OTHER))._unsafeUnwrap()
    const run = await driver.walk(NAME, 'bin', 'run')
    const bin = await driver.walk(NAME, 'bin')
    const file = await driver.walk(OTHER, 'file')
    await driver.read(run, 0, 10)
    expect(view.counters().openFiles).toBeGreaterThan(1)
    view.revoke(NAME)._unsafeUnwrap()
    expect(view.revoke(NAME)._unsafeUnwrapErr().kind).toBe('not-granted')
    for (const [opcode, nodeId] of [
      [3, run],
      [15, run],
      [14, run],
      [27, bin],
      [28, bin],
      [44, bin],
      [17, bin],
    ] as const) {
      expect(await errorOf(driver.ask(opcode, { nodeId, args: Buffer.alloc(64) }))).toBe(ESTALE)
    }
    expect(await errorOf(driver.lookup(bin, 'run'))).toBe(ESTALE)
    expect(await errorOf(driver.lookup(1n, NAME))).toBe(ENOENT)
    expect((await driver.read(file, 0, 10))!.payload.toString()).toBe('other')
    // Granted anew it is there anew, and old ids stay stale.
    view.grant(NAME, sample.open(NAME))._unsafeUnwrap()
    expect(await driver.walk(NAME, 'bin', 'run')).not.toBe(run)
    expect(await errorOf(driver.read(run, 0, 16))).toBe(ESTALE)
    for (const id of [run, bin]) await driver.forget(id, 2)
    expect(await driver.walk(NAME, 'bin', 'run')).toBeGreaterThan(1n)
  })

  test('and revoked between two parts of a listing loses and repeats no other', async () => {
    await using serving = await Serving.started(sample)
    const { driver, view } = serving
    for (const name of ['a', 'b', 'c', 'd']) view.grant(name, sample.open(OTHER))._unsafeUnwrap()
    const first = (await driver.readDirectory(1n, 0, 24 * 2 + 16 + 72 + 32 * 2)).entries
    expect(first.map(({ name }) => name)).toEqual(['.', '..', NAME, 'a', 'b'])
    view.revoke('b')._unsafeUnwrap()
    view.revoke('c')._unsafeUnwrap()
    view.grant('e', sample.open(OTHER))._unsafeUnwrap()
    const rest = (await driver.readDirectory(1n, first.at(-1)!.offset)).entries
    expect(rest.map(({ name }) => name)).toEqual(['d', 'e'])
  })
})

describe('what a guest can make the view hold', () => {
  test('is as many nodes as it may know: then it forgets, or learns no more', async () => {
    await using serving = await Serving.started(sample, { maxNodes: 3 })
    const { driver, view } = serving
    const top = await driver.walk(NAME)
    const text = await driver.walk(NAME, 'text')
    await driver.walk(NAME, 'none')
    expect(await errorOf(driver.lookup(top, 'bin'))).toBe(ENFILE)
    // What it knows already it may look up for ever; a listing then only names.
    for (let i = 0; i < 10; i++) expect(await driver.walk(NAME, 'text')).toBe(text)
    const { entries } = await driver.readDirectory(top, 0, 4096, true)
    expect(entries.filter(({ nodeId }) => nodeId !== 0n).map(({ name }) => name)).toEqual(['none', 'text'])
    expect(view.counters().nodes).toBe(3)
    // 12 by name and one by listing.
    await driver.forget(text, 11)
    expect(await errorOf(driver.lookup(top, 'bin'))).toBe(ENFILE)
    await driver.forget(text, 1)
    expect(view.counters().nodes).toBe(2)
    expect(await errorOf(driver.lookup(top, 'bin'))).toBe(0)
  })

  test('shrinks by forgetting, one by one or many at once, also more than it was told', async () => {
    await using serving = await Serving.started(sample)
    const { driver, view } = serving
    const ids = [
      await driver.walk(NAME, 'text'),
      await driver.walk(NAME, 'none'),
      await driver.walk(NAME, 'bin'),
    ]
    expect(view.counters().nodes).toBe(4)
    const many = Buffer.concat([u32(ids.length, 0), ...ids.map((id) => u64(id, 2n ** 64n - 1n))])
    await driver.ask(42, { args: many, room: -1, ring: 0 })
    expect(view.counters().nodes).toBe(1)
    await driver.forget(1n, 2n ** 64n - 1n)
    for (const wrong of [u32(0xffff_ffff, 0), u32(5, 0), Buffer.alloc(4), Buffer.alloc(0)]) {
      expect(await driver.ask(42, { args: wrong, room: 100, ring: 0 })).toBeUndefined()
    }
    expect(await driver.ask(2, { args: Buffer.alloc(7), room: -1 })).toBeUndefined()
    expect(await driver.walk(NAME, 'text')).toBeGreaterThan(1n)
  })

  test('is as many open files and listed entries as it may', async () => {
    for (let i = 0; i < 20; i++) {
      mkdirSync(join(sample.root, NAME, `d${i}`))
      writeFileSync(join(sample.root, NAME, `d${i}`, 'file'), `${i}`)
    }
    await using serving = await Serving.started(sample, {
      maxOpenDirectories: 3,
      maxOpenFiles: 2,
      maxListedEntries: 30,
    })
    const { driver, view } = serving
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 20; i++) {
        const file = await driver.walk(NAME, `d${i}`, 'file')
        expect((await driver.read(file, 0, 10))!.payload.toString()).toBe(`${i}`)
        expect((await driver.readDirectory(await driver.walk(NAME, `d${i}`), 0)).entries).toHaveLength(3)
        expect(view.counters().openFiles).toBeLessThanOrEqual(5)
      }
    }
    expect((await driver.readDirectory(await driver.walk(NAME), 0)).error).toBe(0)
    writeFileSync(join(sample.root, NAME, 'one'), '')
    for (let i = 0; i < 10; i++) writeFileSync(join(sample.root, NAME, 'd0', `${i}`), '')
    for (let i = 0; i < 30; i++) writeFileSync(join(sample.root, NAME, 'empty', `${i}`), '')
    await driver.readDirectory(await driver.walk(NAME, 'empty'), 0)
    writeFileSync(join(sample.root, NAME, 'bin', 'more'), '')
    for (let i = 0; i < 30; i++) writeFileSync(join(sample.root, NAME, 'bin', `${i}`), '')
    expect((await driver.readDirectory(await driver.walk(NAME, 'bin'), 0)).error).toBe(-12)
  })
})

describe('a session', () => {
  test('begins with INIT, and everything before it fails', async () => {
    await using serving = new Serving()
    serving.view.grant(NAME, sample.open(NAME))._unsafeUnwrap()
    await serving.frontEnd.start()
    for (const opcode of [1, 3, 15, 28, 38]) expect(await errorOf(serving.driver.ask(opcode))).toBe(EIO)
    await serving.driver.forget(1n, 1)
    expect(await errorOf(serving.driver.initialise())).toBe(0)
    expect(await serving.driver.walk(NAME)).toBeGreaterThan(1n)
    // And DESTROY ends it.
    expect(await errorOf(serving.driver.ask(38))).toBe(0)
    expect(await errorOf(serving.driver.lookup(1n, NAME))).toBe(EIO)
  })

  test('agrees on the older of two versions, from 7.31 on', async () => {
    await using serving = new Serving()
    await serving.frontEnd.start()
    const { driver } = serving
    const agreed = async (major: number, minor: number, flags = 0xffff_ffff) => {
      const { error, payload } = (await driver.initialise(flags, minor, major))!
      if (error !== 0) return error
      return [0, 4, 8, 12].map((at) => payload.readUInt32LE(at))
    }
    expect(await agreed(7, 38, 0)).toEqual([7, 38, 131072, 0])
    expect(await agreed(7, 31, 1)).toEqual([7, 31, 131072, 1])
    // What nobody offered is not wanted: neither writing back nor splicing nor access lists.
    expect(await agreed(7, 45)).toEqual([7, 38, 131072, 1 | (3 << 13) | (1 << 18) | (3 << 22) | (1 << 25)])
    expect(await agreed(7, 30)).toBe(EPROTO)
    expect(await agreed(6, 99)).toBe(EPROTO)
    expect(await agreed(8, 0)).toEqual([7, 0, 0, 0])
    expect(await errorOf(driver.lookup(1n, 'x'))).toBe(EIO)
    expect(await errorOf(driver.ask(26, { args: u32(7, 38, 0) }))).toBe(EINVAL)
    expect(await errorOf(driver.ask(26, { args: Buffer.concat([u32(7, 38, 0, 0)]), room: 63 }))).toBe(EINVAL)
  })

  test('opens files by asking where the guest cannot do without, and directories always', async () => {
    await using serving = await Serving.started(sample)
    const { driver } = serving
    const text = await driver.walk(NAME, 'text')
    expect(await errorOf(driver.ask(14, { nodeId: text, args: u32(0, 0) }))).toBe(ENOSYS)
    expect(await errorOf(driver.ask(14, { nodeId: await driver.walk(NAME), args: u32(0, 0) }))).toBe(EISDIR)
    await driver.initialise(0xffff_ffff & ~(1 << 17))
    const anew = await driver.walk(NAME, 'text')
    const opened = (await driver.ask(14, { nodeId: anew, args: u32(0, 0) }))!
    expect([opened.error, opened.payload.readUInt32LE(8)]).toEqual([0, 1 << 1])
    for (const opcode of [18, 29, 36])
      expect(await errorOf(driver.ask(opcode, { args: Buffer.alloc(24) }))).toBe(0)
    expect(await errorOf(driver.ask(27, { nodeId: anew, args: u32(0, 0) }))).toBe(ENOTDIR)
  })

  test('is told of a file system of 255 bytes per name and of no size', async () => {
    await using serving = await Serving.started(sample)
    const { payload } = (await serving.driver.ask(17))!
    expect([...new Uint8Array(payload.subarray(0, 40))].every((byte) => byte === 0)).toBe(true)
    expect([40, 44, 48].map((at) => payload.readUInt32LE(at))).toEqual([4096, 255, 4096])
    expect(payload).toHaveLength(80)
  })
})

describe('a malformed request', () => {
  test('whose header lies about its length fails alone', async () => {
    await using serving = await Serving.started(sample)
    const { driver } = serving
    for (const length of [0, 39, 41, 2 ** 32 - 1]) {
      expect(await errorOf(driver.ask(17, { length }))).toBe(EIO)
      expect(await driver.ask(2, { length, args: u64(1), room: -1 })).toBeUndefined()
    }
    expect(await errorOf(driver.ask(17))).toBe(0)
  })

  test('with less room than its answer needs is told so, and nothing is counted', async () => {
    await using serving = await Serving.started(sample)
    const { driver, view } = serving
    const top = await driver.walk(NAME)
    const text = await driver.walk(NAME, 'text')
    const { nodes } = view.counters()
    const name = Buffer.from('none\0')
    expect(await errorOf(driver.ask(1, { nodeId: top, args: name, room: 127 }))).toBe(EINVAL)
    expect(await errorOf(driver.ask(1, { nodeId: top, args: Buffer.from('nope\0'), room: 0 }))).toBe(EINVAL)
    expect(await errorOf(driver.ask(3, { nodeId: text, args: Buffer.alloc(16), room: 103 }))).toBe(EINVAL)
    expect(await errorOf(driver.ask(27, { nodeId: top, args: u32(0, 0), room: 15 }))).toBe(EINVAL)
    expect(await errorOf(driver.ask(17, { room: 79 }))).toBe(EINVAL)
    expect(await errorOf(driver.ask(15, { nodeId: text, args: Buffer.alloc(39) }))).toBe(EINVAL)
    expect(await errorOf(driver.ask(28, { nodeId: top, args: Buffer.alloc(39) }))).toBe(EINVAL)
    expect(view.counters().nodes).toBe(nodes)
  })
})
