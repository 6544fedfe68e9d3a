import {
  close,
  closeSync,
  constants,
  type Dirent,
  fstat,
  fstatSync,
  lstatSync,
  open,
  openSync,
  read,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import type { ByteString, EntryKind, ReadableFile, TreeReader } from '../powers.js'
import { AdaptiveCalls } from './adaptive-calls.js'

type Kinds = Pick<Dirent, 'isDirectory' | 'isFile' | 'isSymbolicLink'>

/** Larger reads are worth a trip to the thread pool. */
const SMALL_FILE_BYTES = 64 << 10

const calls = new AdaptiveCalls()

/** Reads trees of this machine's file systems, names as bytes. */
export const treeReader: TreeReader = {
  async kindOf(path) {
    try {
      return kindOf(await lstat(bytes(path)))
    } catch (thrown) {
      if (isMissing(thrown)) return undefined
      throw thrown
    }
  },
  async list(path) {
    const options = { withFileTypes: true, encoding: 'buffer' } as const
    const at = bytes(path)
    const entries = await calls.run(
      () => readdirSync(at, options),
      () => readdir(at, options),
    )
    return entries.map((entry) => ({ name: entry.name.toString('latin1'), kind: kindOf(entry) }))
  },
  async fileInfo(path) {
    const at = bytes(path)
    const { size, mode } = await calls.run(
      () => lstatSync(at),
      () => lstat(at),
    )
    return { sizeBytes: size, executable: (mode & constants.S_IXUSR) !== 0 }
  },
  async readLink(path) {
    const at = bytes(path)
    const target = await calls.run(
      () => readlinkSync(at, { encoding: 'buffer' }),
      () => readlink(at, { encoding: 'buffer' }),
    )
    return target.toString('latin1')
  },
  readStart: (path, buffer) =>
    buffer.length <= SMALL_FILE_BYTES
      ? calls.run(
          () => readStartSync(path, buffer),
          () => readStart(path, buffer),
        )
      : readStart(path, buffer),
  readFile: (path, buffer) =>
    calls.run(
      () => readFileSync(path, buffer),
      () => readFile(path, buffer),
    ),
  open: (path) => openFile(bytes(path)),
}

const READING = constants.O_RDONLY | constants.O_NOFOLLOW

function readStartSync(path: ByteString, buffer: Uint8Array): number {
  const fd = openSync(bytes(path), READING)
  try {
    return fill(fd, buffer)
  } finally {
    closeSync(fd)
  }
}

function fill(fd: number, buffer: Uint8Array): number {
  let filled = 0
  while (filled < buffer.length) {
    const count = readSync(fd, buffer, filled, buffer.length - filled, filled)
    if (count === 0) break
    filled += count
  }
  return filled
}

function readFileSync(path: ByteString, buffer: Uint8Array) {
  const fd = openSync(bytes(path), READING)
  try {
    const { size, mode } = fstatSync(fd)
    // What lies beyond the size that was told belongs to nobody; one call less finds the end.
    const count = fill(fd, buffer.subarray(0, size))
    return { sizeBytes: size, executable: (mode & constants.S_IXUSR) !== 0, count }
  } finally {
    closeSync(fd)
  }
}

async function readFile(path: ByteString, buffer: Uint8Array) {
  const file = await openFile(bytes(path))
  try {
    const { size, mode } = await file.stat()
    const count = await file.read(buffer.subarray(0, size), 0)
    return { sizeBytes: size, executable: (mode & constants.S_IXUSR) !== 0, count }
  } finally {
    await file.close()
  }
}

async function readStart(path: ByteString, buffer: Uint8Array): Promise<number> {
  const file = await openFile(bytes(path))
  try {
    return await file.read(buffer, 0)
  } finally {
    await file.close()
  }
}

/** Callbacks, because a promised file handle costs several times as much for a small file. */
export function openFile(path: Buffer | string): Promise<DescriptorFile> {
  return new Promise((resolve, reject) => {
    open(path, READING, (failed, fd) => {
      if (failed) reject(failed)
      else resolve(new DescriptorFile(fd))
    })
  })
}

class DescriptorFile implements ReadableFile {
  #closing: Promise<void> | undefined

  constructor(readonly fd: number) {}

  async read(buffer: Uint8Array, position: number): Promise<number> {
    let filled = 0
    while (filled < buffer.length) {
      const count = await this.#readOnce(buffer, filled, position + filled)
      if (count === 0) break
      filled += count
    }
    return filled
  }

  #readOnce(buffer: Uint8Array, offset: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      read(this.fd, buffer, offset, buffer.length - offset, position, (failed, count) => {
        if (failed) reject(failed)
        else resolve(count)
      })
    })
  }

  stat(): Promise<Stats> {
    return new Promise((resolve, reject) => {
      fstat(this.fd, (failed, stats) => (failed ? reject(failed) : resolve(stats)))
    })
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve, reject) => {
      close(this.fd, (failed) => (failed ? reject(failed) : resolve()))
    })
    return this.#closing
  }
}

function kindOf(entry: Kinds): EntryKind {
  if (entry.isDirectory()) return 'directory'
  if (entry.isFile()) return 'file'
  return entry.isSymbolicLink() ? 'symlink' : 'other'
}

function bytes(path: ByteString): Buffer {
  return Buffer.from(path, 'latin1')
}

export function isMissing(thrown: unknown): boolean {
  const { code } = thrown as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}
