import type { HostError } from '../errors.js'

/** How often a running unit is asked for a sign of life, and how many it may owe. */
export interface HeartbeatTerms {
  /** Milliseconds between two beats; 10 000 by default. */
  readonly intervalMs?: number | undefined
  /**
   * A unit that has been silent for so many intervals has failed; 2 or more, 6 by default. One alone would count the host
   * program's own pauses against its units.
   */
  readonly missedBeats?: number | undefined
}

/** How a host notices that the guest of a unit hangs. */
export interface HeartbeatOptions extends HeartbeatTerms {
  /** For some units, by their names, instead: `off` where a unit may be silent for any time. */
  readonly units?: Readonly<Record<string, 'off' | HeartbeatTerms>> | undefined
}

/** What holds where nothing is said: a minute, so that an emulated machine among many busy ones has its time. */
export const HEARTBEAT = Object.freeze({ intervalMs: 10_000, missedBeats: 6 })

const LONGEST_MS = 2 ** 31 - 1

/** What is wrong with the options of a host. */
export function faultOfHeartbeat(options: 'off' | HeartbeatOptions): HostError | undefined {
  if (options === 'off') return undefined
  const { units = {}, ...all } = options
  const each = Object.entries(units).map(([name, terms]) => [`heartbeat.units.${name}`, terms] as const)
  for (const [field, terms] of [['heartbeat', all] as const, ...each]) {
    if (terms === 'off') continue
    const { intervalMs, missedBeats } = { ...HEARTBEAT, ...present(terms) }
    if (
      !(intervalMs >= 1 && intervalMs <= LONGEST_MS) ||
      !(Number.isInteger(missedBeats) && missedBeats >= 2)
    ) {
      const message = `${field} needs an intervalMs of 1 to ${LONGEST_MS} and missedBeats of 2 or more.`
      return { kind: 'invalid-request', message, field }
    }
  }
  return undefined
}

/** What holds for the unit of this name; undefined: it is not asked. */
export function heartbeatOf(
  options: 'off' | HeartbeatOptions,
  unit: string,
): { readonly intervalMs: number; readonly missedBeats: number } | undefined {
  if (options === 'off') return undefined
  const { units = {}, ...all } = options
  const own = Object.hasOwn(units, unit) ? units[unit]! : {}
  return own === 'off' ? undefined : { ...HEARTBEAT, ...present(all), ...present(own) }
}

function present({ intervalMs, missedBeats }: HeartbeatTerms) {
  return {
    ...(intervalMs === undefined ? {} : { intervalMs }),
    ...(missedBeats === undefined ? {} : { missedBeats }),
  }
}
