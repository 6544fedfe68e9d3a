import type { Blob, SharingReport, StoreSource } from '@spectrum/store-share'
import type { Clock, MachineProcess } from '@spectrum/unit-monitor'
import type { Result } from 'neverthrow'
import { type HostError, storeFailed } from './errors.js'
import type { Step } from './events.js'
import type { HostDirectory } from './host-directory.js'
import type { HostGroups } from './limits/host-groups.js'
import type { HostBlobCache, HostPowers } from './powers.js'
import type { LogSource } from './supervision/log-line.js'
import type { WaitOptions } from './unit.js'
import type { HostVolumes } from './volumes/host-volumes.js'
import { openWait } from './wait.js'

/** What a unit may use of its host. */
export interface UnitContext {
  readonly powers: UnitPowers
  readonly directory: HostDirectory
  readonly groups: HostGroups
  readonly volumes: HostVolumes
  /** How the unit of this name is asked for signs of life; undefined: not at all. */
  heartbeatOf(unit: string): { readonly intervalMs: number; readonly missedBeats: number } | undefined
  step(unit: string, step: Step): void
  log(unit: string, line: { readonly source: LogSource; readonly text: string }): void
}

export interface UnitPowers {
  readonly clock: Clock
  readonly store: StoreSource
  readonly cache: Omit<HostBlobCache, 'close'>
  readonly storeFiles: HostPowers['storeFiles']
  readonly measureSharing: HostPowers['measureSharing']
}

const MEASURE_MS = 60_000

/** The sharing report of these units, from the kernel's view of their processes. */
export async function measure(
  powers: Pick<UnitPowers, 'clock' | 'measureSharing'>,
  units: readonly {
    readonly name: string
    readonly processes: readonly MachineProcess[]
    readonly blobs: readonly Blob[]
  }[],
  options: WaitOptions,
): Promise<Result<SharingReport, HostError>> {
  using wait = openWait(powers.clock, options.deadlineMs ?? MEASURE_MS, options.signal)
  const mappings = units.map(({ name, processes, blobs }) => ({
    unit: name,
    pids: processes.map((process) => process.pid),
    blobs,
  }))
  const report = await powers.measureSharing(mappings, wait.signal)
  return report.mapErr((cause) => storeFailed(undefined, cause))
}
