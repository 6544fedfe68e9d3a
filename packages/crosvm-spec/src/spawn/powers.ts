import type { Clock, PacketSockets } from '../control/connection.js'
import type { ProcessEnd } from '../exit-status.js'
import type { CrosvmProbe } from '../probe.js'

/** What {@link spawnCrosvm} takes of the host. */
export interface SpawnPowers {
  /** Starts crosvm. */
  readonly processes: CrosvmProcesses
  /** Connects to its control socket. */
  readonly sockets: PacketSockets
  /** Ends what takes too long. */
  readonly clock: Clock
  /** Looks whether the machine's prerequisites are met. */
  readonly host: HostInspection
  /** Absent: the binary is not asked for its options, and complains itself. */
  readonly probe?: CrosvmProbe | undefined
}

/** Starts processes: each leads a process group of its own, has no terminal and dies with this program. */
export interface CrosvmProcesses {
  /**
   * Resolves once the program was executed; the process is then the caller's to end. Rejects when it could not
   * be.
   */
  spawn(request: ProcessRequest): Promise<CrosvmProcess>
}

/** The process that a crosvm is to be. */
export interface ProcessRequest {
  /** Absolute. */
  readonly file: string
  /** Without the program's own name. */
  readonly argv: readonly string[]
  /** By its number in the child: the number here, borrowed until `spawn` has resolved. Nothing else is inherited. */
  readonly descriptors: ReadonlyMap<number, number>
}

/** A crosvm that runs, as a process. Whoever spawned it owns it, and ends its group. */
export interface CrosvmProcess {
  /** Of the leader of the group, and so the group's number. */
  readonly pid: number
  /** Standard error of crosvm and of its devices, to be read once. Ends with the last of them. */
  readonly stderr: AsyncIterable<Uint8Array>
  /** How the leader ended; its devices may still run. Never rejects. */
  readonly end: Promise<ProcessEnd>
  /** SIGKILL to the whole group: jailed devices belong to it. Nothing when the group is gone. */
  killGroup(): void
  /** Resolves when no process of the group runs any more, or when `signal` aborts. Never rejects. */
  groupGone(signal: AbortSignal): Promise<void>
}

/** What is at a path, links followed. */
export interface PathFacts {
  /** Of what it is; `other` is a FIFO, for instance. */
  readonly kind: 'file' | 'directory' | 'socket' | 'device' | 'other'
  /** Whether this program may read it: access(2). */
  readonly readable: boolean
  /** Whether this program may write it. */
  readonly writable: boolean
}

/** A look at the host before the start. None rejects. */
export interface HostInspection {
  /** What lies at a path, links followed; undefined when nothing does. */
  inspect(path: string): Promise<PathFacts | undefined>
  /**
   * Everything below a directory, itself not, with absolute paths, links not followed. Ends early where it cannot
   * go on.
   */
  tree(path: string): AsyncIterable<{ readonly path: string; readonly kind: PathFacts['kind'] | 'link' }>
  /** Whether what this program spawns would have that capability. */
  hasCapability(name: 'CAP_SYS_ADMIN' | 'CAP_NET_ADMIN'): Promise<boolean>
  /** Undefined where this process may make user namespaces (or needs none, as root); else why not. */
  whyNoNamespaces(): Promise<string | undefined>
  /** Removes a socket; nothing where there is none, and never anything else. */
  removeSocket(path: string): Promise<void>
}
