import type { CrosvmProbe } from '@spectrum/crosvm-spec'
import type { PacketSockets } from '@spectrum/crosvm-spec/control'
import type { HostInspection } from '@spectrum/crosvm-spec/spawn'
import type { MonitorPowers } from '../powers.js'

/** What crosvm takes beyond what every monitor takes. */
export interface CrosvmPowers extends MonitorPowers {
  /** SEQPACKET sockets, for crosvm's own control socket. */
  readonly packets: PacketSockets
  /** Looks at what the machine takes for granted, before crosvm is started. */
  readonly host: HostInspection
  /** To tell the processes of a machine apart. */
  readonly processGroups: ProcessGroups
  /** Absent: the binary is not asked for its options, and complains itself. */
  readonly probe?: CrosvmProbe | undefined
}

/** Looks at the processes of this machine by their groups. */
export interface ProcessGroups {
  /**
   * Every process whose group has this number, in the order of their pids (proc(5), `/proc/PID/stat`). Never
   * rejects.
   */
  members(group: number): Promise<readonly GroupMember[]>
}

/** One process of a group. */
export interface GroupMember {
  /** As the host program sees it. */
  readonly pid: number
  /** The pid of its parent. */
  readonly parent: number
  /** As the process calls itself: a device of crosvm its kind. Not escaped. */
  readonly name: string
}
