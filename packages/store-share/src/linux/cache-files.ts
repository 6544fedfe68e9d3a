import { constants } from 'node:fs'
import {
  chmod,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
} from 'node:fs/promises'
import { dirname } from 'node:path'
import type { CacheFiles, OutputFile } from '../powers.js'
import { fileKey } from './open-files.js'
import { isMissing, openFile } from './tree.js'

/** The files of a blob cache, on this machine. */
export const cacheFiles: CacheFiles = {
  makeDirectory,
  list: (path) => readdir(path),
  async sizeOf(path) {
    try {
      const found = await lstat(path)
      return found.isFile() ? found.size : undefined
    } catch (thrown) {
      if (isMissing(thrown)) return undefined
      throw thrown
    }
  },
  async read(path, maxBytes) {
    const size = await this.sizeOf(path)
    if (size === undefined || size > maxBytes) return undefined
    return this.readAt(path, 0, size)
  },
  async readAt(path, position, length) {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      const buffer = Buffer.alloc(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return buffer.subarray(0, filled)
    } finally {
      await file.close()
    }
  },
  open: openFile,
  async identify(path) {
    try {
      const found = await lstat(path, { bigint: true })
      if (!found.isFile()) return undefined
      return { key: fileKey(found.dev, found.ino), allocatedBytes: Number(found.blocks) * 512 }
    } catch (thrown) {
      if (isMissing(thrown)) return undefined
      throw thrown
    }
  },
  async create(path) {
    return new NewFile(await open(path, 'wx', 0o600))
  },
  makeReadOnly: (path) => chmod(path, 0o444),
  rename,
  link,
  async remove(path) {
    await rm(path, { force: true })
  },
  async removeDirectory(path) {
    try {
      await rmdir(path)
    } catch (thrown) {
      if (!isMissing(thrown)) throw thrown
    }
  },
}

/** Not `recursive`, which never returns below a directory like /proc, where making one is ENOENT. */
async function makeDirectory(path: string): Promise<void> {
  await makeWithParents(path)
  // What lies in it is given to units by its name and trailer alone.
  const { uid, mode } = await stat(path)
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    const message = `${path} belongs to another user or is writable by others; make it your own (chown, chmod go-w)`
    throw Object.assign(new Error(message), { code: 'EPERM' })
  }
}

async function makeWithParents(path: string): Promise<void> {
  const missing = await makeUnlessThere(path)
  if (missing === undefined) return
  const parent = dirname(path)
  if (parent === path) throw missing
  // Another process may have made the parent since: then it only has to be tried again.
  if (!(await exists(parent))) await makeWithParents(parent)
  const still = await makeUnlessThere(path)
  if (still !== undefined) throw still
}

/** Undefined: it is there. Else the error that says that its parent is not. */
async function makeUnlessThere(path: string): Promise<unknown> {
  try {
    await mkdir(path, { mode: 0o700 })
    return undefined
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return undefined
    if (code === 'ENOENT') return thrown
    throw thrown
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (thrown) {
    if (isMissing(thrown)) return false
    throw thrown
  }
}

class NewFile implements OutputFile {
  #closing: Promise<void> | undefined

  constructor(readonly handle: FileHandle) {}

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, position + done)
      done += bytesWritten
    }
  }

  sync(): Promise<void> {
    return this.handle.sync()
  }

  close(): Promise<void> {
    this.#closing ??= this.handle.close()
    return this.#closing
  }
}
