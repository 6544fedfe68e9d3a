export type {
  AgentHello,
  ExecOutcome,
  FileContent,
  FileGet,
  FilePut,
  GuestFile,
  GuestFilePlace,
  GuestProcess,
  GuestStdin,
  GuestUser,
  TerminalSize,
} from '@spectrum/guest-agent'
export type {
  Attachment,
  Blob,
  BlobSharing,
  Closure,
  SharingReport,
  StoreError,
  StorePathInfo,
  StoreSource,
} from '@spectrum/store-share'
export {
  type Absent,
  type ArgumentSchema,
  type Attenuator,
  absent,
  ask,
  audit,
  bytes,
  type ClosureReference,
  choice,
  closure,
  compose,
  defineService,
  defineUnit,
  fromHost,
  type Grant,
  type Graph,
  type GraphError,
  integer,
  none,
  once,
  only,
  type Reason,
  type ResourceLimits,
  type RestartPolicy,
  rate,
  readOnly,
  record,
  revocable,
  type Service,
  type StreamSchema,
  text,
  type UnitDefinition,
  type UnitMap,
  type UnitOptions,
  until,
  type VolumeDefinition,
} from '@spectrum/unit-graph'
export type { Accelerator, Considered, MachineExit, MonitorError } from '@spectrum/unit-monitor'
export { escapeAndCut, escapeText } from '@spectrum/unit-monitor'
export type {
  CallEnd,
  CallEvent,
  CallIdentity,
  CallProvenance,
  CallTarget,
  Refusal,
} from './broker/events.js'
export { CALL_LIMITS, type CallLimits } from './broker/limits.js'
export type { OpenService, OwningService, ServicePowers } from './broker/owning-service.js'
export type { HostCall, HostService } from './broker/powers.js'
export type { ExecResult } from './collect.js'
export type { DebugOutput, DebugTarget } from './debug/debug-output.js'
export { type ElfRefusal, type RandomAccess, readBuildId } from './debug/elf-build-id.js'
export type {
  DisposableOptions,
  DisposableUnits,
  PrepareOptions,
  WithWires,
} from './disposable/disposables.js'
export type { WithUnit } from './disposable/lend.js'
export { POOL_LIMITS, type PoolLimits } from './disposable/pool.js'
export type { Rehearsal } from './disposable/rehearse.js'
export type { TemplateWires, WiresOf } from './disposable/template.js'
export type { HostError } from './errors.js'
export {
  type CommandEvent,
  type HostEmitter,
  type HostEvents,
  newHostEmitter,
  type Step,
  type UnitStateEvent,
} from './events.js'
export type { Host, HostMonitor, Units } from './host.js'
export type { HostPlaces } from './host-directory.js'
export { MARKER } from './identity.js'
export type { InjectReport } from './inject.js'
export type { JournalledPath, JournalRecord } from './journal.js'
export type { Leftovers } from './leftovers.js'
export type { GroupUsage } from './limits/group-usage.js'
export type { ExceededLimit, LimitsReport, UnitUsage } from './limits/host-groups.js'
export type { GroupsRoot, ProcessUsage, ResourceGroups, ResourcePowers } from './limits/resource-powers.js'
export { type GuestKernelFiles, type LinuxHostOptions, nixStore, openHost } from './linux.js'
export { type HostOptions, openHostWith } from './open-host.js'
export type {
  DurableLog,
  FileKind,
  GuestBoot,
  HostBlobCache,
  HostFiles,
  HostPowers,
  ProcessIdentity,
  ProcessTable,
  StoreFiles,
  TrialPlace,
  UnitMappings,
  ViewFailure,
  ViewPower,
  ViewServer,
} from './powers.js'
export type { PersonsAnswer, Prompter, Question } from './prompter/prompter.js'
export {
  type Terminal,
  type TerminalPrompterPowers,
  terminalPrompter,
} from './prompter/terminal-prompter.js'
export type { ReconciledHost } from './reconcile.js'
export type { RevokeReport } from './revoke.js'
export type { InjectionWay, InjectionWish, StoreAccess, StoreTransport } from './store-access.js'
export { HEARTBEAT, type HeartbeatOptions, type HeartbeatTerms } from './supervision/heartbeat-policy.js'
export type { LogLine, LogOptions, LogSource } from './supervision/log-line.js'
export type * from './unit.js'
export type { UnitFiles } from './unit-files.js'
export type { OpenVolume, VolumeFailure, VolumePower, VolumeRequest } from './volumes/volume-power.js'
