export {
  type Architecture,
  type CapabilityName,
  isArchitecture,
  type LayoutOf,
  type RequestName,
  type Tables,
  type TablesByArchitecture,
  tablesOf,
} from './architecture.js'
export type { Attribute, EnableCap } from './attributes.js'
export { type Descriptor, type KvmObject, liveObjects, type SharedObject } from './descriptor.js'
export type { Device, KvmFile } from './device.js'
export type { KvmError } from './errors.js'
export type { CoalescedWrite } from './fast-paths/coalesced.js'
export type { Ioeventfd, Irqfd } from './fast-paths/eventfds.js'
export type { StatDescription, Statistics } from './fast-paths/stats.js'
export * as aarch64 from './generated/aarch64.js'
export type {
  ArrayField,
  BitField,
  ElementField,
  Fields,
  FlatStructure,
  FlexibleField,
  NestedField,
  NoFields,
  NumberField,
  NumberType,
  Paths,
  Structure,
  StructureField,
} from './generated/layout.js'
export * as powerpc64le from './generated/powerpc64le.js'
export * as riscv64 from './generated/riscv64.js'
export * as x86_64 from './generated/x86_64.js'
export { type Kvm, type KvmCore, openKvm } from './kvm.js'
export type { EventLoop, Handle, KvmCalls } from './kvm-calls.js'
export { DirtyBitmap } from './memory/dirty-log.js'
export type { DirtyPage, DirtyRing } from './memory/dirty-ring.js'
export type { GuestMemfd } from './memory/guest-memfd.js'
export type { Backing, GuestMemory, SharedMemory } from './memory/guest-memory.js'
export type { MemoryRegion } from './memory/slots.js'
export { ioctlMethods, unusable } from './methods/all.js'
export type { EncryptionCommand } from './methods/encrypted-memory.js'
export type { MsrFilterRange } from './methods/msr-filter.js'
export type { Msr } from './methods/msrs.js'
export type * from './methods/requests.js'
export type { ListInit, ListValue } from './methods/spec.js'
export {
  type Clock,
  type KvmProbeError,
  type KvmProbeOptions,
  type KvmProbePowers,
  type ProbeProcessEnd,
  probeKvm,
} from './probe.js'
export type { KvmProbe } from './probe-result.js'
export { type RealModeGuest, type RealModeOptions, realModeGuest } from './real-mode-guest.js'
export type {
  ArmExit,
  AskingExit,
  CommonExit,
  ExitOf,
  ForeignExit,
  MsrAccess,
  PlainExit,
  PortAccess,
  PowerExit,
  RiscvExit,
  X86Exit,
} from './running/exit.js'
export type { Resumption } from './running/resumption.js'
export { bytesOf } from './structures/accessors.js'
export type { FieldsInit, FieldsValue, StructureInit, StructureValue } from './structures/values.js'
export type { Kicker, LoopOptions, SharedVcpu, Vcpu, VcpuCore, VcpuFacts } from './vcpu.js'
export type { Vm, VmCore } from './vm.js'
