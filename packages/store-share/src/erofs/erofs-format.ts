/**
 * The part of EROFS's on-disk format that an uncompressed, read-only store needs. All values are
 * little-endian. Source: Linux, fs/erofs/erofs_fs.h (6.1).
 */
export const BLOCK_BITS = 12
export const SUPERBLOCK_OFFSET = 1024
export const SUPERBLOCK_BYTES = 128
export const MAGIC = 0xe0f5e1e2
export const SLOT_BYTES = 32

export const COMPAT_CHECKSUM = 0x1
export const COMPAT_MTIME = 0x2
export const INCOMPAT_CHUNKED_FILE = 0x4
export const INCOMPAT_DEVICE_TABLE = 0x8

export const DEVICE_SLOT_BYTES = 128
export const DEVICE_TAG_BYTES = 64

export const DIRENT_BYTES = 12
export const CHUNK_INDEX_BYTES = 8
/** `i_u` of a chunked file: bits 0 to 4 are log2(chunk / block), this bit says 8-byte indexes. */
export const CHUNK_FORMAT_INDEXES = 0x20
/**
 * Chunks of at most 2^(12 + 18) bytes. The format allows 2^(12 + 31), but erofs-utils reads a chunk with one
 * pread(2), which gives at most 2 GiB: a file of one larger chunk is one that its checker cannot check.
 */
export const MAX_CHUNK_BITS = 18

export const FLAT_PLAIN = 0
export const FLAT_INLINE = 2
export const CHUNK_BASED = 4

export const COMPACT_INODE_BYTES = 32
export const EXTENDED_INODE_BYTES = 64

/** POSIX file types, and EROFS's types in directory entries. */
export const MODE = { directory: 0o040000, file: 0o100000, symlink: 0o120000 } as const
export const DIRENT_TYPE = { file: 1, directory: 2, symlink: 7 } as const

/** Nix's canonical time, one second after the epoch: compact inodes take theirs from here. */
export const BUILD_TIME = 1
