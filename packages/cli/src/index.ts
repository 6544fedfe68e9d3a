export { type Command, parseCommandLine, type RunCommand, type UsageError } from './arguments.js'
export {
  type BootReport,
  type DoctorPowers,
  type Examination,
  examine,
  type Finding,
  type KvmReport,
  type Verdict,
} from './doctor.js'
export type { GraphCommand } from './graph/command.js'
export type {
  Clock,
  CommandPowers,
  Failure,
  GraphFile,
  OpenUnitHost,
  Sink,
  StartedUnit,
  UnitHost,
} from './powers.js'
export { spectrum } from './spectrum.js'
