import type { ConnectAgent, UnitNeeds } from '@spectrum/guest-agent'
import type {
  Blob,
  BlobCache,
  BlobCacheUpkeep,
  SharingReport,
  StoreError,
  StoreSource,
} from '@spectrum/store-share'
import type { ChosenMonitor, Clock, MonitorError, MonitorPowers, Processes } from '@spectrum/unit-monitor'
import type { ResultAsync } from 'neverthrow'
import type { RandomAccess } from './debug/elf-build-id.js'
import type { HostError } from './errors.js'
import type { ResourcePowers } from './limits/resource-powers.js'
import type { VolumePower } from './volumes/volume-power.js'

/** The directories of the host itself. Nothing here follows a symbolic link out of them. */
export interface HostFiles {
  /**
   * Makes the directory with mode 0700, and its missing parents. It may exist already, but rejects when it is
   * somebody else's, others may write into it (`EPERM`), or it is no directory (`ENOTDIR`): what it holds is
   * believed, up to which processes are ended.
   */
  makeDirectory(path: string): Promise<void>
  /** Base names; empty when there is no such directory. */
  list(path: string): Promise<readonly string[]>
  /** Everything below `path`, deepest last; empty when it is absent. */
  walk(path: string): Promise<
    readonly {
      /** Absolute path. */
      readonly path: string
      readonly kind: FileKind
    }[]
  >
  /** The whole file as text, at most `maxBytes` of it; `undefined` when it is absent. */
  read(path: string, maxBytes: number): Promise<string | undefined>
  /** Bytes of the file; `undefined` when it is absent. */
  size(path: string): Promise<number | undefined>
  /** Writes `temporary`, flushes it to the disk and renames it to `path`: never half a file under that name. */
  replace(path: string, bytes: Uint8Array, temporary: string): Promise<void>
  /** Gives a file another name in the same directory in one step. Rejects only when nothing was renamed. */
  rename(from: string, to: string): Promise<void>
  /** Opens a new file for appending; each append is on the disk when it resolves. */
  openJournal(path: string): Promise<DurableLog>
  /** Opens a new file for appending, which may lose its end when the machine loses its power. */
  openLog(path: string): Promise<DurableLog>
  /** Removes a file or a tree. Absence is fine. */
  remove(path: string): Promise<void>
  /** Absolute paths of the mount points at or below `path`. */
  mountsUnder(path: string): Promise<readonly string[]>
  /** Detaches one mount point. */
  unmount(path: string): Promise<void>
}

/** What lies at a path of a host's directory. */
export type FileKind = 'file' | 'directory' | 'socket' | 'other'

/** A file to which lines are added at its end. Whoever opens it closes it. */
export interface DurableLog {
  /** Resolves when it is written; a journal's line is on the disk then. Rejects when it cannot be. */
  append(line: string): Promise<void>
  /** Closes the file; what was appended stays. */
  close(): Promise<void>
}

/** One process for as long as it lives: a pid alone is reused, together with its start time it is not. */
export interface ProcessIdentity {
  /** The process by its number in the host's pid namespace. */
  readonly pid: number
  /** Field 22 of `/proc/PID/stat`, in clock ticks since boot, as text. */
  readonly startTime: string
}

/** The processes of this machine, as `/proc` shows them (proc(5)). */
export interface ProcessTable {
  /** The process of the host program itself. */
  readonly self: ProcessIdentity
  /** `/proc/sys/kernel/random/boot_id`: start times compare within one boot only. */
  readonly bootId: string
  /** Undefined when no such process runs; a zombie does not run. */
  identify(pid: number): Promise<ProcessIdentity | undefined>
  /** Running processes whose initial environment holds `name` with a value that starts with `prefix`. */
  marked(
    name: string,
    prefix: string,
  ): Promise<
    readonly {
      /** The process that holds it. */
      readonly process: ProcessIdentity
      /** The whole value of the variable. */
      readonly value: string
    }[]
  >
  /**
   * SIGKILL through a process descriptor which is opened before the identity is checked again, so that a pid
   * which was reused in between is never hit. Resolves when the process no longer runs.
   */
  kill(process: ProcessIdentity, signal: AbortSignal): Promise<'killed' | 'gone'>
}

/** The guest side of every unit: one kernel, one agent. */
export interface GuestBoot {
  /** Absolute path of the kernel image. */
  readonly kernel: string
  /**
   * The initramfs: the agent and the kernel modules that it loads. `kernel-lacks` when the kernel has not what the
   * units need.
   */
  initramfs(signal: AbortSignal, needs: UnitNeeds): ResultAsync<Uint8Array, HostError>
}

/** What a monitor may be tried out with, and where. All paths are absolute. */
export interface TrialPlace {
  /** The kernel image that the trial machine boots. */
  readonly kernel: string
  /** Its initramfs. */
  readonly initramfs: string
  /** On the cache's file system: every file of the cache is written here first, and is removed with the host. */
  readonly unfinished: string
  /** A fresh directory for one machine, mode 0700; disposing it removes it. */
  directory(): Promise<
    {
      /** Absolute path. */
      readonly path: string
    } & AsyncDisposable
  >
}

/** What one unit's monitor processes map, for the count of what units share. */
export interface UnitMappings {
  /** Name of the unit. */
  readonly unit: string
  /** Processes of its machine. */
  readonly pids: readonly number[]
  /** Blobs whose files they map. */
  readonly blobs: readonly Blob[]
}

/** Files of the local store, for looking into them. */
export interface StoreFiles {
  /** Base names of what is in this directory, in no order. */
  list(directory: string): Promise<readonly string[]>
  /**
   * A regular file below `root`, which symbolic links may name but not leave. Undefined when there is none. Whoever
   * opens it closes it.
   */
  open(root: string, relative: string): Promise<(RandomAccess & AsyncDisposable) | undefined>
}

/** Why a view could not be started, or could not be told something. */
export interface ViewFailure {
  readonly kind: string
  /** What to do next. */
  readonly message: string
}

/** The server of one unit's view, in a process of its own. Disposing it ends the process. */
export interface ViewServer extends AsyncDisposable {
  /** Absolute path of the vhost-user socket on which it serves one machine. */
  readonly socket: string
  /** The virtio-fs tag under which the guest mounts it. */
  readonly tag: string
  /** Its process. */
  readonly pid: number
  /** Resolves when its process has ended, asked or not. */
  readonly ended: Promise<unknown>
  /**
   * From now on the unit finds this store path in the root of its view. Idempotent. Fails with the kinds of store-share's
   * `ViewError`.
   */
  grant(
    entry: {
      /** Base name in the view's root: `HASH-NAME`. */
      readonly name: string
      /** Absolute path on the host of what is shown there. */
      readonly location: string
    },
    options?: {
      /** Gives it up, as `aborted`. */
      readonly signal?: AbortSignal | undefined
      /** Milliseconds; store-share's views take 10,000 by default. */
      readonly deadlineMs?: number | undefined
    },
  ): ResultAsync<void, ViewFailure>
  /** From now on it does not; what the unit has read stays read. */
  revoke(
    name: string,
    options?: {
      /** Gives it up, as `aborted`. */
      readonly signal?: AbortSignal | undefined
      /** As for `grant`. */
      readonly deadlineMs?: number | undefined
    },
  ): ResultAsync<void, ViewFailure>
}

/** Starts a view with nothing in it. `directory` is private and its own; its processes go through the journal. */
export type ViewPower = (request: {
  /** Absolute path of a directory that is there, for its socket. */
  readonly directory: string
  /** Gives the start up. */
  readonly signal: AbortSignal
  /** Milliseconds for the start. */
  readonly deadlineMs: number
}) => ResultAsync<ViewServer, ViewFailure>

/** A blob cache that is the host's own until it is closed. What a unit maps is leased until its machine is gone. */
export type HostBlobCache = BlobCache & Pick<BlobCacheUpkeep, 'release' | 'close'>

/** The parts of the outside world that a host touches, and nothing else. */
export interface HostPowers {
  /** Monotonic milliseconds, and deadlines. */
  readonly clock: Clock
  /** Milliseconds since 1970, for conditions on calls that name a moment. */
  epochMs(): number
  /** The host's own directories. */
  readonly files: HostFiles
  /** The processes of this machine. */
  readonly processTable: ProcessTable
  /** Control groups, and what processes take. */
  readonly resources: ResourcePowers
  /** Makes and holds volumes. */
  readonly openVolume: VolumePower
  /** So many random bytes as lower-case hexadecimal digits, two for each. */
  randomHex(bytes: number): string
  /** The powers of the monitors; the host puts its journal around `processes` and `sockets`. */
  readonly monitorPowers: MonitorPowers
  /** What every unit boots. */
  readonly guest: GuestBoot
  /** Speaks to the agent of a machine. */
  readonly connectAgent: ConnectAgent
  /** Finds the monitor for this host's units, by booting the trial machine where that is not known yet. */
  chooseMonitor(
    powers: MonitorPowers,
    place: TrialPlace,
    signal: AbortSignal,
  ): ResultAsync<ChosenMonitor, MonitorError>
  /** Files of the local store, which debug information is looked for in. */
  readonly storeFiles: StoreFiles
  /** Makes what starts views, with the journalled `processes`. Absent: units of this host have no view. */
  viewPower?(processes: Processes): ViewPower
  /** Every unfinished file of the cache is written to `temporaryDirectory`, which is on the cache's file system. */
  openBlobCache(store: StoreSource, temporaryDirectory: string): ResultAsync<HostBlobCache, StoreError>
  /** Reads from the kernel what these units hold and share. */
  measureSharing(units: readonly UnitMappings[], signal: AbortSignal): ResultAsync<SharingReport, StoreError>
}
