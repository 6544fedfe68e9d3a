import { cpuRules } from './constraints/cpus.js'
import { deviceRules } from './constraints/devices.js'
import { commandLineFits } from './constraints/kernel-command-line.js'
import type { Complaint, HostFacts, Rule } from './constraints/rule.js'
import { restoreWantsSnapshotDevices } from './constraints/snapshots.js'
import { descriptorsDiffer, socketPathsFit } from './constraints/sockets-and-descriptors.js'
import type { CrosvmMachine } from './machine.js'

export { addedParams } from './constraints/kernel-command-line.js'
export type { Complaint, HostFacts } from './constraints/rule.js'
export { cannotSleep, cannotSnapshot } from './constraints/snapshots.js'
export { namedDescriptors } from './constraints/sockets-and-descriptors.js'

const rules: readonly Rule[] = [
  ...deviceRules,
  ...cpuRules,
  commandLineFits,
  socketPathsFit,
  descriptorsDiffer,
  restoreWantsSnapshotDevices,
]

/** What each option allows alone and crosvm refuses, misreads or quietly changes in combination. */
export function complaints(machine: CrosvmMachine, host: HostFacts): readonly Complaint[] {
  return rules.flatMap((rule) => rule(machine, host) ?? [])
}
