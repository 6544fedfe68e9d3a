import assert from 'node:assert/strict'
import { crc32c } from '../src/erofs/crc32c.js'

/** What a reader finds: names and targets as byte strings, contents as bytes. */
export type FoundNode =
  | { kind: 'directory'; entries: { name: string; node: FoundNode }[] }
  | { kind: 'file'; executable: boolean; contents: Buffer }
  | { kind: 'symlink'; target: string }

/**
 * Reads an EROFS image the way Linux does (fs/erofs: super.c, inode.c, data.c, dir.c), independently of the
 * writer, and checks on the way what the kernel only relies on.
 */
export function readErofs(image: Buffer, devices: readonly { id: string; bytes: Buffer }[]) {
  const sb = 1024
  assert.equal(image.readUInt32LE(sb), 0xe0f5e1e2)
  const first = Buffer.from(image.subarray(sb, 4096))
  first.fill(0, 4, 8)
  assert.equal(image.readUInt32LE(sb + 4), crc32c(0xffffffff, first), 'checksum')
  assert.equal(image.readUInt8(sb + 12), 12)
  assert.equal(image.readUInt32LE(sb + 36) * 4096, image.length, 'blocks')
  const incompat = image.readUInt32LE(sb + 80)
  assert.equal(incompat & ~0xc, 0, 'only known incompatible features')
  const extra = image.readUInt16LE(sb + 86)
  assert.equal(extra, devices.length)
  assert.equal((incompat & 8) !== 0, extra > 0)
  for (let slot = 0; slot < extra; slot++) {
    const at = image.readUInt16LE(sb + 88) * 128 + slot * 128
    assert.equal(image.toString('latin1', at, at + 64), devices[slot]!.id)
    assert.equal(image.readUInt32LE(at + 64) * 4096, devices[slot]!.bytes.length)
    assert.equal(image.readUInt32LE(at + 68), 0)
  }

  const inodes = new Set<number>()

  function inode(nid: number) {
    inodes.add(nid)
    const at = nid * 32
    const format = image.readUInt16LE(at)
    const extended = (format & 1) === 1
    assert.ok(extended || Math.floor(at / 4096) === Math.floor((at + 31) / 4096))
    assert.equal(image.readUInt16LE(at + 2), 0, 'no xattrs')
    const size = extended ? Number(image.readBigUInt64LE(at + 8)) : image.readUInt32LE(at + 8)
    return {
      at,
      nid,
      layout: format >> 1,
      mode: image.readUInt16LE(at + 4),
      links: extended ? image.readUInt32LE(at + 44) : image.readUInt16LE(at + 6),
      size,
      union: image.readUInt32LE(at + 16),
      tail: at + (extended ? 64 : 32),
    }
  }
  type Inode = ReturnType<typeof inode>

  function flat(node: Inode): Buffer {
    assert.ok(node.layout === 0 || node.layout === 2)
    const inline = node.layout === 2 ? node.size % 4096 : 0
    const own = image.subarray(node.union * 4096, node.union * 4096 + node.size - inline)
    assert.equal(own.length, node.size - inline)
    if (inline > 0) assert.ok((node.tail % 4096) + inline <= 4096, 'a tail stays within its block')
    return Buffer.concat([own, image.subarray(node.tail, node.tail + inline)])
  }

  function contents(node: Inode): Buffer {
    if (node.size === 0) return Buffer.alloc(0)
    assert.equal(node.layout, 4, 'regular files are never inline')
    assert.equal(node.union & ~0x3f, 0)
    assert.ok(node.union & 0x20)
    const chunk = 4096 * 2 ** (node.union & 0x1f)
    assert.ok(chunk >= node.size && (chunk === 4096 || chunk < 2 * node.size))
    const index = Math.ceil(node.tail / 8) * 8
    assert.equal(image.readUInt16LE(index), 0)
    const device = devices[image.readUInt16LE(index + 2) - 1]!
    const start = image.readUInt32LE(index + 4) * 4096
    if (node.size >= 2 << 20) assert.equal(start % (2 << 20), 0, 'large files are aligned')
    assert.ok(start + node.size <= device.bytes.length - 4096)
    return device.bytes.subarray(start, start + node.size)
  }

  function dirents(node: Inode) {
    const bytes = flat(node)
    const found: { name: string; nid: number; type: number }[] = []
    for (let block = 0; block < bytes.length; block += 4096) {
      const end = Math.min(block + 4096, bytes.length)
      const count = bytes.readUInt16LE(block + 8) / 12
      assert.ok(Number.isInteger(count) && count > 0)
      for (let index = 0; index < count; index++) {
        const at = block + index * 12
        const from = block + bytes.readUInt16LE(at + 8)
        let to = index + 1 < count ? block + bytes.readUInt16LE(at + 20) : end
        const nul = bytes.indexOf(0, from)
        if (index + 1 === count && nul !== -1 && nul < to) to = nul
        found.push({
          name: bytes.toString('latin1', from, to),
          nid: Number(bytes.readBigUInt64LE(at)),
          type: bytes.readUInt8(at + 10),
        })
      }
    }
    for (let index = 1; index < found.length; index++) {
      assert.ok(found[index - 1]!.name < found[index]!.name, 'names ascend over all blocks')
    }
    return found
  }

  /** Per inode, how many directory entries lead to it. */
  const seen = new Map<number, { expected: number; links: number }>()

  function read(nid: number, parent: number): FoundNode {
    const node = inode(nid)
    const kind = node.mode & 0o170000
    if (kind === 0o120000) {
      assert.equal(node.mode & 0o777, 0o777)
      return { kind: 'symlink', target: flat(node).toString('latin1') }
    }
    if (kind === 0o100000) {
      const count = seen.get(nid)
      seen.set(nid, { expected: node.links, links: (count?.links ?? 0) + 1 })
      const mode = node.mode & 0o7777
      assert.ok(mode === 0o444 || mode === 0o555)
      return { kind: 'file', executable: mode === 0o555, contents: contents(node) }
    }
    assert.equal(node.mode, 0o040555)
    const all = dirents(node)
    assert.equal(all.find(({ name }) => name === '.')?.nid, nid)
    assert.equal(all.find(({ name }) => name === '..')?.nid, parent)
    assert.equal(node.links, all.filter(({ type }) => type === 2).length)
    const entries = all
      .filter(({ name }) => name !== '.' && name !== '..')
      .map((entry) => {
        const child = read(entry.nid, nid)
        assert.equal(entry.type, { file: 1, directory: 2, symlink: 7 }[child.kind])
        return { name: entry.name, node: child }
      })
    return { kind: 'directory', entries }
  }

  const root = image.readUInt16LE(sb + 14)
  const tree = read(root, root)
  for (const { expected, links } of seen.values()) assert.equal(links, expected, 'link counts')
  assert.equal(Number(image.readBigUInt64LE(sb + 16)), inodes.size, 'inode count')
  return { tree, inodeCount: inodes.size }
}
