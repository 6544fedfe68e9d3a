import { type Prerequisite, prerequisites } from '../prerequisites.js'
import type { CrosvmSpec } from '../spec.js'
import type { HostInspection } from './powers.js'

/** A prerequisite that this host does not meet. Its message has the remedy. */
export interface MissingPrerequisite {
  /** What should be so. */
  readonly prerequisite: Prerequisite
  /** What should be so, and what is instead. */
  readonly message: string
}

/** More entries than a tree for `--pmem-ext2` can reasonably have: the look ends there. */
const MOST_ENTRIES = 100_000

/**
 * Looks at everything that a machine takes for granted and gives what is not so; never rejects where the host's
 * powers do not. Descriptors are the spawner's affair. Of a tree for `pmemExt2` 100 000 entries are looked at, or
 * as many as its image has inodes. A host can change between the look and the start: crosvm then fails with
 * status 1 and says why.
 */
export async function missingPrerequisites(
  spec: CrosvmSpec,
  host: HostInspection,
): Promise<readonly MissingPrerequisite[]> {
  const found: MissingPrerequisite[] = []
  for (const prerequisite of prerequisites(spec)) {
    const why = await whyNot(prerequisite, spec, host)
    if (why !== undefined) found.push({ prerequisite, message: `${prerequisite.message} (here: ${why})` })
  }
  return found
}

async function whyNot(
  wanted: Prerequisite,
  spec: CrosvmSpec,
  host: HostInspection,
): Promise<string | undefined> {
  if (wanted.kind === 'descriptor') return undefined
  if (wanted.kind === 'privilege') {
    if (wanted.privilege === 'user-namespaces') return host.whyNoNamespaces()
    return (await host.hasCapability(wanted.privilege)) ? undefined : `this process lacks ${wanted.privilege}`
  }
  const { kind, path, writable } = wanted
  const facts = await host.inspect(path)
  if (kind === 'absent') return facts === undefined ? undefined : 'something is there'
  if (facts === undefined) return 'nothing is there, or it may not be looked at'
  const expected = { file: 'file', device: 'device', socket: 'socket' }[kind as string] ?? 'directory'
  // A disk may also be a block device, and a file descriptor's link any kind.
  const fits = facts.kind === expected || (kind === 'file' && facts.kind !== 'directory')
  if (!fits) return facts.kind === 'other' ? 'it is something else' : `it is a ${facts.kind}`
  if (!facts.readable && kind !== 'socket') return 'it may not be read'
  if (writable && !facts.writable) return 'it may not be written'
  if (kind === 'empty-directory') return (await firstOf(host.tree(path))) && 'it is not empty'
  return kind === 'plain-tree' ? unfitTree(host.tree(path), inodesFor(spec, path)) : undefined
}

async function firstOf(entries: AsyncIterable<{ readonly path: string }>): Promise<string | undefined> {
  for await (const { path } of entries) return path
  return undefined
}

async function unfitTree(
  entries: ReturnType<HostInspection['tree']>,
  inodes: number,
): Promise<string | undefined> {
  let seen = 0
  for await (const { path, kind } of entries) {
    if (kind !== 'file' && kind !== 'directory' && kind !== 'link')
      return `${path} is no file, directory or link`
    seen += 1
    if (seen > inodes) return `it has more than ${inodes} entries: raise inodesPerGroup`
    if (seen > MOST_ENTRIES) return `it has more than ${MOST_ENTRIES} entries`
  }
  return undefined
}

/** Inodes that the ext2 images of a directory leave for what is in it; the first eleven are ext2's own. */
function inodesFor(spec: CrosvmSpec, path: string): number {
  const devices = spec.pmemExt2?.filter((device) => device.path === path) ?? []
  const counts = devices.map(({ size = 16_777_216, blocksPerGroup = 4096, inodesPerGroup = 1024 }) => {
    return Math.floor(size / (4096 * blocksPerGroup)) * inodesPerGroup - 11
  })
  return Math.min(...counts)
}
