export * as x86_64 from './generated/x86_64.js'
export {
  type Clock,
  type KvmProbeError,
  type KvmProbeOptions,
  type KvmProbePowers,
  type ProbeProcessEnd,
  probeKvm,
} from './probe.js'
export type { KvmProbe } from './probe-result.js'
