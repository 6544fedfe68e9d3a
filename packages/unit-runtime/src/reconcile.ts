import type { Clock } from '@spectrum/unit-monitor'
import {
  type HostPlaces,
  hostsDirectory,
  removeHostDirectory,
  unfinishedDirectory,
} from './host-directory.js'
import { MARKER, markerValue, ownerLives, parseHostName } from './identity.js'
import { type JournalState, readJournal } from './journal.js'
import { groupName } from './limits/host-groups.js'
import type { ResourcePowers } from './limits/resource-powers.js'
import type { HostFiles, ProcessIdentity, ProcessTable } from './powers.js'
import { openWait } from './wait.js'

/** What was left by one host program that died, and what became of it. */
export interface ReconciledHost {
  /** The base name of its directory. */
  readonly host: string
  /** Processes that still ran and were ended, by SIGKILL. */
  readonly killed: readonly { readonly pid: number; readonly role: string }[]
  /** Absolute paths of what existed and was removed, deepest last. */
  readonly removed: readonly string[]
  /** Absolute paths of mount points that were detached. */
  readonly unmounted: readonly string[]
  /** What could not be done, in words. The directory then stays for the next try. */
  readonly failures: readonly string[]
}

export interface ReconcilePowers {
  readonly clock: Clock
  readonly files: HostFiles
  readonly processTable: ProcessTable
  readonly resources: Pick<ResourcePowers, 'groups'>
}

/** What SIGKILL has not ended by then is stuck in the kernel, as at a disk that does not answer. */
const KILL_MS = 5_000
/** Times the processes of a host are looked for again: one may be between fork and exec. */
const ROUNDS = 20
const PAUSE_MS = 50

/**
 * Ends what dead hosts left below `places.state`. Living hosts are not touched, nor is a directory whose name
 * is not a host's. Several programs may do this at once: every step is harmless when somebody did it already.
 */
export async function reconcile(
  powers: ReconcilePowers,
  places: HostPlaces,
  signal: AbortSignal,
): Promise<readonly ReconciledHost[]> {
  const done: ReconciledHost[] = []
  const directory = hostsDirectory(places.state)
  for (const name of [...(await powers.files.list(directory))].sort()) {
    if (signal.aborted) break
    const owner = parseHostName(name)
    if (owner === undefined || (await ownerLives(powers.processTable, owner))) continue
    const sameBoot = owner.boot === powers.processTable.bootId.replaceAll('-', '').slice(0, 8)
    done.push(await endDeadHost(powers, places, name, sameBoot, signal))
  }
  return done
}

async function endDeadHost(
  powers: ReconcilePowers,
  places: HostPlaces,
  host: string,
  sameBoot: boolean,
  signal: AbortSignal,
): Promise<ReconciledHost> {
  const { files } = powers
  const path = `${hostsDirectory(places.state)}/${host}`
  const killed: { pid: number; role: string }[] = []
  const removed: string[] = []
  const unmounted: string[] = []
  const failures: string[] = []
  try {
    const { state, unreadable } = await readJournal(files, path)
    // After a reboot no process of that host can live, and its start times mean nothing.
    if (sameBoot) await killAll(powers, host, state, signal, killed, failures)
    const trees = [unfinishedDirectory(places.cache, host), path]
    for (const [made, what] of state.paths) {
      if (what === 'cgroup' && made.endsWith(`/${groupName(host)}`)) {
        // After a reboot none is left, or it is somebody else's.
        if (sameBoot) await powers.resources.groups.remove(made)
        continue
      }
      // The unfinished directory of another cache than ours is recognised by the host's own name in it.
      if (made.endsWith(`/unfinished/${host}`) && what === 'directory') trees.unshift(made)
      else if (!made.startsWith(`${path}/`))
        failures.push(`left ${made}: the journal names a path outside its host`)
    }
    if (unreadable > 0 && failures.length > 0)
      failures.push(`${unreadable} lines of the journal are unreadable`)
    for (const tree of new Set(trees)) {
      for (const mount of [...(await files.mountsUnder(tree))].reverse()) {
        await files.unmount(mount)
        unmounted.push(mount)
      }
    }
    if (failures.length === 0) {
      for (const tree of new Set(trees)) {
        removed.push(...(await files.walk(tree)).map((entry) => entry.path))
        if (tree === path) await removeHostDirectory(files, path)
        else await files.remove(tree)
      }
    }
  } catch (cause) {
    failures.push(cause instanceof Error ? cause.message : String(cause))
  }
  return { host, killed, removed, unmounted, failures }
}

/**
 * Kills what carries this host's mark, and what the journal names by pid and start time, until none is found, or one
 * cannot be ended: that holds up neither the end of the others nor, for long, the host that is being opened.
 */
async function killAll(
  powers: ReconcilePowers,
  host: string,
  state: JournalState,
  signal: AbortSignal,
  killed: { pid: number; role: string }[],
  failures: string[],
): Promise<void> {
  const unresolved = [...state.processes.values()].some((each) => each.process === undefined)
  for (let round = 0; round < ROUNDS; round += 1) {
    const found = await findProcesses(powers.processTable, host, state)
    // A process whose pid was never recorded may still be between fork and exec: look once more for it.
    if (found.length === 0 && (!unresolved || round > 1)) return
    const ends = await Promise.all(found.map(({ process }) => kill(powers, process, signal)))
    for (const [index, { process, role }] of found.entries()) {
      const end = ends[index]!
      if (end === 'killed') killed.push({ pid: process.pid, role })
      else if (end !== 'gone') failures.push(`process ${process.pid} (${role}) is not ended: ${end.why}`)
    }
    if (failures.length > 0) return
    if (signal.aborted) break
    if (found.length === 0) await pause(powers.clock, PAUSE_MS, signal)
  }
  for (const { process, role } of await findProcesses(powers.processTable, host, state)) {
    failures.push(`process ${process.pid} (${role}) is still alive`)
  }
}

/** Never rejects. */
async function kill(
  { clock, processTable }: ReconcilePowers,
  process: ProcessIdentity,
  signal: AbortSignal,
): Promise<'killed' | 'gone' | { readonly why: string }> {
  using patience = openWait(clock, KILL_MS, signal)
  try {
    return await processTable.kill(process, patience.signal)
  } catch (cause) {
    return { why: cause instanceof Error ? cause.message : String(cause) }
  }
}

export async function findProcesses(
  table: ProcessTable,
  host: string,
  state: JournalState,
): Promise<readonly { readonly process: ProcessIdentity; readonly role: string }[]> {
  const found = new Map<string, { process: ProcessIdentity; role: string }>()
  for (const { process, role } of state.processes.values()) {
    if (process === undefined) continue
    const now = await table.identify(process.pid)
    if (now?.startTime === process.startTime) found.set(`${process.pid}`, { process, role })
  }
  const prefix = markerValue(host, '')
  for (const { process, value } of await table.marked(MARKER, prefix)) {
    const role = state.processes.get(value.slice(prefix.length))?.role ?? 'unknown'
    found.set(`${process.pid}`, { process, role })
  }
  return [...found.values()]
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  using deadline = clock.deadline(ms)
  await new Promise<void>((resolve) => {
    deadline.signal.addEventListener('abort', () => resolve(), { once: true })
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
