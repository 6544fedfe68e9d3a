/**
 * What a NAR may hold. Nix's own bounds (libutil/archive.cc, `narMaxDepth`, `narMaxName`, `narMaxTarget`) are
 * the format's, not those of the file system it came from.
 */
export const NAR_LIMITS = {
  /** Nodes on the way from the root, itself included. */
  depth: 64,
  /** Bytes of one name in a directory (NAME_MAX of Linux). */
  nameBytes: 255,
  /** Bytes of what a symbolic link says (PATH_MAX of Linux, less its end). */
  targetBytes: 4095,
} as const

export const NAR_MAGIC = 'nix-archive-1'

/** Zeros after a string of this many bytes. */
export function paddingAfter(length: number): number {
  return (8 - (length % 8)) % 8
}
