import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { writeBlob } from '../src/blob/blob-writer.js'
import { erofsImage, type ImageMember, metadataImage, readTrailer } from '../src/index.js'
import { type FoundNode, readErofs } from './erofs-reader.js'
import {
  directory,
  file,
  infoOf,
  type MemoryNode,
  memoryOutput,
  memoryTree,
  storePath,
  symlink,
} from './memory-store.js'

const signal = new AbortController().signal

/** Blob and image of one store path, read back. */
async function roundTrip(root: MemoryNode, name = 'x') {
  const path = storePath('0', name)
  const output = memoryOutput()
  const source = { open: async () => ({ tree: memoryTree({ [path]: root }), path, close: async () => {} }) }
  const index = await writeBlob([infoOf(path, root)], source, output, signal)
  const blob = output.bytes()
  const base = path.slice('/nix/store/'.length)
  const member = { name: base, tree: index.members[0]!.tree, device: 1 }
  const image = erofsImage([member], [index])
  const { tree, inodeCount } = readErofs(Buffer.from(image), [{ id: index.id, bytes: blob }])
  expect(tree.kind === 'directory' && tree.entries.map(({ name }) => name)).toEqual([base])
  const found = tree.kind === 'directory' ? tree.entries[0]!.node : tree
  return { index, blob, image, found, inodeCount }
}

function plain(node: FoundNode): MemoryNode {
  if (node.kind !== 'directory') return node
  return directory(Object.fromEntries(node.entries.map(({ name, node }) => [name, plain(node)])))
}

const name = fc
  .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 12 })
  .map((bytes) => String.fromCharCode(...bytes))
  .filter((name) => !name.includes('/') && name !== '.' && name !== '..' && name !== '__proto__')
const treeOf = fc.letrec<{ node: MemoryNode; file: MemoryNode }>((tie) => ({
  file: fc.record({
    kind: fc.constant('file' as const),
    executable: fc.boolean(),
    // Few different contents, so that equal files occur.
    contents: fc.oneof(
      fc.constantFrom(0, 1, 4095, 4096, 4097, 9000).map((size) => Buffer.alloc(size, 'spectrum')),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    ),
  }),
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('file'),
    name.map((target) => symlink(target)),
    fc.dictionary(name, tie('node'), { maxKeys: 6, noNullPrototype: true }).map(directory),
  ),
}))

describe('a blob with its metadata image', () => {
  it('gives back any tree', async () => {
    await fc.assert(
      fc.asyncProperty(treeOf.node, async (root) => {
        const { found, blob, index } = await roundTrip(root)
        expect(plain(found)).toEqual(root)
        expect(blob.length).toBe(index.sizeBytes)
        expect(blob.length % (2 << 20)).toBe(0)
        expect(readTrailer(blob.subarray(-4096))).toBe(index.id)
        const padding = blob.subarray(index.dataBytes, -4096)
        expect(padding.equals(Buffer.alloc(padding.length))).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('depends on the contents alone, not on the order in which names are listed', async () => {
    const forth = directory({ a: file('1'), 'a.b': file('2'), b: directory({ c: file('1') }) })
    const back = directory({ b: directory({ c: file('1') }), 'a.b': file('2'), a: file('1') })
    const [one, two] = [await roundTrip(forth), await roundTrip(back)]
    expect(Buffer.compare(one.blob, two.blob)).toBe(0)
    expect(Buffer.compare(one.image, two.image)).toBe(0)
  })

  it('keeps names with + - . and beyond ASCII where a search by bytes finds them', async () => {
    const names = [
      '+x',
      '-x',
      '.x',
      '..x',
      '...',
      'a+b',
      'a-b',
      'a.b',
      'a',
      'Z',
      'é',
      'ÿÿ',
      '~',
      ' ',
      '\u0001',
    ]
    const root = directory(Object.fromEntries(names.map((name) => [name, file(name)])))
    expect(plain((await roundTrip(root)).found)).toEqual(root)
  })

  it('holds a directory of many blocks', async () => {
    const names = Array.from({ length: 3000 }, (_, index) => `entry-${(index * 7919) % 100_003}`)
    const root = directory(Object.fromEntries(names.map((name, index) => [name, file(`${index % 50}`)])))
    const { found, inodeCount } = await roundTrip(root)
    expect(plain(found)).toEqual(root)
    // Root, directory, and one inode for each of the 50 different contents.
    expect(inodeCount).toBe(52)
  })

  it('takes names of 255 bytes inside and a store path with a name of 211 characters', async () => {
    const root = directory({ [`${'n'.repeat(255)}`]: file('x') })
    expect(plain((await roundTrip(root, 'p'.repeat(211))).found)).toEqual(root)
  })

  it.each([1, 2048, 2049, 4000, 4095, 4096, 4097, 9000])(
    'holds a symbolic link of %i bytes',
    async (length) => {
      const root = directory({ link: symlink('t'.repeat(length)), other: symlink('u') })
      expect(plain((await roundTrip(root)).found)).toEqual(root)
    },
  )

  it('holds a store path that is a file, a link, or empty', async () => {
    for (const root of [file('text', true), file(''), symlink('/nix/store'), directory({})]) {
      expect(plain((await roundTrip(root)).found)).toEqual(root)
    }
  })

  it('holds files of every size around a block and around 2 MiB, aligned', async () => {
    const sizes = [0, 1, 4095, 4096, 4097, 8192, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 4 << 20]
    const root = directory(
      Object.fromEntries(sizes.map((size, index) => [`f${size}`, file(Buffer.alloc(size, `${index}#`))])),
    )
    const { found, index } = await roundTrip(root)
    for (const { name, node } of found.kind === 'directory' ? found.entries : []) {
      const expected = root.kind === 'directory' ? root.entries[name] : root
      // Buffers of megabytes are compared by themselves, as a printed difference would take minutes.
      expect(
        node.kind === 'file' && expected?.kind === 'file' && node.contents.equals(expected.contents),
      ).toBe(true)
    }
    // In the order of the names: a block and the file short of 2 MiB, then 2 MiB at 4 MiB, 2 MiB and a byte at
    // 6 MiB, 4 MiB at 10 MiB. The rest fills the gaps before them.
    expect(index.dataBytes).toBe(14 << 20)
  })

  it('stores equal small files of a path once, unless one is executable', async () => {
    const data = Buffer.alloc(5000, 'same')
    const root = directory({
      a: file(data),
      b: file(data),
      c: file(data, true),
      d: file(Buffer.alloc(5000, 'else')),
    })
    const { index, inodeCount } = await roundTrip(root)
    expect(index.dataBytes).toBe(3 * 8192)
    expect(inodeCount).toBe(2 + 3)
  })

  it('counts more than 65535 links to one file', () => {
    const entries = Array.from({ length: 65_536 }, (_, index) => ({
      name: `link-${String(index).padStart(6, '0')}`,
      node: { kind: 'file', executable: false, sizeBytes: 3, offset: 0 } as const,
    }))
    const blob = Buffer.alloc(2 << 20, 'x')
    const id = '0'.repeat(64)
    const image = erofsImage(
      [{ name: 'p', tree: { kind: 'directory', entries }, device: 1 }],
      [{ id, sizeBytes: blob.length }],
    )
    expect(readErofs(Buffer.from(image), [{ id, bytes: blob }]).inodeCount).toBe(3)
  })

  it('records a file of more than 4 GiB', () => {
    const sizeBytes = 5 * 2 ** 30
    const image = Buffer.from(
      erofsImage(
        [{ name: 'big', tree: { kind: 'file', executable: false, sizeBytes, offset: 2 << 20 }, device: 1 }],
        [{ id: '1'.repeat(64), sizeBytes: sizeBytes + (4 << 20) }],
      ),
    )
    // The root lies behind the superblock and one slot of the table; its one child is the next inode.
    const directoryAt = image.readUInt16LE(1024 + 14) * 32
    const at = Number(image.readBigUInt64LE(directoryAt + 32 + 24)) * 32
    expect(image.readUInt16LE(at)).toBe((4 << 1) | 1)
    expect(image.readBigUInt64LE(at + 8)).toBe(BigInt(sizeBytes))
    // In chunks of 1 GiB, one behind the other: erofs-utils cannot read a chunk of more than 2 GiB.
    expect(image.readUInt32LE(at + 16)).toBe(0x20 | 18)
    for (let chunk = 0; chunk < 5; chunk++) {
      const index = at + 64 + chunk * 8
      expect(image.readUInt16LE(index + 2)).toBe(1)
      expect(image.readUInt32LE(index + 4)).toBe(((2 << 20) + chunk * 2 ** 30) / 4096)
    }
  })

  it('numbers the devices of several members, and lists exactly them', () => {
    const file = (offset: number) => ({ kind: 'file', executable: false, sizeBytes: 4, offset }) as const
    const devices = ['a', 'b'].map((digit) => ({ id: digit.repeat(64), sizeBytes: 2 << 20 }))
    const members: ImageMember[] = [
      { name: 'two', tree: file(4096), device: 2 },
      { name: 'one', tree: file(0), device: 1 },
      { name: 'link', tree: { kind: 'symlink', target: 'one' }, device: 0 },
    ]
    const blobs = devices.map(({ id }) => ({ id, bytes: Buffer.alloc(2 << 20, id[0]!) }))
    blobs[1]!.bytes.write('TWO!', 4096)
    const { tree } = readErofs(Buffer.from(erofsImage(members, devices)), blobs)
    expect(plain(tree)).toEqual(
      directory({
        link: symlink('one'),
        one: { kind: 'file', executable: false, contents: Buffer.from('aaaa') },
        two: { kind: 'file', executable: false, contents: Buffer.from('TWO!') },
      }),
    )
  })

  it('of an empty closure is an empty file system without devices', () => {
    const { bytes, id, imageBytes } = metadataImage([], [])
    expect(readErofs(Buffer.from(bytes.subarray(0, imageBytes)), []).tree).toEqual({
      kind: 'directory',
      entries: [],
    })
    expect(bytes.length).toBe(2 << 20)
    expect(readTrailer(bytes.subarray(-4096))).toBe(id)
  })

  it('refuses what no index can say', () => {
    const tree = { kind: 'symlink', target: 'x' } as const
    expect(() => erofsImage([{ name: 'a', tree, device: 1 }], [])).toThrow('no device 1')
    expect(() => erofsImage([{ name: 'a/b', tree, device: 0 }], [])).toThrow('not a name')
    const twice = { name: 'a', tree, device: 0 }
    expect(() => erofsImage([twice, twice], [])).toThrow('twice')
  })
})
