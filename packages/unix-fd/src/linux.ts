/**
 * The native part, loaded for this machine.
 *
 * @packageDocumentation
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { err, ok, type Result } from 'neverthrow'
import type { UnixFdError } from './errors.js'
import type { Pidfd } from './pidfd.js'
import type { SystemCalls } from './system-calls.js'
import { createUnixFd, type UnixFd } from './unix-fd.js'

export { type ChildDescriptors, childDescriptors } from './linux/child-descriptors.js'

// A second try could only fail the same way, so the answer is kept, but nothing loads before it is asked for.
let loaded: Result<UnixFd, UnixFdError> | undefined

/**
 * This machine's descriptors. `native-missing` when the native part is not built for it.
 *
 * @example
 * ```ts
 * import { unixFd } from '@spectrum/unix-fd/linux'
 *
 * const descriptors = unixFd()._unsafeUnwrap()
 * using table = descriptors.createMemfd('table')._unsafeUnwrap()
 * table.write(new TextEncoder().encode('hello'))._unsafeUnwrap()
 * table.addSeals('write', 'grow', 'shrink', 'seal')._unsafeUnwrap()
 * using memory = descriptors.map(table.fd, { length: 5 })._unsafeUnwrap()
 * console.log(new TextDecoder().decode(memory.bytes))
 * ```
 */
export function unixFd(): Result<UnixFd, UnixFdError> {
  loaded ??= loadUnixFd()
  return loaded
}

/** `unixFd()` and its `openPidfd` in one step. */
export function openPidfd(
  pid: number,
  options: { readonly startTime?: bigint } = {},
): Result<Pidfd, UnixFdError> {
  return unixFd().andThen((descriptors) => descriptors.openPidfd(pid, options))
}

function loadUnixFd(): Result<UnixFd, UnixFdError> {
  try {
    const calls = native() as SystemCalls
    return ok(createUnixFd(calls, readStartTime, pause))
  } catch (cause) {
    const message =
      "unix-fd's native part is not built for this machine: run `node native/build.mjs` in the package"
    return err({ kind: 'native-missing', message, cause })
  }
}

/** What was built in this package's own folder, else the package for this platform, which npm installs with it. */
function native(): unknown {
  const require = createRequire(import.meta.url)
  const load = require('node-gyp-build') as (directory: string) => unknown
  try {
    return load(fileURLToPath(new URL('..', import.meta.url)))
  } catch (cause) {
    const installed = `@spectrum/unix-fd-linux-${process.arch}`
    try {
      require.resolve(installed)
    } catch {
      throw cause
    }
    return require(installed)
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // It rejects when the signal aborts, which its waiter sees for itself.
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/** Field 22 of /proc/PID/stat, proc(5). The name in field 2 may hold spaces and parentheses: skip to the last. */
function readStartTime(pid: number): bigint | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return BigInt(fields[19] ?? '')
  } catch {
    return undefined
  }
}
