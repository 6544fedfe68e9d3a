import type { Clock, PacketSockets } from '../control/connection.js'
import type { ProcessEnd } from '../exit-status.js'
import type { CrosvmProbe } from '../probe.js'

/** What {@link spawnCrosvm} takes of the host. */
export interface SpawnPowers {
  readonly processes: CrosvmProcesses
  readonly sockets: PacketSockets
  readonly clock: Clock
  readonly host: HostInspection
  /** Absent: the binary is not asked for its options, and complains itself. */
  readonly probe?: CrosvmProbe | undefined
}

/** Starts processes: each leads a process group of its own, has no terminal and dies with this program. */
export interface CrosvmProcesses {
  /** Rejects when the program could not be executed. */
  spawn(request: ProcessRequest): Promise<CrosvmProcess>
}

/** The process that a crosvm is to be. */
export interface ProcessRequest {
  /** Absolute. */
  readonly file: string
  readonly argv: readonly string[]
  /** By its number in the child: the number here, borrowed until `spawn` has resolved. Nothing else is inherited. */
  readonly descriptors: ReadonlyMap<number, number>
}

/** A crosvm that runs, as a process. Whoever spawned it owns it, and ends its group. */
export interface CrosvmProcess {
  readonly pid: number
  readonly stderr: AsyncIterable<Uint8Array>
  /** Never rejects. */
  readonly end: Promise<ProcessEnd>
  /** SIGKILL to the whole group: jailed devices belong to it. Nothing when the group is gone. */
  killGroup(): void
  /** Resolves when no process of the group runs any more, or when `signal` aborts. Never rejects. */
  groupGone(signal: AbortSignal): Promise<void>
}

/** What is at a path, links followed. */
export interface PathFacts {
  readonly kind: 'file' | 'directory' | 'socket' | 'device' | 'other'
  readonly readable: boolean
  readonly writable: boolean
}

/** A look at the host before the start. None rejects. */
export interface HostInspection {
  /** What lies at a path, links followed; undefined when nothing does. */
  inspect(path: string): Promise<PathFacts | undefined>
  /** Everything below a directory, links not followed. Ends early where it cannot go on. */
  tree(path: string): AsyncIterable<{ readonly path: string; readonly kind: PathFacts['kind'] | 'link' }>
  /** Whether what this program spawns would have that capability. */
  hasCapability(name: 'CAP_SYS_ADMIN' | 'CAP_NET_ADMIN'): Promise<boolean>
  /** Undefined where this process may make user namespaces (or needs none, as root); else why not. */
  whyNoNamespaces(): Promise<string | undefined>
  /** Removes a socket; nothing where there is none, and never anything else. */
  removeSocket(path: string): Promise<void>
}
