import { createHash } from 'node:crypto'
import type { HostPlaces } from './host-directory.js'
import type { HostFiles } from './powers.js'

/**
 * Puts the initramfs into the cache under the hash of its content: one file per kernel and agent, shared by
 * all units and hosts, which also share its pages. A file that is there already is not written again.
 */
export async function keepInitramfs(
  files: HostFiles,
  places: HostPlaces,
  unfinished: string,
  bytes: Uint8Array,
): Promise<string> {
  const directory = `${places.cache}/initramfs`
  const hash = createHash('sha256').update(bytes).digest('hex')
  const path = `${directory}/${hash}.cpio`
  // Renamed into place whole, so the size alone tells a file that was damaged later on.
  await files.makeDirectory(directory)
  if ((await files.size(path)) === bytes.length) return path
  await files.replace(path, bytes, `${unfinished}/${hash}.cpio`)
  return path
}
