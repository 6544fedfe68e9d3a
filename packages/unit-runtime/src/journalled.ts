import type { OneShotListener, Processes, Sockets } from '@spectrum/unit-monitor'
import { MARKER, markerValue } from './identity.js'
import type { Journal } from './journal.js'
import type { ProcessTable } from './powers.js'

/**
 * Starts processes only after the journal knows of them. Each carries a random token in its environment, which
 * proves later that it is ours even when the host died between the spawn and the record of the pid.
 */
export function journalledProcesses(
  processes: Processes,
  powers: {
    readonly journal: Journal
    readonly table: ProcessTable
    readonly host: string
    readonly token: () => string
  },
): Processes {
  const { journal, table, host } = powers
  return {
    async spawn(request) {
      const token = powers.token()
      await journal.append({ record: 'process-intended', token, role: request.role })
      const environment = { ...request.environment, [MARKER]: markerValue(host, token) }
      let spawned: Awaited<ReturnType<Processes['spawn']>>
      try {
        spawned = await processes.spawn({ ...request, environment })
      } catch (cause) {
        await journal.append({ record: 'process-ended', token })
        throw cause
      }
      try {
        const identity = await table.identify(spawned.pid)
        if (identity !== undefined) await journal.append({ record: 'process-started', token, ...identity })
      } catch (cause) {
        // A process that cannot be journalled must not run: without the record nobody would end it.
        spawned.kill()
        await spawned.exit
        throw cause
      }
      const exit = spawned.exit.then(async (ended) => {
        // The journal may be full or closed by now; reconciliation then finds nothing alive, which is right.
        await journal.append({ record: 'process-ended', token }).catch(() => {})
        return ended
      })
      return {
        pid: spawned.pid,
        output: spawned.output,
        exit,
        kill: () => spawned.kill(),
      }
    },
  }
}

/** Makes sockets only after the journal knows their paths. */
export function journalledSockets(sockets: Sockets, journal: Journal): Sockets {
  return {
    async listen(path): Promise<OneShotListener> {
      await journal.append({ record: 'path-intended', what: 'socket', path })
      return sockets.listen(path)
    },
  }
}
