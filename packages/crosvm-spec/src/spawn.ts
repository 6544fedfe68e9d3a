/**
 * Starting crosvm, and what runs then.
 *
 * @packageDocumentation
 */

export type { SpawnError } from './spawn/errors.js'
export { type MissingPrerequisite, missingPrerequisites } from './spawn/missing.js'
export type {
  CrosvmProcess,
  CrosvmProcesses,
  HostInspection,
  PathFacts,
  ProcessRequest,
  SpawnPowers,
} from './spawn/powers.js'
export type { CrosvmEnd, RunningCrosvm } from './spawn/running.js'
export { type SpawnOptions, spawnCrosvm } from './spawn/spawn.js'
