import type { Blob } from '../blob/blob.js'
import type { BlobIndex } from '../blob/blob-index.js'
import type { Closure } from '../closure.js'
import { type MetadataImage, metadataImage } from '../erofs/erofs-image.js'
import type { ImageMember } from '../erofs/erofs-tree.js'
import { baseNameOf } from '../nix/store-path.js'
import type { DeviceDirectory } from './device-directory.js'
import type { PlannedLayer } from './layers.js'

/** A blob together with what lies in it, and for whom. */
export interface Built {
  readonly layer: PlannedLayer
  readonly index: BlobIndex
  readonly devices: DeviceDirectory
}

/** The image of a closure whose blobs are there. */
export function assemble(
  closure: Closure,
  built: readonly Built[],
): {
  readonly image: MetadataImage
  readonly blobs: readonly Blob[]
  readonly members: readonly ImageMember[]
} {
  const blobs: Blob[] = []
  const members: ImageMember[] = []
  const slots = new Map<string, number>()
  for (const { layer, index, devices } of built) {
    const trees = treesOf(layer, index)
    let device = 0
    if (index.dataBytes > 0) {
      // A path of links and directories alone needs no device, and equal contents need only one.
      device = slots.get(index.id) ?? blobs.push(blobOf(devices, index, []))
      slots.set(index.id, device)
      const { storePaths } = blobs[device - 1]!
      const more = layer.paths.map(({ path }) => path)
      blobs[device - 1] = blobOf(devices, index, [...storePaths, ...more])
    }
    for (const { path, tree } of trees) members.push({ name: baseNameOf(path), tree, device })
  }
  if (members.length !== closure.paths.length) throw new TypeError('the layers are not the closure')
  return { image: metadataImage(members, blobs), blobs, members }
}

export function blobOf(devices: DeviceDirectory, index: BlobIndex, storePaths: readonly string[]): Blob {
  const { id, sizeBytes } = index
  return { id, file: devices.blobFile(id), sizeBytes, storePaths: [...storePaths].sort() }
}

function treesOf(layer: PlannedLayer, index: BlobIndex) {
  const only = index.members.length === 1 ? index.members[0] : undefined
  const byPath = new Map(index.members.map((member) => [member.path, member]))
  return layer.paths.map(({ path, narHash }) => {
    const member = only?.path === null ? only : byPath.get(path)
    if (member?.narHash !== narHash) throw new TypeError(`the index of blob ${index.id} lacks ${path}`)
    return { path, tree: member.tree }
  })
}
