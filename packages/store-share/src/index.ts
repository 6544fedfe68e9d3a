export type {
  AttachAllOptions,
  Attachment,
  AttachOptions,
  Blob,
  BlobCache,
  BlobCacheUpkeep,
  DeviceFile,
  NarChunks,
  OpenBlobCache,
  ShareAcross,
} from './blob/blob.js'
export type { StoredNode } from './blob/blob-index.js'
export { readTrailer, writeTrailer } from './blob/blob-layout.js'
export { type BlobCacheOptions, type BlobCachePowers, openBlobCache } from './cache/blob-cache.js'
export type { Collection, CollectOptions } from './cache/collect.js'
export { type LayerPlan, type PlannedLayer, planLayers } from './cache/layers.js'
export type { DamagedFile, Verification, VerifyOptions } from './cache/verify.js'
export type { FileVerity, VerityState } from './cache/verity.js'
export type { Closure, StoreOptions, StorePathInfo, StoreSource } from './closure.js'
export { erofsImage, type ImageDevice, type MetadataImage, metadataImage } from './erofs/erofs-image.js'
export type { ImageMember } from './erofs/erofs-tree.js'
export type { CacheFailure, StoreError } from './errors.js'
export * from './nix/index.js'
export type {
  ByteString,
  CacheFiles,
  ChunkHash,
  Clock,
  CommandOutcome,
  CommandRequest,
  EntryKind,
  FileIdentity,
  OpenFiles,
  OutputFile,
  Owners,
  ReadableFile,
  RunCommand,
  TreeReader,
} from './powers.js'
export type { FramePowers } from './sharing/frames.js'
export type {
  BlobSharing,
  FrameCount,
  PathSharing,
  SharingReport,
  SharingUnit,
  UnitSharing,
} from './sharing/sharing.js'
export { type SharingPowers, sharingReport } from './sharing/sharing-report.js'
export type { BinaryCache } from './sources/binary-cache.js'
export { CacheFailed, type CacheTransport } from './sources/cache-transport.js'
export { COMPRESSIONS, type Compression } from './sources/decompress.js'
export {
  type ClosureFetch,
  type FetchError,
  type FetchEvents,
  type FetchedClosure,
  type FetchOptions,
  type FetchPowers,
  fetchClosure,
  fetchEvents,
  type NotAdmitted,
} from './sources/fetch-closure.js'
export type { HttpClient, HttpResponse, HttpTuning, Retry } from './sources/http-transport.js'
export { type NixStoreOptions, type NixStorePowers, nixStore } from './sources/nix-store.js'
export { type BinaryCacheOptions, type BinaryCachePowers, binaryCache } from './sources/open-cache.js'
export type { DirectoryNode, FileNode, SymlinkNode, TreeNode } from './tree.js'
export * from './trust/index.js'
