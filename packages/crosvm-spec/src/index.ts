export { type ParseOptions, parseArgv, printArgv } from './argv.js'
export { conflicts, type MachineConflict } from './conflicts.js'
export { addedParams, cannotSleep, cannotSnapshot, type HostFacts, namedDescriptors } from './constraints.js'
export type { AbsentOption, ArgvError, SpecError } from './errors.js'
export { type CrosvmExit, type DeadChild, deadChild, decodeExit, type ProcessEnd } from './exit-status.js'
export { type DeviceReport, type Explanation, explain, type Jail } from './explain.js'
export { printExplanation } from './explanation-table.js'
export type { CpuSet, PerCpu } from './grammar/cpu-set.js'
export type { MacAddress, PciAddress } from './grammar/network.js'
export { leastPrivilege, type Proposal } from './least-privilege.js'
export { type LogLevel, type LogLine, parseLog, parseLogLine } from './log.js'
export type * from './machine.js'
export type * from './options/display.js'
export type { NetBackend, NetDevice, VsockDevice } from './options/network.js'
export type { Architecture, Feature } from './options/option.js'
export type { IdRange, OwnerMapping } from './options/owner.js'
export type {
  CpuAffinity,
  Cpus,
  DeviceTreeOverlay,
  FileBackedMapping,
  FwCfgFile,
  MemoryRegion,
  PciLayout,
  Pflash,
  Pstore,
  Smbios,
  StubPciDevice,
} from './options/platform.js'
export type { SerialPort } from './options/serial.js'
export type { FsShare, P9Share, SharedDirectory, UgidRule, WaylandSocket } from './options/share.js'
export type { AsyncExecutor, BlockDevice, PmemDevice, PmemExt2Device, ScsiDisk } from './options/storage.js'
export type { CoIommu, VfioDevice, VhostUserDevice, VhostUserType } from './options/vhost-user.js'
export { type Prerequisite, prerequisites } from './prerequisites.js'
export {
  absentOptions,
  type CrosvmProbe,
  createProbe,
  type Help,
  type ProbedBinary,
  type ProbeError,
  type ProbePowers,
  parseHelp,
} from './probe.js'
export { type CrosvmSpec, crosvmSpec } from './spec.js'
