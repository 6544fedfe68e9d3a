import type { HostDirectory } from '../host-directory.js'
import type { LogLine, LogOptions, LogSource } from './log-line.js'
import { UnitLog } from './unit-log.js'

/** The logs of a host's units, by name, until the host stops: also of units that have ended, but for disposables. */
export class HostLogs {
  readonly #logs = new Map<string, UnitLog>()

  constructor(
    private readonly directory: HostDirectory,
    private readonly epochMs: () => number,
  ) {}

  /** A unit that comes after another one of its name goes on with that one's log. */
  of(unit: string): UnitLog {
    const found = this.#logs.get(unit)
    if (found !== undefined) return found
    const path = this.#pathOf(unit)
    const log = new UnitLog(
      {
        files: this.directory.files,
        makeDirectory: () => this.directory.make(path),
        epochMs: this.epochMs,
      },
      path,
    )
    this.#logs.set(unit, log)
    return log
  }

  /** Undefined for a unit of which nothing is kept any more: its machine may have had last words. */
  add(unit: string, source: LogSource, text: string): LogLine | undefined {
    return this.#logs.get(unit)?.add(source, text)
  }

  /** Empty for a unit that there has never been. */
  async *read(unit: string, options?: LogOptions): AsyncGenerator<LogLine, void, undefined> {
    const log = this.#logs.get(unit)
    if (log !== undefined) yield* log.read(options)
  }

  /** Removes what a unit has said that has ended and whose name does not come again. Never rejects. */
  async forget(unit: string): Promise<void> {
    const log = this.#logs.get(unit)
    if (log === undefined) return
    await log.close().catch(() => {})
    this.#logs.delete(unit)
    await this.directory.remove(this.#pathOf(unit)).catch(() => {})
  }

  #pathOf(unit: string): string {
    return `${this.directory.path}/logs/${unit}`
  }

  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.close()))
  }
}
