import type { CrosvmMachine } from '../machine.js'

/** What is known about the host. What is absent is not checked. */
export interface HostFacts {
  /** CPUs online, as /sys/devices/system/cpu/online counts them: as many vCPUs must a `hostTopology` have. */
  readonly onlineCpus?: number | undefined
  /** How many 8 GiB DAX windows the guest-physical address space is sure to hold. Default 2. */
  readonly daxWindows?: number | undefined
}

export interface Complaint {
  readonly property: string
  readonly message: string
}

export type Rule = (machine: CrosvmMachine, host: HostFacts) => readonly Complaint[] | Complaint | undefined

export const vcpus = (machine: CrosvmMachine) => machine.cpus?.count ?? 1
export const memoryMib = (machine: CrosvmMachine) => machine.memoryMib ?? 256
export const complain = (property: string, message: string): Complaint => ({ property, message })
