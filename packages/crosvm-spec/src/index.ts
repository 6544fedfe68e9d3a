export { type ParseOptions, parseArgv, printArgv } from './argv.js'
export { addedParams, cannotSleep, cannotSnapshot, type HostFacts, namedDescriptors } from './constraints.js'
export type { AbsentOption, ArgvError, SpecError } from './errors.js'
export type { CpuSet, PerCpu } from './grammar/cpu-set.js'
export type { MacAddress, PciAddress } from './grammar/network.js'
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
export type { FsShare, P9Share, SharedDirectory, WaylandSocket } from './options/share.js'
export type { AsyncExecutor, BlockDevice, PmemDevice, PmemExt2Device, ScsiDisk } from './options/storage.js'
export type { CoIommu, VfioDevice, VhostUserDevice, VhostUserType } from './options/vhost-user.js'
export { type CrosvmSpec, crosvmSpec } from './spec.js'
