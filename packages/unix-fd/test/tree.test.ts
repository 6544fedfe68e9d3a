import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, openSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type Fd,
  MOST_PIECES,
  STAT_INODE,
  STAT_MODE,
  STAT_MOUNT,
  STAT_SIZE,
  STAT_WORDS,
  type TreeCalls,
} from '../src/index.js'
import { unixFd } from '../src/linux.js'
import { expectNothingKept, type Held, held } from './held.js'

const descriptors = unixFd()._unsafeUnwrap()
const tree: TreeCalls = descriptors.tree
const [ENOENT, ENOTDIR, ELOOP, EXDEV] = [-2, -20, -40, -18]

let folder: string
let top: Fd
let before: Held

beforeEach(() => {
  before = held()
  folder = mkdtempSync(join(tmpdir(), 'unix-fd-tree-'))
  mkdirSync(join(folder, 'top/deep/deeper'), { recursive: true })
  writeFileSync(join(folder, 'secret'), 'secret')
  writeFileSync(join(folder, 'top/file'), 'contents')
  writeFileSync(join(folder, 'top/deep/deeper/last'), 'last')
  symlinkSync('../secret', join(folder, 'top/out'))
  symlinkSync('deep', join(folder, 'top/in'))
  top = descriptors.openPath(join(folder, 'top'), 'place')._unsafeUnwrap()
})

afterEach(() => {
  top.close()
  rmSync(folder, { recursive: true })
  expectNothingKept(before)
})

const opened = (result: Fd | number) => {
  if (typeof result === 'number') return result
  result.close()
  return 'open'
}

describe('below a directory', () => {
  test('files and directories open by relative paths, and the directory itself by none', () => {
    expect(opened(tree.open(top, 'file', 'file'))).toBe('open')
    expect(opened(tree.open(top, 'deep/deeper/last', 'file'))).toBe('open')
    expect(opened(tree.open(top, 'deep/deeper', 'directory'))).toBe('open')
    expect(opened(tree.open(top, '', 'directory'))).toBe('open')
    expect(tree.open(top, 'file', 'directory')).toBe(ENOTDIR)
    expect(tree.open(top, 'nothing', 'file')).toBe(ENOENT)
  })

  test('no symbolic link is followed, neither at the end of a path nor on it', () => {
    for (const path of ['out', 'in', 'in/deeper/last']) expect(tree.open(top, path, 'file')).toBe(ELOOP)
    // As a place it is opened itself.
    using link = tree.open(top, 'out', 'place') as Fd
    const target = new Uint8Array(64)
    expect(tree.readLink(link, '', target)).toBe('../secret'.length)
  })

  test('no path leads out, by `..`, from the root or through another mount', () => {
    for (const path of [
      '..',
      '../secret',
      '/etc/passwd',
      'deep/../../secret',
      '.',
      'a//b',
      'a/',
      'a\0b',
      'ā',
    ]) {
      expect(() => tree.open(top, path, 'file')).toThrow(RangeError)
    }
    using root = descriptors.openPath('/', 'place')._unsafeUnwrap()
    expect(tree.open(root, 'proc/version', 'file')).toBe(EXDEV)
    // Also one of /proc's links, which lead anywhere.
    using self = descriptors.openPath('/proc', 'place')._unsafeUnwrap()
    expect(tree.open(self, 'self/root/etc/passwd', 'file')).toBe(ELOOP)
    expect(tree.open(self, `${process.pid}/root/etc/passwd`, 'file')).toBe(ELOOP)
  })

  test('an entry is looked at as itself, in halves of 64 bits', () => {
    const out = new Int32Array(STAT_WORDS)
    expect(tree.stat(top, 'out', out)).toBe(0)
    expect(out[STAT_MODE]! & 0o170000).toBe(0o120000)
    expect(tree.stat(top, 'file', out)).toBe(0)
    const expected = statSync(join(folder, 'top/file'), { bigint: true })
    const number = (at: number) => (BigInt(out[at + 1]! >>> 0) << 32n) | BigInt(out[at]! >>> 0)
    expect([number(STAT_SIZE), number(STAT_INODE)]).toEqual([expected.size, expected.ino])
    expect(tree.stat(top, '', out)).toBe(0)
    expect(out[STAT_MODE]! & 0o170000).toBe(0o040000)
    expect(tree.stat(top, 'nothing', out)).toBe(ENOENT)
    // Which mount it is on: the same below one, another one elsewhere.
    const mountOf = (directory: Fd, name: string) => {
      expect(tree.stat(directory, name, out)).toBe(0)
      return number(STAT_MOUNT)
    }
    using root = descriptors.openPath('/', 'place')._unsafeUnwrap()
    expect(mountOf(top, 'file')).toBe(mountOf(top, ''))
    expect(mountOf(root, 'proc')).not.toBe(mountOf(root, ''))
    for (const path of ['..', 'deep/deeper', '/', 'in/']) {
      expect(() => tree.stat(top, path, out)).toThrow(RangeError)
      expect(() => tree.readLink(top, path, new Uint8Array(8))).toThrow(RangeError)
    }
    expect(() => tree.stat(top, 'file', new Int32Array(STAT_WORDS - 1))).toThrow(TypeError)
  })

  test('a directory is listed in parts, and again from the start', () => {
    using directory = tree.open(top, '', 'directory') as Fd
    const names = () => {
      const bytes = Buffer.alloc(64)
      const found: string[] = []
      for (let again = true; ; again = false) {
        const length = tree.list(directory, bytes, again)
        if (length === 0) return found.sort()
        for (let at = 0; at < length; at += bytes.readUInt16LE(at + 16)) {
          found.push(bytes.toString('latin1', at + 19, bytes.indexOf(0, at + 19)))
        }
      }
    }
    const expected = ['.', '..', 'deep', 'file', 'in', 'out']
    expect(names()).toEqual(expected)
    expect(names()).toEqual(expected)
    using place = tree.open(top, '', 'place') as Fd
    expect(tree.list(place, new Uint8Array(64), false)).toBe(-9)
  })

  test('names are bytes, whatever they mean', () => {
    const name = 'caf\xe9\xff\x01'
    using file = descriptors.adopt(openSync(Buffer.from(`${folder}/top/${name}`, 'latin1'), 'w'))
    expect(file.closed).toBe(false)
    expect(tree.stat(top, name, new Int32Array(STAT_WORDS))).toBe(0)
  })
})

describe('a file is read into pieces of memory', () => {
  test('in their order, from a position, and no further than its end', () => {
    using file = tree.open(top, 'file', 'file') as Fd
    const memory = new Uint8Array(32).fill(0x2e)
    const text = () => Buffer.from(memory).toString('latin1')
    expect(tree.read(file, 1, memory, Int32Array.of(20, 3, 0, 2, 31, 1), 3)).toBe(6)
    expect(text()).toBe('en..................ont........t')
    expect(tree.read(file, 6, memory, Int32Array.of(0, 32), 1)).toBe(2)
    expect(tree.read(file, 8, memory, Int32Array.of(0, 32), 1)).toBe(0)
    expect(tree.read(file, 0, memory, Int32Array.of(32, 0), 1)).toBe(0)
  })

  test('never beyond the memory that was given', () => {
    using file = tree.open(top, 'file', 'file') as Fd
    const memory = new Uint8Array(8)
    for (const [offset, length] of [
      [0, 9],
      [8, 1],
      [9, 0],
      [-1, 2],
      [0, -1],
      [2 ** 31 - 1, 2 ** 31 - 1],
    ] as const) {
      expect(() => tree.read(file, 0, memory, Int32Array.of(0, 1, offset, length), 2)).toThrow(TypeError)
    }
    expect(() => tree.read(file, 0, memory, new Int32Array(2), 2)).toThrow(TypeError)
    expect(() => tree.read(file, 0, memory, new Int32Array(3000), MOST_PIECES + 1)).toThrow(TypeError)
    expect(tree.read(file, 0, memory, new Int32Array(MOST_PIECES * 2), MOST_PIECES)).toBe(0)
    expect(() => tree.read(file, -1, memory, Int32Array.of(0, 1), 1)).toThrow(TypeError)
  })
})

describe('a path of this program', () => {
  test('is opened without following its end, and without waiting for a pipe', () => {
    const kindOf = (path: string, opening: 'file' | 'directory' | 'place') =>
      descriptors.openPath(path, opening).match(
        (fd) => fd.close(),
        (error) => ('code' in error ? error.code : error.kind),
      )
    expect(kindOf(join(folder, 'top/file'), 'file')).toBeUndefined()
    expect(kindOf(join(folder, 'top'), 'directory')).toBeUndefined()
    expect(kindOf(join(folder, 'top/out'), 'place')).toBeUndefined()
    expect(kindOf(join(folder, 'top/out'), 'file')).toBe('ELOOP')
    expect(kindOf(join(folder, 'top/none'), 'file')).toBe('ENOENT')
    execFileSync('mkfifo', [join(folder, 'pipe')], { timeout: 50_000, killSignal: 'SIGKILL' })
    expect(kindOf(join(folder, 'pipe'), 'file')).toBeUndefined()
    for (const wrong of ['relative', '', '/a\0b', `/${'x'.repeat(4095)}`]) {
      expect(kindOf(wrong, 'file')).toBe('invalid-argument')
    }
  })
})

describe('an eventfd from elsewhere', () => {
  test('is taken over, made non-blocking, signalled and cleared', () => {
    using made = descriptors.createEventFd()._unsafeUnwrap()
    using event = descriptors.adoptEventFd(made.fd.duplicate()._unsafeUnwrap())._unsafeUnwrap()
    expect(event.clear()).toBe(false)
    event.signal()._unsafeUnwrap()
    event.signal()._unsafeUnwrap()
    expect(made.clear()).toBe(true)
    expect(made.clear()).toBe(false)
    made.add(2n ** 64n - 2n)._unsafeUnwrap()
    expect(event.signal()._unsafeUnwrapErr().kind).toBe('busy')
    event.close()
    expect(event.clear()).toBe(false)
    expect(event.signal()._unsafeUnwrapErr().kind).toBe('closed')
  })

  test('that is none is refused and left to its owner', () => {
    using file = tree.open(top, 'file', 'file') as Fd
    expect(descriptors.adoptEventFd(file)._unsafeUnwrapErr().kind).toBe('invalid-argument')
    expect(file.closed).toBe(false)
  })
})
