import type { HostDirectory } from '../host-directory.js'
import type { LogLine, LogOptions, LogSource } from './log-line.js'
import { UnitLog } from './unit-log.js'

/** The logs of a host's units, by name, until the host stops: also of units that have ended. */
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
    const path = `${this.directory.path}/logs/${unit}`
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

  add(unit: string, source: LogSource, text: string): LogLine {
    return this.of(unit).add(source, text)
  }

  /** Empty for a unit that there has never been. */
  async *read(unit: string, options?: LogOptions): AsyncGenerator<LogLine, void, undefined> {
    const log = this.#logs.get(unit)
    if (log !== undefined) yield* log.read(options)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.close()))
  }
}
