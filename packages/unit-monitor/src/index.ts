export {
  type ApiRequest,
  type CloudHypervisorAttachPlan,
  cloudHypervisorAttachPlan,
  cloudHypervisorPlugBlock,
  cloudHypervisorPlugPmem,
} from './attach/cloud-hypervisor.js'
export { type CrosvmAttachPlan, crosvmAttachPlan } from './attach/crosvm.js'
export {
  type FirecrackerAttachOptions,
  type FirecrackerAttachPlan,
  firecrackerAttachPlan,
} from './attach/firecracker.js'
export {
  type QemuAttachOptions,
  type QemuAttachPlan,
  type QemuBoard,
  type QemuPlace,
  type QemuPlug,
  type QmpCommand,
  qemuAttachPlan,
  qemuPlugBlock,
  qemuPlugPmem,
} from './attach/qemu.js'
export { type AttachRefusal, type AttachRequest, manageablePmemBytes } from './attach/request.js'
export type { Considered, Verdict, VerdictCache } from './choose.js'
export {
  type ChooseOptions,
  type ChosenMonitor,
  chooseMonitor,
  type MonitorCandidate,
  type MonitorTrial,
  type RequiredCapability,
} from './choose.js'
export { type CrosvmOptions, crosvmMonitor } from './crosvm/monitor.js'
export type { CrosvmPowers, GroupMember, ProcessGroups } from './crosvm/powers.js'
export {
  CROSVM_LIMITS,
  type CrosvmLaunch,
  type CrosvmSockets,
  crosvmMachineSpec,
} from './crosvm/spec.js'
export type { DescriptionLimits } from './description.js'
export type { MonitorError } from './errors.js'
export type * from './machine.js'
export { LOG_BOUNDS, type LogBounds, type LogSource, MachineLog } from './machine-log.js'
export type * from './powers.js'
export { escapeAndCut, escapeText } from './printable.js'
export {
  bareQemuArguments,
  QEMU_LIMITS,
  type QemuLaunch,
  type QemuSockets,
  qemuArguments,
} from './qemu/arguments.js'
export { isQemuArchitecture, type QemuArchitecture, qemuBinary } from './qemu/boards.js'
export { type QemuOptions, qemuMonitor } from './qemu/monitor.js'
