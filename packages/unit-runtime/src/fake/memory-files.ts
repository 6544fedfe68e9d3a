import type { FileKind, HostFiles } from '../powers.js'

interface Entry {
  kind: FileKind
  text: string
  sizeBytes: number
}

/** A file system in memory, as much of it as a host uses. */
export interface MemoryFiles extends HostFiles {
  /** Absolute paths of everything that exists, sorted. */
  paths(): readonly string[]
  /** From now on writing fails with this system error code (`ENOSPC`), or works again. */
  failWrites(code: string | undefined): void
}

/** A host's files, in memory: empty at first, and without anybody else's. */
export function memoryFiles(): MemoryFiles {
  const entries = new Map<string, Entry>()
  let failure: string | undefined
  const write = () => {
    if (failure !== undefined) throw Object.assign(new Error(`${failure}: no write`), { code: failure })
  }
  const openLog = async (path: string) => {
    write()
    const entry: Entry = { kind: 'file', text: '', sizeBytes: 0 }
    entries.set(path, entry)
    return {
      async append(line: string) {
        write()
        entry.text += line
        entry.sizeBytes = entry.text.length
      },
      async close() {},
    }
  }
  const below = (path: string) =>
    [...entries.keys()].filter((each) => each === path || each.startsWith(`${path}/`)).sort()
  return {
    paths: () => [...entries.keys()].sort(),
    failWrites(code) {
      failure = code
    },
    async makeDirectory(path) {
      write()
      const parts = path.split('/').slice(1)
      for (let depth = 1; depth <= parts.length; depth += 1) {
        const directory = `/${parts.slice(0, depth).join('/')}`
        if (!entries.has(directory)) entries.set(directory, { kind: 'directory', text: '', sizeBytes: 0 })
      }
    },
    async list(path) {
      const names = below(path).flatMap((each) => each.slice(path.length + 1).split('/')[0] || [])
      return [...new Set(names)]
    },
    async walk(path) {
      return below(path).map((each) => ({ path: each, kind: entries.get(each)!.kind }))
    },
    async read(path, maxBytes) {
      return entries.get(path)?.text.slice(0, maxBytes)
    },
    async size(path) {
      return entries.get(path)?.sizeBytes
    },
    async replace(path, bytes) {
      write()
      entries.set(path, { kind: 'file', text: '', sizeBytes: bytes.length })
    },
    async rename(from, to) {
      write()
      const entry = entries.get(from)
      if (entry === undefined) throw Object.assign(new Error(`no ${from}`), { code: 'ENOENT' })
      entries.set(to, entry)
      entries.delete(from)
    },
    openJournal: openLog,
    openLog,
    async remove(path) {
      for (const each of below(path)) entries.delete(each)
    },
    async mountsUnder() {
      return []
    },
    async unmount() {},
  }
}
