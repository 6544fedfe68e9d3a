import { Buffer } from 'node:buffer'
import { err, ok, type Result } from 'neverthrow'
import { invalidArgument, systemError, type UnixFdError } from './errors.js'
import { Fd } from './fd.js'
import type { SystemCalls } from './system-calls.js'

/**
 * What to open: a regular file's data, a directory to list and to look into, or only the place (O_PATH), whatever
 * is there.
 */
export type Opening = 'file' | 'directory' | 'place'

/** Where `TreeCalls.stat` puts what it found. All but the mode are two halves, the low one first. */
export const STAT_MODE = 0
/** Where in the words of `stat` the size lies, in bytes: low word, then high word. */
export const STAT_SIZE = 1
/** Where the device lies, low word first. */
export const STAT_DEVICE = 3
/** Where the inode lies, low word first. */
export const STAT_INODE = 5
/** Which mount it is on, which st_dev does not tell where file systems lie over one another. 0 before Linux 5.8. */
export const STAT_MOUNT = 7
/** How many words `stat` writes. */
export const STAT_WORDS = 9

/** The most pieces that one `read` fills: UIO_MAXIOV. */
export const MOST_PIECES = 1024

/**
 * Reading what lies below a directory, by its descriptor: for servers that hand the kernel's own answer on, so a
 * negative result is `-errno`, and nothing is made per call. Paths and names are byte strings: one character per
 * byte. Nothing here leads out of the directory, follows a symbolic link or crosses into another mount.
 */
export interface TreeCalls {
  /**
   * `path` is relative, of names between single slashes; '' opens the directory itself anew. EXDEV: it leads out, or into another mount; ELOOP: a
   * symbolic link is on it; ENOSYS: Linux older than 5.6. openat2(2).
   */
  open(directory: Fd, path: string, opening: Opening): Fd | number
  /** Of the entry `name`, or with '' of the open file itself. `out`: `STAT_WORDS` of room. */
  stat(directory: Fd, name: string, out: Int32Array): number
  /** The target's length; as long as `into` means that it was cut. With '' of the open symbolic link itself. */
  readLink(directory: Fd, name: string, into: Uint8Array): number
  /** The next records of getdents64(2), or 0 after the last. `again` begins anew. */
  list(directory: Fd, into: Uint8Array, again: boolean): number
  /**
   * The file's bytes from `position` on, straight into `count` pieces of `memory`: pairs of offset and length. How
   * many bytes, fewer than asked for at the end of the file. preadv(2), which blocks while a disk is slow.
   */
  read(file: Fd, position: number, memory: Uint8Array, pieces: Int32Array, count: number): number
}

/** A relative path that stays where it is: no empty name, no `.`, no `..`; and what is a byte. */
const STAYING = /^(?!\.{1,2}(?:\/|$))[^\0/\u0100-\uffff]+(?:\/(?!\.{1,2}(?:\/|$))[^\0/\u0100-\uffff]+)*$/
const LONGEST_PATH = 4095

export function createTreeCalls(calls: SystemCalls): TreeCalls {
  const flags = openingFlags(calls)
  const { RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV } = calls.constants
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV
  return {
    open(directory, path, opening) {
      if (path !== '') checkPath(path)
      const number = calls.openBeneath(directory.number, path === '' ? '.' : path, flags[opening], resolve)
      return number < 0 ? number : new Fd(calls, number)
    },
    stat(directory, name, out) {
      checkName(name)
      return calls.statAt(directory.number, name, out)
    },
    readLink(directory, name, into) {
      checkName(name)
      return calls.readLinkAt(directory.number, name, into)
    },
    list: (directory, into, again) => calls.list(directory.number, into, again ? 1 : 0),
    read: (file, position, memory, pieces, count) =>
      calls.readPieces(file.number, position, memory, pieces, count),
  }
}

/**
 * Opens an absolute path of this program's own, a symbolic link at the end as itself (`place` only). A pipe or a
 * device in its place is not waited for.
 */
export function openPath(calls: SystemCalls, path: string, opening: Opening): Result<Fd, UnixFdError> {
  const bytes = Buffer.from(path, 'utf8').toString('latin1')
  if (!path.startsWith('/') || path.includes('\0') || bytes.length > LONGEST_PATH) {
    return err(invalidArgument('path', `open an absolute path of at most ${LONGEST_PATH} bytes without NUL`))
  }
  const number = calls.openBeneath(calls.constants.AT_FDCWD, bytes, openingFlags(calls)[opening], 0)
  return number < 0 ? err(systemError('openat2', number)) : ok(new Fd(calls, number))
}

function openingFlags(calls: SystemCalls): Readonly<Record<Opening, number>> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_DIRECTORY, O_PATH } = calls.constants
  return {
    file: O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
    directory: O_RDONLY | O_NOFOLLOW | O_DIRECTORY,
    place: O_PATH | O_NOFOLLOW,
  }
}

function checkPath(path: string): void {
  if (path.length > LONGEST_PATH || !STAYING.test(path)) {
    throw new RangeError('a path below a directory has names that are bytes, between single slashes')
  }
}

/** One entry: fstatat and readlinkat follow everything but the last name, so there is only a last one. */
function checkName(name: string): void {
  if (name === '') return
  if (name.includes('/')) throw new RangeError('a name has no slash')
  checkPath(name)
}
