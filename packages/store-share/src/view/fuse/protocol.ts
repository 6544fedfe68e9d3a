/**
 * The parts of Linux's FUSE protocol that a read-only server needs: include/uapi/linux/fuse.h, version 7.38.
 * Offsets are in bytes from the start of the structure.
 */
export const FUSE_MAJOR = 7
/** The newest this knows. */
export const FUSE_MINOR = 38
/** virtio-fs came with it (Linux 5.4): every structure has its present size since. */
export const OLDEST_MINOR = 31

export const ROOT_ID = 1

export const OP = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  setxattr: 21,
  removexattr: 24,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
  copyFileRange: 47,
  tmpfile: 51,
} as const

/** What would change something. */
export const WRITING: ReadonlySet<number> = new Set([
  OP.setattr,
  OP.symlink,
  OP.mknod,
  OP.mkdir,
  OP.unlink,
  OP.rmdir,
  OP.rename,
  OP.link,
  OP.write,
  OP.setxattr,
  OP.removexattr,
  OP.create,
  OP.fallocate,
  OP.rename2,
  OP.copyFileRange,
  OP.tmpfile,
])

/** fuse_in_header: len, opcode, unique (8), nodeid (8), uid, gid, pid, total_extlen (2), padding (2). */
export const IN_HEADER_BYTES = 40
/** fuse_out_header: len, error, unique (8). */
export const OUT_HEADER_BYTES = 16

export const INIT_IN_BYTES = 16
export const INIT_OUT_BYTES = 64
export const ATTR_BYTES = 88
export const ENTRY_OUT_BYTES = 40 + ATTR_BYTES
export const ATTR_OUT_BYTES = 16 + ATTR_BYTES
export const OPEN_OUT_BYTES = 16
export const STATFS_OUT_BYTES = 80
/** fuse_read_in: fh (8), offset (8), size, read_flags, lock_owner (8), flags, padding. */
export const READ_IN_BYTES = 40
/** fuse_dirent up to its name: ino (8), off (8), namelen, type. */
export const DIRENT_BYTES = 24

/** Flags of INIT. */
export const INIT = {
  asyncRead: 1 << 0,
  doReaddirplus: 1 << 13,
  readdirplusAuto: 1 << 14,
  noOpenSupport: 1 << 17,
  parallelDirops: 1 << 18,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
  explicitInvalidation: 1 << 25,
} as const

/** Flags of an OPEN or OPENDIR answer. */
export const FOPEN_KEEP_CACHE = 1 << 1
export const FOPEN_CACHE_DIR = 1 << 3

/** The access mode in the flags of OPEN: anything but 0 writes. */
export const O_ACCMODE = 3

/** d_type, which is also the upper four bits of a mode. */
export const DT_UNKNOWN = 0
export const DT_DIRECTORY = 4
export const DT_FILE = 8
export const DT_SYMLINK = 10

/** Linux's numbers, asm-generic/errno-base.h and errno.h; the same on every architecture this runs on. */
export const ERRNO = {
  ENOENT: 2,
  EIO: 5,
  ENOMEM: 12,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EROFS: 30,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  EPROTO: 71,
  EOVERFLOW: 75,
  ESTALE: 116,
} as const
