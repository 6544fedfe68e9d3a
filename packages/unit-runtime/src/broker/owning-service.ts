import type { Clock, Processes } from '@spectrum/unit-monitor'
import type { HostService } from './powers.js'

/** What a service gets that starts programs or keeps files for its calls: all of it is the host's, and ends with it. */
export interface ServicePowers {
  /** The host's: monotonic milliseconds, and deadlines. */
  readonly clock: Clock
  /** In the host's journal: a host that dies leaves none of them behind. */
  readonly processes: Processes
  /** A private directory, whose path is short enough for sockets in it. Disposing it removes it. */
  directory(): Promise<
    {
      /** Absolute path. */
      readonly path: string
    } & AsyncDisposable
  >
  /** Only in such a directory; `path` is absolute. The text is written as UTF-8. */
  writeFile(path: string, text: string): Promise<void>
}

/** A service of the host program that has more than functions. */
export interface OwningService {
  /** Once for each host. Starts nothing yet. */
  open(powers: ServicePowers): OpenService
}

/** A function that units of one host call, with what it owns. */
export interface OpenService {
  /** The function that carries each call. */
  readonly serve: HostService
  /** Every call of it has ended or is ending: resolves when nothing of it is left. Idempotent, never rejects. */
  close(): Promise<void>
}

/** All services of one host. */
export interface OpenServices {
  readonly functions: Readonly<Record<string, HostService>>
  close(): Promise<void>
}

/** Opens those that own something. */
export function openServices(
  services: Readonly<Record<string, HostService | OwningService>>,
  powers: ServicePowers,
): OpenServices {
  const open: OpenService[] = []
  const functions = Object.entries(services).map(([name, service]): [string, HostService] => {
    if (typeof service === 'function') return [name, service]
    const opened = service.open(powers)
    open.push(opened)
    return [name, opened.serve]
  })
  return {
    functions: Object.fromEntries(functions),
    // One that throws holds up none of the others.
    close: async () => {
      const closed = await Promise.allSettled(open.map(async (one) => one.close()))
      for (const each of closed) if (each.status === 'rejected') throw each.reason
    },
  }
}
