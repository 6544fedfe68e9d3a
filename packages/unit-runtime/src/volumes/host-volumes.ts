import { createHash } from 'node:crypto'
import type { Agent } from '@spectrum/guest-agent'
import type { UnitDefinition, VolumeDefinition } from '@spectrum/unit-graph'
import type { Monitor, Processes, VolumeDevice } from '@spectrum/unit-monitor'
import { err, ok, type Result } from 'neverthrow'
import { agentFailed, type HostError } from '../errors.js'
import type { Wait } from '../wait.js'
import type { OpenVolume, VolumePower } from './volume-power.js'

/** The volumes of one machine, held until it is gone. */
export interface MachineVolumes extends AsyncDisposable {
  readonly devices: readonly VolumeDevice[]
}

/** Why units are not to be started at all where the monitor has no volumes. */
export function faultOfVolumes(
  units: readonly UnitDefinition[],
  { kind, capabilities }: Monitor,
): HostError | undefined {
  if (capabilities.volumes) return undefined
  for (const { name, volumes = {} } of units) {
    const [volume] = Object.keys(volumes)
    if (volume === undefined) continue
    const message =
      `Volume "${volume}" of unit "${name}": the monitor of this host, ${kind}, gives machines no disks to write. ` +
      'Open the host with crosvm or QEMU, or give the unit no volumes.'
    return { kind: 'volume-failed', message, unit: name, volume, reason: 'unsupported' }
  }
  return undefined
}

/** The volumes of a host's units. Their files outlive the host: `STATE/volumes/UNIT/NAME.ext4`. */
export class HostVolumes {
  constructor(
    private readonly open: VolumePower,
    private readonly processes: Processes,
    /** Absolute path of the state directory. */
    private readonly state: string,
  ) {}

  /** All or none. `directory`: the machine's own, journalled. */
  async take(
    { name, volumes = {} }: UnitDefinition,
    directory: string,
    wait: Wait,
  ): Promise<Result<MachineVolumes, HostError>> {
    const held: OpenVolume[] = []
    const devices: VolumeDevice[] = []
    const release = async () => {
      for (const volume of held.splice(0)) await volume[Symbol.asyncDispose]()
    }
    for (const [volume, definition] of Object.entries(volumes)) {
      const path = `${this.state}/volumes/${name}/${volume}.ext4`
      const opened = await this.open({
        path,
        sizeBytes: definition.sizeBytes,
        unfinished: `${directory}/${volume}.ext4`,
        lock: `${this.state}/locks/${createHash('sha256').update(path).digest('hex').slice(0, 16)}`,
        processes: this.processes,
        signal: wait.signal,
      })
      if (opened.isErr()) {
        await release()
        const { reason, message } = opened.error
        if (reason === 'aborted') return err({ kind: 'aborted', message, unit: name })
        if (reason === 'timed-out') {
          return err({ kind: 'timed-out', message, unit: name, step: 'volumes', lastLines: [] })
        }
        const words = `Volume "${volume}" of unit "${name}": ${message}`
        return err({ kind: 'volume-failed', message: words, unit: name, volume, reason })
      }
      held.push(opened.value)
      const { sizeBytes } = opened.value
      devices.push({ serial: volume, path, sizeBytes, readOnly: definition.readOnly ?? false })
    }
    return ok({ devices, [Symbol.asyncDispose]: release })
  }
}

/** Mounts them in the unit: what lies below another one after it. */
export async function mountVolumes(
  unit: string,
  agent: Agent,
  volumes: Readonly<Record<string, VolumeDefinition>>,
  lastLines: () => readonly string[],
  wait: Wait,
): Promise<Result<void, HostError>> {
  const inOrder = Object.entries(volumes).sort(([, a], [, b]) => (a.path < b.path ? -1 : 1))
  for (const [device, { path, readOnly }] of inOrder) {
    const mounted = await agent.mountVolume(
      { device, fileSystem: 'ext4', path, readOnly },
      { signal: wait.signal, deadlineMs: wait.leftMs() },
    )
    if (mounted.isErr()) return err(agentFailed(unit, mounted.error, lastLines()))
  }
  return ok(undefined)
}
