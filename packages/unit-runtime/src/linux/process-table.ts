import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { openPidfd } from '@spectrum/unix-fd/linux'
import type { ProcessIdentity, ProcessTable } from '../powers.js'

const SIGKILL = 9

/** The processes of this machine, as /proc shows them. Throws when /proc is not mounted. */
export function linuxProcessTable(): ProcessTable {
  const self = parseStat(process.pid, readFileSync('/proc/self/stat', 'latin1'))
  if (self === undefined) throw new Error('/proc/self/stat does not describe this process')
  return {
    self,
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    identify,
    marked,
    async kill(target, signal) {
      // The descriptor is opened first and the start time compared then: the pid cannot be reused in between.
      const opened = openPidfd(target.pid, { startTime: BigInt(target.startTime) })
      if (opened.isErr()) {
        const { kind, message } = opened.error
        if (kind === 'no-such-process' || kind === 'reused-process-id') return 'gone'
        throw new Error(`process ${target.pid} cannot be ended: ${message}`)
      }
      using pidfd = opened.value
      const sent = pidfd.sendSignal(SIGKILL)
      if (sent.isErr()) {
        if (sent.error.kind === 'no-such-process') return 'gone'
        throw new Error(`process ${target.pid} cannot be ended: ${sent.error.message}`)
      }
      const exited = await pidfd.exited(signal)
      if (exited.isErr())
        throw new Error(`process ${target.pid} was killed but lives on: ${exited.error.message}`)
      return 'killed'
    },
  }
}

async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await orGone(readFile(`/proc/${pid}/stat`, 'latin1'))
  return stat === undefined ? undefined : parseStat(pid, stat)
}

async function marked(
  name: string,
  prefix: string,
): Promise<readonly { readonly process: ProcessIdentity; readonly value: string }[]> {
  const wanted = `${name}=${prefix}`
  const found: { process: ProcessIdentity; value: string }[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^[1-9][0-9]*$/.test(entry)) continue
    const pid = Number(entry)
    const before = await identify(pid)
    if (before === undefined) continue
    const environment = (await orGone(readFile(`/proc/${pid}/environ`, 'utf8'))) ?? ''
    const mark = environment.split('\0').find((each) => each.startsWith(wanted))
    if (mark === undefined) continue
    const after = await identify(pid)
    // The environment was this process's only if the pid meant the same one before and after the reading.
    if (after?.startTime === before.startTime)
      found.push({ process: after, value: mark.slice(name.length + 1) })
  }
  return found
}

/** proc(5): the name in field 2 may hold anything; field 3 is the state, field 22 the start time. */
function parseStat(pid: number, stat: string): ProcessIdentity | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTime = fields[19]
  const ended = fields[0] === 'Z' || fields[0] === 'X' || fields[0] === 'x'
  return startTime === undefined || ended ? undefined : { pid, startTime }
}

/** A process may end, or be another user's, while it is looked at. */
async function orGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code)) return undefined
    throw cause
  }
}
