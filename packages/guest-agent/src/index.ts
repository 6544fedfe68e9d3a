export type * from './agent.js'
export { connectAgent } from './connect.js'
export type { AgentError, FileFailure } from './errors.js'
export { buildInitramfs, type InitramfsParts } from './initramfs.js'
export type { AgentArchitecture, GuestKernel, GuestKernelError } from './kernel.js'
export {
  type KernelModule,
  lacksPersistentMemory,
  type ModuleIndexes,
  resolveModules,
  type UnitNeeds,
  unitModules,
  type WantedModule,
} from './modules.js'
