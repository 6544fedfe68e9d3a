import { storedTree } from '../blob/blob-tree.js'
import type { BlobSource, OpenedPath } from '../blob/blob-writer.js'
import { toByteString } from '../byte-string.js'
import type { StorePathInfo } from '../closure.js'
import { doing } from '../failure.js'
import type { CacheFiles, TreeReader } from '../powers.js'
import { quote } from '../quote.js'
import type { DeviceDirectory } from './device-directory.js'

/**
 * The data of a store path, to be put into a blob: from the local store, or, where that does not have it (the path
 * came from a binary cache), from the blob of the path itself. Either way the new blob's hash is checked.
 */
export class PathSources implements BlobSource {
  constructor(
    readonly tree: TreeReader,
    readonly locate: (storePath: string) => string,
    readonly files: CacheFiles,
    readonly blobs: DeviceDirectory,
  ) {}

  async open({ path, narHash }: StorePathInfo): Promise<OpenedPath> {
    const local = toByteString(this.locate(path))
    const unpacked = { tree: this.tree, path: local, close: async () => {} }
    if ((await doing(`Reading ${quote(path)} failed`, this.tree.kindOf(local))) !== undefined) return unpacked
    const index = await this.blobs.readBlob(narHash)
    const member = index?.members.find((member) => member.path === null || member.path === path)
    if (member === undefined) return unpacked
    const blob = await doing(
      `Opening the blob of ${quote(path)} failed`,
      this.files.open(this.blobs.blobFile(narHash)),
    )
    return { tree: storedTree(local, member.tree, blob), path: local, close: () => blob.close() }
  }
}
