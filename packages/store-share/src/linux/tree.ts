import { close, constants, type Dirent, open, read } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import type { ByteString, EntryKind, ReadableFile, TreeReader } from '../powers.js'

type Kinds = Pick<Dirent, 'isDirectory' | 'isFile' | 'isSymbolicLink'>

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
    const entries = await readdir(bytes(path), { withFileTypes: true, encoding: 'buffer' })
    return entries.map((entry) => ({ name: entry.name.toString('latin1'), kind: kindOf(entry) }))
  },
  async fileInfo(path) {
    const { size, mode } = await lstat(bytes(path))
    return { sizeBytes: size, executable: (mode & constants.S_IXUSR) !== 0 }
  },
  async readLink(path) {
    return (await readlink(bytes(path), { encoding: 'buffer' })).toString('latin1')
  },
  async readStart(path, maxBytes) {
    const file = await openFile(path)
    try {
      const contents = Buffer.allocUnsafe(maxBytes)
      return contents.subarray(0, await file.read(contents, 0))
    } finally {
      await file.close()
    }
  },
  open: openFile,
}

/** Callbacks, because a promised file handle costs several times as much for a small file. */
function openFile(path: ByteString): Promise<ReadableFile> {
  return new Promise((resolve, reject) => {
    open(bytes(path), constants.O_RDONLY | constants.O_NOFOLLOW, (failed, fd) => {
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
