import type { DurableLog, HostFiles, ProcessIdentity } from './powers.js'

/**
 * One line of a host's journal. Whatever outlives a call is recorded before it exists, and the record is on
 * the disk before the thing is made: a program that dies at any point leaves nothing that is not written here.
 */
export type JournalRecord =
  | {
      /** The first line: whose journal it is. */
      readonly record: 'host'
      /** Of the journal's format. */
      readonly version: 1
      /** Of the host program. */
      readonly pid: number
      /** Field 22 of `/proc/PID/stat` (proc(5)), as text. */
      readonly startTime: string
      /** `/proc/sys/kernel/random/boot_id`. */
      readonly bootId: string
    }
  /** A process is about to be spawned with `token` in its environment. */
  | {
      readonly record: 'process-intended'
      /** Unlike that of any other process of the host; the process bears it in its environment. */
      readonly token: string
      /** What the process is for, in a word. */
      readonly role: string
    }
  | {
      /** A process runs under the token; it is known by its pid and start time. */
      readonly record: 'process-started'
      readonly token: string
      readonly pid: number
      readonly startTime: string
    }
  | {
      /** The process of this token has been reaped. */
      readonly record: 'process-ended'
      readonly token: string
    }
  /** A file, directory or socket is about to be made at this absolute path. */
  | { readonly record: 'path-intended'; readonly what: JournalledPath; readonly path: string }
  | {
      /** What was at this absolute path is gone. */
      readonly record: 'path-removed'
      readonly path: string
    }

/** What is made at a path of the journal, and so how it is removed. */
export type JournalledPath = 'directory' | 'socket' | 'file' | 'cgroup'

export const JOURNAL_FILE = 'journal'

// A line is short, so this is hundreds of thousands of records. What lies beyond is not read: the beginning has
// the paths, and the processes carry their mark.
const MOST_BYTES = 64 * 1024 * 1024

/** A journal that has grown by so much is written anew with what still holds. */
const SHRINK_BYTES = 4 * 1024 * 1024

/** The open journal of a living host. Appends keep their order; each is durable when it resolves. */
export class Journal {
  readonly state = new JournalState()
  #last: Promise<void> = Promise.resolve()
  /** The last append failed, so the file may end in the middle of a line. */
  #torn = false
  #grown = 0
  #shrinkAt: number

  private constructor(
    private readonly files: HostFiles,
    private readonly path: string,
    private log: DurableLog,
    private readonly onRecord: (record: JournalRecord) => void,
    private readonly shrinkBytes: number,
  ) {
    this.#shrinkAt = shrinkBytes
  }

  static async create(
    files: HostFiles,
    directory: string,
    onRecord: (record: JournalRecord) => void,
    shrinkBytes = SHRINK_BYTES,
  ): Promise<Journal> {
    const path = `${directory}/${JOURNAL_FILE}`
    return new Journal(files, path, await files.openJournal(path), onRecord, shrinkBytes)
  }

  append(record: JournalRecord): Promise<void> {
    const write = this.#last.then(async () => {
      // A torn line is ended first: it must not swallow this one.
      const line = `${this.#torn ? '\n' : ''}${lineOf(record)}`
      this.#torn = true
      await this.log.append(line)
      this.#torn = false
      this.state.apply(record)
      this.#grown += line.length
      if (this.#grown >= this.#shrinkAt) await this.#shrink()
      this.onRecord(record)
    })
    // A failed append is told to its caller; the next one gets its own chance and its own error.
    this.#last = write.catch(() => {})
    return write
  }

  async close(): Promise<void> {
    await this.#last
    await this.log.close()
  }

  /** Takes the place of the journal at once, by a rename. What fails here costs disk space and nothing else. */
  async #shrink(): Promise<void> {
    const path = `${this.path}.next`
    let next: DurableLog | undefined
    try {
      await this.files.remove(path)
      next = await this.files.openJournal(path)
      await next.append(this.state.records().map(lineOf).join(''))
      await this.files.rename(path, this.path)
    } catch {
      await next?.close()
      await this.files.remove(path).catch(() => {})
      // A disk that is full now may be so for long: half as often each time.
      this.#shrinkAt *= 2
      return
    }
    await this.log.close()
    this.log = next
    this.#grown = 0
    this.#shrinkAt = this.shrinkBytes
  }
}

function lineOf(record: JournalRecord): string {
  return `${JSON.stringify(record)}\n`
}

/** What a journal says exists, by replaying its records. */
export class JournalState {
  readonly processes = new Map<string, JournalledProcess>()
  readonly paths = new Map<string, JournalledPath>()
  owner: { readonly process: ProcessIdentity; readonly bootId: string } | undefined

  apply(record: JournalRecord): void {
    switch (record.record) {
      case 'host':
        this.owner = {
          process: { pid: record.pid, startTime: record.startTime },
          bootId: record.bootId,
        }
        return
      case 'process-intended':
        this.processes.set(record.token, { token: record.token, role: record.role, process: undefined })
        return
      case 'process-started': {
        const { token, pid, startTime } = record
        const role = this.processes.get(token)?.role ?? 'unknown'
        this.processes.set(token, { token, role, process: { pid, startTime } })
        return
      }
      case 'process-ended':
        this.processes.delete(record.token)
        return
      case 'path-intended':
        this.paths.set(record.path, record.what)
        return
      case 'path-removed':
        // What lay below went with it; nobody records the end of every socket.
        for (const path of this.paths.keys()) {
          if (path === record.path || path.startsWith(`${record.path}/`)) this.paths.delete(path)
        }
    }
  }

  /** The fewest records that say the same. */
  records(): readonly JournalRecord[] {
    const records: JournalRecord[] = []
    if (this.owner !== undefined) {
      records.push({ record: 'host', version: 1, ...this.owner.process, bootId: this.owner.bootId })
    }
    for (const { token, role, process } of this.processes.values()) {
      records.push({ record: 'process-intended', token, role })
      if (process !== undefined) records.push({ record: 'process-started', token, ...process })
    }
    for (const [path, what] of this.paths) records.push({ record: 'path-intended', what, path })
    return records
  }
}

export interface JournalledProcess {
  readonly token: string
  readonly role: string
  /** Undefined between the intent and the spawn: only the token in the environment finds it then. */
  readonly process: ProcessIdentity | undefined
}

/**
 * Replays the journal of a dead host. A torn last line is what a crash leaves and is passed over: the thing
 * it would have announced was never made. Any other unreadable line is counted, not trusted.
 */
export async function readJournal(
  files: HostFiles,
  directory: string,
): Promise<{ readonly state: JournalState; readonly unreadable: number }> {
  const state = new JournalState()
  const text = (await files.read(`${directory}/${JOURNAL_FILE}`, MOST_BYTES)) ?? ''
  const lines = text.split('\n')
  lines.pop()
  let unreadable = 0
  for (const line of lines) {
    if (line === '') continue
    const record = parseRecord(line)
    if (record === undefined) unreadable += 1
    else state.apply(record)
  }
  return { state, unreadable }
}

function parseRecord(line: string): JournalRecord | undefined {
  let value: Record<string, unknown>
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const name = String(value['record'])
  if (!Object.hasOwn(RECORDS, name)) return undefined
  const rules = Object.entries(RECORDS[name as JournalRecord['record']])
  return rules.every(([field, rule]) => rule(value[field])) ? (value as unknown as JournalRecord) : undefined
}

type Rule = (value: unknown) => boolean
const isToken: Rule = (value) => typeof value === 'string' && /^[0-9a-f]{1,64}$/.test(value)
const isTicks: Rule = (value) => typeof value === 'string' && /^[0-9]{1,20}$/.test(value)
const isPid: Rule = (value) => Number.isSafeInteger(value) && Number(value) > 1
const isText: Rule = (value) => typeof value === 'string' && value.length <= 4096
const isPath: Rule = (value) => typeof value === 'string' && value.startsWith('/') && !value.includes('\0')

const RECORDS: Record<JournalRecord['record'], Readonly<Record<string, Rule>>> = {
  host: { version: (value) => value === 1, pid: isPid, startTime: isTicks, bootId: isText },
  'process-intended': { token: isToken, role: isText },
  'process-started': { token: isToken, pid: isPid, startTime: isTicks },
  'process-ended': { token: isToken },
  'path-intended': {
    what: (value) => ['directory', 'socket', 'file', 'cgroup'].includes(value as string),
    path: isPath,
  },
  'path-removed': { path: isPath },
}
