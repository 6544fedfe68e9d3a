import type { DurableLog, HostFiles } from '../powers.js'
import { type LogLine, type LogOptions, type LogSource, parseLine, printLine } from './log-line.js'

export interface UnitLogPowers {
  readonly files: Pick<HostFiles, 'openLog' | 'read' | 'remove' | 'rename'>
  /** Makes the directory of the files, when the first line is written. */
  makeDirectory(): Promise<void>
  epochMs(): number
}

export interface UnitLogBounds {
  /** Bytes of one file. There are two of them: the older one goes when the newer one is full. */
  readonly fileBytes: number
  /** Lines that wait for the disk, or for a reader that follows; more are dropped and counted. */
  readonly waitingLines: number
  /** Lines kept in memory, to be read where the disk would not take them. */
  readonly keptLines: number
}

export const UNIT_LOG_BOUNDS: UnitLogBounds = { fileBytes: 1024 * 1024, waitingLines: 2_000, keptLines: 200 }

const LONGEST_TEXT = 2_048

const encoder = new TextEncoder()

/**
 * What was said by and about one unit: in two files of bounded size, which take turns, and a bounded number of lines in
 * memory. A disk that takes nothing costs the lines and nothing else.
 */
export class UnitLog {
  readonly #newest: string
  readonly #older: string
  readonly #kept: LogLine[] = []
  readonly #followers = new Set<Follower>()
  readonly #waiting: LogLine[] = []
  #dropped = 0
  #seq = 0
  #file: DurableLog | undefined
  #bytes = 0
  #made = false
  /** Reading and writing take turns: the files do so, too. */
  #turns: Promise<unknown> = Promise.resolve()
  #due = false
  #closed = false

  constructor(
    private readonly powers: UnitLogPowers,
    /** Absolute path. */
    directory: string,
    private readonly bounds: UnitLogBounds = UNIT_LOG_BOUNDS,
  ) {
    this.#newest = `${directory}/0.log`
    this.#older = `${directory}/1.log`
  }

  /** `text` is escaped already. Gives back what the log made of it. */
  add(source: LogSource, text: string): LogLine {
    this.#seq += 1
    const cut = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1)}…` : text
    const line = { seq: this.#seq, at: this.powers.epochMs(), source, text: cut }
    if (this.#closed) return line
    this.#kept.push(line)
    if (this.#kept.length > this.bounds.keptLines) this.#kept.shift()
    for (const follower of this.#followers) follower.push(line)
    if (this.#waiting.length >= this.bounds.waitingLines) this.#dropped += 1
    else this.#waiting.push(line)
    if (!this.#due) this.#write()
    return line
  }

  /** Oldest first. A reader that follows and is slow misses lines, which their numbers tell. */
  async *read(options: LogOptions = {}): AsyncGenerator<LogLine, void, undefined> {
    const { follow = false, lastLines = Number.POSITIVE_INFINITY, signal } = options
    const follower = follow && !this.#closed ? new Follower(this.bounds.waitingLines) : undefined
    if (follower !== undefined) this.#followers.add(follower)
    const stop = () => follower?.end()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const said = await this.#said()
      for (const line of said.slice(Math.max(0, said.length - lastLines))) {
        if (signal?.aborted) return
        yield line
      }
      const last = said.at(-1)?.seq ?? 0
      if (follower === undefined || signal?.aborted) return
      for await (const line of follower.lines()) if (line.seq > last) yield line
    } finally {
      signal?.removeEventListener('abort', stop)
      if (follower !== undefined) this.#followers.delete(follower)
    }
  }

  /** Writes what waits, closes the file, and ends every reader that follows. What was written stays. */
  async close(): Promise<void> {
    this.#closed = true
    for (const follower of this.#followers) follower.end()
    await this.#turns
    await this.#file?.close().catch(() => {})
    this.#file = undefined
  }

  /** What is kept of all that was said until now, whether the disk took it or not. */
  #said(): Promise<readonly LogLine[]> {
    const upTo = this.#seq
    return this.#inTurn(async () => {
      const found = new Map<number, LogLine>()
      for (const path of [this.#older, this.#newest]) {
        const text = await this.powers.files.read(path, this.bounds.fileBytes * 2).catch(() => undefined)
        for (const part of text?.split('\n') ?? []) {
          const line = parseLine(part)
          if (line !== undefined) found.set(line.seq, line)
        }
      }
      for (const line of this.#kept) found.set(line.seq, line)
      return [...found.values()].filter(({ seq }) => seq <= upTo).sort((a, b) => a.seq - b.seq)
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turns.then(work)
    this.#turns = turn.catch(() => {})
    return turn
  }

  #write(): void {
    this.#due = true
    void this.#inTurn(async () => {
      this.#due = false
      const lines = this.#waiting.splice(0)
      if (lines.length === 0) return
      if (this.#dropped > 0) {
        // In the place of the first of them.
        const last = lines.at(-1)!
        const text = `(${this.#dropped} lines left out here)`
        lines.push({ seq: last.seq + 1, at: last.at, source: 'host', text })
        this.#dropped = 0
      }
      try {
        await this.#append(lines)
      } catch {
        // The newest lines are in memory; the next ones try a new file.
        await this.#file?.close().catch(() => {})
        this.#file = undefined
      }
    })
  }

  /** As many whole lines into one file as it has room for, then into the next. */
  async #append(lines: readonly LogLine[]): Promise<void> {
    let text = ''
    for (const line of lines.map(printLine)) {
      const bytes = encoder.encode(line).length
      if (this.#file === undefined || this.#bytes + bytes > this.bounds.fileBytes) {
        await this.#file?.append(text)
        text = ''
        await this.#openNext()
      }
      text += line
      this.#bytes += bytes
    }
    await this.#file!.append(text)
  }

  async #openNext(): Promise<void> {
    const { files } = this.powers
    if (!this.#made) {
      await this.powers.makeDirectory()
      this.#made = true
    }
    const full = this.#file
    this.#file = undefined
    await full?.close()
    // A file that is there is older than this one, or broken.
    await files.rename(this.#newest, this.#older).catch(() => {})
    await files.remove(this.#newest)
    this.#file = await files.openLog(this.#newest)
    this.#bytes = 0
  }
}

/** Lines that one reader has not read yet; the oldest give way. */
class Follower {
  readonly #lines: LogLine[] = []
  #wake = () => {}
  #ended = false

  constructor(private readonly most: number) {}

  push(line: LogLine): void {
    this.#lines.push(line)
    if (this.#lines.length > this.most) this.#lines.shift()
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  async *lines(): AsyncGenerator<LogLine, void, undefined> {
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) yield line
      if (this.#ended) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
