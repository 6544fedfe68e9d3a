import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path/posix'
import type { DurableLog, FileKind, HostFiles } from '../powers.js'
import { runToEnd } from './run-to-end.js'

/** The host's own directories on this machine. Failures reject with the system's error (`code`). */
export const linuxHostFiles: HostFiles = {
  async makeDirectory(path) {
    await makeWithParents(path)
    const facts = await lstat(path)
    if (!facts.isDirectory()) throw refusal('ENOTDIR', path, 'is no directory; remove it')
    if (facts.uid !== process.getuid?.()) throw refusal('EPERM', path, `belongs to user ${facts.uid}`)
    if ((facts.mode & 0o022) !== 0) throw refusal('EPERM', path, 'is writable by others; chmod go-w')
  },

  async list(path) {
    return (await orAbsent(readdir(path), ['ENOENT', 'ENOTDIR'])) ?? []
  },

  async walk(path) {
    const found: { path: string; kind: FileKind }[] = []
    await walkInto(path, found)
    return found
  },

  async read(path, maxBytes) {
    const handle = await orAbsent(open(path, constants.O_RDONLY | constants.O_NOFOLLOW))
    if (handle === undefined) return undefined
    try {
      const { size } = await handle.stat()
      const bytes = Buffer.alloc(Math.min(size, maxBytes))
      let filled = 0
      while (filled < bytes.length) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return bytes.toString('utf8', 0, filled)
    } finally {
      await handle.close()
    }
  },

  async size(path) {
    const facts = await orAbsent(lstat(path))
    return facts?.isFile() ? facts.size : undefined
  },

  async replace(path, bytes, temporary) {
    try {
      const handle = await open(temporary, 'wx', 0o600)
      try {
        await handle.writeFile(bytes)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(temporary, path)
    } catch (cause) {
      await rm(temporary, { force: true })
      throw cause
    }
    await syncDirectory(dirname(path))
  },

  async rename(from, to) {
    await rename(from, to)
    // It has been renamed, so this is no failure any more; a machine that loses its power has either file.
    await syncDirectory(dirname(to)).catch(() => {})
  },

  async openJournal(path): Promise<DurableLog> {
    const handle = await open(path, 'ax', 0o600)
    await syncDirectory(dirname(path)).catch(async (cause: unknown) => {
      await handle.close()
      throw cause
    })
    return {
      async append(line) {
        await handle.appendFile(line)
        await handle.datasync()
      },
      close: () => handle.close(),
    }
  },

  async openLog(path): Promise<DurableLog> {
    const handle = await open(path, 'ax', 0o600)
    return { append: (line) => handle.appendFile(line), close: () => handle.close() }
  },

  async remove(path) {
    await rm(path, { recursive: true, force: true })
  },

  async mountsUnder(path) {
    // Field 5 is the mount point, with space, tab, newline and backslash as \ooo (proc(5), mountinfo).
    const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
    const points = lines.flatMap((line) => line.split(' ')[4] ?? [])
    const plain = points.map((point) => point.replace(/\\([0-7]{3})/g, (_, digits) => octal(digits)))
    return plain.filter((point) => point === path || point.startsWith(`${path}/`))
  },

  async unmount(path) {
    const { code, stderr } = await runToEnd('umount', ['--lazy', '--no-canonicalize', path])
    if (code !== 0) throw new Error(`umount ${path} failed: ${stderr}`)
  },
}

/** Not `recursive`, which never returns below a directory like /proc, where making one is ENOENT. */
async function makeWithParents(path: string): Promise<void> {
  const missing = await makeUnlessThere(path)
  if (missing === undefined) return
  const parent = dirname(path)
  if (parent === path) throw missing
  // Another host may have made the parent since: then it only has to be tried again.
  if ((await orAbsent(lstat(parent))) === undefined) await makeWithParents(parent)
  const still = await makeUnlessThere(path)
  if (still !== undefined) throw still
}

/** Undefined: it is there. Else the error that says that its parent is not. */
async function makeUnlessThere(path: string): Promise<unknown> {
  try {
    await mkdir(path, { mode: 0o700 })
    return undefined
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') return undefined
    if (code === 'ENOENT') return cause
    throw cause
  }
}

function refusal(code: string, path: string, why: string): Error {
  return Object.assign(new Error(`${path} ${why}`), { code, path })
}

function octal(digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 8))
}

async function walkInto(path: string, found: { path: string; kind: FileKind }[]): Promise<void> {
  const facts = await orAbsent(lstat(path))
  if (facts === undefined) return
  const directory = facts.isDirectory()
  const kind = directory ? 'directory' : facts.isFile() ? 'file' : facts.isSocket() ? 'socket' : 'other'
  found.push({ path, kind })
  if (!directory) return
  for (const name of ((await orAbsent(readdir(path))) ?? []).sort()) await walkInto(`${path}/${name}`, found)
}

/** A rename or a new name is on the disk only when the directory is. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function orAbsent<T>(work: Promise<T>, codes: readonly string[] = ['ENOENT']): Promise<T | undefined> {
  try {
    return await work
  } catch (cause) {
    if (codes.includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined
    throw cause
  }
}
