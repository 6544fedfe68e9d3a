/**
 * The real powers of monitors: processes, sockets and files.
 *
 * @packageDocumentation
 */

import { stat } from 'node:fs/promises'
import { linuxProcesses } from './linux/processes.js'
import { linuxSockets } from './linux/sockets.js'
import type { Clock, Files, MonitorPowers } from './powers.js'

export { linuxCrosvmPowers } from './linux/crosvm.js'
export { linuxKvmProbe } from './linux/kvm-probe.js'

/** How this machine's powers are built. */
export interface LinuxPowersOptions {
  /** Where programs are looked up; by default the `PATH` of this program. */
  readonly searchPath?: string | undefined
}

/** The real powers of this machine. Nothing is opened or started by making them. */
export function linuxPowers(options: LinuxPowersOptions = {}): Required<MonitorPowers> {
  const searchPath = options.searchPath ?? process.env['PATH'] ?? '/usr/bin:/bin'
  return {
    clock: linuxClock,
    processes: linuxProcesses(searchPath),
    sockets: linuxSockets,
    files: linuxFiles,
  }
}

/** `setTimeout` overflows beyond this and would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

const linuxClock: Clock = {
  now: () => performance.now(),
  deadline(ms) {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), Math.min(Math.max(ms, 0), LONGEST_TIMER_MS))
    return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

const linuxFiles: Files = {
  async inspect(path) {
    try {
      const facts = await stat(path)
      const kind = facts.isFile() ? 'file' : facts.isDirectory() ? 'directory' : 'other'
      return { kind, sizeBytes: facts.size, mode: facts.mode & 0o7777 }
    } catch {
      return undefined
    }
  },
}
