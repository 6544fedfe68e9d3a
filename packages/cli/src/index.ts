export { type Command, parseCommandLine, type Topic, type UsageError } from './arguments.js'
export type { CompletionCommand } from './completion/arguments.js'
export type { Shell } from './completion/scripts.js'
export type { ForeignPart } from './doctor/architectures.js'
export {
  type BootReport,
  type DoctorPowers,
  type Examination,
  examine,
  type Finding,
  type ForeignParts,
  type ForeignUnits,
  type KvmReport,
  type Verdict,
} from './doctor.js'
export type { GraphCommand, GraphForm } from './graph/command.js'
export type { ExecCommand, HostCommand, LogsCommand, RunCommand } from './host/command.js'
export type {
  Clock,
  Collected,
  CommandPowers,
  Failure,
  FetchedKernel,
  GraphFile,
  GraphHost,
  OpenGraphHost,
  OpenUnitHost,
  OwnTerminal,
  RunningHosts,
  Sink,
  StartedUnit,
  UnitChange,
  UnitHost,
} from './powers.js'
export { spectrum } from './spectrum.js'
export type { Architecture } from './words.js'
