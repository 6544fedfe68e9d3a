export type {
  AttachAllOptions,
  Attachment,
  AttachOptions,
  Blob,
  BlobCache,
  DeviceFile,
} from './blob.js'
export { type BlobCacheOptions, type BlobCachePowers, openBlobCache } from './blob-cache.js'
export type { StoredNode } from './blob-index.js'
export { readTrailer, writeTrailer } from './blob-layout.js'
export type { BlobSource } from './blob-writer.js'
export type { Closure, StoreOptions, StorePathInfo, StoreSource } from './closure.js'
export { erofsImage, type ImageDevice, metadataImage } from './erofs-image.js'
export type { ImageMember } from './erofs-tree.js'
export type { StoreError } from './errors.js'
export { type PlannedLayer, planLayers } from './layers.js'
export { serialiseNar } from './nix/nar/writer.js'
export { formatNarHash, parseNarHash } from './nix/nar-hash.js'
export { decodeNix32, encodeNix32, nix32Length } from './nix/nix32.js'
export { baseNameOf, parseStorePath, STORE_DIRECTORY, type StorePath } from './nix/store-path.js'
export { type NixStoreOptions, type NixStorePowers, nixStore } from './nix-store.js'
export type {
  ByteString,
  CacheFiles,
  Clock,
  CommandOutcome,
  CommandRequest,
  EntryKind,
  OutputFile,
  Owners,
  ReadableFile,
  RunCommand,
  TreeReader,
} from './powers.js'
export type { BlobSharing, SharingReport, SharingUnit } from './sharing.js'
export { type SharingPowers, sharingReport } from './sharing-report.js'
