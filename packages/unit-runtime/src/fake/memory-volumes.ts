import type { FakeVolume } from '@spectrum/guest-agent/fake'
import { errAsync, okAsync } from 'neverthrow'
import type { VolumePower } from '../volumes/volume-power.js'

/** Volumes in memory, which outlive the hosts that they are given to. */
export interface MemoryVolumes {
  /** For `HostPowers.openVolume`. Fails as `in-use` while somebody has the volume, and as `would-shrink`. */
  readonly open: VolumePower
  /** The size of each volume that there is, by its path. */
  readonly sizes: ReadonlyMap<string, number>
  /** What is on the volume of this path (the absolute path of its file); it starts empty. */
  contents(path: string): FakeVolume
  /** Absolute paths of those that somebody has, sorted. */
  held(): readonly string[]
}

/** Volumes in memory: none at first. Give the same to several hosts to see what outlives them. */
export function memoryVolumes(): MemoryVolumes {
  const sizes = new Map<string, number>()
  const held = new Set<string>()
  const contents = new Map<string, FakeVolume>()
  return {
    sizes,
    contents(path) {
      const found = contents.get(path) ?? { files: new Map() }
      contents.set(path, found)
      return found
    },
    held: () => [...held].sort(),
    open({ path, sizeBytes }) {
      if (held.has(path)) return errAsync({ reason: 'in-use', message: 'another machine has it' })
      const now = sizes.get(path) ?? 0
      if (now > sizeBytes) return errAsync({ reason: 'would-shrink', message: `it has ${now} bytes` })
      sizes.set(path, sizeBytes)
      held.add(path)
      return okAsync({
        path,
        sizeBytes,
        async [Symbol.asyncDispose]() {
          held.delete(path)
        },
      })
    },
  }
}
