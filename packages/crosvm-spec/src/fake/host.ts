import { type Prerequisite, prerequisites } from '../prerequisites.js'
import type { HostInspection, PathFacts } from '../spawn/powers.js'
import type { CrosvmSpec } from '../spec.js'

const KINDS: Readonly<Record<string, PathFacts['kind']>> = {
  file: 'file',
  socket: 'socket',
  device: 'device',
}

/**
 * A host on which everything is as a machine takes it for granted, and any directory is empty. Take single
 * answers out by overriding them: `{ ...fakeHost(spec), hasCapability: async () => false }`.
 */
export function fakeHost(spec: CrosvmSpec): HostInspection {
  const wanted = prerequisites(spec).filter(
    (one): one is Extract<Prerequisite, { path: string }> => 'path' in one,
  )
  return {
    async inspect(path) {
      const one = wanted.find((candidate) => candidate.path === path)
      if (one === undefined || one.kind === 'absent') return undefined
      return { kind: KINDS[one.kind] ?? 'directory', readable: true, writable: true }
    },
    async *tree() {},
    hasCapability: async () => true,
    whyNoNamespaces: async () => undefined,
    removeSocket: async () => {},
  }
}
