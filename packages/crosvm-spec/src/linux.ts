/**
 * The real powers of crosvm: processes, sockets and what the host has.
 *
 * @packageDocumentation
 */

import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import type { UnixFdError } from '@spectrum/unix-fd'
import { unixFd } from '@spectrum/unix-fd/linux'
import type { Result } from 'neverthrow'
import type { ControlPowers } from './control.js'
import { hostInspection } from './linux/host.js'
import { crosvmProcesses } from './linux/process.js'
import { type CrosvmProbe, createProbe } from './probe.js'
import type { SpawnPowers } from './spawn.js'

/**
 * A probe of real binaries, which it runs without an environment. Keep one: it remembers what it asked.
 *
 * @example
 * ```ts
 * import { absentOptions, type CrosvmSpec } from '@spectrum/crosvm-spec'
 * import { linuxProbe } from '@spectrum/crosvm-spec/linux'
 *
 * export async function lacks(spec: CrosvmSpec) {
 *   const binary = await linuxProbe().probe('/usr/bin/crosvm', AbortSignal.timeout(10_000))
 *   return binary.map((help) => absentOptions(spec, help)) // an option, its feature, the remedy
 * }
 * ```
 */
export function linuxProbe(): CrosvmProbe {
  return createProbe({
    read: async (path, signal) => createReadStream(path, { signal }),
    help: (path, signal) =>
      new Promise((resolve, reject) => {
        const limits = { signal, killSignal: 'SIGKILL', maxBuffer: 1 << 20, env: {} } as const
        execFile(path, ['run', '--help'], limits, (error, stdout) => {
          if (error) reject(error)
          else resolve(stdout)
        })
      }),
  })
}

/**
 * All that `spawnCrosvm` takes of this machine. `searchPath`, absolute directories between colons, is where
 * `setpriv` (util-linux) is looked for; default this program's PATH. Keep one: its probe remembers what it asked.
 * `native-missing` when unix-fd is not built.
 */
export function linuxSpawnPowers(
  searchPath: string = process.env['PATH'] ?? '/usr/bin:/bin',
): Result<SpawnPowers, UnixFdError> {
  return linuxControlPowers().map((control) => ({
    ...control,
    processes: crosvmProcesses(searchPath),
    host: hostInspection,
    probe: linuxProbe(),
  }))
}

/** The sockets and the clock of this machine. `native-missing` when unix-fd is not built for it. */
export function linuxControlPowers(): Result<ControlPowers, UnixFdError> {
  return unixFd().map((sockets) => ({ sockets, clock: { deadline } }))
}

function deadline(ms: number): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  const late = () => controller.abort(new DOMException('the deadline passed', 'TimeoutError'))
  const timer = setTimeout(late, ms)
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
}
