import { LineSplitter } from './line-splitter.js'
import { paced } from './pacing.js'
import type { Clock } from './powers.js'
import { escapeText } from './printable.js'

/** Who wrote a line: the guest on its console, or the monitor's processes. */
export type LogSource = 'console' | 'monitor'

/** Bounds of what one machine may make its host remember, say and read. */
export interface LogBounds {
  /** Lines kept for `lastLines()`. */
  readonly keptLines: number
  /** Bytes of one line; the rest of it is dropped and `…` says so. */
  readonly lineBytes: number
  /** `log` events per second; the rest are counted, and one line says how many. */
  readonly eventsPerSecond: number
  /** Bytes read per second and source; beyond it reading stops, and the guest's serial port has to wait. */
  readonly bytesPerSecond: number
}

/** How much of a machine's log is kept and passed on. */
export const LOG_BOUNDS: LogBounds = {
  keptLines: 200,
  lineBytes: 1024,
  eventsPerSecond: 200,
  bytesPerSecond: 512 * 1024,
}

/**
 * What a machine (or whatever is in it) says: the newest lines, and events at a bounded rate. The guest writes it, so
 * every line is cut and escaped before anybody sees it.
 */
export class MachineLog<Source extends string = LogSource> {
  readonly #lines: string[] = []
  #second = Number.NEGATIVE_INFINITY
  #saidThisSecond = 0
  #unsaid = 0

  constructor(
    private readonly clock: Clock,
    private readonly say: (line: { source: Source; text: string }) => void,
    private readonly bounds: LogBounds = LOG_BOUNDS,
  ) {}

  /** Oldest first. */
  lastLines(): readonly string[] {
    return [...this.#lines]
  }

  /** Reads `bytes` to their end. Resolves when they end; never rejects. */
  async follow(source: Source, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    const splitter = new LineSplitter(this.bounds.lineBytes, (line, truncated) => {
      const text = decoder.decode(line).replace(/\r+$/, '')
      this.#add(source, `${escapeText(text)}${truncated ? '…' : ''}`)
    })
    try {
      for await (const chunk of paced(bytes, this.clock, this.bounds.bytesPerSecond)) splitter.push(chunk)
    } catch {
      // A stream that breaks has ended; why the machine ended is told by its process.
    }
    splitter.end()
    this.#sayUnsaid(source)
  }

  /** One line, escaped by whoever cut it out of what was said. */
  add(source: Source, line: string): void {
    const { lineBytes } = this.bounds
    this.#add(source, line.length > lineBytes ? `${line.slice(0, lineBytes)}…` : line)
  }

  #add(source: Source, text: string): void {
    if (text === '') return
    this.#lines.push(text)
    if (this.#lines.length > this.bounds.keptLines) this.#lines.shift()
    const now = this.clock.now()
    if (now - this.#second >= 1000) {
      this.#second = now
      this.#saidThisSecond = 0
      this.#sayUnsaid(source)
    }
    if (this.#saidThisSecond >= this.bounds.eventsPerSecond) {
      this.#unsaid += 1
      return
    }
    this.#saidThisSecond += 1
    this.#emit({ source, text })
  }

  #sayUnsaid(source: Source): void {
    if (this.#unsaid > 0) this.#emit({ source, text: `(${this.#unsaid} lines left out here)` })
    this.#unsaid = 0
  }

  #emit(line: { source: Source; text: string }): void {
    try {
      this.say(line)
    } catch (error) {
      // A listener that throws is its author's mistake: it must surface, and must not stop the log.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}
