import type { HostDirectory } from './host-directory.js'
import type { HostPowers } from './powers.js'
import { findProcesses } from './reconcile.js'

/** What exists of one host right now: while units run, what they need; after `stop`, nothing. */
export interface Leftovers {
  /** Processes of the host that run, by the mark in their environment and by the journal. */
  readonly processes: readonly { readonly pid: number; readonly role: string }[]
  /** Absolute paths. */
  readonly sockets: readonly string[]
  /** Absolute paths of mount points. */
  readonly mounts: readonly string[]
  /** Files, directories and control groups; the cache's finished files are not a host's and are not counted. */
  readonly files: readonly string[]
}

/** Looks at the process table and the file system, never at what the host believes it has cleaned up. */
export async function findLeftovers(
  powers: Pick<HostPowers, 'files' | 'processTable' | 'resources'>,
  directory: HostDirectory,
): Promise<Leftovers> {
  const processes = await findProcesses(powers.processTable, directory.name, directory.journal.state)
  const sockets: string[] = []
  const mounts: string[] = []
  const files: string[] = []
  for (const [path, what] of directory.journal.state.paths) {
    if (what !== 'cgroup') continue
    const there = await powers.resources.groups.read(path, 'cgroup.procs')
    if (there !== undefined) files.push(path)
  }
  for (const tree of [directory.path, directory.unfinished]) {
    mounts.push(...(await powers.files.mountsUnder(tree)))
    for (const entry of await powers.files.walk(tree)) {
      if (entry.kind === 'socket') sockets.push(entry.path)
      else files.push(entry.path)
    }
  }
  return {
    processes: processes.map(({ process, role }) => ({ pid: process.pid, role })),
    sockets,
    mounts,
    files,
  }
}
