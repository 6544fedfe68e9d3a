import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { serialiseNar } from '../../src/index.js'
import { narSize } from '../../src/nix/nar/writer.js'
import { scanTree } from '../../src/tree.js'
import { directory, file, type MemoryNode, memoryTree, plainNar, symlink } from '../memory-store.js'

const signal = new AbortController().signal

async function narOf(root: MemoryNode): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of serialiseNar(memoryTree({ '/x': root }), '/x', signal)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Written by hand from the format: each word is a string of the NAR. */
const hex = (...words: string[]) => Buffer.from(words.join('').replace(/ /g, ''), 'hex')
const magic = '0d00000000000000 6e69782d61726368 6976652d31000000'
const open = '0100000000000000 2800000000000000'
const close = '0100000000000000 2900000000000000'
const type = '0400000000000000 7479706500000000'
const regular = '0700000000000000 726567756c617200'
const contents = '0800000000000000 636f6e74656e7473'
const entry = '0500000000000000 656e747279000000'
const name = '0400000000000000 6e616d6500000000'
const node = '0400000000000000 6e6f646500000000'

describe('a NAR', () => {
  it('of a file has these bytes', async () => {
    const expected = hex(magic, open, type, regular, contents, '0300000000000000 6869210000000000', close)
    expect(await narOf(file('hi!'))).toEqual(expected)
  })

  it('of an empty executable file has these bytes', async () => {
    const executable = '0a00000000000000 65786563757461626c65000000000000 0000000000000000'
    const expected = hex(magic, open, type, regular, executable, contents, '0000000000000000', close)
    expect(await narOf(file('', true))).toEqual(expected)
  })

  it('of a symbolic link has these bytes', async () => {
    const link = '0700000000000000 73796d6c696e6b00 0600000000000000 7461726765740000'
    expect(await narOf(symlink('12345678'))).toEqual(
      hex(magic, open, type, link, '0800000000000000 3132333435363738', close),
    )
  })

  it('of a directory has its entries in the order of their bytes', async () => {
    const directoryWord = '0900000000000000 6469726563746f72 7900000000000000'
    const child = (byte: string) =>
      `${entry}${open}${name}0100000000000000 ${byte}00000000000000${node}${open}${type}${directoryWord}${close}${close}`
    const expected = hex(
      magic,
      open,
      type,
      directoryWord,
      child('2b'),
      child('41'),
      child('61'),
      child('ff'),
      close,
    )
    const empty = directory({})
    expect(await narOf(directory({ a: empty, ÿ: empty, A: empty, '+': empty }))).toEqual(expected)
  })

  it.each([0, 1, 7, 8, 9, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (2 << 20) + 1])(
    'of a file of %i bytes is the plain serialisation, and its size is known beforehand',
    async (size) => {
      const root = directory({ data: file(Buffer.alloc(size, 'abc'), true), 'data.b': file('x') })
      const nar = await narOf(root)
      expect(nar.equals(plainNar(root))).toBe(true)
      expect(narSize(await scanTree(memoryTree({ '/x': root }), '/x', signal))).toBe(nar.length)
    },
  )

  it('ends with a failure when a file becomes shorter meanwhile', async () => {
    const tree = memoryTree({ '/x': file('abc') })
    const shrinking = { ...tree, readFile: async () => ({ sizeBytes: 9, executable: false, count: 3 }) }
    const reading = async () => {
      for await (const _ of serialiseNar(shrinking, '/x', signal));
    }
    await expect(reading()).rejects.toThrow('became shorter')
  })
})
