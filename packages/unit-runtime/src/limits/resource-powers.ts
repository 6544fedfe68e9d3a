/** What processes of this machine take of it now. */
export interface ProcessUsage {
  /** Bytes in memory. Pages that several of them have count once for each. */
  readonly memoryBytes: number
  /** Milliseconds of processor time since they began. */
  readonly cpuMs: number
  /** How many there are. */
  readonly processes: number
}

/** Where groups of processes may be made whose resources are limited together. */
export type GroupsRoot =
  | {
      readonly kind: 'ready'
      /** Absolute path; groups are made below it. */
      readonly path: string
      /** Where processes go that are to be in none of them: where this program is itself. */
      readonly unlimited: string
    }
  /** `why` says what to do about it. */
  | {
      readonly kind: 'absent'
      /** In words, with what to do about it. */
      readonly why: string
    }

/** The control groups (cgroup v2) of this machine. Failures reject with the system's error. */
export interface ResourceGroups {
  /**
   * Finds the group below which this program may make others, and turns these controllers on there. For that, this
   * program and what else runs in a group that was given to its user may be moved to a group below. Never rejects.
   */
  root(controllers: readonly string[]): Promise<GroupsRoot>
  /** Makes a group at this absolute path; its parent is there. */
  make(path: string): Promise<void>
  /** Writes one of the group's files, in one piece. */
  write(path: string, file: string, text: string): Promise<void>
  /** Undefined when there is no such group or file. */
  read(path: string, file: string): Promise<string | undefined>
  /** Ends whatever runs in the group and below it, and removes them. Absence is fine. */
  remove(path: string): Promise<void>
}

/** What a host uses to limit and to measure what its units take. */
export interface ResourcePowers {
  /** Where the kernel is told the limits. */
  readonly groups: ResourceGroups
  /** Of those of these processes that run, from `/proc/PID` (proc(5)). */
  usage(pids: readonly number[]): Promise<ProcessUsage>
}
