export { type CacheInfo, formatCacheInfo, parseCacheInfo } from './cache-info.js'
export {
  type ContentAddress,
  type ContentReferences,
  contentAddressedPath,
  formatContentAddress,
  makeStorePath,
  parseContentAddress,
} from './content-address.js'
export { type ContentAddressedInfo, ContentAddressHasher } from './content-hash.js'
export {
  type DatabaseReader,
  type NixDatabase,
  type NixDatabaseOptions,
  type NixDatabasePowers,
  nixDatabase,
} from './database.js'
export { formatHash, type HashAlgorithm, type HashEncoding, type NixHash, parseHash } from './hash.js'
export type { MalformedError, NixFormat } from './malformed.js'
export { NAR_LIMITS } from './nar/format.js'
export { hashNar, type NarHashPowers, type NarSummary, verifyNar } from './nar/hash.js'
export {
  formatListing,
  type ListedDirectory,
  type ListedFile,
  type ListedNode,
  listTree,
  NarLister,
  parseListing,
} from './nar/listing.js'
export { type NarEvent, NarReader, type NarReaderOptions } from './nar/reader.js'
export { serialiseNar } from './nar/writer.js'
export { formatNarHash, parseNarHash } from './nar-hash.js'
export { formatNarInfo, NARINFO_LIMITS, type NarInfo, parseNarInfo } from './narinfo.js'
export { allReferences, type NixPathInfo, splitReferences } from './nix-path-info.js'
export { decodeNix32, encodeNix32, nix32Length } from './nix32.js'
export {
  formatReferencesGraphJson,
  type PathInfoAnswer,
  type PathInfoEntry,
  readPathInfo,
} from './path-info.js'
export {
  formatReferencesGraph,
  formatRegistration,
  parseReferencesGraph,
  parseRegistration,
  type ReferencesGraphNode,
  type Registration,
  RegistrationReader,
} from './registration.js'
export {
  fingerprint,
  formatPublicKey,
  formatSignature,
  isSignedBy,
  type PublicKey,
  parsePublicKey,
  parseSecretKey,
  parseSignature,
  SecretKey,
  type Signature,
  type SignedPathInfo,
  verifySignature,
} from './signature.js'
export { baseNameOf, parseStorePath, STORE_DIRECTORY, type StorePath } from './store-path.js'
