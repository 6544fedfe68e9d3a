import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type NarEvent, NarReader, type NarReaderOptions } from '../../src/index.js'
import { directory, file, type MemoryNode, plainNar, symlink } from '../memory-store.js'

interface Reading {
  readonly events: NarEvent[]
  /** Where it was refused, and why; undefined when the NAR is whole. */
  readonly refused: { readonly offset: number | undefined; readonly reason: string } | undefined
}

function read(nar: Uint8Array, chunkBytes = nar.length, options?: NarReaderOptions): Reading {
  const reader = new NarReader(options)
  const events: NarEvent[] = []
  for (let at = 0; at < nar.length; at += Math.max(chunkBytes, 1)) {
    events.push(...reader.push(nar.subarray(at, at + chunkBytes)))
  }
  const end = reader.finish()
  if (end.isOk()) expect(end.value.sizeBytes).toBe(nar.length)
  return { events, refused: end.isErr() ? { offset: end.error.offset, reason: end.error.reason } : undefined }
}

/** The tree that the events tell of. */
function rebuild(events: readonly NarEvent[]): MemoryNode {
  const open: { entries: Record<string, MemoryNode> }[] = [{ entries: {} }]
  let contents: Buffer[] = []
  let position = 0
  let added: MemoryNode | undefined
  const add = (name: string, node: MemoryNode) => {
    const { entries } = open.at(-1)!
    Object.defineProperty(entries, name, { value: node, enumerable: true })
    added = node
  }
  for (const event of events) {
    if (event.kind === 'directory') {
      const node = directory({}) as MemoryNode & { kind: 'directory' }
      add(event.name, node)
      open.push(node)
    } else if (event.kind === 'directory-end') open.pop()
    else if (event.kind === 'symlink') add(event.name, symlink(event.target))
    else if (event.kind === 'file') {
      contents = []
      position = 0
      add(event.name, file('', event.executable))
    } else if (event.kind === 'contents') {
      expect(event.position).toBe(position)
      position += event.bytes.length
      contents.push(Buffer.from(event.bytes))
    } else if (event.kind === 'file-end' && added?.kind === 'file') added.contents = Buffer.concat(contents)
  }
  expect(open).toHaveLength(1)
  return open[0]!.entries['']!
}

const varied = directory({
  '+': directory({}),
  a: file('contents', true),
  'a-b': symlink('../a'),
  empty: file(''),
  nested: directory({ deeper: directory({ file: file(Buffer.alloc(5000, 'x')) }) }),
  '\xff\xfe': file('1234567'),
})

describe('a NAR that is read', () => {
  it('has the tree that was written', () => {
    const nar = plainNar(varied)
    const { events, refused } = read(nar)
    expect(refused).toBeUndefined()
    expect(plainNar(rebuild(events)).equals(nar)).toBe(true)
  })

  it.each([1, 2, 3, 7, 8, 9, 64, 4095])('is the same in chunks of %i bytes', (chunkBytes) => {
    const nar = plainNar(varied)
    const { events, refused } = read(nar, chunkBytes)
    expect(refused).toBeUndefined()
    expect(plainNar(rebuild(events)).equals(nar)).toBe(true)
  })

  it('says where the contents of each file begin', () => {
    const nar = plainNar(varied)
    const found: string[] = []
    for (const event of read(nar).events) {
      if (event.kind !== 'file') continue
      found.push(nar.toString('latin1', event.narOffset, event.narOffset + Math.min(event.sizeBytes, 8)))
    }
    expect(found).toEqual(['contents', '', 'xxxxxxxx', '1234567'])
  })

  it('is any tree at all', () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 6 })
      .map((bytes) => Buffer.from(bytes).toString('latin1'))
      .filter((text) => !/[/\0]|^\.{1,2}$/.test(text))
    const { tree } = fc.letrec<{ tree: MemoryNode }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc
          .tuple(fc.uint8Array({ maxLength: 40 }), fc.boolean())
          .map(([bytes, x]) => file(Buffer.from(bytes), x)),
        name.map(symlink),
        fc.dictionary(name, tie('tree'), { maxKeys: 5 }).map(directory),
      ),
    }))
    fc.assert(
      fc.property(tree, fc.integer({ min: 1, max: 50 }), (root, chunkBytes) => {
        const nar = plainNar(root)
        const { events, refused } = read(nar, chunkBytes)
        expect(refused).toBeUndefined()
        expect(plainNar(rebuild(events)).equals(nar)).toBe(true)
      }),
    )
  })

  it('is refused when it is cut at any byte, and says so where it ends', () => {
    const nar = plainNar(varied)
    for (let length = 0; length < nar.length; length++) {
      expect(read(nar.subarray(0, length)).refused).toEqual({
        offset: length,
        reason: 'it ends in the middle',
      })
    }
  })
})

/** Words of a NAR, put together as a hostile sender might. */
const word = (text: string | Buffer): Buffer => {
  const bytes = Buffer.from(text as string, 'latin1')
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(bytes.length))
  return Buffer.concat([length, bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)])
}
const words = (...texts: string[]) => Buffer.concat(texts.map((text) => word(text)))
const magic = ['nix-archive-1']
const open = [...magic, '(', 'type']
const entry = (name: string) => ['entry', '(', 'name', name, 'node', '(', 'type', 'directory', ')', ')']
const inDirectory = (...rest: string[]) => words(...open, 'directory', ...rest)
const size = (value: bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

describe('a NAR from a hostile sender is refused, with the byte,', () => {
  const nested = (depth: number) =>
    words(
      ...open,
      ...Array.from({ length: depth - 1 }, () => [
        'directory',
        'entry',
        '(',
        'name',
        'd',
        'node',
        '(',
        'type',
      ]).flat(),
      'directory',
      ...Array.from({ length: depth - 1 }, () => [')', ')']).flat(),
      ')',
    )

  it.each<[string, Buffer, number, RegExp]>([
    ['with another magic', words('nix-archive-2'), 0, /nix-archive-1/],
    ['with no node', words(...magic, ')'), 24, /`\(` should come/],
    ['of an unknown kind', words(...open, 'fifo'), 56, /`directory`/],
    ['whose names are not sorted', inDirectory(...entry('b'), ...entry('a')), 80 + 168 + 48, /not greater/],
    ['with a name twice', inDirectory(...entry('a'), ...entry('a')), 80 + 168 + 48, /not greater/],
    ['with an empty name', inDirectory(...entry('')), 80 + 48, /is empty/],
    ['with the name .', inDirectory(...entry('.')), 80 + 48, /reserved/],
    ['with the name ..', inDirectory(...entry('..')), 80 + 48, /reserved/],
    ['with a slash in a name', inDirectory(...entry('a/b')), 80 + 48, /slash/],
    ['with a NUL in a name', inDirectory(...entry('a\0b')), 80 + 48, /NUL/],
    ['with a name that is too long', inDirectory(...entry('n'.repeat(256))), 80 + 48, /at most 255/],
    ['with an empty link target', words(...open, 'symlink', 'target', ''), 88, /empty/],
    ['with a NUL in a link target', words(...open, 'symlink', 'target', 'a\0'), 88, /NUL/],
    [
      'with a link target that is too long',
      words(...open, 'symlink', 'target', 't'.repeat(4096)),
      88,
      /at most 4095/,
    ],
    [
      'with a value of the executable marker',
      words(...open, 'regular', 'executable', 'x'),
      96,
      /empty string/,
    ],
    ['without contents', words(...open, 'regular', ')'), 72, /`contents`/],
    [
      'with a file of 2^53 bytes',
      Buffer.concat([words(...open, 'regular', 'contents'), size(2n ** 53n)]),
      88,
      /9007199254740992 bytes/,
    ],
    [
      'with a word of 2^64 - 1 bytes',
      Buffer.concat([words(...magic), size(2n ** 64n - 1n)]),
      24,
      /18446744073709551615/,
    ],
    ['with a word of 2^32 bytes', Buffer.concat([words(...magic), size(2n ** 32n)]), 24, /4294967296/],
    ['with something after the end', words(...open, 'directory', ')', 'x'), 96, /follows/],
    ['nested 65 deep', nested(65), 24 + 64 * 136, /deeper than 64/],
  ])('%s', (_, nar, offset, reason) => {
    for (const chunkBytes of [nar.length, 1, 5]) {
      const { events, refused } = read(nar, chunkBytes)
      expect(refused).toEqual({ offset, reason: expect.stringMatching(reason) })
      expect(events.at(-1)).toMatchObject({
        kind: 'refused',
        error: { kind: 'malformed', format: 'NAR', offset },
      })
    }
  })

  it('but not nested 64 deep, with a name of 255 and a target of 4095 bytes', () => {
    expect(read(nested(64)).refused).toBeUndefined()
    expect(
      read(plainNar(directory({ ['n'.repeat(255)]: symlink('t'.repeat(4095)) }))).refused,
    ).toBeUndefined()
  })

  it('with padding that is not zero, wherever there is padding', () => {
    const nar = plainNar(varied)
    let refusals = 0
    for (let at = 0; at < nar.length; at++) {
      if (nar[at] !== 0) continue
      const damaged = Buffer.from(nar)
      damaged[at] = 1
      const { refused } = read(damaged)
      // A zero within a length makes another length, which is refused for what follows from it.
      expect(refused).toBeDefined()
      if (refused?.reason === 'the padding is not zero' && refused.offset === at) refusals++
    }
    const strings = nar.length / 8
    expect(refusals).toBeGreaterThan(strings / 4)
  })

  it('with more bytes than it may have, before they are read', () => {
    const nar = plainNar(varied)
    expect(read(nar, 64, { maxBytes: nar.length }).refused).toBeUndefined()
    expect(read(nar, 64, { maxBytes: nar.length - 1 }).refused).toBeDefined()
    const claimed = words(...open, 'regular', 'contents')
    const huge = Buffer.concat([claimed, size(1_000_000n), Buffer.alloc(8)])
    expect(read(huge, 4, { maxBytes: 1000 }).refused).toMatchObject({ offset: 88 })
    const claiming = (bytes: bigint) =>
      read(Buffer.concat([claimed, size(bytes)]), 4, { maxBytes: 104 }).refused
    expect(claiming(8n)).toMatchObject({ offset: 96, reason: 'it ends in the middle' })
    expect(claiming(9n)).toMatchObject({ offset: 88, reason: expect.stringContaining('does not fit') })
  })

  it('with any byte changed: it then has another reading or none', () => {
    const nar = plainNar(directory({ a: file('abc', true), b: symlink('a') }))
    for (let at = 0; at < nar.length; at++) {
      const damaged = Buffer.from(nar)
      damaged[at] = (damaged[at]! + 1) & 0xff
      const { events, refused } = read(damaged)
      if (refused === undefined) expect(plainNar(rebuild(events)).equals(damaged)).toBe(true)
    }
  })
})
