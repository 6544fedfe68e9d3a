import type { Host } from '../host.js'
import type { UnitState } from '../unit.js'
import { bounded, type UnitStatus } from './requests.js'

/** Units that have ended and are still told about. */
const MOST_ENDED = 256

/** In which a unit has no machine that was met. */
const downStates: ReadonlySet<UnitState> = new Set(['dormant', 'starting', 'backing-off'])

interface Entry {
  readonly state: UnitState
  readonly since: number
  readonly why: string | undefined
}

/** What has become of the units of a host, also of those that it holds no longer. */
export class UnitBook {
  readonly #entries = new Map<string, Entry>()
  readonly #host: Host
  readonly #epochMs: () => number

  constructor(host: Host, epochMs: () => number) {
    this.#host = host
    this.#epochMs = epochMs
    for (const { name, state } of host.units.values()) this.note(name, state, undefined)
  }

  note(unit: string, state: UnitState, why: string | undefined): void {
    this.#entries.delete(unit)
    this.#entries.set(unit, { state, since: this.#epochMs(), why })
    const ended = [...this.#entries].filter(([name]) => !this.#host.units.has(name))
    for (const [name] of ended.slice(0, Math.max(0, ended.length - MOST_ENDED))) this.#entries.delete(name)
  }

  /** The state in which a unit was last seen; `undefined` when none of that name was. */
  stateOf(unit: string): UnitState | undefined {
    return this.#entries.get(unit)?.state
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()]
  }

  list(): readonly UnitStatus[] {
    // Those that the host holds in its own order, then those that have ended.
    const { units } = this.#host
    const names = new Set([...units.keys(), ...this.#entries.keys()])
    return [...names].flatMap((name) => {
      const unit = units.get(name)
      const entry = this.#entries.get(name)
      if (entry === undefined) return []
      const { state, since, why } = entry
      const running =
        unit === undefined || unit.boot === undefined || downStates.has(unit.state)
          ? undefined
          : {
              bootId: unit.boot.bootId,
              kernel: unit.boot.kernelRelease,
              paths: unit.closure.paths.length,
              shared: unit.store.shared,
              injection: unit.injection,
              processes: unit.processes
                .slice(0, 64)
                .map(({ pid, role }) => ({ pid, role: bounded(role, 20) })),
            }
      return {
        name,
        state: unit?.state ?? state,
        since,
        why: why === undefined ? undefined : bounded(why),
        restarts: unit?.restarts,
        running,
      }
    })
  }
}
